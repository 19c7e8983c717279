//! `/echo`: the request as the server parsed it, as text or JSON.

use std::io;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::handlers::AppState;
use crate::handlers::message::{Body, Request, Response};
use crate::handlers::page::{escape_json, push_json};
use crate::handlers::pieces;
use crate::http::forwarded::Client;
use crate::http::framing::BodyLength;
use crate::http::headers::is_sensitive;
use crate::http::negotiation::{self, Format};
use crate::http::request::Version;
use crate::http::status::StatusCode;
use crate::net::budget::HeldMemory;
use crate::telemetry::{counted, printable};

/// The reason of a 413 response.
const TOO_LONG: &str = "content longer than this resource takes (RFC 9110 §15.5.14)";

/// Responds with everything about the request.
pub fn echo(request: &mut Request<'_>, app: &AppState) -> Response {
    let (mut content, bytes_max) = (Vec::new(), u64::try_from(app.config.limits.echo_bytes_max).unwrap_or(u64::MAX));
    let read = request.read_body(&mut [0; 4096], bytes_max, TOO_LONG, |piece, memory| {
        memory.grow(piece.len()).map_err(|error| Response::from_io_error(&error))?;
        content.extend_from_slice(piece);
        Ok(())
    });
    if let Err(response) = read {
        return response;
    }
    let (head, client) = (request.head, request.client);
    let is_json = negotiation::negotiate(&head.headers, &[Format::Text, Format::Json]) == Format::Json;
    let mut dump = Dump { out: if is_json { "{" } else { "" }.to_owned(), is_json };
    dump.value("peer", &request.peer.to_string());
    // The client, and the scheme of its request, if the peer is a trusted proxy that reports them.
    if client.peer != request.peer {
        dump.value("client", &client.peer.to_string());
    }
    if let Some(scheme) = client.scheme.filter(|_| *client != Client::from_peer(client.peer)) {
        dump.value("scheme", scheme.name());
    }
    dump.value("method", head.method.as_str());
    dump.value("target", &printable(head.target));
    dump.value("path", &printable(request.target.path()));
    let query = request.target.query_pairs().map(|(name, value)| (shown(&name), shown(&value)));
    dump.pairs("query", "query", " = ", query);
    let version = match head.version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
    };
    dump.value("version", version);
    dump.pairs("fields", "field", ": ", head.headers.iter().map(escape_field));
    match request.body_length {
        BodyLength::None => dump.value("body length", "none"),
        BodyLength::Length(length) => dump.member("body length", &format!("{length} bytes"), &format!("{{\"length\":{length}}}")),
        BodyLength::Chunked => dump.value("body length", "chunked"),
    }
    let mut trailers = Vec::new();
    request.content.trailers(&mut |name, value| trailers.push(escape_field((name, value))));
    dump.pairs("trailers", "trailer", ": ", trailers);
    let media_type = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
    match dump.into_body(content, request.memory) {
        Ok(body) => Response::with_content(StatusCode::OK, media_type, &b""[..])
            .with_body(body)
            .header("Cache-Control", "no-store")
            .header("Vary", "Accept"),
        Err(error) => Response::from_io_error(&error),
    }
}

fn shown(bytes: &[u8]) -> String {
    printable(bytes).into_owned()
}

/// The name and value of a field with their bytes escaped; the value is masked if it is secret.
fn escape_field((name, value): (&[u8], &[u8])) -> (String, String) {
    (shown(name), if is_sensitive(name) { "(masked)".to_owned() } else { shown(value) })
}

/// All but the content of a request: lines of text, or members of a JSON object.
struct Dump {
    out: String,
    is_json: bool,
}

impl Dump {
    fn value(&mut self, name: &str, value: &str) {
        self.member(name, value, &escape_json(value));
    }

    fn member(&mut self, name: &str, text: &str, json: &str) {
        self.out.push_str(&match self.is_json {
            true => format!("\"{}\":{json},", name.replace(' ', "_")),
            false => format!("{name}: {text}\n"),
        });
    }

    /// Names and values: a line for each, or a JSON array of pairs, since an object would lose the order and repeated names.
    fn pairs(&mut self, name: &str, line: &str, separator: &str, pairs: impl IntoIterator<Item = (String, String)>) {
        let pairs = pairs.into_iter();
        if self.is_json {
            let json: Vec<String> =
                pairs.map(|(key, value)| format!("[{},{}]", escape_json(&key), escape_json(&value))).collect();
            self.out.push_str(&format!("\"{name}\":[{}],", json.join(",")));
        } else {
            pairs.for_each(|(key, value)| self.out.push_str(&format!("{line}: {key}{separator}{value}\n")));
        }
    }

    /// Adds the content, which is escaped while it is sent.
    fn into_body(self, content: Vec<u8>, memory: &mut HeldMemory) -> io::Result<Body> {
        let Dump { mut out, is_json } = self;
        let bytes = content.len();
        let (form, content) = match String::from_utf8(content) {
            Ok(text) => ("text", text),
            Err(error) => ("base64", BASE64_STANDARD.encode(error.as_bytes())),
        };
        let (begin, end) = match form {
            _ if is_json => (format!("\"content\":{{\"bytes\":{bytes},\"{form}\":\""), "\"}}\n"),
            _ if bytes == 0 => ("content: 0 bytes\n".to_owned(), ""),
            _ => (format!("content: {}, {form}\n\n", counted(bytes, "byte")), if form == "text" { "" } else { "\n" }),
        };
        out.push_str(&begin);
        memory.grow(out.len())?;
        let (mut head, mut offset) = (Some(out), 0);
        pieces::body(memory, move |out| {
            out.extend(head.take());
            let text = pieces::text_from(&content, offset);
            offset += text.len();
            if is_json {
                push_json(out, text)
            } else {
                out.push_str(text)
            }
            let is_more = offset < content.len();
            out.push_str(if is_more { "" } else { end });
            Ok(is_more)
        })
    }
}
