//! Uploads: PUT of a file (RFC 9110 §9.3.4) and POST of a form with files (RFC 7578).
//!
//! All that can be refused is refused before the body is read, so that a client that expects `100 Continue` sends none in vain. A file gets
//! its name when the whole body has arrived; until then nothing of it can be seen.

use std::io;
use std::time::SystemTime;

use log::warn;

use crate::files::lookup::{ERROR_DOCUMENT_404, Resource, lookup};
use crate::files::upload::{Upload, UploadError, Uploads};
use crate::handlers::message::{Request, Response, length_of};
use crate::handlers::outcome::{Decision, Outcome};
use crate::handlers::page::escape_json;
use crate::handlers::{AppState, READ, ROUTES, access, check_method, find_route};
use crate::http::conditional::{Precondition, evaluate_preconditions};
use crate::http::headers::name;
use crate::http::method::Method;
use crate::http::multipart::{self, LOOKAHEAD_BYTES_MAX, MultipartError, MultipartEvent, MultipartParser};
use crate::http::negotiation::{self, Format};
use crate::http::status::StatusCode;
use crate::http::target::encode_path;
use crate::os::new_file::NewFile;

/// Bytes of the body that are read and written at once.
const BUFFER_BYTES: usize = 64 * 1024;

const PUT: &[Method] = &[Method::Get, Method::Head, Method::Put, Method::Options];
const POST: &[Method] = &[Method::Get, Method::Head, Method::Post, Method::Options];

