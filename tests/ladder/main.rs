//! Does each step of the ladder do what its head says, and is what it says still wrong really wrong?
//!
//! Every step is a program in `examples/`. It is started on a free port and spoken to in raw bytes; where a user would take curl or a
//! browser, with those as well.

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

mod people;

mod talking;

mod polling;

mod mistakes;
