//! Dynamic content from a script: the Common Gateway Interface, CGI (RFC 3875).
//!
//! New: a script. The server starts a process for each request, with the request in environment variables and its body on standard input.
//! The script writes header fields, an empty line and a body to standard output. Its field `Status` becomes the status line.
//!
//! Try: `curl -i 'http://127.0.0.1:8080/cgi/hello.py?name=Ada'`, the same without `?name=Ada`, and with `-d name=Grace`
//!
//! Still wrong: a process per request is slow, and a script that hangs is never stopped (`src/handlers/mod.rs` calls functions). Variables
//! come from the client: `Proxy: evil.example` sets `HTTP_PROXY`, and a shell script that evaluates `$QUERY_STRING` runs any command.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::{env, path::Path, thread};

const HEAD_BYTES_MAX: u64 = 8 * 1024;

fn main() -> io::Result<()> {
    env::set_current_dir(env::args_os().nth(1).unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cgi").into()))?;
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}; choose another: PORT=9000 cargo run --example 15_cgi");
        std::process::exit(1)
    });
    println!("listening on http://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        let serve = || stream.and_then(respond).unwrap_or_else(|error| eprintln!("{error}"));
        thread::Builder::new().spawn(serve).map_or_else(|error| eprintln!("{error}"), drop);
    }
    Ok(())
}

fn respond(stream: TcpStream) -> io::Result<()> {
    let error = |status| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into_bytes();
    (&stream).write_all(&run_script(BufReader::new(&stream), stream.local_addr()?, stream.peer_addr()?).unwrap_or_else(error))
}

/// Returns the response of a script, or the status of an error.
fn run_script(reader: impl BufRead, local: SocketAddr, peer: SocketAddr) -> Result<Vec<u8>, &'static str> {
    let (mut head, mut limited) = (String::new(), reader.take(HEAD_BYTES_MAX));
    while limited.read_line(&mut head).map_err(|_| "400 Bad Request")? > 2 {}
    let mut lines = head.strip_suffix("\r\n\r\n").unwrap_or_default().split("\r\n");
    let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, protocol] = words[..] else { return Err("400 Bad Request") };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    // A name without a slash cannot lead out of the directory.
    let name = path.strip_prefix("/cgi/").filter(|name| !name.contains(['/', '\\']) && Path::new(name).is_file());
    let mut command = Command::new(format!("./{}", name.ok_or("404 Not Found")?));
    command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default()).env("GATEWAY_INTERFACE", "CGI/1.1");
    command.env("REQUEST_METHOD", method).env("SCRIPT_NAME", path).env("QUERY_STRING", query).env("SERVER_PROTOCOL", protocol);
    command.env("SERVER_NAME", local.ip().to_string()).env("SERVER_PORT", local.port().to_string());
    command.env("SERVER_SOFTWARE", "ladder").env("REMOTE_ADDR", peer.ip().to_string());
    let mut body = Vec::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        match name.to_ascii_uppercase().as_str() {
            // At most 65,535 bytes, which fit into the pipe: the write below does not wait for the script.
            "CONTENT-LENGTH" => body.resize(value.trim().parse::<u16>().map_err(|_| "400 Bad Request")?.into(), 0),
            "TRANSFER-ENCODING" => return Err("411 Length Required"),
            "CONTENT-TYPE" => drop(command.env("CONTENT_TYPE", value.trim())),
            "AUTHORIZATION" => {} // A script does not need the password (RFC 3875 §4.1.18).
            name => drop(command.env(format!("HTTP_{}", name.replace('-', "_")), value.trim())),
        }
    }
    limited.into_inner().read_exact(&mut body).map_err(|_| "400 Bad Request")?;
    command.env("CONTENT_LENGTH", body.len().to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.spawn().map_err(|_| "500 Internal Server Error")?;
    // An error means that the script has not read the body, which it is free to ignore.
    let _ = process.stdin.take().map(|mut stdin| stdin.write_all(&body));
    let output = process.wait_with_output().map_err(|_| "502 Bad Gateway")?.stdout;
    let (mut status, mut headers, mut rest) = ("200 OK".to_owned(), String::new(), &output[..]);
    for line in BufRead::lines(&mut rest).map_while(Result::ok).take_while(|line| !line.is_empty()) {
        match line.split_once(':').ok_or("502 Bad Gateway")? {
            ("Status", value) => value.trim().clone_into(&mut status),
            _ => headers += &(line + "\r\n"),
        }
    }
    let headers = Some(headers).filter(|headers| !headers.is_empty()).ok_or("502 Bad Gateway")?;
    let headers = format!("{headers}Content-Length: {}\r\nConnection: close\r\n", rest.len());
    Ok([format!("HTTP/1.1 {status}\r\n{headers}\r\n").as_bytes(), if method == "HEAD" { b"" } else { rest }].concat())
}
