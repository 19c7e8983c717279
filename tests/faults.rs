//! What if the system says no? Each error that a manual page lists, at each call that a request needs.
//!
//! `strace` makes every second or third of the calls fail. Whatever fails, the server lives, a client gets the right answer, a finished
//! refusal or a connection that visibly breaks, and nothing leaks. Without `strace` this says so, and is skipped.
#![cfg(target_os = "linux")]

#[path = "support/process.rs"]
mod process;

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use process::{Log, PATIENCE, Process, Scratch, child_of, descriptors, status_number};
use rustix::process::{Pid, Signal, kill_process};

const CONTENT: &str = "0123456789";
/// One after another, each on a connection of its own.
const REQUESTS: usize = 24;
/// At the same time, so that threads must be started.
const TOGETHER: usize = 6;
/// Traced calls for each request: more would be a loop that spins.
const CALLS_PER_REQUEST_MAX: usize = 40;

/// A call that fails.
struct Fault {
    call: &'static str,
    /// From the manual page of the call.
    errors: &'static [&'static str],
    /// Which of the calls of each thread: `first+step`. `start` is the first after those that the start of the process takes.
    when: &'static str,
    /// Only where it touches the file that is served.
    only_the_file: bool,
    /// What may come instead of the content.
    instead: &'static [Instead],
    why: &'static str,
}

/// What a client may see instead of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instead {
    /// A whole answer with that status.
    Status(u16),
    /// The connection breaks, visibly.
    Broken,
}
use Instead::{Broken, Status};

const ACCEPT: &[Fault] = &[
    Fault {
        call: "accept4",
        errors: &[
            "EAGAIN",
            "ECONNABORTED",
            "EINTR",
            "EPROTO",
            "EPERM",
            "ENETDOWN",
            "ENOPROTOOPT",
            "EHOSTDOWN",
            "ENONET",
            "EHOSTUNREACH",
            "EOPNOTSUPP",
            "ENETUNREACH",
            "ETIMEDOUT",
        ],
        when: "2+2",
        only_the_file: false,
        instead: &[],
        why: "that connection is gone, or there is none: the next one is not its fault",
    },
    Fault {
        call: "accept4",
        errors: &["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EBADF", "EFAULT", "EINVAL", "ENOTSOCK", "ENOSR", "ESOCKTNOSUPPORT"],
        when: "2+3",
        only_the_file: false,
        instead: &[],
        why: "something has run out, or cannot be: it makes room and tries again a little later",
    },
];

const THREADS: &[Fault] = &[
    Fault {
        call: "clone3",
        errors: &["EAGAIN", "ENOMEM", "EPERM", "EACCES", "EBUSY", "EEXIST", "EINVAL", "ENOSPC", "EOPNOTSUPP", "EUSERS"],
        when: "start+2",
        only_the_file: false,
        instead: &[Status(503), Broken],
        why: "no thread, no service for that one: a finished 503, or its place is taken from one that has sent nothing for long",
    },
    Fault {
        call: "clone3",
        errors: &["ENOSYS"],
        when: "1+1",
        only_the_file: false,
        instead: &[],
        why: "an old kernel: the C library goes on with clone",
    },
    Fault {
        call: "mmap",
        errors: &["EACCES", "EAGAIN", "EBADF", "EEXIST", "EINVAL", "ENFILE", "ENODEV", "ENOMEM", "EOVERFLOW", "EPERM", "ETXTBSY"],
        when: "start+2",
        only_the_file: false,
        instead: &[Status(503), Broken],
        why: "no stack, no thread",
    },
];

