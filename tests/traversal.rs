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
    _site: TestSite,
    app: AppState,
}

fn served(options: &[&str]) -> Served {
    let site = TestSite::new();
    let root = site.root().to_str().unwrap().to_owned();
    let words = ["threadbare"].iter().chain(options).map(ToString::to_string).chain([root]);
    let config = Cli::try_parse_from(words).unwrap().config();
    let opened = Site::open(&config).unwrap();
    Served { _site: site, app: AppState::new(config, opened, None) }
}

impl Served {
    fn get(&self, target: &str) -> Vec<u8> {
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut client = MemoryTransport::new(vec![request.into_bytes()]);
        connection::serve_connection(
            &mut client,
            SocketAddr::from(([127, 0, 0, 1], 50_000)).into(),
            &self.app,
            &ConnState::new(Instant::now()),
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

#[test]
fn the_secrets_would_be_seen() {
    assert!(is_secret(&served(&["--follow-symlinks"]).get("/out-link")), "a link that leaves the root, and may");
    let inside = served(&[]).get("/list/../ten.txt");
    assert!(inside.ends_with(b"0123456789"), "dots that stay inside are no attack: {}", inside.escape_ascii());
}
