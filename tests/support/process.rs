//! Starts the server as a process, and observes it from its first line to its exit code.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(feature = "tls")]
#[path = "tls.rs"]
pub mod tls;

/// The certificate of all servers, if `THREADBARE_TEST_TLS` is set: then they and their clients use TLS.
#[cfg(feature = "tls")]
fn over_tls() -> Option<&'static tls::Pair> {
    static PAIR: std::sync::OnceLock<(Scratch, tls::Pair)> = std::sync::OnceLock::new();
    std::env::var_os("THREADBARE_TEST_TLS")?;
    let (_, pair) = PAIR.get_or_init(|| {
        let scratch = Scratch::new();
        let pair = tls::Pair::new(scratch.path(), "a", 30);
        (scratch, pair)
    });
    Some(pair)
}

/// Much longer than any test needs: reaching it is a failure.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A request for the file that every [`served`] directory has.
pub const GET: &[u8] = b"GET /ten.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A server with pipes for its output, killed on drop.
pub struct Process {
    child: Child,
    stdout: Lines,
    stderr: Option<Lines>,
    /// The first ready line.
    pub ready: String,
    /// `127.0.0.1:PORT`, from the first ready line.
    pub address: String,
}

/// The destination of the log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// A pipe that the test reads.
    Read,
    /// A pipe that is not read.
    Unread,
    /// A pipe whose read end is closed.
    Closed,
}

impl Process {
    /// Starts it on a free port of the loopback and waits for its ready line.
    pub fn start<S: AsRef<OsStr>>(args: &[S]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
        command.args(["--port", "0", "--bind", "127.0.0.1"]).args(args);
        Process::of(command, Log::Read)
    }

    /// Starts a command that runs a server.
    pub fn of(mut command: Command, log: Log) -> Process {
        #[cfg(feature = "tls")]
        if let Some(pair) = over_tls().filter(|_| command.get_program() == env!("CARGO_BIN_EXE_threadbare")) {
            command.args(pair.options());
        }
        let mut child = command
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = match log {
            Log::Read => child.stderr.take().map(Lines::of),
            // The pipe stays open in `child`, so that writes block rather than fail.
            Log::Unread => None,
            Log::Closed => {
                drop(child.stderr.take());
                None
            }
        };
        let mut process = Process { child, stdout, stderr, ready: String::new(), address: String::new() };
        process.ready = process.stdout.next(PATIENCE).unwrap_or_else(|| panic!("no ready line: {:?}", process.log_lines()));
        process.address = address(&process.ready).to_owned();
        process
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of stdout; `None` at its end.
    pub fn stdout_line(&self) -> Option<String> {
        self.stdout.next(PATIENCE)
    }

    /// The next line of the log that contains the text.
    pub fn wait_for_log(&self, text: &str) -> String {
        self.wait_for_log_within(PATIENCE, text)
    }

    /// The same, where lines may be so far apart.
    pub fn wait_for_log_within(&self, limit: Duration, text: &str) -> String {
        let log = self.stderr.as_ref().expect("the log is not read");
        let mut seen = Vec::new();
        while let Some(line) = log.next(limit) {
            if line.contains(text) {
                return line;
            }
            seen.push(line);
        }
        panic!("{text:?} is not in the log: {seen:#?}");
    }

    /// Waits for it to exit, at most for this time.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        // stdout ends with the process.
        let deadline = Instant::now() + limit;
        while self.stdout.next(deadline.saturating_duration_since(Instant::now())).is_some() {}
        self.child.wait().unwrap()
    }

    /// The rest of the log, after it has exited.
    pub fn log_lines(&self) -> Vec<String> {
        self.stderr.iter().flat_map(|lines| std::iter::from_fn(|| lines.next(PATIENCE))).collect()
    }

