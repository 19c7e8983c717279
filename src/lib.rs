//! A small blocking HTTP/1.1 file server with one thread per connection, written to be read.
//!
//! # The life of a request
//!
//! These eleven files are the path of a request. Read them in this order:
//!
//! 1. [`server`]: the accept loop. It admits a connection, or answers 503, and hands it to a thread.
//! 2. [`server::connection`]: one connection from its first byte to its close. The loop in this file is the protocol. The steps of one request,
//!    `handle` and `respond`, are in `server/exchange.rs`.
//! 3. [`http::request`]: the resumable parser of a request head, and its limits.
//! 4. [`http::target`]: the request target, percent-decoded and normalized once.
//! 5. [`http::framing`] and [`http::chunked`]: the length of the message body, and whether the connection persists.
//! 6. [`handlers`]: the routes and the access checks. A handler returns a response as data.
//! 7. [`files::lookup`]: the file for a path, opened beneath one root.
//! 8. [`handlers::static_file`]: conditional requests, ranges and content codings, applied to that file.
//! 9. [`server::response_writer`]: the bytes of the response.
//! 10. [`net::deadline`]: the timeouts under which all of this reads and writes.
//!
//! # Modules
//!
//! A module may import only modules above it in this list, and itself:
//!
//! - [`http`]: messages and their meaning (RFC 9110, 9111, 9112, Fetch), without I/O.
//! - [`net`]: transports, timeouts and buffers, without knowledge of HTTP messages.
//! - [`config`]: the configuration and all limits, as plain data.
//! - [`os`]: what differs by operating system: signals, sandbox, systemd, Unix sockets.
//! - [`telemetry`]: diagnostics, access log and metrics.
//! - [`files`]: the served directory.
//! - [`handlers`]: from a request to a response, without a socket.
//! - [`server`]: accepting, serving and shutting down connections.
//! - [`cli`]: options, help and start-up.
//!
//! # Invariants
//!
//! `tests/tidy.rs` checks most of these:
//!
//! - `http` is pure: no socket, file, clock, log, lock or thread.
//! - Handlers see no socket, and `net` sees no HTTP message: they meet in `server`.
//! - Only `http/framing.rs` reads Content-Length and Transfer-Encoding.
//! - Only `server/response_writer.rs` writes a response.
//! - Only `files/root.rs` opens a path that a client names.
//! - Only `net/deadline.rs` sets the timeouts of a socket.
//! - `telemetry` does not know why a connection closed or what a handler decided: it takes labels.
//! - One function decides whether a connection persists.
//! - Everything that a client can make long has a limit: in [`config::Limits`], or in a constant beside the loop that it bounds.
//!
//! # An example
//!
//! Each part works by itself. A request head that arrives in two pieces is parsed like this:
//!
//! ```
//! use threadbare::http::request::{HeadLimits, RequestParser, Progress};
//!
//! let bytes = b"GET /ten.txt HTTP/1.1\r\nHost: localhost\r\n\r\nthe next request";
//! let mut parser = RequestParser::new(HeadLimits::default());
//! assert!(matches!(parser.parse(&bytes[..10]), Ok(Progress::Partial)));
//! assert!(matches!(parser.parse(bytes), Ok(Progress::Complete(42))));
//! assert_eq!(parser.head(bytes).unwrap().headers.iter().next(), Some((&b"Host"[..], &b"localhost"[..])));
//! ```

#![forbid(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used)]
#![deny(clippy::indexing_slicing, clippy::as_conversions)]

pub mod cli;
pub mod config;
pub mod files;
pub mod handlers;
pub mod http;
pub mod net;
pub mod os;
pub mod server;
pub mod telemetry;
