//! Responses with files: preconditions, ranges and multipart bodies (RFC 9110 §13, §14, §15.3.7).

use std::hash::{BuildHasher, RandomState};

use crate::files::representation::{FileSource, Representation, ServedFile};
use crate::handlers::message::{Body, Part, Parts, Request, Response};
use crate::handlers::outcome::Decision;
use crate::http::conditional::{self, Precondition};
use crate::http::headers::name;
use crate::http::method::Method;
use crate::http::range::{self, ByteRange, RangeSet};
use crate::http::status::StatusCode;

/// Responds to GET or HEAD of a file: evaluates preconditions, then ranges, in the order of RFC 9110 §13.2.2.
pub fn serve(file: ServedFile, request: &Request<'_>) -> Response {
    let representation = &*file.representation;
    let (precondition, decided_by) =
        conditional::evaluate_preconditions(&request.head.headers, &representation.validators, request.head.method);
    if let Some(field) = decided_by {
        request.record(|| Decision::Condition { field, precondition, validators: representation.validators.clone() });
    }
    let with_headers = |status| Response { fields: file.headers(status), ..Response::new(status) };
    match precondition {
        Precondition::Passed => {}
        Precondition::NotModified => return with_headers(StatusCode::NOT_MODIFIED),
        Precondition::Failed => {
            let mut response = Response::precondition_failed();
            representation.push_vary(&mut response.fields);
            return response;
        }
    }
    match requested_ranges(representation, request) {
        RangeSet::Full => {
            let range = ByteRange { start: 0, length: representation.version.length };
            with_headers(StatusCode::OK).with_body(Body::Slice(file.source, range))
        }
        RangeSet::Single(range) => {
            let mut response = Response::new(StatusCode::PARTIAL_CONTENT)
                .header("Content-Type", representation.media_type.clone())
                .header("Content-Range", content_range(range, representation.version.length));
            representation.push_common(&mut response.fields, response.status);
            response.with_body(Body::Slice(file.source, range))
        }
        RangeSet::Multiple(ranges) => multipart(representation, file.source, &ranges),
        RangeSet::Unsatisfiable => {
            let reason = "no requested range overlaps the file (RFC 9110 §15.5.17)";
            let mut response = Response::text(StatusCode::RANGE_NOT_SATISFIABLE, reason)
                .header("Content-Range", format!("bytes */{}", representation.version.length));
            representation.push_vary(&mut response.fields);
            response
        }
    }
}

/// Responds to GET or HEAD of a file that is not available in any coding that the client accepts.
pub fn not_acceptable() -> Response {
    Response::text(StatusCode::NOT_ACCEPTABLE, "not available in an accepted coding (RFC 9110 §15.5.7)")
        .header("Vary", "Accept-Encoding")
}

/// The ranges of the file to send, by Range and If-Range.
fn requested_ranges(representation: &Representation, request: &Request<'_>) -> RangeSet {
    let headers = &request.head.headers;
    // Ranges are defined for GET only (RFC 9110 §14.2), and a second Range field has no meaning.
    let Some(value) = headers.get_unique(name::RANGE).filter(|_| request.head.method == Method::Get) else {
        if headers.get(name::RANGE).is_some() {
            request.record(|| Decision::RangeIgnored);
        }
        return RangeSet::Full;
    };
    let is_same_version = conditional::if_range_matches(headers, &representation.validators);
    if headers.get(name::IF_RANGE).is_some() {
        request.record(|| Decision::IfRange(is_same_version));
    }
    if !is_same_version {
        return RangeSet::Full;
    }
    let ranges = range::parse_range(Some(value), representation.version.length);
    request.record(|| Decision::Ranges { ranges: ranges.clone(), length: representation.version.length });
    ranges
}

