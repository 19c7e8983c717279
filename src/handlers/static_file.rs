//! How is a file served? (RFC 9110 §13, §14, §15.3.7)
//!
//! In the order in which the questions make sense: does the client need it at all, which part of it, and how is that told.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::files::lookup::FoundFile;
use crate::files::representation::{CachedFile, Representation};
use crate::handlers::message::{Body, FileSource, Part, Parts, Request, Response, Slice};
use crate::handlers::outcome::Decision;
use crate::http::conditional::{self, Precondition, RangeUse};
use crate::http::headers::name;
use crate::http::method::Method;
use crate::http::range::{self, ByteRange, RangeSet};
use crate::http::response::ResponseHeaders;
use crate::http::status::StatusCode;

/// Answers GET or HEAD of a file that has been opened.
pub fn answer(found: FoundFile, request: &Request<'_>) -> Response {
    match wanted(&found.representation, request) {
        Selection::Full => {
            whole(found.representation.headers_200(), FileSource::Disk(Box::new(found.open)), found.representation.length)
        }
        other => answer_other(other, &found.representation, FileSource::Disk(Box::new(found.open))),
    }
}

/// Answers GET or HEAD of a file that is in memory.
pub fn answer_kept(kept: Arc<CachedFile>, request: &Request<'_>) -> Response {
    match wanted(&kept.representation, request) {
        Selection::Full => {
            let (fields, length) = (ResponseHeaders::from_encoded(&kept.headers_200), kept.representation.length);
            whole(fields, FileSource::Memory(kept), length)
        }
        Selection::NotModified => {
            Response { fields: ResponseHeaders::from_encoded(&kept.headers_304), ..Response::new(StatusCode::NOT_MODIFIED) }
        }
        other => {
            let representation = kept.representation.clone();
            answer_other(other, &representation, FileSource::Memory(kept))
        }
    }
}

/// Answers where a file lies, but in no form that the client accepts.
pub fn answer_unacceptable() -> Response {
    Response::text(StatusCode::NOT_ACCEPTABLE, "this comes in none of the codings that are accepted (RFC 9110 §15.5.7)")
        .header("Vary", "Accept-Encoding")
}

/// What of a representation is wanted.
enum Selection {
    /// All of it.
    Full,
    /// Nothing: the client has it.
    NotModified,
    /// Another version.
    PreconditionFailed,
    /// A part.
    Part(ByteRange),
    /// Several.
    Parts(Vec<ByteRange>),
    /// A part that it does not have.
    Unsatisfiable,
}

/// Decides what is wanted: by the conditions first, then by the range.
fn wanted(representation: &Representation, request: &Request<'_>) -> Selection {
    let (headers, method) = (&request.head.headers, request.head.method);
    let (precondition, decided_by) = conditional::evaluate_preconditions(headers, &representation.validators, method);
    if let Some(field) = decided_by {
        request.record(|| Decision::Condition { field, precondition, validators: representation.validators.clone() });
    }
    match precondition {
        Precondition::Passed => {}
        Precondition::NotModified => return Selection::NotModified,
        Precondition::Failed => return Selection::PreconditionFailed,
    }
    // Ranges are defined for GET only (RFC 9110 §14.2).
    let value = headers.get_unique(name::RANGE).filter(|_| method == Method::Get);
    let is_honoured = |_: &&[u8]| {
        let range_use = conditional::if_range(headers, &representation.validators);
        if headers.get(name::IF_RANGE).is_some() {
            request.record(|| Decision::IfRange(range_use));
        }
        range_use == RangeUse::Honoured
    };
    let counts = value.filter(is_honoured);
    let ranges = range::parse_range(counts, representation.length);
    match (counts, value, headers.get(name::RANGE)) {
        (Some(_), _, _) => request.record(|| Decision::Ranges { ranges: ranges.clone(), length: representation.length }),
        (None, None, Some(_)) => request.record(|| Decision::RangeIgnored),
        (None, _, _) => {}
    }
    match ranges {
        RangeSet::Full => Selection::Full,
        RangeSet::Single(range) => Selection::Part(range),
        RangeSet::Multiple(ranges) => Selection::Parts(ranges),
        RangeSet::Unsatisfiable => Selection::Unsatisfiable,
    }
}

fn whole(fields: ResponseHeaders, source: FileSource, length: u64) -> Response {
    Response { fields, ..Response::new(StatusCode::OK) }.with_body(Body::Slice(source, Slice { start: 0, length }))
}

