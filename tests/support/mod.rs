//! Shared code of the tests: the cases of `tests/wire`, their site, and test servers.
#![allow(dead_code, reason = "each test uses a part of it")]

pub mod bytes;

pub mod case;

pub mod site;

pub mod server;
