//! In which form is a directory shown?
//!
//! As an HTML page, which browsers show and other clients read for its links; as plain text or JSON where Accept names them.

use std::io;

use crate::config::Routes;
use crate::message::{Request, Response};
use crate::page;
use crate::semantics::accept::{self, Reader};
use crate::site::contents::{Contents, NAMES_MAX};
use crate::site::listing_json::JSON;
use crate::site::listing_page::PAGE;
use crate::site::listing_text::TEXT;
use crate::site::lookup::Directory;
use crate::site::order::Order;
use crate::wire::status::Status;

/// Answers GET or HEAD of a directory. `routes` says whether a visitor who finds nothing can be sent to them.
// Not inlined: see `conn::serve` on the depth of the stack.
#[inline(never)]
pub fn answer(directory: Directory, request: &Request<'_>, routes: Routes) -> Response {
    match answer_to(directory, request, routes) {
        Ok(response) => response.with("Cache-Control", "no-cache").with("Vary", "Accept"),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            Response::text(Status::FORBIDDEN, "this directory has more than 200,000 entries, too many to list")
        }
        Err(error) => Response::failed(&error),
    }
}

fn answer_to(directory: Directory, request: &Request<'_>, routes: Routes) -> io::Result<Response> {
    let target = request.target;
    let mut contents = Contents::of(directory, target.path(), Order::asked(target), NAMES_MAX)?;
    let is_nothing = contents.path == b"/" && contents.names.is_empty() && routes == Routes::On;
    let form = match accept::choose_listing(&request.head.headers) {
        Reader::Browser => {
            if is_nothing {
                contents.epilogue.push_str("<p>Put a file into it, and reload this page.</p>\n");
                page::next::show(&mut contents.epilogue, "/", target.authority);
            }
            return Ok(page::response(Status::OK, PAGE.body(contents.with_readme())?));
        }
        Reader::Terminal => {
            if is_nothing {
                contents.epilogue.push_str("put a file into it, or try /hello and /echo\n");
            }
            &TEXT
        }
        Reader::Program => &JSON,
    };
    Ok(Response::with_content(Status::OK, form.media_type, &b""[..]).with_body(form.body(contents)?))
}
