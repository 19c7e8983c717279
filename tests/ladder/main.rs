//! The steps of the ladder: each does what its head says, and has the faults that its head lists.
//!
//! Every step is a program in `examples/`. The tests start it on a free port and send raw bytes, and use curl or a browser where a user would.

#[path = "../support/process.rs"]
mod process;

#[path = "../support/example.rs"]
mod example;

#[path = "../support/webdriver.rs"]
mod webdriver;

mod shape;

mod sockets;

mod framing;

mod files;

mod sessions;

mod messages;

mod polling;

mod mistakes;

mod scripts;

mod uploads;

mod ports;
