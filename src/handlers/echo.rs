//! `/echo`: the request as the server parsed it, as text or JSON.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::handlers::AppState;
use crate::handlers::message::{Request, Response};
use crate::handlers::page::escape_json;
use crate::http::forwarded::Client;
use crate::http::framing::BodyLength;
use crate::http::headers::is_sensitive;
use crate::http::negotiation::{self, Format};
use crate::http::request::Version;
use crate::http::status::StatusCode;
use crate::telemetry::{counted, printable};

/// Responds with everything about the request.
pub fn echo(request: &mut Request<'_>, app: &AppState) -> Response {
    let content = match request.read_content(app.config.limits.echo_bytes_max) {
        Ok(content) => content,
        Err(response) => return response,
    };
    let (head, client) = (request.head, request.client);
    let mut dump = Dump::default();
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
    let (text, json) = match request.body_length {
        BodyLength::None => ("none".to_owned(), "\"none\"".to_owned()),
        BodyLength::Length(length) => (format!("{length} bytes"), format!("{{\"length\":{length}}}")),
        BodyLength::Chunked => ("chunked".to_owned(), "\"chunked\"".to_owned()),
    };
    dump.member("body length", &text, &json);
    let mut trailers = Vec::new();
    request.content.trailers(&mut |name, value| trailers.push(escape_field((name, value))));
    dump.pairs("trailers", "trailer", ": ", trailers);
    let response = match negotiation::negotiate(&head.headers, &[Format::Text, Format::Json]) {
        Format::Json => Response::with_content(StatusCode::OK, "application/json", dump.into_json(&content).into_bytes()),
        Format::Text | Format::Html => {
            Response::with_content(StatusCode::OK, "text/plain; charset=utf-8", dump.into_text(&content).into_bytes())
        }
    };
    response.header("Cache-Control", "no-store").header("Vary", "Accept")
}

fn shown(bytes: &[u8]) -> String {
    printable(bytes).into_owned()
}

/// The name and value of a field with their bytes escaped; the value is masked if it is secret.
fn escape_field((name, value): (&[u8], &[u8])) -> (String, String) {
    (shown(name), if is_sensitive(name) { "(masked)".to_owned() } else { shown(value) })
}

/// A request, in both forms: lines of text, and members of a JSON object.
#[derive(Default)]
struct Dump {
    text: String,
    json: String,
}

impl Dump {
    fn value(&mut self, name: &str, value: &str) {
        self.member(name, value, &escape_json(value));
    }

    fn member(&mut self, name: &str, text: &str, json: &str) {
        self.text.push_str(&format!("{name}: {text}\n"));
        self.json.push_str(&format!("\"{}\":{json},", name.replace(' ', "_")));
    }

    /// Names and values: a line for each, and a JSON array of pairs, since an object would lose the order and repeated names.
    fn pairs(&mut self, name: &str, line: &str, separator: &str, pairs: impl IntoIterator<Item = (String, String)>) {
        let mut json = Vec::new();
        for (key, value) in pairs {
            self.text.push_str(&format!("{line}: {key}{separator}{value}\n"));
            json.push(format!("[{},{}]", escape_json(&key), escape_json(&value)));
        }
        self.json.push_str(&format!("\"{name}\":[{}],", json.join(",")));
    }

    fn into_text(self, content: &[u8]) -> String {
        let (text, bytes) = (self.text, counted(content.len(), "byte"));
        match std::str::from_utf8(content) {
            Ok("") => format!("{text}content: 0 bytes\n"),
            Ok(content) => format!("{text}content: {bytes}, text\n\n{content}"),
            Err(_) => format!("{text}content: {bytes}, base64\n\n{}\n", BASE64_STANDARD.encode(content)),
        }
    }

    fn into_json(self, content: &[u8]) -> String {
        let (form, text) = match std::str::from_utf8(content) {
            Ok(text) => ("text", escape_json(text)),
            Err(_) => ("base64", escape_json(&BASE64_STANDARD.encode(content))),
        };
        format!("{{{}\"content\":{{\"bytes\":{},\"{form}\":{text}}}}}\n", self.json, content.len())
    }
}
