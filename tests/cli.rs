//! What does the program say to the person who starts it?

#[path = "support/process.rs"]
mod process;

use std::ffi::OsStr;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::process::Command;

use process::{Client, Log, Process, Scratch, address, run};
use threadbare::config::Limits;
use threadbare::handlers::ROUTES;

#[test]
fn words_that_mean_nothing_are_named_and_end_it_with_2() {
    for (words, named, why) in [
        ("--porte 1", "--porte", "no such flag"),
        ("-x", "-x", "no such letter"),
        ("--port", "--port", "a flag without its value"),
        ("--port x", "'x' for '--port <PORT>': invalid digit", "not a number"),
        ("--drain 1.5", "'1.5' for '--drain <SECONDS>': invalid digit", "half a second"),
        ("--drain=", "--drain", "no number at all"),
        ("--drain 99999999999999999999", "number too large", "more than fits"),
        ("--shutdown-timeout 86401", "not in 0..=86400", "a second more than a day"),
        ("--max-connections 0", "not in 1..=1048576", "no client could be served"),
        ("--max-connections 1048577", "not in 1..=1048576", "more than any machine has threads for"),
        ("--port 65536", "'65536' for '--port", "one too many"),
        ("--port -1", "-1", "one too few"),
        ("--port 1 --port 2", "--port", "two ports"),
        ("--bind", "--bind", "a flag without its value"),
        ("--bind localhost", "'localhost' for '--bind", "a name, not an address"),
        ("--bind 127.0.0.1:80", "'127.0.0.1:80' for '--bind", "the port has its own flag"),
        ("--bind [::1]", "'[::1]' for '--bind", "brackets belong to URLs"),
        ("--bind 1.2.3", "'1.2.3' for '--bind", "three quarters of an address"),
        ("--bind unix:", "'unix:' for '--bind", "a path without a name"),
        ("--lan --bind ::1", "--lan", "all interfaces or one"),
        ("--index", "--index", "a flag without its value"),
        ("--quiet=yes", "--quiet", "a flag that takes none"),
        ("--trust-proxy proxy.example", "'proxy.example' for '--trust-proxy", "a name, not an address"),
        ("--trust-proxy 10.1.2.3/8", "'10.1.2.3/8' for '--trust-proxy", "is it a network or an address?"),
        ("--auth lovelace", "'--auth': it has no colon; write NAME:PASSWORD", "a password without a name"),
        ("--auth ada:$6$salt$lovelace", "'--auth': its hash is of an unsupported kind; create one with htpasswd -B", "SHA-512"),
        ("--log-format xml", "'xml' for '--log-format", "no such format"),
        ("--access-log", "--access-log", "a flag without its value"),
        ("--no-listing --no-listing", "--no-listing", "twice the same"),
        ("--archive --no-listing", "'--archive' sends what '--no-listing' hides", "an archive is a listing and more"),
        ("one two", "'two'", "two roots"),
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        let left = run(&words);
        assert_eq!(left.code, Some(2), "{words:?}, {why}: {left:?}");
        assert_eq!(left.stdout, "", "{words:?}, {why}");
        assert!(left.stderr.starts_with("error: ") && left.stderr.contains(named), "{words:?}, {why}: {left:?}");
        assert!(left.stderr.is_ascii(), "{words:?}: {left:?}");
        assert!(!left.stderr.contains("lovelace"), "{words:?}: {left:?}");
        assert_eq!(left.stderr.lines().count(), 1, "{words:?}: {left:?}");
    }
    // An unset variable in a script is no wish for the current directory.
    let left = run(&["--port", "0", ""]);
    assert!(left.code == Some(2) && left.stderr.contains("ROOT"), "{left:?}");
}

#[test]
fn tls_needs_both_files_and_a_build_with_it() {
    let apart = "'--tls-cert' and '--tls-key' belong together; give both, or '--tls' alone";
    let unsupported = "HTTPS ('--tls', '--tls-cert') needs a build with the feature tls: the Debian package, the container image, or cargo build";
    for (words, named) in [
        (&["--tls-cert", "a"][..], apart),
        (&["--tls-key", "a"], apart),
        (&["--tls", "--tls-key", "a"], apart),
        (&["--tls"], unsupported),
        (&["--tls-cert", "a", "--tls-key", "a"], unsupported),
        (&["--check-health", "--tls"], unsupported),
    ] {
        if named == apart || !cfg!(feature = "tls") {
            let left = run(words);
            assert!(left.code == Some(2) && left.stderr.contains(named), "{words:?}: {left:?}");
            assert_eq!(left.stderr.lines().count(), 1, "{left:?}");
        }
    }
}

