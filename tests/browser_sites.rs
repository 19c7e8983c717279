//! Does what people build for the web work when it is served from here, in a real browser?
//!
//! Modules, WebAssembly, workers, players, routers, other origins: each tried by the code that would use it.

#[path = "support/process.rs"]
mod process;
#[path = "support/webdriver.rs"]
mod webdriver;

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::time::{Duration, SystemTime};

use process::{Process, Scratch, run};
use serde_json::json;
use webdriver::Browser;

/// A directory with a start page, and its server.
fn site(options: &[&str]) -> (Scratch, Process) {
    let scratch = Scratch::new();
    scratch.file("index.html", "<!DOCTYPE html><title>Start</title><link rel=icon href=/favicon.svg><p>start");
    let process = serve(&scratch, options);
    (scratch, process)
}

fn serve(scratch: &Scratch, options: &[&str]) -> Process {
    let options = options.iter().map(OsString::from);
    Process::start(&options.chain([scratch.path().as_os_str().to_owned()]).collect::<Vec<_>>())
}

fn url(process: &Process, path: &str) -> String {
    format!("http://{}{path}", process.address)
}

/// `window.started = true` in gzip.
const GZIP_SCRIPT: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03+\xcf\xccK\xc9/\xd7+.I,*IMQ\xb0U()*M\x05\x00\xb4+g\x18\x15\x00\x00\x00";
/// An empty WebAssembly module in gzip.
const GZIP_WASM: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03cH,\xceed``\x00\x00\xce3K\x1c\x08\x00\x00\x00";

/// Whether the program has an option; said loudly where it has not.
fn has(option: &str) -> bool {
    let has = run(&["--help"]).stdout.split_whitespace().any(|word| word.split(['[', '=']).next() == Some(option));
    if !has {
        eprintln!("SKIPPED: this program has no {option}");
    }
    has
}

#[test]
fn modules_are_imported() {
    let Some(browser) = Browser::start() else { return };
    let (scratch, process) = site(&[]);
    fs::create_dir(scratch.path().join("parts")).unwrap();
    scratch.file(
        "page.html",
        "<!DOCTYPE html><title>?</title><link rel=icon href=/favicon.svg><script type=module src=main.mjs></script>",
    );
    scratch.file(
        "main.mjs",
        "import { word } from './parts/word.js'; import data from './data.json' with { type: 'json' };\n\
         import sheet from './style.css' with { type: 'css' }; document.adoptedStyleSheets = [sheet];\n\
         const late = await import('./late.mjs'); document.title = [word, data.word, late.default].join(' ');",
    );
    scratch.file("parts/word.js", "export const word = 'static';");
    scratch.file("late.mjs", "export default 'dynamic';");
    scratch.file("data.json", "{\"word\": \"data\"}");
    scratch.file("style.css", "body { color: rgb(1, 2, 3) }");
    browser.go(&url(&process, "/page.html"));
    browser.wait_until("document.title !== '?'");
    assert_eq!(browser.text("return document.title"), "static data dynamic");
    assert_eq!(browser.text("return getComputedStyle(document.body).color"), "rgb(1, 2, 3)");
    browser.is_content();
}

#[test]
fn wasm_is_compiled_while_it_comes() {
    let Some(browser) = Browser::start() else { return };
    let (scratch, process) = site(&[]);
    // (module (func (export "f") (result i32) i32.const 42))
    let module = b"\0asm\x01\0\0\0\x01\x05\x01\x60\0\x01\x7f\x03\x02\x01\0\x07\x05\x01\x01f\0\0\x0a\x06\x01\x04\0\x41\x2a\x0b";
    fs::write(scratch.path().join("answer.wasm"), module).unwrap();
    fs::write(scratch.path().join("answer.bin"), module).unwrap();
    browser.go(&url(&process, "/"));
    let compile = "const module = await WebAssembly.compileStreaming(fetch('/answer.wasm')); \
        return (await WebAssembly.instantiate(module)).exports.f()";
    assert_eq!(browser.run(compile), 42);
    let refused =
        "try { await WebAssembly.compileStreaming(fetch('/answer.bin')); return 'compiled' } catch (error) { return error.name }";
    assert_eq!(browser.text(refused), "TypeError", "the media type is what decides");
    browser.is_content();
}

#[test]
fn a_service_worker_takes_over() {
    let Some(browser) = Browser::start() else { return };
    let (scratch, process) = site(&[]);
    scratch.file(
        "worker.js",
        "addEventListener('install', () => skipWaiting());\n\
         addEventListener('activate', (event) => event.waitUntil(clients.claim()));\n\
         addEventListener('fetch', (event) => {\n\
           if (event.request.url.endsWith('/made')) event.respondWith(new Response('by the worker'));\n\
         });",
    );
    scratch.file("plain.txt", "by the server");
    browser.go(&url(&process, "/"));
    let take_over = "const here = navigator.serviceWorker; \
        const taken = new Promise((tell) => here.addEventListener('controllerchange', tell, { once: true })); \
        await here.register('/worker.js'); await taken; \
        return [await (await fetch('/made')).text(), await (await fetch('/plain.txt')).text()]";
    assert_eq!(browser.run(take_over), json!(["by the worker", "by the server"]));
    // It asks for its worker each time, and sees that it is the same: nothing is stale, nothing is sent twice.
    let update = "const registration = await navigator.serviceWorker.ready; await registration.update(); \
        return registration.installing === null && registration.waiting === null";
    assert_eq!(browser.run(update), true);
    browser.is_content();
    process.wait_for_log("\"GET /worker.js HTTP/1.1\" 200 ");
    process.wait_for_log("\"GET /worker.js HTTP/1.1\" 304 ");
}

