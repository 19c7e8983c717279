//! Does every case hold, however its bytes arrive? Through `connection::serve_connection`, without a socket.

mod support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use support::case::{self, Case};
use support::site::TestSite;
use threadbare::cli::Cli;
use threadbare::files::Site;
use threadbare::handlers::AppState;
use threadbare::http::forwarded::PeerAddr;
use threadbare::net::memory::MemoryTransport;
use threadbare::server::connection;
use threadbare::server::registry::ConnState;

/// How bytes are cut into the pieces that arrive.
type Deliver = fn(Vec<u8>) -> Vec<Vec<u8>>;

/// The ways in which bytes may arrive.
const DELIVERIES: [(&str, Deliver); 3] = [
    ("whole", |bytes| vec![bytes]),
    ("one byte at a time", |bytes| bytes.into_iter().map(|byte| vec![byte]).collect()),
    ("cut after each CRLF", |bytes| bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect()),
];

#[test]
fn every_case_in_three_deliveries() {
    let site = TestSite::new();
    let mut apps: HashMap<Vec<String>, AppState> = HashMap::new();
    let cases = case::all();
    let mut failures = Vec::new();
    for case in &cases {
        for (name, deliver) in DELIVERIES {
            let fresh = case.changes_the_site().then(TestSite::in_memory);
            let its_own = fresh.as_ref().map(|site| app(site, case));
            let app = its_own.as_ref().unwrap_or_else(|| apps.entry(case.options.clone()).or_insert_with(|| app(&site, case)));
            let mut client = MemoryTransport::new(deliver(case.sent()));
            let peer = PeerAddr::from(SocketAddr::from(([127, 0, 0, 1], 50_000)));
            connection::serve_connection(&mut client, peer, app, &ConnState::new(Instant::now()), app.memory.hold_none(None));
            if let Err(report) = case.judge(&client.received) {
                failures.push(format!("{} ({name}): {report}", case.name));
                break;
            }
        }
    }
    assert!(failures.is_empty(), "{} of {} cases failed\n\n{}", failures.len(), cases.len(), failures.join("\n\n"));
    assert!(cases.len() >= 300, "{} cases: where are the others?", cases.len());
}

fn app(site: &TestSite, case: &Case) -> AppState {
    let root = site.root().to_str().unwrap().to_owned();
    let words = ["threadbare".to_owned()].into_iter().chain(case.options.iter().cloned()).chain([root]);
    let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let (config, auth) = (cli.config(), cli.credentials().unwrap());
    let site = Site::open(&config).unwrap();
    AppState::new(config, site, auth)
}
