//! What do people get to see of our own pages, in a real browser?
//!
//! Debian's chromium, without a window, driven by `tests/support/webdriver.rs`. Where it is missing, all of this is skipped.

#[path = "support/process.rs"]
mod process;
#[path = "support/webdriver.rs"]
mod webdriver;

use std::fs;
use std::time::{Duration, SystemTime};

use process::{Process, Scratch};
use serde_json::json;
use webdriver::{Browser, ENTER, ESCAPE, TAB};

/// The names in the rows of a listing that can be seen, in order.
const NAMES: &str = "return [...document.querySelectorAll('tbody tr:not(.up)')].filter((row) => row.checkVisibility())\
    .map((row) => row.querySelector('a').textContent.replace(/\\/$/, ''))";

/// Three files and a directory, each order of which is another one.
fn shelf() -> Scratch {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join("zoo")).unwrap();
    scratch.file("zoo/bear.txt", "bear");
    for (name, bytes, age_days) in [("alpha.txt", 300, 2), ("Beta.txt", 20, 3), ("gamma10.txt", 1000, 1), ("gamma9.txt", 4000, 4)]
    {
        let path = scratch.file(name, &"x".repeat(bytes));
        let changed = SystemTime::now() - Duration::from_secs(age_days * 86_400);
        fs::File::options().write(true).open(path).unwrap().set_modified(changed).unwrap();
    }
    scratch
}

/// The same with a dozen more, so that there is a filter.
fn library() -> Scratch {
    let scratch = shelf();
    for number in 1..=12 {
        scratch.file(&format!("Volume {number}.txt"), "");
    }
    scratch
}

/// The name of a directory, which its page shows.
fn name_of(scratch: &Scratch) -> &str {
    scratch.path().file_name().unwrap().to_str().unwrap()
}

fn url(process: &Process, path: &str) -> String {
    format!("http://{}{path}", process.address)
}

#[test]
fn a_listing_is_sorted_by_clicking_on_its_heads() {
    let Some(browser) = Browser::start() else { return };
    let scratch = shelf();
    let process = Process::start(&[scratch.path()]);
    browser.go(&url(&process, "/"));
    let by_name = ["zoo", "alpha.txt", "Beta.txt", "gamma9.txt", "gamma10.txt"];
    assert_eq!(browser.texts(NAMES), by_name);
    for (column, sorted, names) in [
        (2, "descending", ["zoo", "gamma9.txt", "gamma10.txt", "alpha.txt", "Beta.txt"]),
        (2, "ascending", ["zoo", "Beta.txt", "alpha.txt", "gamma10.txt", "gamma9.txt"]),
        (3, "descending", ["zoo", "gamma10.txt", "alpha.txt", "Beta.txt", "gamma9.txt"]),
        (3, "ascending", ["zoo", "gamma9.txt", "Beta.txt", "alpha.txt", "gamma10.txt"]),
        (1, "ascending", by_name),
        (1, "descending", ["zoo", "gamma10.txt", "gamma9.txt", "Beta.txt", "alpha.txt"]),
    ] {
        browser.click(&format!("thead th:nth-child({column}) a"));
        assert_eq!(browser.texts(NAMES), names, "column {column}, {sorted}");
        let state =
            browser.run("return [...document.querySelectorAll('[aria-sort]')].map((th) => [th.cellIndex + 1, th.ariaSort])");
        assert_eq!(state, json!([[column, sorted]]));
    }
    // The order is kept on the way down and up again.
    browser.click("tbody .d a");
    assert_eq!(browser.text("return location.pathname + location.search"), "/zoo/?sort=name&order=desc");
    browser.click("nav a");
    assert_eq!(browser.texts(NAMES)[1], "gamma10.txt");
    browser.is_content();
}

#[test]
fn a_listing_needs_no_script() {
    let Some(browser) = Browser::start() else { return };
    let scratch = library();
    let process = Process::start(&[scratch.path()]);
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    browser.go(&url(&process, "/"));
    assert_eq!(browser.run("return document.querySelectorAll('input, output').length"), 0, "no box that does nothing");
    browser.click("thead th:nth-child(2) a");
    assert_eq!(browser.texts(NAMES)[..2], ["zoo", "gamma9.txt"]);
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": false }));
    browser.reload();
    assert_eq!(browser.run("return document.querySelectorAll('input').length"), 1, "where there are scripts, there is one");
    browser.is_content();
}