/// A sound without a tone, six minutes long: PCM of two channels, 44,100 times a second 16 bits.
fn sound(scratch: &Scratch, name: &str) -> u64 {
    let bytes: u32 = 44_100 * 2 * 2 * 360;
    let mut file = scratch.sparse(name, 44 + u64::from(bytes));
    let numbers = |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    let head = [
        &b"RIFF"[..],
        &numbers(&[36 + bytes]),
        b"WAVEfmt ",
        &numbers(&[16, 0x0002_0001, 44_100, 44_100 * 4, 0x0010_0004]),
        b"data",
        &numbers(&[bytes]),
    ];
    file.write_all(&head.concat()).unwrap();
    44 + u64::from(bytes)
}

#[test]
fn a_player_seeks() {
    let Some(browser) = Browser::start() else { return };
    let (scratch, process) = site(&[]);
    let length = sound(&scratch, "sound.wav");
    browser.go(&url(&process, "/"));
    let load = "const player = window.player = document.createElement('video'); player.preload = 'metadata'; \
        const told = new Promise((tell, fail) => { player.onloadedmetadata = tell; player.onerror = () => fail(player.error.message) }); \
        player.src = '/sound.wav'; await told; return [player.duration, player.seekable.end(0)]";
    assert_eq!(browser.run(load), json!([360, 360]));
    browser.field_of_responses("Content-Range");
    let seek = "const there = new Promise((tell) => player.onseeked = tell); player.currentTime = 300; await there; \
        return [player.currentTime, player.readyState >= 2]";
    assert_eq!(browser.run(seek), json!([300, true]));
    let parts = browser.field_of_responses("Content-Range");
    let start = |part: &String| part.strip_prefix("bytes ")?.split('-').next()?.parse::<u64>().ok();
    // Second 300 is five sixths of the way; a player begins a little before it.
    let wanted = length * 3 / 4..length * 5 / 6 + 1;
    assert!(parts.iter().filter_map(start).any(|start| wanted.contains(&start)), "{parts:?} of {length}");
    process.wait_for_log("\"GET /sound.wav HTTP/1.1\" 206 ");
    browser.is_content();
}

#[test]
fn a_download_is_resumed() {
    let Some(browser) = Browser::start() else { return };
    let (scratch, process) = site(&[]);
    let content: Vec<u8> = (0..8_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0]).collect();
    let path = scratch.path().join("big.bin");
    fs::write(&path, &content).unwrap();
    // What was written this very second might still be written to, and parts of it are not joined (RFC 9110 §8.8.2.2).
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    fs::File::options().write(true).open(&path).unwrap().set_modified(yesterday).unwrap();
    browser.go(&url(&process, "/"));
    let begin = "const stop = new AbortController(); const answer = await fetch('/big.bin', { signal: stop.signal }); \
        window.tag = answer.headers.get('etag'); const reader = answer.body.getReader(); window.had = (await reader.read()).value; \
        stop.abort(); return had.length";
    let had = browser.run(begin).as_u64().unwrap();
    assert!(had > 0 && had < 8 << 20, "it was cut off at {had}");
    let resume = "window.rest = async () => { \
          const answer = await fetch('/big.bin', { cache: 'no-store', headers: { Range: `bytes=${had.length}-`, 'If-Range': tag } }); \
          const bytes = new Uint8Array(await answer.arrayBuffer()); \
          return [answer.status, answer.headers.get('content-range'), bytes] }; \
        const [status, range, bytes] = await rest(); \
        const both = new Uint8Array(await new Blob([had, bytes]).arrayBuffer()); \
        const whole = new Uint8Array(await (await fetch('/big.bin', { cache: 'no-store' })).arrayBuffer()); \
        return [status, range, both.length, both.every((byte, at) => byte === whole[at])]";
    let last = (8 << 20) - 1;
    assert_eq!(browser.run(resume), json!([206, format!("bytes {had}-{last}/{}", 8 << 20), 8 << 20, true]));
    // The file has changed meanwhile: it must not be joined to what came before.
    fs::write(&path, "another").unwrap();
    assert_eq!(
        browser.run("const [status, range, bytes] = await rest(); return [status, range, bytes.length]"),
        json!([200, null, 7])
    );
    browser.is_content();
}

