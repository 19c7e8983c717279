//! How is a message spelled? (RFC 9112)
//!
//! Pure: bytes in, values out. Nothing here touches a socket, a file, a clock or the log, so every rule can be tried with a
//! string and a comparison. The files are in reading order, and each imports only from those above it.

pub mod grammar;

pub mod scan;

pub mod method;

pub mod status;

pub mod malformed;

pub mod field_line;

pub mod headers;

pub mod request;

pub mod target;

pub mod framing;

pub mod chunked;

pub mod response;

pub mod proxy_protocol;
