//! What can a visitor try next?
//!
//! Whoever starts this server to learn sees a page of ours first: each of them says where the others are.

use crate::html;
use crate::wire::target::Authority;

/// A place to go to, and what is to be seen there.
struct Place {
    path: &'static str,
    query: &'static str,
    says: &'static str,
}

const PLACES: &[Place] = &[
    Place { path: "/", query: "", says: "what is served here" },
    Place { path: "/hello", query: "?name=you", says: "a page that was made for you by a route" },
    Place { path: "/echo", query: "?word=hello", says: "your own request, as the server understood it" },
];

/// What to type into a terminal: the words before the URL, the path, and what they do.
const COMMANDS: &[(&str, &str, &str)] = &[
    ("curl -i", "/hello", "shows the response as it comes over the wire: status line, fields, content"),
    ("curl -d 'some words'", "/echo", "sends content with a request, and shows what the server made of it"),
];

/// Appends a section that names all places but the one at `path`. Its commands name the server as the visitor did.
pub fn show(out: &mut String, path: &str, authority: Option<Authority<'_>>) {
    out.push_str("<section aria-labelledby=\"next\">\n<h2 id=\"next\">What to try next</h2>\n<dl>\n");
    for Place { path, query, says } in PLACES.iter().filter(|place| place.path != path) {
        let shown = html::escape(path);
        out.push_str(&format!("<dt><a href=\"{shown}{query}\">{shown}</a></dt>\n<dd>{says}</dd>\n"));
    }
    let host = authority.map_or_else(|| "localhost".to_owned(), host);
    for (words, path, says) in COMMANDS {
        out.push_str("<dt><code>");
        html::show(out, format!("{words} http://{host}{path}").as_bytes());
        out.push_str(&format!("</code></dt>\n<dd>{says}</dd>\n"));
    }
    out.push_str(
        "<dt><code>threadbare --explain</code></dt>\n<dd>tells each exchange in plain words, where the server runs</dd>\n",
    );
    out.push_str("</dl>\n</section>\n");
}

/// As it stands in a URL (RFC 3986 §3.2).
fn host(authority: Authority<'_>) -> String {
    let host = String::from_utf8_lossy(authority.host);
    let host = if host.contains(':') { format!("[{host}]") } else { host.into_owned() };
    authority.port.map_or(host.clone(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_this_one() {
        for (path, authority, links, command) in [
            ("/", "localhost:8000", ["/hello?name=you", "/echo?word=hello"], "curl -i http://localhost:8000/hello<"),
            ("/hello", "[::1]", ["/", "/echo?word=hello"], "curl -i http://[::1]/hello<"),
            ("/echo", "a.test:80", ["/", "/hello?name=you"], "http://a.test:80/echo<"),
        ] {
            let mut out = String::new();
            show(&mut out, path, Authority::parse(authority.as_bytes()));
            let hrefs: Vec<_> = out.split("href=\"").skip(1).map(|after| after.split('"').next().unwrap()).collect();
            assert_eq!(hrefs, links, "{path}");
            assert!(out.contains(command), "{out}");
            assert!(out.contains("<code>threadbare --explain</code>"), "{out}");
            assert!(out.contains("curl -d &#39;some words&#39;"), "{out}");
        }
    }
}