/// The methods of a file or directory at the path of the request.
pub fn methods(request: &Request<'_>, app: &AppState) -> &'static [Method] {
    let path = request.target.path();
    match app.site.uploads.as_ref().filter(|uploads| uploads.check_path(path).is_ok()) {
        Some(_) if path.ends_with(b"/") => POST,
        Some(_) => PUT,
        None => READ,
    }
}

/// Responds to PUT, and to POST of a directory; `None` for other requests, and for those that a built-in route supports.
pub fn respond(request: &mut Request<'_>, app: &AppState) -> Option<Response> {
    let method = request.head.method;
    let is_form = method == Method::Post && request.target.path().ends_with(b"/");
    if !is_form && method != Method::Put || find_route(request, app).is_some_and(|route| route.methods.contains(&method)) {
        return None;
    }
    let response = match &app.site.uploads {
        None if is_form => return None,
        None => check_method(request, READ)?,
        Some(uploads) => {
            let refusal = access::check_same_origin(request).or_else(|| check_request(request, uploads).err());
            let accept = || if is_form { post(request, uploads) } else { put(request, app, uploads) };
            let result = refusal.map_or_else(accept, Err);
            result.unwrap_or_else(|refusal| refusal)
        }
    };
    Some(response.outcome(Outcome::Upload))
}

/// Checks what any upload must meet.
fn check_request(request: &Request<'_>, uploads: &Uploads) -> Result<(), Response> {
    let headers = &request.head.headers;
    uploads.check_path(request.target.path()).map_err(refusal)?;
    if headers.get(name::CONTENT_RANGE).is_some() {
        return Err(malformed("an upload of a part of a file is not supported (RFC 9110 §14.5)"));
    }
    if headers.get(name::CONTENT_ENCODING).is_some() {
        let reason = "a file is stored as it is sent; send it without Content-Encoding (RFC 9110 §15.5.16)";
        return Err(Response::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
    }
    match request.body_length.known() {
        Some(length) if length > uploads.config.bytes_max => Err(Response::text(StatusCode::CONTENT_TOO_LARGE, TOO_LONG)),
        _ => Ok(()),
    }
}

fn put(request: &mut Request<'_>, app: &AppState, uploads: &Uploads) -> Result<Response, Response> {
    let path = request.target.path();
    let (directory, name) = path.split_at(path.iter().rposition(|&b| b == b'/').map_or(0, |slash| slash + 1));
    if name.is_empty() {
        return Err(conflict("PUT takes the path of a file, which does not end in a slash"));
    }
    check_reserved(path)?;
    check_existing(request, app, uploads)?;
    let upload = uploads.begin(directory, request.body_length.known()).map_err(refusal)?;
    check_kind(&upload, name)?;
    let mut file = NewFile::create(&upload.directory).map_err(io_refusal)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    request.read_body(&mut buffer, uploads.config.bytes_max, TOO_LONG, |piece, _| file.write(piece).map_err(io_refusal))?;
    file.sync().map_err(io_refusal)?;
    let _publishing = uploads.begin_publishing().map_err(refusal)?;
    check_existing(request, app, uploads)?;
    Ok(match file.publish(name, uploads.config.overwrite).map_err(io_refusal)? {
        true => Response::new(StatusCode::NO_CONTENT),
        false => Response::new(StatusCode::CREATED).header("Location", format!("./{}", encode_path(name))),
    })
}

/// A file of a form.
struct FormFile<'u> {
    name: Vec<u8>,
    length: u64,
    file: NewFile<'u>,
}

fn post(request: &mut Request<'_>, uploads: &Uploads) -> Result<Response, Response> {
    let content_type = request.head.headers.get_unique(name::CONTENT_TYPE).ok_or(multipart::MEDIA_TYPE);
    let parser = content_type.and_then(MultipartParser::new).map_err(form_refusal)?;
    let upload = uploads.begin(request.target.path(), request.body_length.known()).map_err(refusal)?;
    let mut files = read_form(request, uploads, &upload, parser)?;
    let _publishing = uploads.begin_publishing().map_err(refusal)?;
    let mut added = Vec::new();
    for FormFile { name, file, .. } in &mut files {
        match file.publish(name, uploads.config.overwrite) {
            Ok(replaced) => added.extend((!replaced).then_some(&*name)),
            Err(error) => {
                added.iter().for_each(|name| upload.directory.remove(name));
                return Err(io_refusal(error));
            }
        }
    }
    Ok(match negotiation::negotiate(&request.head.headers, &[Format::Json, Format::Html]) {
        Format::Html => Response::new(StatusCode::SEE_OTHER).header("Location", "./"),
        Format::Json | Format::Text => {
            let json = format!("{{\"files\":[{}]}}\n", files.iter().map(file_json).collect::<Vec<_>>().join(","));
            Response::with_content(StatusCode::CREATED, "application/json", json.into_bytes())
        }
    })
}

fn file_json(file: &FormFile<'_>) -> String {
    let name = escape_json(&String::from_utf8_lossy(&file.name));
    format!("{{\"name\":{name},\"href\":\"./{}\",\"size\":{}}}", encode_path(&file.name), file.length)
}

/// Reads a form, and writes each of its files under a hidden name.
fn read_form<'u>(
    request: &mut Request<'_>,
    uploads: &Uploads,
    upload: &'u Upload,
    mut parser: MultipartParser,
) -> Result<Vec<FormFile<'u>>, Response> {
    let (mut files, mut begun, mut is_complete) = (Vec::<FormFile<'_>>::new(), None::<FormFile<'_>>, false);
    let mut input = Vec::with_capacity(BUFFER_BYTES + LOOKAHEAD_BYTES_MAX);
    let target = request.target;
    request.read_body(&mut vec![0; BUFFER_BYTES], uploads.config.bytes_max, TOO_LONG, |piece, _| {
        input.extend_from_slice(piece);
        let mut consumed = 0;
        loop {
            let (length, event) = parser.next(input.split_at(consumed).1).map_err(form_refusal)?;
            consumed += length;
            match event {
                MultipartEvent::Partial => break,
                MultipartEvent::Content(bytes) => {
                    if let Some(FormFile { length, file, .. }) = &mut begun {
                        *length += length_of(bytes);
                        file.write(bytes).map_err(io_refusal)?;
                    }
                }
                MultipartEvent::End | MultipartEvent::Part(_) => {
                    if let Some(mut form_file) = begun.take() {
                        // It is closed, so that a form of many files needs one descriptor.
                        form_file.file.sync().and_then(|()| form_file.file.close()).map_err(io_refusal)?;
                        files.push(form_file);
                    }
                    is_complete |= event == MultipartEvent::End;
                    if let MultipartEvent::Part(Some(name)) = event {
                        check_new_name(&name, target.path(), uploads, upload)?;
                        if files.iter().any(|other| other.name == name) {
                            return Err(conflict(EXISTS));
                        }
                        let file = NewFile::create(&upload.directory).map_err(io_refusal)?;
                        begun = Some(FormFile { name, length: 0, file });
                    }
                }
            }
        }
        input.drain(..consumed);
        Ok(())
    })?;
    if files.is_empty() && is_complete {
        return Err(malformed("the form has no file"));
    }
    if is_complete { Ok(files) } else { Err(malformed("the form does not end with its boundary (RFC 2046 §5.1.1)")) }
}

/// Checks whether a form may add a file of this name to a directory.
fn check_new_name(name: &[u8], directory: &[u8], uploads: &Uploads, upload: &Upload) -> Result<(), Response> {
    uploads.check_name(name).map_err(refusal)?;
    check_reserved(&[directory, name].concat())?;
    if check_kind(upload, name)? && !uploads.config.overwrite { Err(conflict(EXISTS)) } else { Ok(()) }
}

