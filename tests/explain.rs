//! Is each explanation true, and as it is written down? The cases of `tests/explain/`, bytes in and explanation out.
//!
//! `UPDATE_EXPLAIN=1 cargo test --test explain` writes the current explanations into them; then read what has changed.

mod support;

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use support::site::TestSite;
use threadbare::cli::Cli;
use threadbare::files::Site;
use threadbare::handlers::AppState;
use threadbare::net::memory::MemoryTransport;
use threadbare::server::connection;
use threadbare::server::registry::ConnState;
use threadbare::telemetry::log_queue::LogQueue;
use threadbare::telemetry::{Color, Explain};

/// What is another one each time.
const CHANGES: &[&str] = &["> Date: <any>\\r\\n", "> Content-Type: multipart/byteranges; boundary=<any>\\r\\n"];

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The explanation of a connection on which these bytes arrive.
fn told(site: &TestSite, sent: &[u8], ink: Color) -> String {
    let cli = Cli::try_parse_from(["threadbare", "--quiet", site.root().to_str().unwrap()]).unwrap();
    let config = cli.config();
    let opened = Site::open(&config).unwrap();
    let sink = Sink::default();
    let log = LogQueue::start("log", {
        let sink = sink.clone();
        move || Ok(sink)
    })
    .unwrap();
    let app = AppState { explain: Some(Explain { log: log.clone(), color: ink }), ..AppState::new(config, opened, None) };
    let mut client = MemoryTransport::new([sent.to_vec()]);
    connection::serve_connection(
        &mut client,
        SocketAddr::from(([127, 0, 0, 1], 50_000)).into(),
        &app,
        &ConnState::new(Instant::now()),
        app.memory.hold_none(None),
    );
    log.flush_timeout(Duration::from_secs(10));
    String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
}

/// What stands in the block of that name.
fn block<'a>(case: &'a str, name: &str) -> &'a str {
    let (_, rest) = case.split_once(&format!("```{name}\n")).unwrap_or_else(|| panic!("no {name} in {case}"));
    rest.split_once("```").unwrap().0
}

/// `\r\n` and the like become what they stand for; real line ends are for the reader.
fn bytes(written: &str) -> Vec<u8> {
    written.replace('\n', "").replace("\\r", "\r").replace("\\n", "\n").replace("\\0", "\0").into_bytes()
}

/// Whether a line is as expected, where `<any>` stands for anything.
fn is_like(got: &str, want: &str) -> bool {
    match want.split_once("<any>") {
        None => got == want,
        Some((before, after)) => got.starts_with(before) && got.ends_with(after) && got.len() >= before.len() + after.len(),
    }
}

#[test]
fn each_case_is_told_as_it_is_written() {
    let site = TestSite::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explain");
    let (mut cases, mut failures) = (0, Vec::new());
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let text = fs::read_to_string(entry.path()).unwrap();
        for case in text.split("\n## ").skip(1) {
            cases += 1;
            let name = case.lines().next().unwrap();
            let got = told(&site, &bytes(block(case, "send")), Color::Plain);
            let want = block(case, "explained");
            let same = got.lines().count() == want.lines().count() && got.lines().zip(want.lines()).all(|(g, w)| is_like(g, w));
            if !same && std::env::var_os("UPDATE_EXPLAIN").is_some() {
                let known = want.lines().filter(|line| line.contains("<any>")).chain(CHANGES.iter().copied());
                let known: Vec<&str> = known.collect();
                let line = |got: &str| format!("{}\n", known.iter().find(|want| is_like(got, want)).unwrap_or(&got));
                let lines: String = got.lines().map(line).collect();
                let path = entry.path();
                let all = fs::read_to_string(&path).unwrap();
                fs::write(
                    &path,
                    all.replace(case, &case.replace(&format!("```explained\n{want}"), &format!("```explained\n{lines}"))),
                )
                .unwrap();
            } else if !same {
                failures.push(format!("{name}\n--- wanted\n{want}\n--- got\n{got}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(cases >= 5, "{cases} cases: where are the others?");
}

#[test]
fn the_documents_show_what_the_server_writes() {
    let site = TestSite::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = ["README.md", "docs/guide/explain.md"].map(|name| fs::read_to_string(root.join(name)).unwrap()).concat();
    let blocks = text.split("```text\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let examples: Vec<&str> = blocks.filter(|block| block.starts_with("-- ")).collect();
    assert_eq!(examples.len(), 3, "one request in README, one that is served and one that is malformed in explain.md");
    for example in examples {
        let mut sent: String = example.lines().filter_map(|line| line.strip_prefix("< ")).collect();
        if !sent.ends_with(r"\r\n\r\n") {
            sent += r"\r\n";
        }
        let written = told(&site, &bytes(&sent), Color::Plain);
        for line in example.lines().filter(|line| *line != "...") {
            assert!(written.lines().any(|w| w == line), "a document shows {line:?}, which is not in\n{written}");
        }
    }
}

#[test]
fn colours_are_for_terminals_and_secrets_are_masked() {
    let site = TestSite::new();
    let sent = b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic c2VjcmV0\r\nCookie: secret=1\r\n\r\n";
    let (plain, coloured) = (told(&site, sent, Color::Plain), told(&site, sent, Color::Coloured));
    assert!(!plain.contains('\x1b') && coloured.contains("\x1b[1m") && coloured.contains("\x1b[36m"));
    assert!(!plain.contains("c2VjcmV0") && !plain.contains("secret"), "{plain}");
    assert!(plain.contains("< Authorization: (not shown)"), "{plain}");
}

#[test]
fn secrets_are_not_told_where_a_message_is_broken_either() {
    let site = TestSite::new();
    for lines in [
        "Authorization: Basic TELLTALE\r\nX\r\n",
        "Cookie : TELLTALE\r\n",
        "cookie: x\r\n TELLTALE\r\n",
        "Proxy-Authorization: TELLTALE\n",
    ] {
        let sent = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
        let told = told(&site, sent.as_bytes(), Color::Plain);
        assert!(told.contains("(not shown)") && told.contains("^ byte ") && !told.contains("TELLTALE"), "{told}");
    }
}

#[test]
fn no_byte_of_a_client_reaches_the_terminal_as_it_is() {
    let site = TestSite::new();
    let every_byte: Vec<u8> = (0..=255).filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    for sent in [
        [b"GET / HTTP/1.1\r\nHost: a\r\nX: ", &every_byte[..], b"\r\n\r\n"].concat(),
        [b"GET /", &every_byte[..], b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat(),
        b"GET /%1b%5b2J?%1b%07=%9b HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /hello.txt HTTP/1.1\r\nHost: localhost\r\nX-Y: \xc3\xbc\xff\r\n\r\n".to_vec(),
    ] {
        let told = told(&site, &sent, Color::Plain).replace(['\n', '\u{a7}'], "");
        assert!(told.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{told:?}");
    }
}
