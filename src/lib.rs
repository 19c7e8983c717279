//! threadbare.
#![forbid(unsafe_code)]
#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions
)]

pub mod wire;

pub mod config;

pub mod stamp;

pub mod html;

pub mod message;

pub mod ended;

pub mod semantics;

pub mod site;

pub mod stop;

pub mod app;

pub mod routes;

pub mod finish;

pub mod net;

pub mod access_log;

pub mod live;

pub mod capacity;

pub mod conn;

pub mod workers;

pub mod listen;

pub mod server;

pub mod log_writer;

pub mod logging;

pub mod cli;
