//! In which form is a directory shown?
//!
//! As an HTML page, which browsers show and other clients read for its links; as plain text or JSON where Accept names them.

use std::io;

use crate::files::directory::{DirectoryListing, NAMES_MAX};
use crate::files::lookup::Directory;
use crate::files::sort_order::SortOrder;
use crate::handlers::listing_html::PAGE;
use crate::handlers::listing_json::JSON;
use crate::handlers::listing_text::TEXT;
use crate::handlers::message::{Request, Response};
use crate::handlers::page;
use crate::http::negotiation::{self, Format};
use crate::http::status::StatusCode;

/// Answers GET or HEAD of a directory.
pub fn answer(directory: Directory, request: &Request<'_>) -> Response {
    match answer_to(directory, request) {
        Ok(response) => response.header("Cache-Control", "no-cache").header("Vary", "Accept"),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            Response::text(StatusCode::FORBIDDEN, "this directory has more than 200,000 entries, too many to list")
        }
        Err(error) => Response::from_io_error(&error),
    }
}

fn answer_to(directory: Directory, request: &Request<'_>) -> io::Result<Response> {
    let target = request.target;
    let contents = DirectoryListing::of(directory, target.path(), SortOrder::asked(target), NAMES_MAX)?;
    let form = match negotiation::choose_listing(&request.head.headers) {
        Format::Html => return Ok(page::response(StatusCode::OK, PAGE.body(contents.with_readme())?)),
        Format::Text => &TEXT,
        Format::Json => &JSON,
    };
    Ok(Response::with_content(StatusCode::OK, form.media_type, &b""[..]).with_body(form.body(contents)?))
}