    /// Polls a condition that has no event, and fails if the server exits.
    pub fn wait_until(&self, what: &str, is_so: impl Fn(&Process) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
            let ended = self.stdout.0.recv_timeout(Duration::from_millis(50));
            assert!(ended != Err(RecvTimeoutError::Disconnected), "it ended before this: {what}");
        }
    }

    pub fn client(&self) -> Client {
        Client::connect(&self.address)
    }

    /// Sends one request on a new connection.
    pub fn get(&self, target: &str) -> Answer {
        let mut client = self.client();
        client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes());
        client.answer()
    }

    /// Asks it to shut down, on systems with signals.
    #[cfg(unix)]
    pub fn end(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Sends it a signal.
    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// A field of `/proc/PID/status`.
    #[cfg(target_os = "linux")]
    pub fn status_number(&self, name: &str) -> u64 {
        status_number(self.pid(), name)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // If it runs under another program, killing only that one would leave it running.
        #[cfg(target_os = "linux")]
        if let Some(child) = find_child(self.pid()).and_then(|pid| rustix::process::Pid::from_raw(pid.try_into().ok()?)) {
            let _ = rustix::process::kill_process(child, rustix::process::Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A field of `/proc/PID/status`.
#[cfg(target_os = "linux")]
pub fn status_number(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.split(':').next() == Some(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The number of open descriptors of a process.
#[cfg(target_os = "linux")]
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// The address in a ready line.
pub fn address(ready: &str) -> &str {
    let url = ready.rsplit(' ').next().unwrap_or_default();
    let inside = url.strip_prefix("http://").or(url.strip_prefix("https://")).and_then(|rest| rest.strip_suffix('/'));
    inside.unwrap_or_else(|| panic!("no URL at the end of {ready:?}"))
}

/// The only child of a process.
#[cfg(target_os = "linux")]
pub fn child_of(parent: u32) -> u32 {
    find_child(parent).unwrap()
}

#[cfg(target_os = "linux")]
fn find_child(parent: u32) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let is_child = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // pid (name) state parent …
        stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)) == Some(&parent.to_string())
    };
    processes.into_iter().find(is_child)
}

/// The output and the exit code of a process.
#[derive(Debug)]
pub struct Left {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the binary until it exits.
pub fn run<S: AsRef<OsStr>>(args: &[S]) -> Left {
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    #[cfg(feature = "tls")]
    if over_tls().is_some() && args.iter().any(|arg| arg.as_ref() == "--check-health") {
        command.arg("--tls");
    }
    let mut child = command
        .args(args)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (stdout, stderr) = (whole(child.stdout.take().unwrap()), whole(child.stderr.take().unwrap()));
    let ended = stdout.recv_timeout(PATIENCE).and_then(|stdout| Ok((stdout, stderr.recv_timeout(PATIENCE)?)));
    let Ok((stdout, stderr)) = ended else {
        let _ = child.kill();
        let _ = child.wait();
        panic!("{:?} did not end", args.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    };
    Left { code: child.wait().unwrap().code(), stdout, stderr }
}

fn whole(mut from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

/// The lines of an output, read by a thread so that the process never waits for the test.
struct Lines(Receiver<Vec<u8>>);

impl Lines {
    fn of(from: impl Read + Send + 'static) -> Lines {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(from).split(b'\n').map_while(Result::ok);
            lines.for_each(|line| drop(sender.send(line)));
        });
        Lines(receiver)
    }

    /// The next line; `None` at the end.
    fn next(&self, limit: Duration) -> Option<String> {
        match self.0.recv_timeout(limit) {
            // Each byte becomes one char, so that non-ASCII bytes stay visible.
            Ok(line) => Some(line.into_iter().map(char::from).collect()),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("neither a line nor the end within {limit:?}"),
        }
    }
}

/// A client that sends exactly the given bytes, with a timeout for each operation.
pub struct Client {
    pub stream: BufReader<TcpStream>,
}

/// A received response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Status line and fields, without the empty line.
    pub head: String,
    pub content: Vec<u8>,
}

impl Client {
    pub fn connect(address: &str) -> Client {
        #[cfg(feature = "tls")]
        let stream = match over_tls() {
            Some(pair) => tls::tunnel(address, &pair.der),
            None => TcpStream::connect(address).unwrap(),
        };
        #[cfg(not(feature = "tls"))]
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Client { stream: BufReader::new(stream) }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// Status line and fields.
    pub fn head(&mut self) -> String {
        let mut head = String::new();
        loop {
            let before = head.len();
            let read = self.stream.read_line(&mut head).unwrap();
            assert!(read > 0, "the connection ended within a head: {head:?}");
            if head.len() - before == 2 {
                head.truncate(before - 2);
                return head;
            }
        }
    }

    /// Reads one line, with its line end.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line
    }

    /// Reads this many bytes.
    pub fn exactly(&mut self, bytes: usize) -> Vec<u8> {
        let mut piece = vec![0; bytes];
        self.stream.read_exact(&mut piece).unwrap();
        piece
    }

    /// Reads a response with a Content-Length.
    pub fn answer(&mut self) -> Answer {
        let head = self.head();
        let mut answer = Answer { status: head[9..12].parse().unwrap(), head, content: Vec::new() };
        let length = answer.field("Content-Length").map_or(0, |length| length.parse().unwrap());
        answer.content.resize(length, 0);
        self.stream.read_exact(&mut answer.content).unwrap();
        answer
    }

    /// Reads until this many bytes have arrived or the connection has closed, and returns their number.
    pub fn read_up_to(&mut self, bytes: u64) -> u64 {
        let mut piece = vec![0; 256 * 1024];
        let mut total = 0;
        while total < bytes {
            match self.stream.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => total += u64::try_from(length).unwrap(),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                Err(error) => panic!("after {total} bytes: {error}"),
            }
        }
        total
    }

    /// Reads until the connection closes, by FIN or RST.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("after {} bytes: {error}", bytes.len()),
        }
        bytes
    }
}

impl Answer {
    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        let lines = self.head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.content).unwrap()
    }
}

/// A directory for one test, removed on drop.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("threadbare-process-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Creates a sparse file of zeros.
    pub fn sparse(&self, name: &str, length: u64) -> fs::File {
        let file = fs::File::create(self.path().join(name)).unwrap();
        file.set_len(length).unwrap();
        file
    }

    /// Creates a file in it.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A directory with `ten.txt`, and a server for it.
pub fn served(options: &[&str]) -> (Scratch, Process) {
    let scratch = Scratch::new();
    scratch.file("ten.txt", "0123456789");
    let args: Vec<_> =
        options.iter().map(|option| OsString::from(*option)).chain([scratch.path().as_os_str().to_owned()]).collect();
    let process = Process::start(&args);
    (scratch, process)
}

/// A directory with `ten.txt`, and a command that would serve it.
pub fn command(options: &[&str], scratch: &Scratch) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    command.args(["--port", "0", "--bind", "127.0.0.1"]).args(options).arg(scratch.path());
    command
}