const FILES: &[Fault] = &[
    Fault { call: "openat2", errors: &["EINTR", "EAGAIN"], when: "3+2", only_the_file: false, instead: &[], why: "again" },
    Fault {
        call: "openat2",
        errors: &["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG", "EXDEV", "ENXIO", "ENODEV"],
        when: "3+2",
        only_the_file: false,
        instead: &[Status(404)],
        why: "there is no such file beneath the root",
    },
    Fault {
        call: "openat2",
        errors: &["EACCES", "EPERM"],
        when: "3+2",
        only_the_file: false,
        instead: &[Status(403)],
        why: "we may not",
    },
    Fault {
        call: "openat2",
        errors: &["EMFILE", "ENFILE"],
        when: "3+2",
        only_the_file: false,
        instead: &[Status(503)],
        why: "descriptors have run out: not for ever",
    },
    Fault {
        call: "openat2",
        errors: &[
            "EBADF",
            "EBUSY",
            "EDQUOT",
            "EEXIST",
            "EFAULT",
            "EFBIG",
            "EISDIR",
            "ENOMEM",
            "ENOSPC",
            "EOVERFLOW",
            "EROFS",
            "ETXTBSY",
            "E2BIG",
            "EIO",
            "EOPNOTSUPP",
            "EINVAL",
            "ENOSYS",
        ],
        when: "3+2",
        only_the_file: false,
        instead: &[Status(500), Status(503), Status(403), Status(404)],
        why: "whatever that means, it is an answer",
    },
    Fault {
        call: "statx",
        errors: &[
            "EACCES",
            "EBADF",
            "EFAULT",
            "EINVAL",
            "ELOOP",
            "ENAMETOOLONG",
            "ENOENT",
            "ENOMEM",
            "ENOTDIR",
            "EIO",
            "EOVERFLOW",
        ],
        when: "1+5",
        only_the_file: true,
        instead: &[Status(500), Status(503), Status(403), Status(404)],
        why: "a file of which nothing is known is not sent",
    },
    Fault { call: "pread64", errors: &["EINTR"], when: "1+2", only_the_file: true, instead: &[], why: "again" },
    Fault {
        call: "pread64",
        errors: &["EIO", "EAGAIN", "EBADF", "EFAULT", "EINVAL", "EISDIR", "ENOMEM", "ESTALE", "ENXIO"],
        when: "1+2",
        only_the_file: true,
        instead: &[Status(500)],
        why: "nothing of it has been sent yet, so there is an answer",
    },
];

const SOCKETS: &[Fault] = &[
    Fault { call: "recvfrom", errors: &["EINTR"], when: "1+2", only_the_file: false, instead: &[], why: "again" },
    Fault {
        call: "recvfrom",
        errors: &["EAGAIN"],
        when: "3+5",
        only_the_file: false,
        instead: &[Broken, Status(408)],
        why: "that is how a timeout looks",
    },
    Fault {
        call: "recvfrom",
        errors: &["EBADF", "ECONNREFUSED", "ECONNRESET", "EFAULT", "EINVAL", "ENOMEM", "ENOTCONN", "ENOTSOCK", "ETIMEDOUT"],
        when: "3+5",
        only_the_file: false,
        instead: &[Broken, Status(408)],
        why: "that connection is lost, and no other",
    },
    Fault {
        call: "sendto",
        errors: &["EINTR", "EAGAIN"],
        // Not the first: in the first thread that is how a signal wakes it.
        when: "2+2",
        only_the_file: false,
        instead: &[],
        why: "again, until the time is over",
    },
    Fault {
        call: "sendto",
        errors: &[
            "EACCES",
            "EALREADY",
            "EBADF",
            "ECONNRESET",
            "EDESTADDRREQ",
            "EFAULT",
            "EINVAL",
            "EISCONN",
            "EMSGSIZE",
            "ENOBUFS",
            "ENOMEM",
            "ENOTCONN",
            "ENOTSOCK",
            "EOPNOTSUPP",
            "EPIPE",
        ],
        when: "2+3",
        only_the_file: false,
        instead: &[Broken],
        why: "that connection is lost, and no other",
    },
];

/// Whether calls can be made to fail here.
fn has_strace() -> bool {
    let works = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status().is_ok_and(|status| status.success());
    if !works {
        // Not by eprintln, which the test harness keeps to itself.
        let _ = writeln!(io::stderr(), "SKIPPED: no strace here, so nothing is known about calls that fail");
    }
    works
}

