//! `/echo`: the request as the server parsed it, as text or JSON.

use std::fmt::{self, Display, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::handlers::AppState;
use crate::handlers::message::{Request, Response};
use crate::handlers::page::escape_json;
use crate::http::forwarded::{Client, Scheme};
use crate::http::framing::BodyLength;
use crate::http::headers::SENSITIVE_HEADERS;
use crate::http::negotiation::{self, Format};
use crate::http::request::Version;
use crate::http::status::StatusCode;
use crate::telemetry::printable;

/// Responds with everything about the request.
pub fn echo(request: &mut Request<'_>, app: &AppState) -> Response {
    let content = match request.read_content(app.config.limits.echo_bytes_max) {
        Ok(content) => content,
        Err(response) => return response,
    };
    let mut trailers = Vec::new();
    request.content.trailers(&mut |name, value| trailers.push((shown(name), escape_value(name, value))));
    let client = request.client;
    let seen = RequestDump {
        peer: request.peer.to_string(),
        client: (client.peer != request.peer).then(|| client.peer.to_string()),
        scheme: client.scheme.map(Scheme::name).filter(|_| *client != Client::from_peer(client.peer)),
        method: request.head.method.as_str(),
        target: shown(request.head.target),
        path: shown(request.target.path()),
        query: request.target.query_pairs().map(|(name, value)| (shown(&name), shown(&value))).collect(),
        version: match request.head.version {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        },
        fields: request.head.headers.iter().map(|(name, value)| (shown(name), escape_value(name, value))).collect(),
        body_length: request.body_length,
        trailers,
        content,
    };
    let response = match negotiation::negotiate(&request.head.headers, &[Format::Text, Format::Json]) {
        Format::Json => Response::with_content(StatusCode::OK, "application/json", seen.json().into_bytes()),
        Format::Text | Format::Html => {
            Response::with_content(StatusCode::OK, "text/plain; charset=utf-8", seen.text().into_bytes())
        }
    };
    response.header("Cache-Control", "no-store").header("Vary", "Accept")
}

/// A request with its bytes escaped.
struct RequestDump {
    peer: String,
    /// The client, and the scheme of its request, if the peer is a trusted proxy that reports them.
    client: Option<String>,
    scheme: Option<&'static str>,
    method: &'static str,
    target: String,
    path: String,
    query: Vec<(String, String)>,
    version: &'static str,
    fields: Vec<(String, String)>,
    body_length: BodyLength,
    trailers: Vec<(String, String)>,
    content: Vec<u8>,
}

impl RequestDump {
    /// Everything but the content, as name and value.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("peer", self.peer.clone())];
        lines.extend(self.client.iter().map(|client| ("client", client.clone())));
        lines.extend(self.scheme.iter().map(|scheme| ("scheme", (*scheme).to_owned())));
        lines.push(("method", self.method.to_owned()));
        lines.push(("target", self.target.clone()));
        lines.push(("path", self.path.clone()));
        lines.extend(self.query.iter().map(|(name, value)| ("query", format!("{name} = {value}"))));
        lines.push(("version", self.version.to_owned()));
        lines.extend(self.fields.iter().map(|(name, value)| ("field", format!("{name}: {value}"))));
        let framing = match self.body_length {
            BodyLength::None => "none".to_owned(),
            BodyLength::Length(length) => format!("length {length}"),
            BodyLength::Chunked => "chunked".to_owned(),
        };
        lines.push(("framing", framing));
        lines.extend(self.trailers.iter().map(|(name, value)| ("trailer", format!("{name}: {value}"))));
        lines
    }

    fn text(&self) -> String {
        let mut out: String = self.lines().iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        let bytes = self.content.len();
        // Writing to a String cannot fail.
        let _ = match std::str::from_utf8(&self.content) {
            Ok("") => writeln!(out, "content: 0 bytes"),
            Ok(text) => write!(out, "content: {bytes} bytes, text\n\n{text}"),
            Err(_) => writeln!(out, "content: {bytes} bytes, base64\n\n{}", BASE64_STANDARD.encode(&self.content)),
        };
        out
    }

    fn json(&self) -> String {
        let framing = match self.body_length {
            BodyLength::None => "\"none\"".to_owned(),
            BodyLength::Length(length) => format!("{{\"length\":{length}}}"),
            BodyLength::Chunked => "\"chunked\"".to_owned(),
        };
        let content = match std::str::from_utf8(&self.content) {
            Ok(text) => format!("\"text\":{}", escape_json(text)),
            Err(_) => format!("\"base64\":{}", escape_json(&BASE64_STANDARD.encode(&self.content))),
        };
        let client = self.client.iter().map(|client| format!("\"client\":{},", escape_json(client))).collect::<String>();
        let scheme = self.scheme.iter().map(|scheme| format!("\"scheme\":{},", escape_json(scheme))).collect::<String>();
        format!(
            "{{\"peer\":{},{client}{scheme}\"method\":{},\"target\":{},\"path\":{},\"query\":{},\"version\":{},\"fields\":{},\"framing\":{framing},\
             \"trailers\":{},\"content\":{{\"bytes\":{},{content}}}}}\n",
            escape_json(&self.peer),
            escape_json(self.method),
            escape_json(&self.target),
            escape_json(&self.path),
            Pairs(&self.query),
            escape_json(self.version),
            Pairs(&self.fields),
            Pairs(&self.trailers),
            self.content.len(),
        )
    }
}

fn shown(bytes: &[u8]) -> String {
    printable(bytes).into_owned()
}

fn escape_value(name: &[u8], value: &[u8]) -> String {
    let is_masked = SENSITIVE_HEADERS.iter().any(|masked| name.eq_ignore_ascii_case(masked.as_bytes()));
    if is_masked { "(masked)".to_owned() } else { shown(value) }
}

/// Names and values as a JSON array of pairs: an object would lose the order and repeated names.
struct Pairs<'a>(&'a [(String, String)]);

impl Display for Pairs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        for (index, (name, value)) in self.0.iter().enumerate() {
            write!(f, "{}[{},{}]", if index == 0 { "" } else { "," }, escape_json(name), escape_json(value))?;
        }
        f.write_char(']')
    }
}
