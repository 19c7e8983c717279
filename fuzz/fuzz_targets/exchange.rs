//! Any input is answered by well-formed responses, and by no more of them than there were requests.

#![no_main]

use std::cell::LazyCell;
use std::net::SocketAddr;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use threadbare::cli::Cli;
use threadbare::files::Site;
use threadbare::handlers::AppState;
use threadbare::http::forwarded::PeerAddr;
use threadbare::net::memory::MemoryTransport;
use threadbare::server::connection;
use threadbare::server::registry::ConnState;
use threadbare_fuzz::{choice, read_as_1_1};

thread_local! {
    static APP: LazyCell<AppState> = LazyCell::new(|| {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/site");
        let config = Cli::try_parse_from(["threadbare".to_owned(), root.to_owned()]).expect("plain words").config();
        let site = Site::open(&config).expect("the site of the cases");
        AppState::new(config, site, None)
    });
}

/// A value of a field, and whether there is exactly one.
fn only<'a>(fields: &[httparse::Header<'a>], name: &str) -> Option<&'a [u8]> {
    let mut found = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value);
    found.next().filter(|_| found.next().is_none())
}

/// How many bytes a chunked content takes, `None` if it is cut short or no such thing.
fn chunked_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let Ok(httparse::Status::Complete((used, size))) = httparse::parse_chunk_size(bytes.get(at..)?) else { return None };
        at += used;
        if size == 0 {
            let end = bytes.get(at..)?.windows(2).position(|two| two == b"\r\n")?;
            let is_last = end == 0;
            return if is_last {
                Some(at + 2)
            } else {
                bytes.get(at..)?.windows(4).position(|four| four == b"\r\n\r\n").map(|end| at + end + 4)
            };
        }
        at = at.checked_add(usize::try_from(size).ok()?)?.checked_add(2)?;
    }
}

/// The methods of the requests that an independent parser sees, in order. It is lenient: it may see more than we do, never fewer.
fn methods(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut bytes = bytes.to_vec();
    while !bytes.is_empty() {
        read_as_1_1(&mut bytes);
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut request = httparse::Request::new(&mut fields);
        let Ok(httparse::Status::Complete(length)) = request.parse(&bytes) else { break };
        found.push(request.method.unwrap_or_default().to_owned());
        let content = &bytes[length..];
        let coded = request.headers.iter().any(|field| field.name.eq_ignore_ascii_case("transfer-encoding"));
        let length = match only(request.headers, "content-length") {
            _ if coded => chunked_length(content),
            Some(digits) => std::str::from_utf8(digits).ok().and_then(|digits| digits.trim().parse().ok()),
            None => Some(0),
        };
        match length.and_then(|length: usize| content.get(length..)) {
            Some(rest) => bytes = rest.to_vec(),
            None => break,
        }
    }
    found
}

fuzz_target!(|data: &[u8]| {
    let (cut, data) = choice(data);
    let step = if cut == 0 { data.len().max(1) } else { usize::from(cut) };
    let mut client = MemoryTransport::new(data.chunks(step).map(<[u8]>::to_vec));
    let peer = PeerAddr::from(SocketAddr::from(([127, 0, 0, 1], 50_000)));
    APP.with(|app| {
        let (state, memory) = (ConnState::new(Instant::now()), app.memory.hold_none(None));
        connection::serve_connection(&mut client, peer, app, &state, memory);
    });

    let asked = methods(data);
    let (mut rest, mut answered) = (&client.received[..], 0);
    while !rest.is_empty() {
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut fields);
        let parsed = response.parse(rest).unwrap_or_else(|error| panic!("{error}: {}", rest.escape_ascii()));
        let httparse::Status::Complete(head) = parsed else { panic!("half a response: {}", rest.escape_ascii()) };
        rest = &rest[head..];
        let code = response.code.expect("a status");
        assert!(code != 500, "an internal error");
        if code == 100 {
            continue;
        }
        let method = asked.get(answered);
        let is_head = method.is_some_and(|method| method == "HEAD");
        let closes = only(response.headers, "connection") == Some(b"close");
        assert!(only(response.headers, "date").is_some());
        let length = only(response.headers, "content-length")
            .map(|digits| std::str::from_utf8(digits).expect("digits").parse::<usize>().expect("a number"));
        if method.is_none() && closes && rest.is_empty() {
            // The method of what httparse refuses may be HEAD all the same.
            answered += 1;
            break;
        }
        answered += 1;
        if code != 304 && code != 204 && !is_head {
            match length {
                Some(length) => rest = rest.get(length..).expect("as much content as was promised"),
                None if only(response.headers, "transfer-encoding").is_some() => {
                    rest = &rest[chunked_length(rest).expect("whole chunks")..];
                }
                None => assert!(closes, "how long is the content?"),
            }
        }
        if closes {
            // Where we could not read the request line that httparse could, we cannot know that it says HEAD.
            if is_head && code == 400 && length == Some(rest.len()) {
                break;
            }
            assert!(rest.is_empty() || length.is_none(), "after the last: {}", rest.escape_ascii());
            break;
        }
    }
    // One more than there were requests: the answer to what is no request.
    assert!(answered <= asked.len() + 1, "{answered} answers to {} requests", asked.len());
});
