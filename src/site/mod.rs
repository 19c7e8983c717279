//! Modules that have not been moved yet.

pub mod listing;
pub mod listing_json;
pub mod listing_page;
pub mod listing_text;
pub mod rows;
pub mod written;
