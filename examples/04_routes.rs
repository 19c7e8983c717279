//! Which code answers which path?
//!
//! New: routes, a table of methods, paths and functions; and answers to those who ask for what is not there. 400: I do not
//! understand you. 404: there is no such path. 405: not with this method, but with these.
//!
//! Try: `curl -i http://127.0.0.1:8000/user`, the same with `-X POST` and `-X DELETE`, and `curl -i http://127.0.0.1:8000/nothing`
//!
//! Still wrong: one client at a time (step 05). The content of a POST is not read: we do not know where it ends (steps 06 and 08).
//! HEAD, which every server should know, is 405 (step 07).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

const HEAD_BYTES_MAX: u64 = 8 * 1024;

/// Method, path, and who answers. One row is one route.
type Route = (&'static str, &'static str, fn() -> Response);
const ROUTES: &[Route] = &[
    ("GET", "/", || Response::new("200 OK", "try /user and /dashboard\n")),
    ("GET", "/user", || Response::new("200 OK", "this is Ada\n")),
    ("POST", "/user", || Response::new("201 Created", "welcome\n")),
    ("GET", "/dashboard", || Response::new("200 OK", "all is well\n")),
];

/// What a route returns is a value. Only `answer` knows how it is spelled.
struct Response {
    status: &'static str,
    fields: String,
    content: &'static str,
}

impl Response {
    fn new(status: &'static str, content: &'static str) -> Response {
        Response { status, fields: String::new(), content }
    }
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on http://{}/", listener.local_addr()?);
    listener.incoming().filter_map(|stream| stream.and_then(answer).err()).for_each(|error| eprintln!("{error}"));
    Ok(())
}

fn answer(stream: TcpStream) -> io::Result<()> {
    let Response { status, fields, content } = route(&read_head(&mut BufReader::new(&stream)).unwrap_or_default());
    let fields = format!("{fields}Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n", content.len());
    (&stream).write_all(format!("HTTP/1.1 {status}\r\n{fields}\r\n{content}").as_bytes())
}

fn route(head: &str) -> Response {
    let words: Vec<&str> = head.split("\r\n").next().unwrap_or_default().split(' ').collect();
    let [method, target, "HTTP/1.1" | "HTTP/1.0"] = words[..] else {
        return Response::new("400 Bad Request", "that is not HTTP/1.1\n");
    };
    // What follows a question mark is the query: it does not choose the route.
    let path = target.split('?').next().unwrap_or_default();
    let here: Vec<_> = ROUTES.iter().filter(|row| row.1 == path).collect();
    let allow = here.iter().map(|row| row.0).collect::<Vec<_>>().join(", ");
    match here.iter().find(|row| row.0 == method) {
        Some((_, _, function)) => function(),
        None if here.is_empty() => Response::new("404 Not Found", "nothing here\n"),
        None => Response { fields: format!("Allow: {allow}\r\n"), ..Response::new("405 Method Not Allowed", "not so\n") },
    }
}

/// Reads up to the empty line. What is too long, cut short, or not UTF-8, is no head.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    let mut limited = reader.take(HEAD_BYTES_MAX);
    while limited.read_line(&mut head)? > 2 {}
    if head.ends_with("\r\n\r\n") { Ok(head) } else { Err(io::ErrorKind::InvalidData.into()) }
}