#[test]
fn times_are_in_the_time_zone_of_the_reader() {
    let Some(browser) = Browser::start() else { return };
    let scratch = Scratch::new();
    let file = scratch.sparse("a", 1);
    // The last of December 2024, 23:45 UTC.
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_735_688_700)).unwrap();
    let process = Process::start(&[scratch.path()]);
    let shown = "return [...document.querySelectorAll('thead th:last-child, time')].map((cell) => cell.innerText)";
    for (zone, has_scripts, head, time) in [
        ("Asia/Kolkata", true, "Changed", "2025-01-01 05:15"),
        ("America/New_York", true, "Changed", "2024-12-31 18:45"),
        ("Asia/Kolkata", false, "Changed (UTC)", "2024-12-31 23:45"),
    ] {
        browser.devtools("Emulation.setTimezoneOverride", json!({ "timezoneId": zone }));
        browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": !has_scripts }));
        browser.go(&url(&process, "/"));
        assert_eq!(browser.texts(shown), [head, time], "{zone}");
    }
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": false }));
    browser.is_content();
}

/// What has the focus: its text, or the name of the element where it has none.
const FOCUSED: &str = "const element = document.activeElement; return element.innerText || element.localName";

#[test]
fn the_keyboard_is_enough() {
    let Some(browser) = Browser::start() else { return };
    let scratch = library();
    let process = Process::start(&[scratch.path()]);
    browser.go(&url(&process, "/zoo/"));
    for (want, why) in [
        (name_of(&scratch), "the way up"),
        ("Name", "then the heads, in order"),
        ("Size", ""),
        ("Changed", ""),
        ("Parent directory", "then the rows"),
        ("bear.txt", ""),
    ] {
        browser.press(TAB);
        assert_eq!(browser.text(FOCUSED), want, "{why}");
        let outline = browser.text("return getComputedStyle(document.activeElement).outlineStyle");
        assert_eq!(outline, "solid", "the focus on {want} can be seen");
    }
    browser.press(ENTER);
    browser.wait_until("location.pathname === '/zoo/bear.txt' && document.body.innerText === 'bear'");
    browser.back();
    browser.wait_until("location.pathname === '/zoo/'");

    browser.go(&url(&process, "/"));
    browser.press(TAB);
    assert_eq!(browser.text(FOCUSED), "input", "where there is a filter, it comes before the table");
    browser.press(&TAB.repeat(4));
    assert_eq!(browser.text(FOCUSED), "zoo/");
    browser.press(ENTER);
    browser.wait_until("location.pathname === '/zoo/'");
    browser.is_content();
}

#[test]
fn the_filter_filters() {
    let Some(browser) = Browser::start() else { return };
    let scratch = library();
    let process = Process::start(&[scratch.path()]);
    browser.go(&url(&process, "/"));
    let all = browser.texts(NAMES);
    assert_eq!(all.len(), 17);
    browser.click("input");
    for (keys, names, count) in [
        ("GAM", &["gamma9.txt", "gamma10.txt"][..], "2 of 17"),
        (" 9", &["gamma9.txt"][..], "1 of 17"),
        ("z", &[][..], "0 of 17"),
    ] {
        browser.press(keys);
        assert_eq!(browser.texts(NAMES), names, "{keys:?}");
        assert_eq!(browser.text("return document.querySelector('output').textContent"), count, "{keys:?}");
    }
    browser.press(ESCAPE);
    assert_eq!(browser.texts(NAMES), all);
    assert_eq!(browser.text("return document.querySelector('output').textContent"), "");
    browser.press("volume 12");
    browser.press(ENTER);
    browser.wait_until("decodeURI(location.pathname) === '/Volume 12.txt'");
    browser.is_content();
}

/// What the browser tells a screen reader, as role and name.
#[test]
fn a_screen_reader_finds_its_way() {
    let Some(browser) = Browser::start() else { return };
    let scratch = library();
    scratch.file("README.md", "# Read me");
    let process = Process::start(&[scratch.path()]);
    browser.go(&url(&process, "/"));
    let tree = browser.devtools("Accessibility.getFullAXTree", json!({}));
    let nodes = tree["nodes"].as_array().unwrap().iter().filter(|node| node["ignored"] == false);
    let told: Vec<(&str, &str)> =
        nodes.map(|node| (node["role"]["value"].as_str().unwrap_or(""), node["name"]["value"].as_str().unwrap_or(""))).collect();
    for (role, name) in [
        ("navigation", "Breadcrumb"),
        ("main", ""),
        ("heading", name_of(&scratch)),
        ("searchbox", "Filter"),
        ("table", name_of(&scratch)),
        ("columnheader", "Name"),
        ("columnheader", "Size"),
        ("rowheader", "alpha.txt"),
        ("link", "zoo/"),
        ("region", "README.md"),
        ("heading", "README.md"),
    ] {
        assert!(told.contains(&(role, name)), "no {role} {name:?} in {told:?}");
    }
    assert_eq!(browser.text("return document.documentElement.lang"), "en");
    let links = told.iter().filter(|(role, name)| *role == "link" && name.is_empty()).count();
    assert_eq!(links, 0, "every link says where it leads");
}