#[test]
#[cfg(unix)]
fn options_of_uploads_that_conflict_end_it_with_2() {
    let scratch = Scratch::new();
    let file = scratch.file("a", "a");
    let file = file.to_str().unwrap();
    for (words, says, why) in [
        (&["--overwrite"][..], "'--overwrite' and '--upload-max' have no effect without '--upload'", "without uploads"),
        (&["--upload-max", "1"], "'--overwrite' and '--upload-max' have no effect without '--upload'", "without uploads"),
        (&["--upload", file], "ROOT is a single file", "no directory"),
        (&["--upload", "--follow-symlinks"], "'--follow-symlinks'", "files could be added anywhere"),
        (&["--upload", "--precompressed"], "'--precompressed'", "an upload could replace another file"),
        (&["--upload=a/../b"], "'a/../b' for '--upload", "no canonical path"),
        (&["--upload", "--upload-max", "1T"], "'1T' for '--upload-max", "no such suffix"),
        (&["--upload", "--upload-max", "-1"], "-1", "a negative number"),
        (&["--upload", "--upload-max", ""], "'--upload-max", "no number"),
        (&["--upload", "--upload-max", "17179869184G"], "'17179869184G' for '--upload-max", "more than 64 bits"),
    ] {
        let left = run(words);
        assert!(left.code == Some(2) && left.stderr.contains(says), "{words:?}, {why}: {left:?}");
        assert_eq!(left.stderr.lines().count(), 1, "{words:?}: {left:?}");
    }
    for (directory, says) in [("nothing", "cannot upload to '/nothing/': no such directory"), ("a", "not a directory")] {
        let left = run(&["--port", "0", &format!("--upload={directory}"), scratch.path().to_str().unwrap()]);
        assert!(left.code == Some(1) && left.stderr.contains(says), "{directory}: {left:?}");
    }
}

