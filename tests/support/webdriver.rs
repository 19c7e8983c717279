//! A WebDriver client (W3C, WebDriver Level 2) for Debian's chromium-driver, to test pages in a browser.
//!
//! Commands are JSON over HTTP, with one connection each. Each wait has a deadline: the driver waits for pages to load, the promise of a
//! script for an event, and [`Browser::wait_until`] for anything else.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::process::Scratch;

/// A browser starts within seconds, and so does a page on a busy machine. Reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// Only one browser runs at a time, since two are too slow on a small machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Options for tests: no window, no network traffic of its own, a new profile.
const ARGUMENTS: &[&str] = &[
    "--headless=new",
    // The sandbox is not available to root or in a container. The browser opens only pages of the tests.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--mute-audio",
    "--lang=en",
    "--window-size=1000,800",
];

/// Keys without a character (WebDriver, §17.4.2).
pub const TAB: &str = "\u{e004}";
pub const ENTER: &str = "\u{e007}";
pub const ESCAPE: &str = "\u{e00c}";

/// The JSON key of an element (WebDriver, §12).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window, closed on drop.
pub struct Browser {
    driver: Child,
    address: String,
    /// `/session/ID`
    session: String,
    // Dropped in this order: the profile after the browser, then the lock, so that the next browser may start.
    _profile: Scratch,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts a browser. Returns `None` and reports it if none is installed.
    pub fn start() -> Option<Browser> {
        Browser::start_with(&[])
    }