/// Refuses the paths of pages of the server, and what would lie beneath them. Some file systems ignore case.
fn check_reserved(path: &[u8]) -> Result<(), Response> {
    let is_first = |reserved: &[u8]| path.split(|&b| b == b'/').nth(1).is_some_and(|first| first.eq_ignore_ascii_case(reserved));
    let mut routes = ROUTES.iter().filter_map(|route| route.path.as_bytes().strip_prefix(b"/"));
    let is_reserved = is_first(ERROR_DOCUMENT_404) || routes.any(is_first);
    if is_reserved { Err(forbidden("this path is reserved for a page of the server")) } else { Ok(()) }
}

/// Evaluates the preconditions of a PUT (RFC 9110 §13.2.2), and whether it may replace what has its path.
fn check_existing(request: &Request<'_>, app: &AppState, uploads: &Uploads) -> Result<(), Response> {
    let headers = &request.head.headers;
    let validators = match lookup(&app.site, request.target, None, SystemTime::now()) {
        Resource::File(file) => file.representation.validators.clone(),
        Resource::NotFound | Resource::NotAcceptable if headers.get(name::IF_MATCH).is_none() => return Ok(()),
        Resource::NotFound | Resource::NotAcceptable => return Err(Response::precondition_failed()),
        Resource::Directory(_) | Resource::MovedPermanently(_) => return Err(conflict("a directory has this path")),
        Resource::Error(error) => return Err(Response::from_io_error(&error)),
        Resource::Unavailable(error) => return Err(Response::unavailable(error)),
    };
    let (precondition, decided_by) = evaluate_preconditions(headers, &validators, request.head.method);
    if precondition != Precondition::Passed {
        decided_by
            .iter()
            .for_each(|field| request.record(|| Decision::Condition { field, precondition, validators: validators.clone() }));
        return Err(Response::precondition_failed());
    }
    if uploads.config.overwrite { Ok(()) } else { Err(conflict(EXISTS)) }
}

/// Refuses to replace a link, a FIFO or a device, which GET may not show, and returns whether a file has this name.
fn check_kind(upload: &Upload, name: &[u8]) -> Result<bool, Response> {
    match upload.directory.has_file(name).map_err(io_refusal)? {
        Some(false) => Err(conflict("something else than a file has this path")),
        found => Ok(found.is_some()),
    }
}

/// The reason of a 413 response.
const TOO_LONG: &str = "the upload is larger than --upload-max allows (RFC 9110 §15.5.14)";
/// The reason of a 409 response if a file must not be replaced.
const EXISTS: &str = "a file of this name exists already, and is not replaced";

fn malformed(reason: &'static str) -> Response {
    Response::text(StatusCode::BAD_REQUEST, reason)
}

fn form_refusal(error: MultipartError) -> Response {
    match error {
        multipart::MEDIA_TYPE => Response::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, error),
        _ => malformed(error),
    }
}

fn conflict(reason: &'static str) -> Response {
    Response::text(StatusCode::CONFLICT, reason)
}

fn forbidden(reason: &'static str) -> Response {
    Response::text(StatusCode::FORBIDDEN, reason)
}

fn refusal(error: UploadError) -> Response {
    match error {
        UploadError::InvalidName(reason) => malformed(reason),
        UploadError::Forbidden(reason) => forbidden(reason),
        UploadError::Unavailable(reason) => Response::unavailable(reason),
        UploadError::Io(error) => io_refusal(error),
    }
}

/// The response to a failure to create or write a file. It reveals neither its path nor the cause.
fn io_refusal(error: io::Error) -> Response {
    use io::ErrorKind as K;
    match error.kind() {
        K::AlreadyExists | K::IsADirectory => conflict(EXISTS),
        K::NotADirectory => conflict("something else than a directory has a path above this one"),
        K::NotFound => conflict("the directory was removed"),
        K::StorageFull | K::QuotaExceeded | K::FileTooLarge => {
            Response::text(StatusCode::INSUFFICIENT_STORAGE, "there is not enough space for this file (RFC 4918 §11.5)")
        }
        K::InvalidFilename => malformed("the file system does not allow this name"),
        K::PermissionDenied | K::ReadOnlyFilesystem => forbidden("this server has no permission to write here"),
        _ => {
            warn!("an upload failed: {error}");
            Response::text(StatusCode::INTERNAL_SERVER_ERROR, "the file could not be written")
        }
    }
}
