//! Downloads of directories as one file: `?archive=tar` and `?archive=zip` (`--archive`).

use std::time::SystemTime;

use crate::files::acquire_permit;
use crate::files::archive::{Archive, ArchiveError, ArchiveFormat};
use crate::files::directory::Directory;
use crate::files::lookup::{Resource, lookup_directory};
use crate::files::tar::TAR;
use crate::files::zip::ZIP;
use crate::handlers::AppState;
use crate::handlers::message::{Body, Request, Response};
use crate::handlers::outcome::Outcome;
use crate::http::method::Method;
use crate::http::status::StatusCode;
use crate::http::target::encode_path;
use crate::telemetry::printable;

/// The formats, in the order in which listings offer them.
pub const FORMATS: [&ArchiveFormat; 2] = [&ZIP, &TAR];

/// Responds to GET or HEAD of a directory as an archive, whether it has an index or not; `None` for other requests. Unknown formats are
/// ignored, since the query may be meant for a page of the site.
pub fn respond(request: &Request<'_>, app: &AppState, now: SystemTime) -> Option<Response> {
    if !app.config.archive || !matches!(request.head.method, Method::Get | Method::Head) {
        return None;
    }
    let (_, value) = request.target.query_pairs().find(|(name, _)| name == b"archive")?;
    let format = FORMATS.into_iter().find(|format| format.name.as_bytes() == value)?;
    let response = match lookup_directory(&app.site, request.target, now) {
        Resource::Directory(directory) => archive(directory, format, app).unwrap_or_else(refusal),
        Resource::Error(error) => Response::from_io_error(&error),
        _ => return None,
    };
    Some(response.outcome(Outcome::Archive))
}

fn archive(directory: Directory, format: &'static ArchiveFormat, app: &AppState) -> Result<Response, ArchiveError> {
    let limits = &app.config.limits;
    let Some(permit) = acquire_permit(&app.site.archive_permits, limits.archives_max) else {
        let busy = Response::text(StatusCode::SERVICE_UNAVAILABLE, "too many archives are being sent, try again");
        return Ok(busy.header("Retry-After", "10"));
    };
    let name = directory.name().to_vec();
    let archive = Archive::plan(directory, format, limits)?;
    let length = archive.length;
    Ok(Response::new(StatusCode::OK)
        .header("Content-Type", format.media_type)
        .header("Content-Disposition", content_disposition(&name, format.name))
        .header("Cache-Control", "no-store")
        .with_body(Body::Sized(Box::new(archive.into_reader(permit)), length)))
}

fn refusal(error: ArchiveError) -> Response {
    match error {
        ArchiveError::TooLarge(reason) => Response::text(StatusCode::FORBIDDEN, reason),
        ArchiveError::Unreadable(path, error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            let path = printable(&path).into_owned();
            Response::text(StatusCode::FORBIDDEN, format!("this server has no permission to read {path}"))
        }
        ArchiveError::Unreadable(_, error) => Response::from_io_error(&error),
    }
}

/// The name of the download, in ASCII for clients that know no other, and in UTF-8 (RFC 6266 §4, RFC 8187).
// disposition-parm = "filename" "=" value / "filename*" "=" ext-value
fn content_disposition(name: &[u8], extension: &str) -> String {
    let name = String::from_utf8_lossy(name);
    let is_plain = |char: char| char == ' ' || char.is_ascii_graphic() && !matches!(char, '"' | '%' | '\\');
    let ascii = name.replace(|char| !is_plain(char), "_");
    format!("attachment; filename=\"{ascii}.{extension}\"; filename*=UTF-8''{}.{extension}", encode_path(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_downloads() {
        for (name, ascii, encoded) in [
            (&b"docs"[..], "docs", "docs"),
            (b"a b", "a b", "a%20b"),
            ("\u{fc}".as_bytes(), "_", "%C3%BC"),
            (b"\xff", "_", "%EF%BF%BD"),
            (b"a\"b\\c%d\r\n;", "a_b_c_d__;", "a%22b%5Cc%25d%0D%0A%3B"),
        ] {
            let want = format!("attachment; filename=\"{ascii}.zip\"; filename*=UTF-8''{encoded}.zip");
            assert_eq!(content_disposition(name, "zip"), want);
        }
    }
}