/// Answers what is asked for less often than the whole.
fn answer_other(wanted: Selection, representation: &Representation, source: FileSource) -> Response {
    match wanted {
        Selection::Full => whole(representation.headers_200(), source, representation.length),
        Selection::NotModified => Response { fields: representation.headers_304(), ..Response::new(StatusCode::NOT_MODIFIED) },
        Selection::PreconditionFailed => {
            let mut response =
                Response::text(StatusCode::PRECONDITION_FAILED, "this is not the version you named (RFC 9110 §13.1)");
            representation.choice.push_vary(&mut response.fields);
            response
        }
        Selection::Part(range) => part(representation, source, range),
        Selection::Parts(ranges) => parts(representation, source, &ranges),
        Selection::Unsatisfiable => {
            let mut response =
                Response::text(StatusCode::RANGE_NOT_SATISFIABLE, "no byte lies in that range (RFC 9110 §15.5.17)")
                    .header("Content-Range", format!("bytes */{}", representation.length));
            representation.choice.push_vary(&mut response.fields);
            response
        }
    }
}

fn part(representation: &Representation, source: FileSource, range: ByteRange) -> Response {
    let mut response = Response::new(StatusCode::PARTIAL_CONTENT)
        .header("Content-Type", representation.media_type.clone())
        .header("Content-Range", content_range(range, representation.length));
    representation.push_common(&mut response.fields);
    response.with_body(Body::Slice(source, slice(range)))
}

/// Several parts (RFC 9110 §14.6), each with the fields that it would have alone.
// multipart-body := delimiter body-part *( CRLF delimiter body-part ) CRLF close-delimiter (RFC 2046 §5.1.1)
fn parts(representation: &Representation, source: FileSource, ranges: &[ByteRange]) -> Response {
    let boundary = boundary();
    let (media_type, length) = (&representation.media_type, representation.length);
    let mut before = "";
    let mut parts = Vec::with_capacity(ranges.len());
    for &range in ranges {
        let content_range = content_range(range, length);
        let head =
            format!("{before}--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {content_range}\r\n\r\n").into_bytes();
        parts.push(Part { head, slice: slice(range) });
        before = "\r\n";
    }
    let end = format!("\r\n--{boundary}--\r\n").into_bytes();
    let mut response =
        Response::new(StatusCode::PARTIAL_CONTENT).header("Content-Type", format!("multipart/byteranges; boundary={boundary}"));
    representation.push_common(&mut response.fields);
    response.with_body(Body::Parts(Box::new(Parts { source, parts, end })))
}

/// A text that no file can hold on purpose: 128 bits that nobody can guess, and that are other ones each time.
fn boundary() -> String {
    let random = RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(0), random.hash_one(1))
}

// Content-Range = range-unit SP first-pos "-" last-pos "/" complete-length
fn content_range(range: ByteRange, length: u64) -> String {
    format!("bytes {}-{}/{length}", range.start, range.last())
}

