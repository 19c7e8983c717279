//! What do people and programs get to see of a directory, and of what is not there?

#[path = "support/process.rs"]
mod process;

#[cfg(target_os = "linux")]
use std::ffi::OsStr;
use std::fs;

use process::{Answer, Process, Scratch};

/// One request, with a line more.
fn get(process: &Process, method: &str, target: &str, line: &str) -> Answer {
    let mut client = process.client();
    client.send(format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{line}Connection: close\r\n\r\n").as_bytes());
    if method == "HEAD" {
        let head = client.head();
        return Answer { status: head[9..12].parse().unwrap(), head, content: client.rest() };
    }
    client.answer()
}

const BROWSER: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n";
const PROGRAM: &str = "Accept: application/json\r\n";
const CURL: &str = "Accept: */*\r\n";
const TEXT: &str = "Accept: text/plain\r\n";

#[test]
fn the_page_of_the_site_for_what_it_does_not_have() {
    let scratch = Scratch::new();
    scratch.file("ten.txt", "0123456789");
    let process = Process::start(&[scratch.path()]);
    assert!(get(&process, "GET", "/none", BROWSER).text().contains("<h1>Not Found</h1>"), "ours, as long as there is no other");

    scratch.file("404.html", "<p>gone fishing");
    let is_noticed = |process: &Process| get(process, "GET", "/none", BROWSER).text() == "<p>gone fishing";
    process.wait_until("a new page is noticed", is_noticed);
    for (method, target, line, want, why) in [
        ("GET", "/none", BROWSER, "<p>gone fishing", "read at request time"),
        ("GET", "/none", CURL, "<p>gone fishing", "for all who take HTML"),
        ("GET", "/none", "", "<p>gone fishing", "or do not say what they take"),
        ("GET", "/none/deeper/", BROWSER, "<p>gone fishing", "wherever it is missing"),
        ("POST", "/none", BROWSER, "<p>gone fishing", "whatever was meant to be done with it"),
        ("GET", "/.hidden", BROWSER, "<p>gone fishing", "what is hidden is missing too"),
        ("GET", "/none", "Range: bytes=0-0\r\n", "<p>gone fishing", "it has no ranges: they would be of something else"),
        ("GET", "/none", "If-None-Match: *\r\n", "<p>gone fishing", "and no conditions"),
        ("GET", "/none", PROGRAM, "404 Not Found: there is nothing at this address\n", "not for those who take none"),
        ("HEAD", "/none", BROWSER, "", "HEAD has no content"),
    ] {
        let answer = get(&process, method, target, line);
        assert_eq!((answer.status, answer.text()), (404, want), "{method} {target} {line}: {why}");
        assert_eq!(answer.field("Vary"), Some("Accept"), "{why}");
        for absent in ["ETag", "Last-Modified", "Accept-Ranges", "Content-Range"] {
            assert_eq!(answer.field(absent), None, "{why}");
        }
        if want.starts_with("<p>") || method == "HEAD" {
            assert_eq!(answer.field("Content-Type"), Some("text/html; charset=utf-8"), "{why}");
            assert_eq!(answer.field("Content-Length"), Some("15"), "{why}");
            assert_eq!(answer.field("Content-Security-Policy"), None, "it is the site's, and may do what the site may: {why}");
        }
    }
    let answer = get(&process, "GET", "/404.html", BROWSER);
    assert_eq!((answer.status, answer.text()), (200, "<p>gone fishing"), "by its own name it is there");
    let answer = get(&process, "DELETE", "/ten.txt", BROWSER);
    assert!(answer.status == 405 && answer.text().contains("<h1>Method Not Allowed</h1>"), "only what is missing: {answer:?}");

    scratch.file("404.html", "<p>back soon");
    assert_eq!(get(&process, "GET", "/none", BROWSER).text(), "<p>back soon", "the next answer has the new one");
    fs::remove_file(scratch.path().join("404.html")).unwrap();
    assert!(get(&process, "GET", "/none", BROWSER).text().contains("<h1>Not Found</h1>"), "and none when it is gone");
}

#[test]
#[cfg(unix)]
fn a_page_for_what_is_missing_obeys_the_rules_of_files() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let scratch = Scratch::new();
    let root = scratch.path().join("root");
    fs::create_dir(&root).unwrap();
    scratch.file("secret.html", "SECRET");
    symlink("../secret.html", root.join("404.html")).unwrap();
    let process = Process::start(&[&root]);
    let ours = |why: &str| {
        let answer = get(&process, "GET", "/none", BROWSER);
        assert!(answer.status == 404 && answer.text().contains("<h1>Not Found</h1>"), "{why}: {answer:?}");
    };
    ours("a link that leads out");
    fs::remove_file(root.join("404.html")).unwrap();
    fs::create_dir(root.join("404.html")).unwrap();
    ours("a directory");
    fs::remove_dir(root.join("404.html")).unwrap();
    fs::write(root.join("404.html"), "unreadable").unwrap();
    fs::set_permissions(root.join("404.html"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(root.join("404.html")).is_ok() {
        eprintln!("SKIPPED: this user may read everything, so files without permission are not tested");
    } else {
        ours("one that may not be read");
    }
    fs::remove_file(root.join("404.html")).unwrap();
    fs::write(root.join("page.html"), "<p>inside").unwrap();
    symlink("page.html", root.join("404.html")).unwrap();
    let inside = |process: &Process| get(process, "GET", "/none", BROWSER).text() == "<p>inside";
    process.wait_until("a link within is a file like others", inside);
}

#[test]
fn one_file_has_no_page_for_others() {
    let scratch = Scratch::new();
    scratch.file("404.html", "<p>neighbour");
    let page = scratch.file("page.html", "<p>one");
    let process = Process::start(&[&page]);
    assert_eq!(get(&process, "GET", "/none", CURL).text(), "404 Not Found: there is nothing at this address\n");
}

#[test]
fn an_empty_directory_says_that_it_is_empty() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join("below")).unwrap();
    let process = Process::start(&[scratch.path()]);
    let below = get(&process, "GET", "/below/", BROWSER);
    assert!(below.text().contains("this directory is empty"), "{}", below.text());
    fs::remove_dir(scratch.path().join("below")).unwrap();

    let page = get(&process, "GET", "/", BROWSER);
    assert!(page.text().contains("this directory is empty</p>\n</main>"), "and nothing else:\n{}", page.text());
    assert_eq!(get(&process, "GET", "/", TEXT).text(), "this directory is empty\n");
    assert_eq!(get(&process, "GET", "/", PROGRAM).text(), "{\"path\":\"/\",\"entries\":[\n],\"complete\":true}\n");
}