/// Several parts in one body (RFC 9110 §14.6).
// multipart-body := [preamble CRLF] dash-boundary CRLF body-part *( delimiter CRLF body-part ) close-delimiter (RFC 2046 §5.1.1)
//
// The preamble is empty, so the body begins with CRLF, as in Apache and nginx. zsync depends on it: it skips the first line of the body.
fn multipart(representation: &Representation, source: FileSource, ranges: &[ByteRange]) -> Response {
    let boundary = boundary();
    let (media_type, length) = (&representation.media_type, representation.version.length);
    let parts = ranges.iter().map(|&range| {
        let content_range = content_range(range, length);
        let head = format!("\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {content_range}\r\n\r\n");
        Part { head: head.into_bytes(), range }
    });
    let end = Part { head: format!("\r\n--{boundary}--\r\n").into_bytes(), range: ByteRange { start: 0, length: 0 } };
    let mut response =
        Response::new(StatusCode::PARTIAL_CONTENT).header("Content-Type", format!("multipart/byteranges; boundary={boundary}"));
    representation.push_common(&mut response.fields, response.status);
    response.with_body(Body::Parts(Box::new(Parts { source, parts: parts.chain([end]).collect() })))
}

/// Returns a boundary that cannot be predicted, so that no file can contain it on purpose: two hashes whose random keys differ in each
/// response.
fn boundary() -> String {
    let random = RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(0), random.hash_one(1))
}