#[test]
fn a_router_in_the_page_survives_a_reload() {
    if !has("--spa") {
        return;
    }
    let Some(browser) = Browser::start() else { return };
    let (scratch, process) = site(&["--spa"]);
    scratch.file(
        "index.html",
        "<!DOCTYPE html><link rel=icon href=/favicon.svg><p></p><a href=/users/7>seven</a><script src=/router.js></script>",
    );
    scratch.file(
        "router.js",
        "const show = () => { document.querySelector('p').textContent = 'page ' + location.pathname };\n\
         document.querySelector('a').onclick = (event) => { event.preventDefault(); history.pushState(null, '', event.target.href); show() };\n\
         addEventListener('popstate', show); show();",
    );
    let shown = "return document.querySelector('p').textContent";
    browser.go(&url(&process, "/"));
    browser.click("a");
    assert_eq!(browser.text(shown), "page /users/7", "the page goes there by itself");
    browser.reload();
    assert_eq!(browser.text(shown), "page /users/7", "and the server, when it is asked");
    browser.back();
    browser.wait_until("document.querySelector('p').textContent === 'page /'");
    browser.go(&url(&process, "/a/b/c?d=e#f"));
    assert_eq!(browser.text(shown), "page /a/b/c", "from a bookmark");
    browser.is_content();
    let missing =
        "const status = async (path) => (await fetch(path)).status; return [await status('/none.js'), await status('/users/8')]";
    assert_eq!(browser.run(missing), json!([404, 404]), "what is no navigation is missing");
    browser.go(&url(&process, "/users/ada.lovelace"));
    assert_eq!(browser.text(shown), "page /users/ada.lovelace", "a name with a dot");
    browser.go(&url(&process, "/echo"));
    assert_eq!(browser.text(shown), "page /echo", "no example stands in the way");
}

#[test]
fn a_compressed_build_is_decoded_by_the_browser() {
    let Some(browser) = Browser::start() else { return };
    let (scratch, process) = site(&["--encoded", "Build/**", "--clean-urls"]);
    fs::create_dir(scratch.path().join("Build")).unwrap();
    fs::write(scratch.path().join("Build/game.framework.js.gz"), GZIP_SCRIPT).unwrap();
    fs::write(scratch.path().join("Build/game.wasm.gz"), GZIP_WASM).unwrap();
    scratch.file("play.html", "<!DOCTYPE html><title>Play</title><script src=Build/game.framework.js.gz></script>");
    browser.go(&url(&process, "/play"));
    assert_eq!(browser.run("return window.started"), json!(true));
    let load = "const { instance } = await WebAssembly.instantiateStreaming(fetch('Build/game.wasm.gz')); \
        return instance instanceof WebAssembly.Instance";
    assert_eq!(browser.run(load), json!(true));
}

/// Tries to read from another origin; the text, or the name of the error.
fn read_from(browser: &Browser, url: &str, options: &str) -> String {
    browser
        .text(&format!("try {{ return await (await fetch('{url}', {options})).text() }} catch (error) {{ return error.name }}"))
}

#[test]
fn other_origins_read_nothing_unless_they_may() {
    let Some(browser) = Browser::start() else { return };
    let (_page, page) = site(&[]);
    let scratch = Scratch::new();
    scratch.file("data.json", "\"data\"");
    let closed = serve(&scratch, &[]);
    browser.go(&url(&page, "/"));
    assert_eq!(read_from(&browser, &url(&closed, "/data.json"), "{}"), "TypeError", "no permission is none");
    assert!(browser.complaints().iter().any(|line| line.contains("CORS policy")), "and the console says why");
    if !has("--cors") {
        return;
    }
    let origin = format!("http://{}", page.address);
    let one = serve(&scratch, &[&format!("--cors={origin}")]);
    let other = serve(&scratch, &["--cors=http://elsewhere.test"]);
    let any = serve(&scratch, &["--cors"]);
    for (server, options, want, why) in [
        (&one, "{}", "\"data\"", "this origin may"),
        (&one, "{ headers: { Range: 'bytes=1-4' } }", "data", "a part as well"),
        (&one, "{ headers: { 'If-None-Match': 'x', 'X-Mine': '1' } }", "\"data\"", "with fields that are asked for before"),
        (&any, "{}", "\"data\"", "every origin may"),
        (&any, "{ headers: { 'X-Mine': '1' } }", "\"data\"", "and the preflight request says so"),
        (&other, "{}", "TypeError", "another one may, this one not"),
        (&other, "{ headers: { 'X-Mine': '1' } }", "TypeError", "nor if it asks before"),
        (&any, "{ credentials: 'include' }", "TypeError", "a star is not for those who bring credentials"),
    ] {
        assert_eq!(read_from(&browser, &url(server, "/data.json"), options), want, "{why}: {options}");
    }
    browser.complaints();
    let fields = format!("const answer = await fetch('{}'); return answer.headers.get('etag') !== null", url(&one, "/data.json"));
    assert_eq!(browser.run(&fields), true, "a page that may read may also see the tag");
    browser.is_content();
}
