//! Does the page upload what people choose and drop, and does no page of another site?
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;
#[path = "support/webdriver.rs"]
mod webdriver;

use std::fs;
use std::net::UdpSocket;
use std::path::Path;

use process::{Process, Scratch};
use serde_json::json;
use webdriver::Browser;

struct Served {
    scratch: Scratch,
    process: Process,
}

impl Served {
    /// A server of `root`, and beside it files to upload.
    fn start(options: &[&str]) -> Served {
        let scratch = Scratch::new();
        fs::create_dir_all(scratch.path().join("root/in")).unwrap();
        fs::create_dir_all(scratch.path().join("folder/inner")).unwrap();
        scratch.file("root/in/old.txt", "old");
        for name in ["new.txt", "old.txt", "ü & #1.txt", "folder/a.txt", "folder/inner/b.txt"] {
            scratch.file(name, name);
        }
        let root = scratch.path().join("root");
        let process = Process::start(&[options, &["--upload=/in", root.to_str().unwrap()]].concat());
        Served { scratch, process }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.process.address)
    }

    fn content(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.scratch.path().join("root/in").join(name)).ok()
    }

    fn place(&self, name: &str) -> String {
        self.scratch.path().join(name).to_str().unwrap().to_owned()
    }

    /// Chooses files in the form, as the dialog of the browser does.
    fn choose(&self, browser: &Browser, names: &[&str]) {
        let document = browser.devtools("DOM.getDocument", json!({}));
        let input = json!({ "nodeId": document["root"]["nodeId"], "selector": ".upload input" });
        let node = browser.devtools("DOM.querySelector", input)["nodeId"].clone();
        let files: Vec<String> = names.iter().map(|name| self.place(name)).collect();
        browser.devtools("DOM.setFileInputFiles", json!({ "nodeId": node, "files": files }));
    }

    /// Drops files on the page.
    fn drop(&self, browser: &Browser, names: &[&str]) {
        let files: Vec<String> = names.iter().map(|name| self.place(name)).collect();
        for kind in ["dragEnter", "dragOver", "drop"] {
            let data = json!({ "items": [], "files": files, "dragOperationsMask": 1 });
            browser.devtools("Input.dispatchDragEvent", json!({ "type": kind, "x": 100, "y": 100, "data": data }));
        }
    }
}

/// The names in the listing.
const NAMES: &str = "[...document.querySelectorAll('tbody tr:not(.up) th a')].map((link) => link.innerText).join()";
const STATUS: &str = "return document.querySelector('.upload [role=status]').innerText";

#[test]
fn the_form_works_without_scripts() {
    let Some(browser) = Browser::start() else { return };
    let served = Served::start(&[]);
    let disable = |is_disabled| browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": is_disabled }));
    disable(true);
    browser.go(&served.url("/in/?sort=size&order=desc"));
    served.choose(&browser, &["new.txt", "ü & #1.txt"]);
    browser.click(".upload button");
    served.process.wait_until("the form has arrived", |_| served.content("new.txt").is_some());
    disable(false);
    browser.wait_until(&format!("location.search === '' && {NAMES} === 'new.txt,old.txt,ü & #1.txt'"));
    assert_eq!(served.content("ü & #1.txt").as_deref(), Some("ü & #1.txt"));
    disable(true);
    browser.reload();
    served.choose(&browser, &["old.txt"]);
    browser.click(".upload button");
    disable(false);
    browser.wait_until("document.querySelector('h1').innerText === 'Conflict'");
    assert!(
        browser
            .text("return document.querySelector('.why').innerText")
            .ends_with(" file of this name exists already, and is not replaced")
    );
    assert_eq!(served.content("old.txt").as_deref(), Some("old"));
}

/// Browsers send `Sec-Fetch-Site` only to addresses that they trust, so that the origin of the form decides.
#[test]
fn the_form_works_at_an_address_in_the_network() {
    let Some(browser) = Browser::start() else { return };
    let source = || {
        let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
        socket.connect("192.0.2.1:9").ok()?;
        socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
    };
    let Some(address) = source() else {
        eprintln!("SKIPPED: this machine has no address in a network");
        return;
    };
    let scratch = Scratch::new();
    let new = scratch.file("new.txt", "new");
    fs::create_dir(scratch.path().join("root")).unwrap();
    let root = scratch.path().join("root");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_threadbare"));
    command.args(["--port", "0", "--upload", "--bind", &address.to_string()]).arg(&root);
    let served = Served { process: Process::of(command, process::Log::Read), scratch };
    for (is_disabled, name) in [(true, "without scripts"), (false, "with them")] {
        fs::rename(&new, served.scratch.path().join(name))
            .or_else(|_| fs::write(served.scratch.path().join(name), "new"))
            .unwrap();
        browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": is_disabled }));
        browser.go(&served.url("/"));
        served.choose(&browser, &[name]);
        if is_disabled {
            browser.click(".upload button");
            served.process.wait_until("the form has arrived", |_| root.join(name).exists());
            browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": false }));
        }
        browser.wait_until(&format!("{NAMES}.includes('{name}')"));
        assert!(root.join(name).exists(), "{name}");
    }
}

#[test]
fn files_and_folders_are_dropped() {
    let Some(browser) = Browser::start() else { return };
    let served = Served::start(&[]);
    browser.go(&served.url("/in/"));
    served.drop(&browser, &["ü & #1.txt", "folder"]);
    browser.wait_until(&format!("{NAMES} === 'folder/,old.txt,ü & #1.txt'"));
    for name in ["ü & #1.txt", "folder/a.txt", "folder/inner/b.txt"] {
        assert_eq!(served.content(name).as_deref(), Some(name));
    }
    browser.is_content();
}