    /// Starts one with more arguments.
    pub fn start_with(more: &[&str]) -> Option<Browser> {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let chromium = find(&["chromium", "chromium-browser", "google-chrome"]);
        let (Some(chromium), Some(driver)) = (chromium, find(&["chromedriver"])) else {
            eprintln!(
                "SKIPPED: no chromium and chromedriver here (Debian: chromium, chromium-driver): no browser sees our pages"
            );
            return None;
        };
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let port = port(&mut driver);
        let profile = Scratch::new();
        let mut browser =
            Browser { driver, address: format!("127.0.0.1:{port}"), session: String::new(), _profile: profile, _turn: turn };
        let mut arguments: Vec<String> = ARGUMENTS.iter().chain(more).map(|argument| (*argument).to_owned()).collect();
        arguments.push(format!("--user-data-dir={}", browser._profile.path().display()));
        let wishes = json!({
            "goog:chromeOptions": { "binary": chromium, "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "timeouts": { "script": 30_000, "pageLoad": 30_000 },
        });
        let session = browser.command("POST", "/session", &json!({ "capabilities": { "alwaysMatch": wishes } })).unwrap();
        browser.session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        Some(browser)
    }

    /// Sends a command, and returns its result or the error.
    fn command(&self, method: &str, path: &str, content: &Value) -> Result<Value, String> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let content = if method == "POST" { content.to_string() } else { String::new() };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        let length = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", content.len());
        stream.write_all([head, length, content].concat().as_bytes()).unwrap();
        let mut stream = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse().unwrap(),
                Some(_) => {}
                None if line.starts_with("HTTP/") => {}
                None => break,
            }
        }
        let mut content = vec![0; length];
        stream.read_exact(&mut content).unwrap();
        let mut said: Value = serde_json::from_slice(&content).unwrap();
        let value = said["value"].take();
        match value["error"].as_str() {
            Some(error) => Err(format!("{path}: {error}: {}", value["message"].as_str().unwrap_or_default())),
            None => Ok(value),
        }
    }

    #[track_caller]
    fn post(&self, path: &str, content: Value) -> Value {
        self.command("POST", &format!("{}{path}", self.session), &content).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Opens a page, and waits until it is loaded.
    #[track_caller]
    pub fn go(&self, url: &str) {
        self.post("/url", json!({ "url": url }));
    }

    /// Goes to a page whose certificate the browser does not trust, and goes on as a user can.
    pub fn go_on(&self, url: &str) {
        // Some versions report the warning as an error.
        let _ = self.command("POST", &format!("{}/url", self.session), &json!({ "url": url }));
        self.wait_until("document.title === 'Privacy error'");
        // What the warning listens for.
        self.press("thisisunsafe");
        self.wait_until("location.protocol === 'https:' && document.readyState === 'complete'");
    }

    /// Reloads the page.
    #[track_caller]
    pub fn reload(&self) {
        self.post("/refresh", json!({}));
    }

    /// Goes back in the history.
    #[track_caller]
    pub fn back(&self) {
        self.post("/back", json!({}));
    }

    /// Runs the body of an asynchronous function in the page, waits for it, and returns its result.
    #[track_caller]
    pub fn run(&self, body: &str) -> Value {
        self.try_run(body).unwrap_or_else(|error| panic!("{body}: {error}"))
    }

    fn try_run(&self, body: &str) -> Result<Value, String> {
        let script = format!("return (async () => {{ {body} }})()");
        self.command("POST", &format!("{}/execute/sync", self.session), &json!({ "script": script, "args": [] }))
    }

    /// Runs a function that returns a string.
    #[track_caller]
    pub fn text(&self, body: &str) -> String {
        let value = self.run(body);
        value.as_str().unwrap_or_else(|| panic!("{body}: no text: {value}")).to_owned()
    }

    /// Runs a function that returns strings.
    #[track_caller]
    pub fn texts(&self, body: &str) -> Vec<String> {
        let value = self.run(body);
        let texts = value.as_array().unwrap_or_else(|| panic!("{body}: no array: {value}"));
        texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    /// Waits until an expression is true in the page, which may change meanwhile.
    #[track_caller]
    pub fn wait_until(&self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        // The page evaluates it at its next frame. If the page changes meanwhile, the next page evaluates it.
        let body = format!("await new Promise(requestAnimationFrame); return Boolean({expression})");
        let mut last = self.try_run(&body);
        while last != Ok(Value::Bool(true)) {
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {expression}: {last:?}");
            last = self.try_run(&body);
        }
    }

    /// Clicks on the first visible element of a CSS selector, and waits for the page that this opens.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let element = self.post("/element", json!({ "using": "css selector", "value": selector }));
        let id = element[ELEMENT].as_str().unwrap();
        self.post(&format!("/element/{id}/click"), json!({}));
    }

    /// Presses and releases keys, one after the other.
    #[track_caller]
    pub fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|action| json!({ "type": action, "value": key.to_string() })))
            .collect();
        self.post("/actions", json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] }));
    }

    /// Sends a command of the DevTools protocol.
    #[track_caller]
    pub fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({ "cmd": command, "params": parameters }))
    }

    /// Sets the width of the window, in CSS pixels.
    #[track_caller]
    pub fn resize(&self, width: u32, height: u32, pixel_ratio: f64, is_mobile: bool) {
        let device = json!({ "width": width, "height": height, "deviceScaleFactor": pixel_ratio, "mobile": is_mobile });
        self.devtools("Emulation.setDeviceMetricsOverride", device);
    }

    /// Sets the preferred colour scheme: `light` or `dark`.
    #[track_caller]
    pub fn prefer(&self, scheme: &str) {
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", feature);
    }

    /// A screenshot as PNG.
    #[track_caller]
    pub fn picture(&self) -> Vec<u8> {
        let path = format!("{}/screenshot", self.session);
        let picture = self.command("GET", &path, &Value::Null).unwrap();
        BASE64_STANDARD.decode(picture.as_str().unwrap()).unwrap()
    }

    /// The console warnings and errors since the last call, including those about policies and failed loads.
    #[track_caller]
    pub fn complaints(&self) -> Vec<String> {
        let entries = self.post("/se/log", json!({ "type": "browser" }));
        let entries = entries.as_array().unwrap().iter();
        let complaints = entries.filter(|entry| matches!(entry["level"].as_str(), Some("WARNING" | "SEVERE")));
        complaints.map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Asserts that there were no errors since the last call.
    #[track_caller]
    pub fn is_content(&self) {
        assert_eq!(self.complaints(), Vec::<String>::new(), "the console has complaints");
    }

    /// The values of a field in all responses since the last call, as received from the network.
    #[track_caller]
    pub fn field_of_responses(&self, name: &str) -> Vec<String> {
        let entries = self.post("/se/log", json!({ "type": "performance" }));
        let events = entries.as_array().unwrap().iter();
        let events = events.map(|entry| serde_json::from_str::<Value>(entry["message"].as_str().unwrap()).unwrap());
        let responses = events.filter(|event| event["message"]["method"] == "Network.responseReceived");
        let fields = responses.flat_map(|event| {
            let fields = event["message"]["params"]["response"]["headers"].as_object().cloned().unwrap_or_default();
            fields.into_iter().filter(|(found, _)| found.eq_ignore_ascii_case(name))
        });
        fields.map(|(_, value)| value.as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver closes its browser. An error here must not hide a failure of the test.
        if !self.session.is_empty() {
            let end = || self.command("DELETE", &self.session, &Value::Null);
            let _ = panic::catch_unwind(AssertUnwindSafe(end));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The first of these programs in PATH.
fn find(names: &[&str]) -> Option<PathBuf> {
    let directories = std::env::var_os("PATH")?;
    let directories: Vec<_> = std::env::split_paths(&directories).collect();
    names.iter().flat_map(|name| directories.iter().map(move |directory| directory.join(name))).find(|path| path.is_file())
}

/// The port of the driver: "ChromeDriver was started successfully on port 41717."
fn port(driver: &mut Child) -> u16 {
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = lines.find_map(|line| line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok());
    // Later output is not used, but must be read.
    thread::spawn(move || lines.for_each(drop));
    port.expect("chromedriver says its port")
}
