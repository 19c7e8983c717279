//! threadbare.

pub mod wire;

pub mod config;

pub mod stamp;

pub mod message;

pub mod semantics;

pub mod site;