// Content-Range = range-unit SP first-pos "-" last-pos "/" complete-length
fn content_range(range: ByteRange, length: u64) -> String {
    format!("bytes {}-{}/{length}", range.start, range.last())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::{Read, Seek, SeekFrom};
    use std::sync::Arc;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::*;
    use crate::files::representation::{CachedFile, OpenFile};
    use crate::files::scratch::Scratch;
    use crate::files::version::FileVersion;
    use crate::http::forwarded::{Client, PeerAddr};
    use crate::http::framing::BodyLength;
    use crate::http::request::{HeadLimits, RequestParser};
    use crate::http::target::RequestTarget;
    use crate::net::budget::MemoryBudget;

    /// Requests a text of ten bytes with these header lines, from an open file and from memory.
    fn ask(method: &str, lines: &[&str]) -> [Response; 2] {
        let scratch = Scratch::new();
        let path = scratch.path().join("ten.txt");
        fs::write(&path, "0123456789").unwrap();
        let file = File::options().append(true).read(true).open(path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(784_111_777)).unwrap();
        let version = FileVersion::from_file(&file).unwrap();
        let head = format!("{method} /ten.txt HTTP/1.0\r\n{}\r\n", lines.iter().map(|l| format!("{l}\r\n")).collect::<String>());
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(head.as_bytes()).unwrap();
        let head = parser.head(head.as_bytes()).unwrap();
        let (from, target) = (Client::from_peer(PeerAddr::unix()), RequestTarget::parse(&head).unwrap());
        let request = Request {
            peer: from.peer,
            client: &from,
            head: &head,
            target: &target,
            body_length: BodyLength::None,
            content: &mut std::io::empty(),
            memory: &mut MemoryBudget::new(usize::MAX).hold_none(None),
            decisions: None,
        };
        let representation = Arc::new(Representation::of_type("text/plain; charset=utf-8", &version, SystemTime::now()));
        let cached = CachedFile::new(Arc::clone(&representation), b"ten.txt".as_slice().into(), b"0123456789".to_vec());
        let opened = ServedFile { representation, source: FileSource::Disk(Box::new(OpenFile { file, version })) };
        [serve(opened, &request), serve(ServedFile::from_cached(Arc::new(cached)), &request)]
    }

    /// The body as it is sent.
    fn content(response: Response) -> String {
        let mut out = Vec::new();
        let read = |source: &FileSource, range: ByteRange, out: &mut Vec<u8>| match source {
            FileSource::Disk(open) => {
                let mut file = &open.file;
                file.seek(SeekFrom::Start(range.start)).unwrap();
                file.take(range.length).read_to_end(out).unwrap();
            }
            FileSource::Memory(cached) => out.extend_from_slice(cached.part(range).unwrap()),
        };
        match response.body {
            Body::Bytes(bytes) => out.extend_from_slice(&bytes),
            Body::Slice(source, range) => read(&source, range, &mut out),
            Body::Parts(body) => {
                for part in &body.parts {
                    out.extend_from_slice(&part.head);
                    read(&body.source, part.range, &mut out);
                }
            }
            Body::Sized(..) | Body::Stream(_) => panic!("a file is no stream"),
        }
        String::from_utf8(out).unwrap()
    }

    const ETAG: &str = "\"a-ae1b981bc490a00\"";

    #[test]
    fn selection_decides_status_fields_and_body() {
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
            ("GET", vec![], StatusCode::OK, whole.clone(), "0123456789", "the whole file"),
            ("HEAD", vec!["Range: bytes=1-2"], StatusCode::OK, whole.clone(), "0123456789", "ranges are for GET"),
            ("GET", vec!["Range: bytes=1-2"], StatusCode::PARTIAL_CONTENT, part("Content-Range: bytes 1-2/10"), "12", "a part"),
            ("GET", vec!["Range: bytes=-3"], StatusCode::PARTIAL_CONTENT, part("Content-Range: bytes 7-9/10"), "789", "a suffix"),
            (
                "GET",
                vec!["Range: bytes=1-2", "Range: bytes=1-2"],
                StatusCode::OK,
                whole.clone(),
                "0123456789",
                "two Range fields",
            ),
            (
                "GET",
                vec!["Range: bytes=1-2", &if_range],
                StatusCode::PARTIAL_CONTENT,
                part("Content-Range: bytes 1-2/10"),
                "12",
                "If-Range matches",
            ),
            (
                "GET",
                vec!["Range: bytes=1-2", "If-Range: \"x\""],
                StatusCode::OK,
                whole.clone(),
                "0123456789",
                "If-Range names another version",
            ),
            ("GET", vec![&none_match], StatusCode::NOT_MODIFIED, vec![&tag, date, rest[1]], "", "not modified"),
            (
                "HEAD",
                vec![&none_match, "Range: bytes=99-"],
                StatusCode::NOT_MODIFIED,
                vec![&tag, date, rest[1]],
                "",
                "preconditions come before ranges",
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
    fn failed_preconditions_and_ranges_are_refused() {
        for response in ask("GET", &["If-Match: \"x\"", "Range: bytes=99-"]) {
            assert_eq!(response.status, StatusCode::PRECONDITION_FAILED);
        }
        for response in ask("GET", &["Range: bytes=10-"]) {
            let content_range = response.fields.first("Content-Range");
            assert_eq!((response.status, content_range), (StatusCode::RANGE_NOT_SATISFIABLE, Some("bytes */10")));
        }
    }

    #[test]
    fn several_ranges_are_sent_as_multipart() {
        for response in ask("GET", &["Range: bytes=8-,0-1"]) {
            assert_eq!(response.status, StatusCode::PARTIAL_CONTENT);
            assert_eq!(response.fields.first("Content-Range"), None, "only the parts have one");
            let media_type = response.fields.first("Content-Type").unwrap();
            let boundary = media_type.strip_prefix("multipart/byteranges; boundary=").unwrap().to_owned();
            let length = response.body.length().unwrap();
            let content = content(response);
            assert_eq!(length, u64::try_from(content.len()).unwrap());
            let head = "Content-Type: text/plain; charset=utf-8\r\nContent-Range: bytes";
            let want = format!("\r\n--B\r\n{head} 8-9/10\r\n\r\n89\r\n--B\r\n{head} 0-1/10\r\n\r\n01\r\n--B--\r\n");
            assert_eq!(content.replace(&boundary, "B"), want);
        }
        assert_ne!(super::boundary(), super::boundary());
    }
}
