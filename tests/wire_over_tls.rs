//! Does every case hold through TLS, too?
#![cfg(all(unix, feature = "tls"))]

mod support;
#[path = "support/tls.rs"]
mod tls;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use support::case::{self, Ending};
use support::server::Server;
use support::site::TestSite;
use threadbare::server::proxy_protocol;

/// Far more than any case needs: reaching it is a failure, not a way to pass.
const PATIENCE: Duration = Duration::from_secs(8);

/// An answer of /echo as it is without TLS: without the line that shows the scheme.
fn without_scheme(received: &[u8]) -> Vec<u8> {
    // Each byte one char.
    let text: String = received.iter().copied().map(char::from).collect();
    let text = ["scheme: https\n", "\"scheme\":\"https\","].into_iter().fold(text, |text, shown| {
        let Some(at) = text.find(shown) else { return text };
        let (head, rest) = text.split_at(at);
        let (before, length) = head.rsplit_once("Content-Length: ").unwrap();
        let (length, after) = length.split_once('\r').unwrap();
        let length = length.parse::<usize>().unwrap() - shown.len();
        format!("{before}Content-Length: {length}\r{after}{}", &rest[shown.len()..])
    });
    text.chars().map(|char| u8::try_from(char).unwrap()).collect()
}

#[test]
fn every_case() {
    let site = TestSite::new();
    let keys = std::env::temp_dir().join(format!("threadbare-tls-{}", std::process::id()));
    std::fs::create_dir_all(&keys).unwrap();
    let pair = tls::Pair::new(&keys, "a", 30);
    let mut servers: HashMap<Vec<String>, Server> = HashMap::new();
    let cases = case::all();
    let mut failures = Vec::new();
    for case in &cases {
        let options: Vec<String> = case.options.iter().cloned().chain(pair.options()).collect();
        let fresh = case.changes_the_site().then(TestSite::in_memory);
        let its_own = fresh.as_ref().map(|site| Server::start(&site.root(), &options));
        let server = its_own
            .as_ref()
            .unwrap_or_else(|| servers.entry(case.options.clone()).or_insert_with(|| Server::start(&site.root(), &options)));
        let mut socket = TcpStream::connect(&server.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        let sent = case.sent();
        // A PROXY header precedes TLS; where it is none, TLS never begins.
        let header = if case.options.contains(&"--proxy-protocol".to_owned()) {
            proxy_protocol::parse(&sent).ok().flatten().map(|(_, length)| length)
        } else {
            Some(0)
        };
        let mut received = Vec::new();
        let ended = match header {
            Some(length) => {
                socket.write_all(&sent[..length]).unwrap();
                let mut client = tls::over(socket, &pair.der);
                let _ = client.write_all(&sent[length..]);
                if case.ending == Ending::AtEof {
                    tls::end_writing(&mut client);
                }
                client.read_to_end(&mut received)
            }
            None => {
                let _ = socket.write_all(&sent);
                let _ = socket.shutdown(std::net::Shutdown::Write);
                socket.read_to_end(&mut received)
            }
        };
        let verdict = ended.map_err(|error| format!("the connection did not end: {error}"));
        let verdict = verdict.and_then(|_| case.judge(&received).or_else(|_| case.judge(&without_scheme(&received))));
        if let Err(report) = verdict {
            failures.push(format!("{}: {report}", case.name));
        }
    }
    let _ = std::fs::remove_dir_all(&keys);
    assert!(failures.is_empty(), "{} of {} cases failed\n\n{}", failures.len(), cases.len(), failures.join("\n\n"));
    assert!(cases.len() >= 300, "{} cases: where are the others?", cases.len());
}
