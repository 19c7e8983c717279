//! How is a refusal shown?
//!
//! To a program as one line, to a browser as a page of ours that says the same; and what is missing as the site's own page, if it has one.

use std::time::SystemTime;

use crate::files::lookup::{Resource, error_document_404};
use crate::files::representation::Representation;
use crate::handlers::app::AppState;
use crate::handlers::html;
use crate::handlers::message::{Body, FileSource, Request, Response};
use crate::handlers::page;
use crate::http::error::ParseError;
use crate::http::headers::Headers;
use crate::http::negotiation::{self, Format};
use crate::http::range::ByteRange;
use crate::http::status::StatusCode;

/// The answer where nothing has that name: `404.html` of the root, as it is now, for all who take HTML. It has no validators and no ranges:
/// it is not what was asked for.
pub fn missing(request: &Request<'_>, app: &AppState, now: SystemTime) -> Response {
    if negotiation::accepts(&request.head.headers, "text/html") {
        match error_document_404(&app.site, now) {
            Resource::File(found) => return custom_404(&found.representation, FileSource::Disk(Box::new(found.open))),
            Resource::Kept(kept) => return custom_404(&kept.representation.clone(), FileSource::Memory(kept)),
            Resource::Unacceptable
            | Resource::Directory(_)
            | Resource::MovedPermanently(_)
            | Resource::NotFound
            | Resource::Error(_)
            | Resource::Unavailable(_) => {}
        }
    }
    Response::text(StatusCode::NOT_FOUND, "nothing here has that name")
}

fn custom_404(representation: &Representation, source: FileSource) -> Response {
    Response::new(StatusCode::NOT_FOUND)
        .header("Content-Type", representation.media_type.clone())
        .header("Cache-Control", "no-cache")
        .header("Vary", "Accept")
        .with_body(Body::Slice(source, ByteRange { start: 0, length: representation.length }))
}

/// The answer to a head that could be read and says what it must not: a person may have typed it. It is kept by no cache, so it need not
/// say what it depends on.
pub fn malformed(what: ParseError, headers: &Headers<'_>) -> Response {
    let response = Response::malformed(what);
    match negotiation::negotiate(headers, &[Format::Text, Format::Html]) {
        Format::Html => dress(response, headers),
        Format::Text | Format::Json => response,
    }
}

/// The same answer in the form that the client reads.
pub fn render_error(response: Response, headers: &Headers<'_>) -> Response {
    if response.status.as_u16() < 400 { response } else { dress(response, headers) }
}

fn dress(response: Response, headers: &Headers<'_>) -> Response {
    let Some(why) = response.reason else { return response };
    match negotiation::negotiate(headers, &[Format::Text, Format::Html]) {
        Format::Text | Format::Json => response.header("Vary", "Accept"),
        Format::Html => {
            let body = Body::Bytes(error_page(response.status, why).into_bytes().into());
            let mut page = page::response(response.status, body);
            for (name, value) in response.fields.iter() {
                // What only this refusal says: Allow, WWW-Authenticate, Retry-After and the like.
                if page.fields.first(name).is_none() {
                    page.fields.push(name.to_owned(), value.to_owned());
                }
            }
            page.header("Vary", "Accept").outcome(response.outcome)
        }
    }
}

fn error_page(status: StatusCode, why: &str) -> String {
    let (code, phrase) = (status.as_u16(), status.canonical_reason());
    let mut out = String::new();
    page::begin(&mut out, format!("{code} {phrase}").as_bytes());
    let why = html::escape(why);
    out.push_str(&format!("<main>\n<p class=\"status\">{code}</p>\n<h1>{phrase}</h1>\n<p class=\"why\">{why}</p>\n"));
    if status == StatusCode::NOT_FOUND {
        out.push_str("<p><a href=\"/\">To the start page</a></p>\n");
    }
    out.push_str("</main>\n");
    page::end(&mut out);
    out
}