#[test]
fn a_directory_with_hidden_entries_is_not_empty() {
    let scratch = Scratch::new();
    let process = Process::start(&[scratch.path()]);
    for (name, want) in [(".a", "1 hidden entry"), (".b", "2 hidden entries")] {
        scratch.file(name, "");
        assert!(get(&process, "GET", "/", BROWSER).text().contains(&format!("{want}</p>\n</main>")), "{want}");
        assert_eq!(get(&process, "GET", "/", TEXT).text(), format!("{want}\n"));
    }
    scratch.file("c", "");
    assert!(!get(&process, "GET", "/", BROWSER).text().contains("hidden entr"), "there is something to see");
}

#[test]
#[cfg(target_os = "linux")]
fn a_deceptive_name_is_escaped_wherever_it_is_shown() {
    let scratch = Scratch::new();
    let root = scratch.path().join("root\u{202e}x");
    let below = root.join("zero\u{200b}\n");
    fs::create_dir_all(&below).unwrap();
    fs::write(below.join(" a\u{202e}gpj.exe"), "").unwrap();
    let process = Process::start(&[OsStr::new("-v"), root.as_os_str()]);
    let (shown_root, shown, shown_file) = (r"root\u{202e}x", r"zero\u{200b}\x0a", r"\x20a\u{202e}gpj.exe");
    assert!(process.ready.contains(shown_root), "{}", process.ready);

    let target = "/zero%E2%80%8B%0A/";
    let page = get(&process, "GET", target, BROWSER);
    for part in [
        format!("<title>{shown}</title>"),
        format!("<li><a href=\"../\">{shown_root}</a></li>"),
        format!("<li><span aria-current=\"page\">{shown}</span></li>"),
        format!("<a href=\"%20a%E2%80%AEgpj.exe\">{shown_file}</a>"),
    ] {
        assert!(page.text().contains(&part), "{part} is not in {}", page.text());
    }
    assert!(get(&process, "GET", "/", BROWSER).text().contains(&format!("<title>{shown_root}</title>")), "the name of the root");
    let lines = get(&process, "GET", target, TEXT);
    assert!(lines.text().ends_with(&format!("  {shown_file}\n")), "{}", lines.text());
    let json = get(&process, "GET", target, PROGRAM);
    assert!(json.text().contains("\"name\":\" a\u{202e}gpj.exe\""), "programs get the name as it is: {}", json.text());

    fs::rename(&root, scratch.path().join("old")).unwrap();
    fs::create_dir(&root).unwrap();
    process.wait_until("the new directory is served", |process| process.get("/").text().contains("this directory is empty"));
    assert!(process.wait_for_log("was replaced").contains(shown_root));
}

