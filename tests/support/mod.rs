//! What do the tests share? The cases of `tests/wire`, and the site they are about.
#![allow(dead_code, reason = "each test uses a part of it")]

pub mod bytes;

pub mod case;

pub mod site;

pub mod server;
