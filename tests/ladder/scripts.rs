//! Step 15: scripts by CGI, and the faults of that interface.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::example::{curl_text, response_to, run, start};
use crate::process::{Answer, Process, Scratch};

/// Scripts in the shell, which is on every Unix.
const SCRIPTS: &[(&str, &str)] = &[
    ("env", "echo 'Content-Type: text/plain'; echo; env | sort"),
    ("stdin", "echo 'Content-Type: text/plain'; echo; cat"),
    ("ignores-stdin", "echo 'Content-Type: text/plain'; echo; echo done"),
    ("status", "printf 'Status: 404 Not Found\\r\\nContent-Type: text/plain\\r\\nX-Reason: test\\r\\n\\r\\nno such page\\n'"),
    ("binary", "printf 'Content-Type: application/octet-stream\\n\\n\\377\\000\\n\\r\\n'"),
    ("process", "echo 'Content-Type: text/plain'; echo; echo $$"),
    ("directory", "echo 'Content-Type: text/plain'; echo; ls"),
    ("no-field", "echo hello"),
    ("no-output", "exit 1"),
    ("eval", "echo 'Content-Type: text/plain'; echo; eval \"echo $QUERY_STRING\""),
];

/// Step 15 with these scripts, a file that is not executable, and a hidden script beside the directory.
fn served() -> (Scratch, Process) {
    let scratch = Scratch::new();
    let directory = scratch.path().join("scripts");
    fs::create_dir(&directory).unwrap();
    for (name, script) in SCRIPTS.iter().chain(&[("../outside", "echo 'X: y'; echo")]) {
        let path = directory.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(directory.join("text"), "not executable").unwrap();
    // A script cannot run while a process has it open to write, such as one that another test forks at that moment. So `cp` writes the files.
    let copy = scratch.path().join("cgi");
    run("cp", &["-Rp", directory.to_str().unwrap(), copy.to_str().unwrap()]).unwrap();
    let server = start("15_cgi", &[copy.to_str().unwrap()]);
    (scratch, server)
}

fn response(server: &Process, request: &[u8]) -> Answer {
    let mut client = server.client();
    client.send(request);
    client.answer()
}

#[test]
fn step_15_passes_the_request_in_variables() {
    let (_scratch, server) = served();
    let request =
        b"GET /cgi/env?a=b&c=%20d HTTP/1.1\r\nHost: localhost\r\nAccept-Language: de, en\r\nAuthorization: Basic YTpi\r\n\r\n";
    let response = response(&server, request);
    let port = server.address.rsplit(':').next().unwrap();
    for (line, why) in [
        ("GATEWAY_INTERFACE=CGI/1.1", "RFC 3875 §4.1.4"),
        ("SERVER_PROTOCOL=HTTP/1.1", "§4.1.16"),
        ("SERVER_SOFTWARE=ladder", "§4.1.17"),
        ("SERVER_NAME=127.0.0.1", "§4.1.14"),
        (&format!("SERVER_PORT={port}"), "§4.1.15"),
        ("REMOTE_ADDR=127.0.0.1", "§4.1.8"),
        ("REQUEST_METHOD=GET", "§4.1.12"),
        ("SCRIPT_NAME=/cgi/env", "§4.1.13"),
        ("QUERY_STRING=a=b&c=%20d", "§4.1.7: not decoded"),
        ("CONTENT_LENGTH=0", "no body"),
        ("HTTP_HOST=localhost", "§4.1.18"),
        ("HTTP_ACCEPT_LANGUAGE=de, en", "a hyphen becomes an underscore"),
    ] {
        assert!(response.text().lines().any(|found| found == line), "{line} ({why}): {}", response.text());
    }
    assert!(!response.text().contains("YTpi"), "no password: {}", response.text());
    assert!(!response.text().contains("CARGO"), "no variables of the server: {}", response.text());
}

#[test]
fn step_15_sets_an_empty_query_and_the_type_of_the_body() {
    let (_scratch, server) = served();
    let request = b"POST /cgi/env HTTP/1.1\r\nContent-Type: text/csv\r\nContent-Length: 3\r\n\r\na,b";
    let response = response(&server, request);
    for line in ["QUERY_STRING=", "CONTENT_TYPE=text/csv", "CONTENT_LENGTH=3", "REQUEST_METHOD=POST"] {
        assert!(response.text().lines().any(|found| found == line), "{line}: {}", response.text());
    }
    assert!(!response.text().contains("HTTP_CONTENT"), "each variable once: {}", response.text());
}

#[test]
fn step_15_passes_the_body_on_standard_input() {
    let (_scratch, server) = served();
    let post = |path: &str, body: &[u8]| {
        let head = format!("POST /cgi/{path} HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
        response(&server, &[head.as_bytes(), body].concat())
    };
    for body in [b"".as_slice(), b"hello", b"\xff\0\r\n", &[b'x'; 65535]] {
        assert!(post("stdin", body).content == body, "{} bytes", body.len());
    }
    assert_eq!(post("ignores-stdin", &[b'x'; 65535]).text(), "done\n", "a script need not read the body");
}

#[test]
fn step_15_turns_the_output_into_a_response() {
    let (_scratch, server) = served();
    let body = "no such page\n";
    let headers = "Content-Type: text/plain\r\nX-Reason: test\r\nContent-Length: 13\r\nConnection: close\r\n";
    let head = format!("HTTP/1.1 404 Not Found\r\n{headers}\r\n");
    assert_eq!(response_to(&server, b"GET /cgi/status HTTP/1.1\r\n\r\n"), format!("{head}{body}"));
    assert_eq!(response_to(&server, b"HEAD /cgi/status HTTP/1.1\r\n\r\n"), head, "HEAD: no body");
    let response = server.get("/cgi/binary");
    assert_eq!((response.status, response.content.as_slice()), (200, b"\xff\0\n\r\n".as_slice()), "lines may end with LF");
    assert!(server.get("/cgi/directory").text().contains("directory\n"), "the script runs in its directory");
}

#[test]
fn step_15_reports_errors() {
    let (_scratch, server) = served();
    for (request, status, why) in [
        ("GET /cgi/none HTTP/1.1\r\n\r\n", 404, "no such script"),
        ("GET /cgi/ HTTP/1.1\r\n\r\n", 404, "no name"),
        ("GET / HTTP/1.1\r\n\r\n", 404, "not below /cgi/"),
        ("GET /cgi/../outside HTTP/1.1\r\n\r\n", 404, "a script outside of the directory"),
        ("GET /cgi/%2e%2e%2foutside HTTP/1.1\r\n\r\n", 404, "the same, encoded"),
        ("GET /cgi//bin/env HTTP/1.1\r\n\r\n", 404, "an absolute path"),
        ("GET /cgi/text HTTP/1.1\r\n\r\n", 500, "a file that is not executable"),
        ("GET /cgi/env?\0 HTTP/1.1\r\n\r\n", 500, "a byte that no variable can have"),
        ("GET /cgi/no-field HTTP/1.1\r\n\r\n", 502, "output that does not begin with a field"),
        ("GET /cgi/no-output HTTP/1.1\r\n\r\n", 502, "no output"),
        ("POST /cgi/stdin HTTP/1.1\r\nContent-Length: 65536\r\n\r\n", 400, "a body above the limit"),
        ("POST /cgi/stdin HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400, "a length that is not a number"),
        ("POST /cgi/stdin HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411, "chunks"),
        ("POST /cgi/stdin HTTP/1.1\r\nContent_Length: 5\r\n\r\n", 200, "another field that would be the same variable"),
        ("hello\r\n\r\n", 400, "not HTTP"),
    ] {
        assert_eq!(response(&server, request.as_bytes()).status, status, "{why}");
    }
}

#[test]
fn step_15_is_still_wrong_as_its_head_says() {
    let (_scratch, server) = served();
    let process = |server: &Process| server.get("/cgi/process").text().to_owned();
    assert_ne!(process(&server), process(&server), "a process per request");
    let request = b"GET /cgi/env HTTP/1.1\r\nProxy: http://evil.example\r\n\r\n";
    let environment = response(&server, request);
    assert!(environment.text().contains("HTTP_PROXY=http://evil.example\n"), "{}", environment.text());
    assert_eq!(server.get("/cgi/eval?a;expr${IFS}6${IFS}+${IFS}7").text(), "a\n13\n", "a command of the client runs");
}

#[test]
fn step_15_greets_by_name() {
    if run("python3", &["--version"]).is_none() {
        return;
    }
    let server = start("15_cgi", &[concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cgi")]);
    for (query, status, page) in [
        ("?name=Ada", 200, "<!doctype html><h1>Hello, Ada</h1>\n"),
        ("?name=Ada+L%C3%B6v", 200, "<!doctype html><h1>Hello, Ada Löv</h1>\n"),
        ("?name=%3Cscript%3E", 200, "<!doctype html><h1>Hello, &lt;script&gt;</h1>\n"),
        ("?name=%FF", 200, "<!doctype html><h1>Hello, \u{fffd}</h1>\n"),
        ("", 400, "<!doctype html><p>Add ?name=Ada to the address.\n"),
        ("?surname=Ada", 400, "<!doctype html><p>Add ?name=Ada to the address.\n"),
    ] {
        let response = server.get(&format!("/cgi/hello.py{query}"));
        assert_eq!((response.status, response.text()), (status, page), "{query}");
        assert_eq!(response.field("Content-Type"), Some("text/html; charset=utf-8"), "{query}");
    }
    let url = format!("http://{}/cgi/hello.py", server.address);
    if let Some(page) = curl_text(&["-d", "name=Grace", &url]) {
        assert_eq!(page, "<!doctype html><h1>Hello, Grace</h1>\n");
    }
}