#[test]
fn a_file_that_exists_is_named_and_the_others_are_uploaded() {
    let Some(browser) = Browser::start() else { return };
    let served = Served::start(&[]);
    served.scratch.sparse("large.bin", 50 << 20);
    fs::rename(served.scratch.path().join("large.bin"), served.scratch.path().join("root/in/large.bin")).unwrap();
    served.scratch.sparse("large.bin", 50 << 20);
    browser.go(&served.url("/in/"));
    served.choose(&browser, &["old.txt", "large.bin", "new.txt"]);
    browser.wait_until("document.querySelector('.upload [role=status]').innerText.includes('1 of 3 uploaded')");
    let status = browser.text(STATUS);
    for name in ["old.txt", "large.bin"] {
        assert!(status.contains(&format!("{name}: a file of this name exists already, and is not replaced")), "{status}");
    }
    assert_eq!((served.content("old.txt").as_deref(), served.content("new.txt").as_deref()), (Some("old"), Some("new.txt")));
    browser.click(".upload [role=status] a");
    browser.wait_until(&format!("{NAMES} === 'large.bin,new.txt,old.txt'"));
    // The browser reports each refusal.
    browser.complaints();
}

#[test]
fn progress_is_shown_and_leaving_or_cancelling_is_safe() {
    let Some(browser) = Browser::start() else { return };
    let served = Served::start(&[]);
    served.scratch.sparse("large.bin", 64 << 20);
    browser.devtools("Network.enable", json!({}));
    let slow = json!({ "offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 4 << 20 });
    browser.devtools("Network.emulateNetworkConditions", slow);
    browser.go(&served.url("/in/"));
    served.choose(&browser, &["large.bin", "new.txt"]);
    browser.wait_until("document.querySelector('.upload progress').value > 0");
    assert!(browser.text(STATUS).starts_with("1 of 2: large.bin, "), "{}", browser.text(STATUS));
    let asks = "const event = new Event('beforeunload', { cancelable: true }); return !dispatchEvent(event)";
    assert_eq!(browser.run(asks), true, "the browser asks before the page is left");
    browser.click(".upload button");
    browser.wait_until("document.querySelector('.upload [role=status]').innerText.includes('cancelled')");
    assert_eq!(browser.text(STATUS).trim(), "large.bin: cancelled\n0 of 2 uploaded.");
    assert_eq!(browser.run(asks), false, "nothing is lost any more");
    served.process.wait_until("nothing is left", |_| {
        let names = fs::read_dir(served.scratch.path().join("root/in")).unwrap();
        names.count() == 1
    });
    browser.is_content();
}

#[test]
fn a_page_of_another_site_uploads_nothing() {
    let Some(browser) = Browser::start() else { return };
    let served = Served::start(&["--cors"]);
    let other = Scratch::new();
    let target = served.url("/in/");
    other.file("index.html", &format!(
        "<!DOCTYPE html><form action=\"{target}\" method=\"post\" enctype=\"multipart/form-data\"><input type=\"file\" name=\"f\"><button>"
    ));
    let evil = Process::start(&[other.path()]);
    // The same address with another port is the same site, but another origin.
    for host in [evil.address.clone(), evil.address.replace("127.0.0.1", "localhost")] {
        browser.go(&format!("http://{host}/"));
        let attempts = format!(
            "const target = '{target}evil.txt'; const form = new FormData(); form.append('f', new Blob(['evil']), 'evil.txt'); \
             const attempt = (url, options) => fetch(url, options).then((response) => response.status, (error) => error.name); \
             return [await attempt(target, {{ method: 'PUT', body: 'evil' }}), \
                 await attempt('{target}', {{ method: 'POST', body: form, mode: 'no-cors' }}), \
                 await attempt('{target}', {{ method: 'POST', body: form }})]"
        );
        assert_eq!(browser.run(&attempts), json!(["TypeError", 0, 403]), "{host}");
        let script = "const data = new DataTransfer(); data.items.add(new File(['evil'], 'evil.txt')); \
                      document.querySelector('input').files = data.files";
        browser.run(script);
        browser.click("button");
        browser.wait_until("document.querySelector('.status')?.innerText === '403'");
    }
    assert_eq!(served.content("evil.txt"), None);
}

#[test]
fn the_form_is_only_where_files_can_be_uploaded() {
    let Some(browser) = Browser::start() else { return };
    let served = Served::start(&[]);
    for (path, count) in [("/", 0), ("/in/", 1)] {
        browser.go(&served.url(path));
        assert_eq!(browser.run("return document.querySelectorAll('.upload').length"), count, "{path}");
        let width = "return document.documentElement.scrollWidth";
        browser.resize(320, 640, 2.0, true);
        assert_eq!(browser.run(width), 320, "{path}");
        browser.resize(900, 640, 1.0, false);
        browser.is_content();
    }
    let tree = browser.devtools("Accessibility.getFullAXTree", json!({}));
    assert!(tree.to_string().contains("Add files, or drop files and folders here"), "the input has a label");
    if let Ok(folder) = std::env::var("PICTURES") {
        pictures(&browser, &served, Path::new(&folder));
    }
}

/// Pictures to be looked at.
fn pictures(browser: &Browser, served: &Served, folder: &Path) {
    for (name, scheme, width) in [("light", "light", 900), ("dark", "dark", 900), ("phone", "light", 360)] {
        browser.resize(width, 520, 1.25, width < 500);
        browser.prefer(scheme);
        browser.go(&served.url("/in/"));
        fs::write(folder.join(format!("upload-{name}.png")), browser.picture()).unwrap();
        served.choose(browser, &["old.txt", "new.txt"]);
        browser.wait_until("document.querySelector('.upload [role=status]').innerText.includes('uploaded')");
        fs::write(folder.join(format!("upload-{name}-conflict.png")), browser.picture()).unwrap();
    }
}
