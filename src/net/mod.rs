//! How do bytes come in and go out?
//!
//! The only place with deadlines, and the only one that touches a socket. It knows messages, and nothing of routes or files
//! looked up: those meet it in `conn.rs` only.

pub mod content;
pub mod deadline;
pub mod eager;
pub mod inbox;
pub mod piece;
pub mod scripted;
pub mod send;
pub mod stream;
