//! Routes.
//!
//! New: a table of methods, paths and functions, and status codes for errors. 400 means that the request is invalid, 404 that the path does
//! not exist, and 405 that the path does not support the method. `Allow` lists the methods that it supports.
//!
//! Try: `curl -i http://127.0.0.1:8080/user`, the same with `-X POST` and `-X DELETE`, and `curl -i http://127.0.0.1:8080/nothing`
//!
//! Still wrong: the server handles one client at a time (step 05). It does not read the body of a POST, because it does not know where the
//! body ends (steps 06 and 08). HEAD gets a 405, although every server must support it (step 07).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

const HEAD_BYTES_MAX: u64 = 8 * 1024;

/// A method, a path, and the function that returns the response.
type Route = (&'static str, &'static str, fn() -> Response);
const ROUTES: &[Route] = &[
    ("GET", "/", || Response::new("200 OK", "try /user and /dashboard\n")),
    ("GET", "/user", || Response::new("200 OK", "this is Ada\n")),
    ("POST", "/user", || Response::new("201 Created", "user created\n")),
    ("GET", "/dashboard", || Response::new("200 OK", "all systems up\n")),
];

/// A response as a value. Only `respond` knows how it is encoded.
struct Response {
    status: &'static str,
    headers: String,
    body: &'static str,
}

impl Response {
    fn new(status: &'static str, body: &'static str) -> Response {
        Response { status, headers: String::new(), body }
    }
}

fn main() -> io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}; choose another: PORT=9000 cargo run --example 04_routes");
        std::process::exit(1)
    });
    println!("listening on http://{}/", listener.local_addr()?);
    listener.incoming().filter_map(|stream| stream.and_then(respond).err()).for_each(|error| eprintln!("{error}"));
    Ok(())
}

fn respond(stream: TcpStream) -> io::Result<()> {
    let Response { status, headers, body } = route(&read_head(&mut BufReader::new(&stream)).unwrap_or_default());
    let headers = format!("{headers}Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
    (&stream).write_all(format!("HTTP/1.1 {status}\r\n{headers}\r\n{body}").as_bytes())
}

fn route(head: &str) -> Response {
    let words: Vec<&str> = head.split("\r\n").next().unwrap_or_default().split(' ').collect();
    let [method, target, "HTTP/1.1" | "HTTP/1.0"] = words[..] else {
        return Response::new("400 Bad Request", "not an HTTP/1 request\n");
    };
    // The query, after the question mark, does not select the route.
    let path = target.split('?').next().unwrap_or_default();
    let routes: Vec<_> = ROUTES.iter().filter(|route| route.1 == path).collect();
    let allow = routes.iter().map(|route| route.0).collect::<Vec<_>>().join(", ");
    match routes.iter().find(|route| route.0 == method) {
        Some((_, _, function)) => function(),
        None if routes.is_empty() => Response::new("404 Not Found", "not found\n"),
        None => Response { headers: format!("Allow: {allow}\r\n"), ..Response::new("405 Method Not Allowed", "") },
    }
}

/// Reads a request head, up to the empty line. It is an error if the head is too long, incomplete or not UTF-8.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let (mut head, mut limited) = (String::new(), reader.take(HEAD_BYTES_MAX));
    while limited.read_line(&mut head)? > 2 {}
    if head.ends_with("\r\n\r\n") { Ok(head) } else { Err(io::ErrorKind::InvalidData.into()) }
}