#[test]
fn the_name_of_the_root_is_shown_without_its_path() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path().join("site/below")).unwrap();
    for root in ["site", "site/", "site/.", "site/below/.."] {
        let process = Process::start(&[scratch.path().join(root)]);
        let page = get(&process, "GET", "/below/", BROWSER);
        assert!(page.text().contains("<li><a href=\"../\">site</a></li>"), "{root}: {}", page.text());
        assert!(!page.text().contains(scratch.path().to_str().unwrap()), "{root}");
    }
}

#[test]
fn a_long_listing_leaves_in_pieces_and_whole() {
    let scratch = Scratch::new();
    for number in 0..2000 {
        scratch.file(&format!("file {number}"), "");
    }
    let process = Process::start(&[scratch.path()]);
    for (line, beginning, row, end) in [
        (BROWSER, "<!DOCTYPE html>", ">file 1999</a>", "</html>\n"),
        (PROGRAM, "{\"path\"", "\"file 1999\"", "],\"complete\":true}\n"),
        (TEXT, "20", "  file 1999\n", "  file 1999\n"),
    ] {
        let mut client = process.client();
        client.send(format!("GET / HTTP/1.1\r\nHost: localhost\r\n{line}Connection: close\r\n\r\n").as_bytes());
        assert!(client.head().contains("\r\nTransfer-Encoding: chunked\r\n"), "its length is not known");
        let mut page = Vec::new();
        loop {
            let size = client.line();
            let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
            let chunk = client.exactly(size + 2);
            page.extend_from_slice(&chunk[..size]);
            if size == 0 {
                break;
            }
            assert!(size <= 16 * 1024, "a piece at a time");
        }
        let page = String::from_utf8(page).unwrap();
        assert!(page.starts_with(beginning) && page.contains(row) && page.ends_with(end), "{page}");
        assert_eq!(page.matches("file ").count() % 2000, 0, "each name as often as the others");

        let mut client = process.client();
        client.send(format!("GET / HTTP/1.0\r\n{line}\r\n").as_bytes());
        let head = client.head();
        assert!(head.contains("\r\nConnection: close") && !head.contains("Transfer-Encoding"), "1.0 knows no chunks: {head}");
        assert_eq!(String::from_utf8(client.rest()).unwrap(), page, "and is sent the same");
    }
}
