//! Transports, timeouts and buffers.
//!
//! This module moves bytes and knows no HTTP message. [`transport`] is the trait that the rest of the server uses, so that tests can
//! replace the socket by [`memory`].

pub mod busy_poll;
pub mod deadline;
pub mod memory;
pub mod read_buffer;
pub mod socket;
pub mod transport;
