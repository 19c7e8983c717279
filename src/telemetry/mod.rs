//! What the program reports about itself: diagnostics, access log, metrics.

pub mod access_log;
pub mod color;
pub mod log_file;
pub mod log_format;
pub mod log_queue;
pub mod logging;
pub mod metrics;
pub mod prometheus;