/// The pages that we make ourselves.
const PAGES: &[&str] =
    &["/", "/zoo/", "/empty/", "/?sort=size&order=desc", "/missing", "/zoo/mis%20sing.html", "/hello?name=you"];

#[test]
fn no_page_of_ours_breaks_its_own_policy() {
    let Some(browser) = Browser::start() else { return };
    let scratch = library();
    fs::create_dir(scratch.path().join("empty")).unwrap();
    let process = Process::start(&[scratch.path()]);
    for page in PAGES {
        browser.go(&url(&process, page));
        let status = browser.run("return performance.getEntriesByType('navigation')[0].responseStatus");
        // That a page is missing is all that there is to complain about.
        let complaints = browser.complaints();
        let others: Vec<_> = complaints.iter().filter(|line| !(status == 404 && line.contains("status of 404"))).collect();
        assert!(others.is_empty(), "{page}: {others:?}");
        let style = browser.text("return getComputedStyle(document.body).maxWidth");
        assert_ne!(style, "none", "{page}: the style sheet is applied");
        // And the policy is no dead letter.
        let script = "const broken = new Promise((tell) => addEventListener('securitypolicyviolation', tell, { once: true })); \
             const script = document.createElement('script'); script.textContent = 'window.ran = true'; document.body.append(script); \
             return [(await broken).effectiveDirective, window.ran ?? false]";
        assert_eq!(browser.run(script), json!(["script-src-elem", false]), "{page}");
        let complaints = browser.complaints();
        assert!(complaints.iter().all(|line| line.contains("Content Security Policy")), "{page}: {complaints:?}");
    }
    let fetched = browser.text("return fetch('/').then(() => 'fetched', (error) => error.name)");
    assert_eq!(fetched, "TypeError", "and a page may fetch nothing");
}

#[test]
fn dark_where_dark_is_preferred() {
    let Some(browser) = Browser::start() else { return };
    let scratch = library();
    let process = Process::start(&[scratch.path()]);
    for page in PAGES.iter().filter(|page| **page != "/empty/") {
        browser.go(&url(&process, page));
        for (scheme, is_dark) in [("light", false), ("dark", true), ("light", false)] {
            browser.prefer(scheme);
            // What is computed, as red, green and blue.
            let colours = browser.run(
                "const style = getComputedStyle(document.body); \
                 return [style.backgroundColor, style.color].map((colour) => colour.match(/\\d+/g).slice(0, 3).map(Number))",
            );
            let light = |at: usize| colours[at].as_array().unwrap().iter().map(|c| c.as_u64().unwrap()).sum::<u64>() / 3;
            let (ground, ink) = (light(0), light(1));
            assert_eq!((ground < 64, ink > 192), (is_dark, is_dark), "{page}, {scheme}: {colours}");
            assert_eq!((ground > 192, ink < 64), (!is_dark, !is_dark), "{page}, {scheme}: {colours}");
        }
    }
}

#[test]
fn a_phone_need_not_scroll_sideways() {
    let Some(browser) = Browser::start() else { return };
    let scratch = library();
    fs::create_dir(scratch.path().join("empty")).unwrap();
    let long = "a_name_without_a_place_to_break_that_is_longer_than_any_telephone_is_wide_".repeat(3);
    scratch.file(&format!("{long}.txt"), &"x".repeat(123_456));
    fs::create_dir_all(scratch.path().join(&long).join("zoo")).unwrap();
    scratch.sparse("film.mkv", 987_654_321_012);
    scratch.file("README.md", &format!("{}\n", long.repeat(2)));
    #[cfg(unix)]
    std::os::unix::fs::symlink("alpha.txt", scratch.path().join("a link.txt")).unwrap();
    let process = Process::start(&[scratch.path()]);
    let deep = format!("/{long}/zoo/");
    let (lost, told) = (format!("/{long}.html"), format!("/hello?name={long}"));
    // 320 pixels are what remains at four times the size (WCAG 2.2, 1.4.10).
    for width in [360, 320] {
        browser.resize(width, 740, 2.0, true);
        for page in PAGES.iter().chain([&&*deep, &&*lost, &&*told]) {
            browser.go(&url(&process, page));
            let wide = "return [document.documentElement.scrollWidth, innerWidth, visualViewport.width]";
            assert_eq!(browser.run(wide), json!([width, width, width]), "{page}");
            let beyond = "return [...document.querySelectorAll('body *')].filter((e) => e.checkVisibility() && \
                 e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML.slice(0, 80))";
            assert_eq!(browser.run(beyond), json!([]), "{page}");
        }
        browser.go(&url(&process, "/"));
        let shown = browser.text("return document.querySelector('tbody tr:last-child td:nth-child(2)').innerText");
        assert!(!shown.is_empty(), "sizes are still there");
    }
}
