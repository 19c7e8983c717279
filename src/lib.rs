//! A small blocking HTTP/1.1 server, one thread per connection, written to be read.
//!
//! # The life of a request, which is also the reading order
//!
//! 1. **socket**: [`listen`] opens the sockets, of a kind in [`socket`], or takes those that were [`handed_over`], and takes
//!    connections from them; [`server`] is the loop that does so, gives each a seat in [`live`], whose states are in [`slot`] (or someone
//!    else's, or a finished 503), and hands it to a thread of [`workers`]. [`capacity`] says how many there may be.
//! 2. **bytes**: [`conn`] is the page to read first: a [`preface`] says who is behind a balancer, then it fills the [`net::read_buffer`] within
//!    the time that [`net::deadline`] allows, until [`http::request`] says that the head is complete.
//! 3. **request**: [`understood`] is what the head says, taken together: [`http::target`] which resource is meant, [`http::framing`] how
//!    long the content is; [`server::request_body`] is that content as a plain reader. [`peer`] is who asks.
//! 4. **route**: [`asking`] hands the request to [`routes`], which look into the served directory first, then into their table. What
//!    they may look at is [`app`]; who may ask at all, [`auth`] and [`handlers::access`] know.
//! 5. **file**: [`files::lookup`] finds it beneath [`files::root`], [`representation`] says what it is, [`caching`] how long it may be kept,
//!    [`http::conditional`] and [`http::range`] what of it is wanted.
//! 6. **response**: a [`message::Response`] is data, its lines are [`fields`], and it knows [`because`] of what it is the answer;
//!    [`finish`] decides its framing and adds what all responses carry, of which [`common_fields`] were spelled at the start.
//! 7. **bytes**: [`delivery`] has [`server::response_writer`] write it, reading a file at any place ([`positioned`]) as long as it is still the same
//!    ([`stamp`]). [`metrics`] count it, and [`access_log`] has a [`log_line`] made of it that [`log_writer`] takes without ever waiting. Then
//!    comes the next request, or the end, which always has a reason: [`ended`].
//!
//! # Before the first request, and beside them
//!
//! - **What was asked for**: [`cli`] reads flags and variables into a [`config`], with patterns of paths by [`glob`]. `main.rs` has them run.
//! - **What is said at the start**: [`welcome`] the addresses, which [`interfaces`] finds out and [`qr`] draws for a phone; [`advice`] what is
//!   dangerous; [`browser`] opens the first page, [`ink`] says whether there are colours.
//! - **What is given up at the start**: by [`sandbox`] the rest of the file system, but for the right to remove what [`unix_socket`] has put there.
//! - **What others ask of us meanwhile**: [`stop`] on SIGTERM, [`hangup`] on SIGHUP (a new [`log_file`]); [`notify`] tells the supervisor, and
//!   [`health_check`] is what a container asks by.
//! - **What a person sees**: [`page`] is the frame of our own pages, [`html`] and [`json`] escape what goes into them; [`explain`] tells an
//!   exchange in words, from [`notes`] taken on the way; [`logging`] is for everything else.
//!
//! # One request's way
//!
//! ```text
//! bytes                                                          bytes
//!   │                                                              ▲
//!   ▼ net::read_buffer                                                   │ server::response_writer
//! head ──▶ target, framing ──▶ route ──▶ file ──▶ Response ──▶ status line, fields, content
//!   http::request  http::target  routes    site     message          finish
//!   │              http::framing           │
//!   │                                      └─ semantics: do they have it, which part, in which form?
//!   └─ malformed: answered at once, and the connection closes
//! ```
//!
//! The states of a connection, idle, reading a head, answering, waiting for content, and who may take it from its owner in which, are drawn
//! in [`slot`]. Each piece works by itself; this is how a head is read that comes in two pieces:
//!
//! ```
//! use threadbare::http::request::{HeadLimits, HeadParser, Progress};
//!
//! let sent = b"GET /ten.txt HTTP/1.1\r\nHost: localhost\r\n\r\nand what comes behind it";
//! let mut parser = HeadParser::new(HeadLimits::default());
//! assert!(matches!(parser.advance(&sent[..10]), Ok(Progress::Partial)));
//! assert!(matches!(parser.advance(sent), Ok(Progress::Complete(42))));
//! assert_eq!(parser.head(sent).unwrap().headers.iter().next(), Some((&b"Host"[..], &b"localhost"[..])));
//! ```
//!
//! # Layers
//!
//! ```text
//!        main ── cli            flags, exit codes
//!          └─ server            accept, admit, hand over, drain
//!               └─ conn         one connection: head, route, response, next
//!                    ├─ routes ── site ── semantics      what is answered (never sees a socket)
//!                    └─ net ───── finish                 how bytes move (never sees a route)
//!                         └────── message ── wire        what is said, and how it is spelled
//! ```
//!
//! A file imports only from layers below its own. `tests/tidy.rs` holds the table, and names the line that breaks it.
//!
//! # Invariants
//!
//! - [`wire`] and [`semantics`] are pure: no socket, file, clock, log or lock.
//! - Routes never see a socket, and [`net`] never sees a route: they meet in [`conn`] only.
//! - Only [`http::framing`] reads Content-Length and Transfer-Encoding.
//! - Only [`server::response_writer`] writes a final response, but for the 503 of [`server`], which [`finish`] makes as well. 100 Continue comes from
//!   [`server::request_body`], when a handler first reads.
//! - Only [`net::deadline`] touches a socket's timeouts, only [`files::root`] opens a path that a client names.
//! - Everything that a client can make long has a limit: in [`config::Limits`], or as a constant beside the loop that it bounds.
//!
//! `wire/` mirrors RFC 9112 (how a message is spelled), `semantics/` RFC 9110 (what it asks for).

#![forbid(unsafe_code)]
#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions
)]

pub mod cli;
pub mod config;
pub mod files;
pub mod handlers;
pub mod http;
pub mod net;
pub mod os;
pub mod server;
pub mod telemetry;
