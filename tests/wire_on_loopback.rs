//! Does every case hold between two processes? Through the real binary, over TCP.

mod support;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use support::case::{self, Ending};
use support::server::Server;
use support::site::TestSite;

/// Far more than any case needs: reaching it is a failure, not a way to pass.
const PATIENCE: Duration = Duration::from_secs(8);

#[test]
fn every_case() {
    let site = TestSite::new();
    let mut servers: HashMap<Vec<String>, Server> = HashMap::new();
    let cases = case::all();
    let mut failures = Vec::new();
    for case in &cases {
        let fresh = case.changes_the_site().then(TestSite::in_memory);
        let its_own = fresh.as_ref().map(|site| Server::start(&site.root(), &case.options));
        let server = its_own
            .as_ref()
            .unwrap_or_else(|| servers.entry(case.options.clone()).or_insert_with(|| Server::start(&site.root(), &case.options)));
        let mut client = TcpStream::connect(&server.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.set_write_timeout(Some(PATIENCE)).unwrap();
        // A server that has refused a message need not read the rest of it: then writing fails, and the answer is what counts.
        let _ = client.write_all(&case.sent());
        if case.ending == Ending::AtEof {
            client.shutdown(Shutdown::Write).unwrap();
        }
        let mut received = Vec::new();
        let ended = client.read_to_end(&mut received);
        let verdict = ended.map_err(|error| format!("the connection did not end: {error}")).and_then(|_| case.judge(&received));
        if let Err(report) = verdict {
            failures.push(format!("{}: {report}", case.name));
        }
    }
    assert!(failures.is_empty(), "{} of {} cases failed\n\n{}", failures.len(), cases.len(), failures.join("\n\n"));
    assert!(cases.len() >= 300, "{} cases: where are the others?", cases.len());
}
