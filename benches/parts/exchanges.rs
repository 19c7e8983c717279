//! Cost of a whole exchange without a socket.
//!
//! A client in memory asks for the same again and again on one connection. The files are real: their system calls are timed, and count no
//! instructions but those that make them.

use std::fmt::{self, Display};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};
use std::{env, iter, process, thread};

use divan::Bencher;
use divan::counter::ItemsCount;
use threadbare::cli::Cli;
use threadbare::files::Site;
use threadbare::handlers::AppState;
use threadbare::net::memory::MemoryTransport;
use threadbare::server::connection;
use threadbare::server::registry::ConnState;

use crate::heads::{BROWSER, WRK};

/// Exchanges of one connection while they are timed: enough that its beginning and its end do not count.
const TIMED: usize = 1000;

/// A kind of exchange.
pub struct Exchange {
    /// Which.
    pub name: &'static str,
    /// The status of its answer.
    status: &'static str,
    /// The head of its request, but for the entity-tag.
    request: &'static [u8],
}

/// The exchanges that are measured.
pub const EXCHANGES: [&Exchange; 4] = [
    &Exchange { name: "1 KiB for wrk", status: "200 OK", request: WRK.bytes },
    &Exchange { name: "1 KiB for a browser", status: "200 OK", request: BROWSER.bytes },
    &Exchange {
        name: "304",
        status: "304 Not Modified",
        request: b"GET /1k.bin HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nIf-None-Match: TAG\r\n\r\n",
    },
    &Exchange { name: "404", status: "404 Not Found", request: b"GET /none.bin HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n" },
];

impl Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A directory with one file; removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let folder = Folder(env::temp_dir().join(format!("threadbare-parts-{}", process::id())));
        fs::create_dir_all(&folder.0).unwrap();
        fs::write(folder.0.join("1k.bin"), [b'x'; 1024]).unwrap();
        let file = File::options().write(true).open(folder.0.join("1k.bin")).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(784_111_777)).unwrap();
        // The server keeps no file in memory whose status changed within the last two seconds.
        thread::sleep(Duration::from_millis(2_500));
        folder
    }

    fn app(&self) -> AppState {
        let words = ["threadbare".to_owned(), self.0.to_str().unwrap().to_owned()];
        let config = Cli::try_parse_from(words).unwrap().config();
        let site = Site::open(&config).unwrap();
        AppState::new(config, site, None)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// All that a client is sent which asks so many times.
fn ask(app: &AppState, request: &[u8], times: usize) -> String {
    let mut client = MemoryTransport::new(iter::repeat_n(Arc::<[u8]>::from(request), times));
    connection::serve_connection(
        &mut client,
        SocketAddr::from(([127, 0, 0, 1], 50_000)).into(),
        app,
        &ConnState::new(Instant::now()),
        app.memory.hold_none(None),
    );
    String::from_utf8(client.received).unwrap()
}

/// The request of an exchange, with the entity-tag that the file has.
fn request(exchange: &Exchange, app: &AppState) -> Vec<u8> {
    let first = ask(app, WRK.bytes, 1);
    let tag = first.lines().find_map(|line| line.strip_prefix("ETag: ")).expect("a file has a tag");
    String::from_utf8(exchange.request.to_vec()).unwrap().replace("TAG", tag).into_bytes()
}

/// Has so many exchanges of that kind, on one connection.
pub fn have(exchange: &Exchange, times: usize) {
    let folder = Folder::new();
    let app = folder.app();
    let received = ask(&app, &request(exchange, &app), times);
    assert!(received.starts_with(&format!("HTTP/1.1 {}\r\n", exchange.status)), "{received}");
    assert_eq!(received.matches("HTTP/1.1 ").count(), times);
}

#[divan::bench(args = EXCHANGES, sample_count = 20, sample_size = 1)]
fn exchange_x1000(bencher: Bencher, exchange: &Exchange) {
    let folder = Folder::new();
    let app = folder.app();
    let request = request(exchange, &app);
    bencher.counter(ItemsCount::new(TIMED)).bench_local(|| ask(&app, &request, TIMED));
}
