//! Does each step of the ladder do what its head says, and is what it says still wrong really wrong?
//!
//! Every step is a program in `examples/`. It is started on a free port and spoken to in raw bytes; where a user would take curl, with
//! curl as well.

#[path = "../support/process.rs"]
mod process;

#[path = "../support/example.rs"]
mod example;

mod shape;

mod sockets;