/// Exit code 1, and one line that says all of `says`.
#[track_caller]
fn cannot_start(args: &[&str], says: &[&str]) {
    let left = run(args);
    assert_eq!(left.code, Some(1), "{args:?}: {left:?}");
    assert_eq!(left.stdout, "", "{args:?}");
    assert_eq!(left.stderr.lines().count(), 1, "{args:?}: {left:?}");
    assert!(left.stderr.ends_with('\n'), "{args:?}: {left:?}");
    for part in says {
        assert!(left.stderr.contains(part), "{args:?} should say {part:?}: {left:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_ends_it_with_1() {
    for words in [&["--help"][..], &["-h"], &["--version"], &["--port", "0"], &["--port", "0", "--lan", "--qr"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
        let output = command.args(words).stdout(full).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}: {stderr}");
        assert_eq!(
            stderr.lines().filter(|line| line.contains("cannot write to standard output: No space left")).count(),
            1,
            "{stderr}"
        );
    }
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let named = format!("127.0.0.1:{port}");
    let says = [named.as_str(), "in use", "--port"];
    cannot_start(&["--port", &port.to_string(), "--bind", "127.0.0.1"], &says);
    cannot_start(&["--port", &port.to_string()], &says);
}

#[test]
fn an_address_of_someone_else() {
    // TEST-NET-1 (RFC 5737) and the documentation prefix (RFC 3849) belong to no machine.
    cannot_start(&["--port", "0", "--bind", "192.0.2.1"], &["192.0.2.1", "--bind"]);
    cannot_start(&["--port", "0", "--bind", "127.0.0.1", "--bind", "192.0.2.1"], &["192.0.2.1", "--bind"]);
    cannot_start(&["--port", "0", "--bind", "2001:db8::1"], &["[2001:db8::1]", "--bind"]);
}

#[test]
fn a_root_that_cannot_be_served() {
    let scratch = Scratch::new();
    let missing = scratch.path().join("missing");
    let missing = missing.to_str().unwrap();
    cannot_start(&["--port", "0", missing], &[missing, "no such", "ROOT"]);
    let file = scratch.file("file", "");
    let below_file = file.join("below");
    cannot_start(&["--port", "0", below_file.to_str().unwrap()], &[below_file.to_str().unwrap()]);
}

#[test]
#[cfg(unix)]
fn a_root_that_is_no_file_and_no_directory() {
    let scratch = Scratch::new();
    let pipe = scratch.path().join("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    // Opening a FIFO to see what it is would wait for its writer.
    cannot_start(&["--port", "0", pipe.to_str().unwrap()], &[pipe.to_str().unwrap(), "directory or a regular file"]);
    cannot_start(&["--port", "0", "/dev/null"], &["/dev/null", "directory or a regular file"]);
}

#[test]
#[cfg(unix)]
fn a_log_that_cannot_be_written() {
    let (scratch, served) = (Scratch::new(), Scratch::new());
    let (directory, pipe) = (scratch.path().to_str().unwrap(), scratch.path().join("pipe"));
    let root = served.path().to_str().unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let missing = scratch.path().join("missing/log");
    // Opening a FIFO without a reader would block.
    for path in [missing.to_str().unwrap(), directory, pipe.to_str().unwrap()] {
        cannot_start(&["--port", "0", "--access-log", path, root], &[path, "--access-log"]);
    }
}

#[test]
#[cfg(unix)]
fn a_name_with_a_line_end_is_still_one_line() {
    let scratch = Scratch::new();
    cannot_start(&["--port", "0", scratch.path().join("two\nlines\x1b[2J").to_str().unwrap()], &["lines", "ROOT"]);
    let odd = scratch.path().join("two\nlines\x1b[2J");
    std::fs::create_dir(&odd).unwrap();
    let process = Process::start(&[&odd]);
    assert!(process.ready.starts_with("serving ") && !process.ready.contains('\x1b'), "{:?}", process.ready);
}

#[test]
fn help_lists_every_flag_route_and_limit() {
    let help = run(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    for flag in [
        "--port",
        "--bind",
        "--lan",
        "--index",
        "--no-listing",
        "--hidden",
        "--no-routes",
        "--qr",
        "--open",
        "--quiet",
        "--trust-proxy",
        "--proxy-protocol",
        "--access-log",
        "--log-format",
        "--verbose",
        "--help",
        "--version",
        "ROOT",
    ] {
        assert!(help.stdout.contains(flag), "{flag} is missing:\n{}", help.stdout);
    }
    for route in ROUTES {
        let row = help.stdout.lines().find(|line| line.starts_with(&format!("  {} ", route.path)));
        assert!(row.is_some_and(|row| row.contains(route.help)), "{} is missing:\n{}", route.path, help.stdout);
    }
    let limits = Limits::default();
    for limit in [limits.head.target_bytes_max, limits.head.head_bytes_max, limits.echo_bytes_max, limits.connections_max] {
        assert!(help.stdout.contains(&limit.to_string()), "{limit} is missing:\n{}", help.stdout);
    }
    assert_eq!(run(&["-h"]).code, Some(0));
    for flag in ["--version", "-V"] {
        let version = run(&[flag]);
        assert_eq!((version.code, version.stderr.as_str()), (Some(0), ""));
        assert_eq!(version.stdout, format!("threadbare {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn the_ready_line_shows_what_is_served_and_where() {
    let scratch = Scratch::new();
    scratch.file("a.txt", "a");
    let shown = scratch.path().canonicalize().unwrap();
    let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();

    let process = Process::start(&[scratch.path()]);
    let port: u16 = process.address.strip_prefix("127.0.0.1:").unwrap().parse().unwrap();
    assert_ne!(port, 0);
    assert_eq!(process.ready, format!("serving {} at http://127.0.0.1:{port}/", shown.display()));
    assert_eq!(process.get("/a.txt").text(), "a");

    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    // The root is the current directory where none is named.
    command.args(["--port", "0"]).current_dir(scratch.path());
    let process = Process::of(command, Log::Read);
    let port: u16 = process.address.strip_prefix("localhost:").unwrap().parse().unwrap();
    assert_eq!(process.ready, format!("serving {} at http://localhost:{port}/", shown.display()));
    if has_ipv6 {
        let mut client = Client::connect(&format!("[::1]:{port}"));
        client.send(b"GET /a.txt HTTP/1.1\r\nHost: [::1]\r\n\r\n");
        assert_eq!(client.answer().text(), "a");
    } else {
        eprintln!("SKIPPED: this machine has no IPv6");
    }
}

#[test]
#[cfg(target_os = "linux")] // Elsewhere the loopback has one address.
fn two_addresses_have_a_line_each_and_one_port() {
    let scratch = Scratch::new();
    let process = Process::start(&[OsStr::new("--bind"), OsStr::new("127.0.0.2"), scratch.path().as_os_str()]);
    let port = process.address.strip_prefix("127.0.0.1:").unwrap();
    assert_eq!(address(&process.stdout_line().unwrap()), format!("127.0.0.2:{port}"));
}

#[test]
fn a_single_file_is_served_at_its_name_and_at_the_root() {
    let scratch = Scratch::new();
    let page = scratch.file("page.html", "<p>one");
    scratch.file("neighbour.txt", "not served");
    let process = Process::start(&[&page]);
    assert!(process.ready.contains("page.html at http://"), "{}", process.ready);
    for target in ["/", "/page.html", "/?q"] {
        let answer = process.get(target);
        assert_eq!((answer.status, answer.text()), (200, "<p>one"), "{target}");
        assert_eq!(answer.field("Content-Type"), Some("text/html; charset=utf-8"), "{target}");
    }
    for target in ["/neighbour.txt", "/page.html/", "/page.html/x", "/../neighbour.txt"] {
        assert!(matches!(process.get(target).status, 400 | 404), "{target}");
    }
}

#[test]
fn a_port_that_has_just_been_given_up_can_be_had_again() {
    let scratch = Scratch::new();
    let process = Process::start(&[scratch.path()]);
    let port = process.address.strip_prefix("127.0.0.1:").unwrap().to_owned();
    // A connection that the server closed first is remembered by the kernel for a minute.
    let mut client = process.client();
    client.send(b"GET /health HTTP/1.0\r\n\r\n");
    client.rest();
    drop(process);
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    command.args(["--bind", "127.0.0.1", "--port", &port]).arg(scratch.path());
    assert_eq!(Process::of(command, Log::Read).get("/health").status, 200);
}
