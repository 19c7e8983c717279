//! Modules that have not been moved yet.

pub mod proxy_protocol;
