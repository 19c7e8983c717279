//! What does a request ask for? (RFC 9110)
//!
//! Pure: fields and facts about a representation in, a decision out. No socket, file, clock or log, so every rule can be tried
//! with a row of a table. Each file is one section of RFC 9110 and imports nothing of ours but `wire`,
//! and `forwarded` what an address is.

pub mod date;

pub mod conditional;

pub mod range;

pub mod host;

pub mod asking_site;

pub mod weight;

pub mod accept;

pub mod navigation;

pub mod negotiate;

pub mod cors;

pub mod forwarded;
