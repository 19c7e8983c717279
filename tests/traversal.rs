//! Does any way of writing a path lead out of the root?
//!
//! Every spelling of two dots, between every spelling of a slash, at several depths, behind several beginnings, to several secrets: one
//! outside, one in a directory whose name begins with the root's, one of the system.

mod support;

use std::net::SocketAddr;
use std::time::Instant;

use support::site::TestSite;
use threadbare::cli::Cli;
use threadbare::files::Site;
use threadbare::handlers::AppState;
use threadbare::net::memory::MemoryTransport;
use threadbare::server::connection;
use threadbare::server::registry::ConnState;

const DOTS: [&str; 14] = [
    "..",
    "%2e%2e",
    ".%2e",
    "%2E.",
    "%252e%252e",
    "%25252e.",
    "%c0%ae%c0%ae",
    "%e0%80%ae.",
    "%u002e%u002e",
    "\u{ff0e}\u{ff0e}",
    "..;x",
    "...",
    "..%00",
    "%2e%2e%20",
];
const SLASHES: [&str; 12] = ["/", "%2f", "%5c", "\\", "//", "/./", "%252f", "%c0%af", "%2F/", "/%2e/", ";/", "%e2%88%95"];
const BEGINNINGS: [&str; 10] =
    ["/", "//", "/list/", "/list/sub/", "/./", "/%2f", "/ten.txt/", "/out-dir/", "http://localhost/", "/.well-known/"];
const ENDS: [&str; 6] =
    ["outside/secret.txt", "outside%2fsecret.txt", "site-secret/secret.txt", "secret.txt", "etc/passwd", "outside/"];
/// What stands in every secret: ours, and the first line of the system's.
const SECRETS: [&[u8]; 2] = [b"SECRET", b"root:x:"];

struct Served {
    // Removed with this value.
    site: TestSite,
    app: AppState,
}

fn served(options: &[&str]) -> Served {
    let site = TestSite::in_memory();
    let root = site.root().to_str().unwrap().to_owned();
    let words = ["threadbare"].iter().chain(options).map(ToString::to_string).chain([root]);
    let config = Cli::try_parse_from(words).unwrap().config();
    let opened = Site::open(&config).unwrap();
    Served { site, app: AppState::new(config, opened, None) }
}

impl Served {
    fn get(&self, target: &str) -> Vec<u8> {
        self.ask(&format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    }

    fn ask(&self, request: &str) -> Vec<u8> {
        let mut client = MemoryTransport::new(vec![request.as_bytes().to_vec()]);
        connection::serve_connection(
            &mut client,
            SocketAddr::from(([127, 0, 0, 1], 50_000)).into(),
            &self.app,
            &ConnState::new(Instant::now()),
            self.app.memory.hold_none(None),
        );
        client.received
    }
}

fn is_secret(answer: &[u8]) -> bool {
    SECRETS.iter().any(|secret| answer.windows(secret.len()).any(|window| window == *secret))
}

#[test]
fn no_spelling_of_a_path_leads_out() {
    let served = served(&["--hidden"]);
    let (mut asked, mut found) = (0, 0);
    let mut ask = |target: &str| {
        let answer = served.get(target);
        assert!(answer.starts_with(b"HTTP/1.1 "), "{target}: no answer");
        assert!(!is_secret(&answer), "{target} leaks: {}", answer.escape_ascii());
        asked += 1;
        found += u32::from(answer.starts_with(b"HTTP/1.1 200"));
    };
    for beginning in BEGINNINGS {
        for (dots, slash) in DOTS.iter().flat_map(|dots| SLASHES.map(|slash| (dots, slash))) {
            for depth in 1..=3 {
                let up = format!("{dots}{slash}").repeat(depth);
                for end in ENDS {
                    ask(&format!("{beginning}{up}{end}"));
                }
            }
        }
    }
    for target in [
        "../outside/secret.txt",
        "/out-link",
        "/out-dir/secret.txt",
        "/out-dir",
        "/../site-secret/secret.txt",
        "file:///etc/passwd",
    ] {
        ask(target);
    }
    assert!(asked >= 10_000, "{asked} spellings");
    assert_eq!(found, 0, "and none of them is a name of something inside");
}

/// Each spelling of a path that [`no_spelling_of_a_path_leads_out`] asks for.
#[cfg(unix)]
fn spellings() -> impl Iterator<Item = String> {
    let ups = DOTS.iter().flat_map(|dots| SLASHES.map(|slash| format!("{dots}{slash}")));
    ups.flat_map(|up| (1..=3).map(move |depth| up.repeat(depth)))
        .flat_map(|up| BEGINNINGS.map(|beginning| format!("{beginning}{up}")))
        .flat_map(|start| ENDS.map(|end| format!("{start}{end}")))
}

/// Names and contents of all files of a directory.
#[cfg(unix)]
fn contents(directory: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    // Reading the FIFO would wait for its writer.
    let paths = support::site::walk(directory).into_iter().filter(|path| std::fs::symlink_metadata(path).unwrap().is_file());
    let mut files: Vec<_> = paths.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    files.sort();
    files
}

#[test]
#[cfg(unix)]
fn no_spelling_of_a_path_or_file_name_uploads_to_the_outside() {
    let served = served(&["--hidden", "--upload=/list", "--overwrite"]);
    let root = served.site.root();
    let outside = |name: &str| contents(&root.parent().unwrap().join(name));
    let before = ["outside", "site-secret"].map(outside);
    let (mut put, mut posted) = (0, 0);
    for (number, spelling) in spellings().enumerate() {
        let length = "Content-Length: 3\r\nConnection: close\r\n\r\nnew";
        let answer = served.ask(&format!("PUT {spelling} HTTP/1.1\r\nHost: localhost\r\n{length}"));
        put += u32::from(answer.starts_with(b"HTTP/1.1 20"));
        // The same as the name of a file: a form takes a while, so every third of them.
        if number % 3 == 0 {
            let body = format!("--B\r\nContent-Disposition: form-data; name=f; filename=\"{spelling}\"\r\n\r\nnew\r\n--B--");
            let head =
                format!("Content-Type: multipart/form-data; boundary=B\r\nContent-Length: {}\r\nConnection: close", body.len());
            let answer = served.ask(&format!("POST /list/ HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n{body}"));
            posted += u32::from(answer.starts_with(b"HTTP/1.1 201"));
        }
    }
    assert!(put > 100 && posted > 1000, "{put} and {posted} are the names of files inside");
    assert_eq!(["outside", "site-secret"].map(outside), before, "outside nothing has changed");
    let parent: Vec<_> = std::fs::read_dir(root.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(parent.len(), 3, "{parent:?}");
    let beside: Vec<_> =
        contents(&root).into_iter().filter(|(path, content)| content == b"new" && !path.starts_with(root.join("list"))).collect();
    assert_eq!(beside, [], "nor beside the directory of --upload");
}

#[test]
fn the_secrets_would_be_seen() {
    assert!(is_secret(&served(&["--follow-symlinks"]).get("/out-link")), "a link that leaves the root, and may");
    let inside = served(&[]).get("/list/../ten.txt");
    assert!(inside.ends_with(b"0123456789"), "dots that stay inside are no attack: {}", inside.escape_ascii());
}