fn slice(range: ByteRange) -> Slice {
    Slice { start: range.start, length: range.length }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::{Read, Seek, SeekFrom};
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::*;
    use crate::files::representation::FileMetadata;
    use crate::files::scratch::Scratch;
    use crate::files::version::FileVersion;
    use crate::handlers::message::{EmptyBody, OpenFile};
    use crate::http::forwarded::Client;
    use crate::http::framing::BodyLength;
    use crate::http::peer::PeerAddr;
    use crate::http::request::{HeadLimits, RequestParser};
    use crate::http::target::RequestTarget;

    /// Answers a request for a text of ten bytes with these lines: from an open file, and from memory.
    fn ask(method: &str, lines: &[&str]) -> [Response; 2] {
        let scratch = Scratch::new();
        let path = scratch.path().join("ten.txt");
        fs::write(&path, "0123456789").unwrap();
        let file = File::options().append(true).read(true).open(path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(784_111_777)).unwrap();
        let stamp = FileVersion::of(&file.metadata().unwrap());
        let head = format!("{method} /ten.txt HTTP/1.0\r\n{}\r\n", lines.iter().map(|l| format!("{l}\r\n")).collect::<String>());
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(head.as_bytes()).unwrap();
        let head = parser.head(head.as_bytes()).unwrap();
        let (from, target) = (Client::from_peer(PeerAddr::unix()), RequestTarget::parse(&head).unwrap());
        let request = Request {
            client: &from,
            head: &head,
            target: &target,
            framing: BodyLength::None,
            content: &mut EmptyBody,
            decisions: None,
        };
        let representation =
            Representation::of(&stamp, None, FileMetadata::of_type("text/plain; charset=utf-8"), SystemTime::now());
        let kept = CachedFile::new(representation.clone(), stamp, b"0123456789".to_vec());
        let found = FoundFile { open: OpenFile { file, stamp }, representation };
        [answer(found, &request), answer_kept(Arc::new(kept), &request)]
    }

    /// The content, as it will be sent.
    fn content(mut response: Response) -> String {
        let mut out = Vec::new();
        let read = |source: &FileSource, slice: Slice, out: &mut Vec<u8>| match source {
            FileSource::Disk(open) => {
                let mut file = &open.file;
                file.seek(SeekFrom::Start(slice.start)).unwrap();
                file.take(slice.length).read_to_end(out).unwrap();
            }
            FileSource::Memory(kept) => out.extend_from_slice(kept.part(slice.start, slice.length)),
        };
        match std::mem::replace(&mut response.body, Body::Empty) {
            Body::Empty => {}
            Body::Bytes(bytes) => out.extend_from_slice(&bytes),
            Body::Slice(source, slice) => read(&source, slice, &mut out),
            Body::Parts(parts) => {
                for part in &parts.parts {
                    out.extend_from_slice(&part.head);
                    read(&parts.source, part.slice, &mut out);
                }
                out.extend_from_slice(&parts.end);
            }
            Body::Stream(_) => panic!("a file is no stream"),
        }
        String::from_utf8(out).unwrap()
    }

    const ETAG: &str = "\"a-ae1b981bc490a00\"";

    #[test]
    fn fields_and_content() {
        let date = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT";
        let (kind, tag, rest) = (
            "Content-Type: text/plain; charset=utf-8",
            format!("ETag: {ETAG}"),
            ["Accept-Ranges: bytes", "Cache-Control: no-cache"],
        );
        let (none_match, if_range) = (format!("If-None-Match: {ETAG}"), format!("If-Range: {ETAG}"));
        let whole = vec![kind, &tag, date, rest[0], rest[1]];
        let part = |range| vec![kind, range, &tag, date, rest[0], rest[1]];
        for (method, lines, status, fields, text, why) in [
            ("GET", vec![], StatusCode::OK, whole.clone(), "0123456789", "the whole"),
            ("HEAD", vec!["Range: bytes=1-2"], StatusCode::OK, whole.clone(), "0123456789", "HEAD knows no ranges"),
            ("GET", vec!["Range: bytes=1-2"], StatusCode::PARTIAL_CONTENT, part("Content-Range: bytes 1-2/10"), "12", "a part"),
            ("GET", vec!["Range: bytes=-3"], StatusCode::PARTIAL_CONTENT, part("Content-Range: bytes 7-9/10"), "789", "the end"),
            ("GET", vec!["Range: bytes=1-2", "Range: bytes=1-2"], StatusCode::OK, whole.clone(), "0123456789", "two lines"),
            (
                "GET",
                vec!["Range: bytes=1-2", &if_range],
                StatusCode::PARTIAL_CONTENT,
                part("Content-Range: bytes 1-2/10"),
                "12",
                "If-Range",
            ),
            (
                "GET",
                vec!["Range: bytes=1-2", "If-Range: \"x\""],
                StatusCode::OK,
                whole.clone(),
                "0123456789",
                "of another version",
            ),
            ("GET", vec![&none_match], StatusCode::NOT_MODIFIED, vec![&tag, date, rest[1]], "", "not modified"),
            (
                "HEAD",
                vec![&none_match, "Range: bytes=99-"],
                StatusCode::NOT_MODIFIED,
                vec![&tag, date, rest[1]],
                "",
                "before ranges",
            ),
        ] {
            for response in ask(method, &lines) {
                let got: Vec<String> = response.fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                assert_eq!((response.status, got), (status, fields.iter().map(ToString::to_string).collect()), "{why}");
                assert_eq!(content(response), text, "{why}");
            }
        }
    }

    #[test]
    fn refusals() {
        for response in ask("GET", &["If-Match: \"x\"", "Range: bytes=99-"]) {
            assert_eq!(response.status, StatusCode::PRECONDITION_FAILED);
        }
        for response in ask("GET", &["Range: bytes=10-"]) {
            let content_range = response.fields.first("Content-Range");
            assert_eq!((response.status, content_range), (StatusCode::RANGE_NOT_SATISFIABLE, Some("bytes */10")));
        }
    }

    #[test]
    fn several_parts() {
        for response in ask("GET", &["Range: bytes=8-,0-1"]) {
            assert_eq!(response.status, StatusCode::PARTIAL_CONTENT);
            assert_eq!(response.fields.first("Content-Range"), None, "only the parts have one");
            let media_type = response.fields.first("Content-Type").unwrap();
            let boundary = media_type.strip_prefix("multipart/byteranges; boundary=").unwrap().to_owned();
            let length = response.body.length().unwrap();
            let content = content(response);
            assert_eq!(length, u64::try_from(content.len()).unwrap());
            let head = "Content-Type: text/plain; charset=utf-8\r\nContent-Range: bytes";
            let want = format!("--B\r\n{head} 8-9/10\r\n\r\n89\r\n--B\r\n{head} 0-1/10\r\n\r\n01\r\n--B--\r\n");
            assert_eq!(content.replace(&boundary, "B"), want);
        }
        assert_ne!(super::boundary(), super::boundary());
    }
}