/// The content, or what came instead.
fn ask(stream: io::Result<TcpStream>) -> Option<Instead> {
    let whole = || -> io::Result<(u16, String)> {
        let mut stream = stream?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /ten.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut reader = BufReader::new(stream);
        let (mut head, mut content) = (String::new(), String::new());
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        reader.read_to_string(&mut content)?;
        let length = head.split("\r\n").find_map(|line| line.strip_prefix("Content-Length: "));
        assert_eq!(length, Some(content.len().to_string().as_str()), "cut, and it looks whole: {head}{content}");
        Ok((head[9..12].parse().unwrap(), content))
    };
    match whole() {
        Ok((200, content)) => {
            assert_eq!(content, CONTENT);
            None
        }
        Ok((status, _)) => Some(Status(status)),
        Err(error) => {
            assert!(!matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "neither an answer nor an end");
            Some(Broken)
        }
    }
}

/// The server under `strace`, its trace in that file.
fn traced(fault: &Fault, more: &[String], trace: &Path, scratch: &Scratch) -> Process {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(trace).arg("-e").arg(format!("trace={}", fault.call)).args(more);
    if fault.only_the_file {
        command.arg("-P").arg(scratch.path().join("ten.txt"));
    }
    command.args([env!("CARGO_BIN_EXE_threadbare"), "--port", "0", "--bind", "127.0.0.1"]).arg(scratch.path());
    Process::of(command, Log::Read)
}

fn stop(process: &mut Process) {
    let server = child_of(process.pid());
    kill_process(Pid::from_raw(server.try_into().unwrap()).unwrap(), Signal::TERM).unwrap();
    // The handler may run in any thread, so its write to the accept loop may be one of those that fail. A connection wakes the loop as well.
    let _ = TcpStream::connect(&process.address);
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
}

/// How many such calls the first thread makes before it serves.
fn calls_to_start(fault: &Fault, scratch: &Scratch) -> usize {
    let trace = scratch.path().join(".rehearsal");
    stop(&mut traced(fault, &[], &trace, scratch));
    let trace = fs::read_to_string(trace).unwrap();
    let first_thread = trace.split_whitespace().next().unwrap();
    trace.lines().filter(|line| line.starts_with(first_thread)).count()
}

fn suffer(fault: &Fault, error: &str) {
    let name = format!("{} fails with {error}", fault.call);
    let scratch = Scratch::new();
    scratch.file("ten.txt", CONTENT);
    let when = match fault.when.strip_prefix("start") {
        Some(step) => format!("{}{step}", calls_to_start(fault, &scratch) + 1),
        None => fault.when.to_owned(),
    };
    let trace = scratch.path().join(".trace");
    let inject = format!("inject={}:error={error}:when={when}", fault.call);
    let mut process = traced(fault, &["-e".into(), inject], &trace, &scratch);
    let server = child_of(process.pid());
    let at_rest = descriptors(server);

    let mut seen: Vec<Option<Instead>> = (0..REQUESTS).map(|_| ask(TcpStream::connect(&process.address))).collect();
    let injected = || fs::read_to_string(&trace).unwrap().matches("(INJECTED)").count();
    // On a busy machine one thread may serve all of them, one after another. Then no call fails, so they come again.
    for _ in 0..10 {
        let together: Vec<_> = (0..TOGETHER).map(|_| TcpStream::connect(&process.address)).collect();
        seen.extend(together.into_iter().map(ask));
        if injected() > 0 {
            break;
        }
    }
    for instead in seen.iter().flatten() {
        assert!(fault.instead.contains(instead), "{name}: {} ({instead:?} of {seen:?})", fault.why);
    }
    assert!(seen.contains(&None), "{name}: not one answer of {seen:?}");

    process.wait_until(&format!("{name}: nothing leaks"), |_| descriptors(server) <= at_rest);
    // Those that have finished wait a few seconds for other work. One that is just about to finish cannot be had yet, so a client that is
    // quick makes one more begin.
    let threads = status_number(server, "Threads");
    assert!(threads <= u64::try_from(3 + 2 * TOGETHER).unwrap(), "{name}: {threads} threads");
    stop(&mut process);
    let calls = fs::read_to_string(&trace).unwrap();
    assert!(injected() > 0, "{name}: it never did\n{calls}");
    let calls = calls.lines().count();
    assert!(calls <= CALLS_PER_REQUEST_MAX * seen.len(), "{name}: {calls} calls, it spins");
}

fn suffer_all(faults: &[Fault]) {
    if has_strace() {
        for fault in faults {
            // Backing off is waiting: together they take no longer than one.
            std::thread::scope(|scope| {
                for error in fault.errors {
                    scope.spawn(move || suffer(fault, error));
                }
            });
        }
    }
}

#[test]
fn accept_fails() {
    suffer_all(ACCEPT);
}

#[test]
fn threads_cannot_be_started() {
    suffer_all(THREADS);
}

#[test]
fn files_cannot_be_opened_or_read() {
    suffer_all(FILES);
}

#[test]
fn sockets_fail() {
    suffer_all(SOCKETS);
}

#[test]
fn a_disk_that_fails_in_the_middle_of_a_file_breaks_the_connection() {
    if !has_strace() {
        return;
    }
    let scratch = Scratch::new();
    scratch.file("ten.txt", &CONTENT.repeat(1_000_000));
    let fault = Fault { call: "pread64", errors: &[], when: "", only_the_file: true, instead: &[], why: "" };
    let trace = scratch.path().join(".trace");
    let process = traced(&fault, &["-e".into(), "inject=pread64:error=EIO:when=3+1".into()], &trace, &scratch);
    let mut client = process.client();
    client.send(process::GET);
    assert!(client.head().contains("\r\nContent-Length: 10000000"));
    let received = client.rest().len();
    assert!(received > 0 && received < 10_000_000, "{received} bytes, and an end that can be seen");
}

#[test]
fn a_directory_that_cannot_be_read_to_its_end_is_not_listed_as_if_it_were() {
    if !has_strace() {
        return;
    }
    let scratch = Scratch::new();
    // More than one read of the directory returns.
    for number in 0..2000 {
        scratch.file(&format!("a name that is long enough to fill a buffer {number}"), "");
    }
    let fault = Fault { call: "getdents64", errors: &[], when: "", only_the_file: false, instead: &[], why: "" };
    for when in ["1", "2", "3"] {
        let trace = scratch.path().join(".trace");
        let process = traced(&fault, &["-e".into(), format!("inject=getdents64:error=EIO:when={when}")], &trace, &scratch);
        let answer = process.get("/");
        assert_eq!(answer.status, 500, "read {when} fails: {answer:?}");
        assert!(fs::read_to_string(&trace).unwrap().contains("(INJECTED)"), "read {when} was made");
    }
}

/// The status of the answer to each method.
fn statuses(process: &Process) -> Vec<(&'static str, String)> {
    let ask = |method| {
        let mut client = process.client();
        client.send(format!("{method} /ten.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes());
        (method, client.head().split(' ').nth(1).unwrap().to_owned())
    };
    ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"].map(ask).into()
}

#[test]
fn methods_are_judged_also_where_the_look_up_fails() {
    let want = |failure| {
        let statuses = [failure, failure, "204", "405", "405", "405", "405"].map(str::to_owned);
        ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"].into_iter().zip(statuses).collect::<Vec<_>>()
    };
    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join("root")).unwrap();
    let process = Process::start(&[scratch.path().join("root")]);
    fs::remove_dir(scratch.path().join("root")).unwrap();
    process.wait_until("the directory is missed", |process| process.get("/ten.txt").status == 503);
    assert_eq!(statuses(&process), want("503"), "the root is missing");
    if !has_strace() {
        return;
    }
    scratch.file("ten.txt", CONTENT);
    let fault = Fault { call: "statx", errors: &[], when: "", only_the_file: true, instead: &[], why: "" };
    for (error, status) in [("EACCES", "403"), ("EIO", "500"), ("ENOMEM", "503")] {
        let inject = format!("inject=statx:error={error}");
        let process = traced(&fault, &["-e".into(), inject], &scratch.path().join(".trace"), &scratch);
        assert_eq!(statuses(&process), want(status), "{error}");
    }
}
