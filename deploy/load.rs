//! Load generator that counts unanswered requests while servers restart.
//!
//! The client of `deploy/check.sh`. Each of its connections asks for one resource again and again, as a proxy or a browser does: on the same
//! connection until one side closes it, and with a look before each request whether the server has. What is not answered at the first attempt
//! with 200 and the whole content counts as failed; nothing is tried twice.
//!
//! ```text
//! load [--connections N] ADDRESS TARGET                   until SIGTERM; then it says what came of it
//! load [--connections N] --restarts N TARGET COMMAND…     holds the listening socket itself, as systemd does, and has COMMAND started
//!                                                         again and again
//! ```

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv};
use rustix::process::{Pid, Signal, kill_process};
use threadbare::os::signals::ShutdownSignal;

/// Connections, unless another number is given.
const CONNECTIONS: usize = 16;
/// Between an answer and the next request of a connection: the load is even, and the machine is not all ours.
const THINK: Duration = Duration::from_millis(2);
/// Longer than any response should take, also while a server starts.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long each server of `--restarts` serves.
const LIFE: Duration = Duration::from_millis(200);
/// Failures that are told one by one.
const TOLD_MAX: usize = 10;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What came of it.
#[derive(Default)]
struct Tally {
    answered: u64,
    failed: u64,
    /// Connections that the server has closed, after an answer or before a request.
    closed: u64,
    slowest: Duration,
    told: Vec<String>,
}

/// What is asked, and what should come.
struct Errand {
    address: SocketAddr,
    target: String,
    content: Vec<u8>,
    stop: ShutdownSignal,
}

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether every request was answered.
fn run(words: Vec<String>) -> Outcome<bool> {
    let mut words = words.into_iter().peekable();
    let mut number = |name: &str| -> Outcome<Option<usize>> {
        let Some(_) = words.next_if(|word| word == name) else { return Ok(None) };
        Ok(Some(words.next().ok_or(format!("{name} without a number"))?.parse()?))
    };
    let connections = number("--connections")?.unwrap_or(CONNECTIONS);
    let restarts = number("--restarts")?;
    let mut word = |what: &str| words.next().ok_or(format!("no {what}"));
    let tally = match restarts {
        None => {
            let (address, target) = (word("ADDRESS")?.parse()?, word("TARGET")?);
            let stop = ShutdownSignal::on_signals()?;
            stop.enable_graceful();
            let errand = Errand::begin(address, target, stop)?;
            drive(&errand, connections, || Ok(()))?
        }
        Some(count) => {
            let (target, command) = (word("TARGET")?, words.collect::<Vec<_>>());
            hand_over(target, &command, connections, count)?
        }
    };
    for failure in &tally.told {
        eprintln!("load: {failure}");
    }
    let Tally { answered, failed, closed, slowest, .. } = tally;
    println!(
        "{answered} answered, {failed} failed, {closed} connections closed by the server, the slowest {} ms",
        slowest.as_millis()
    );
    Ok(failed == 0 && answered > 0)
}

/// Starts a server again and again while it is asked, with a socket that is always the same.
fn hand_over(target: String, command: &[String], connections: usize, count: usize) -> Outcome<Tally> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (address, stop) = (listener.local_addr()?, ShutdownSignal::default());
    let mut server = start(command, &listener)?;
    let errand = Errand::begin(address, target, stop)?;
    let tally = drive(&errand, connections, || {
        for _ in 0..count {
            thread::sleep(LIFE);
            end(&mut server)?;
            server = start(command, &listener)?;
        }
        thread::sleep(LIFE);
        Ok(())
    });
    end(&mut server)?;
    tally
}

/// Starts a server that finds our socket as its descriptor 3. A shell puts it there, for only a shell knows its own number in time.
fn start(command: &[String], listener: &TcpListener) -> Outcome<Child> {
    const SHELL: &str = r#"exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@""#;
    let socket = OwnedFd::from(listener.try_clone()?);
    let mut shell = Command::new("sh");
    shell.args(["-c", SHELL, "sh"]).args(command).stdin(Stdio::from(socket)).stdout(Stdio::null());
    Ok(shell.spawn()?)
}

/// Ends it as systemd does, and expects it to end well.
fn end(server: &mut Child) -> Outcome<()> {
    kill_process(Pid::from_child(server), Signal::TERM)?;
    let status = server.wait()?;
    if status.success() { Ok(()) } else { Err(format!("the server ended with {status}").into()) }
}

/// Sends requests on all connections until `until` returns.
fn drive(errand: &Errand, connections: usize, until: impl FnOnce() -> Outcome<()>) -> Outcome<Tally> {
    let (all, ended) = (Mutex::new(Tally::default()), std::sync::atomic::AtomicBool::new(false));
    let is_over = || errand.stop.is_requested() || ended.load(std::sync::atomic::Ordering::Relaxed);
    thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let tally = errand.go_on(&is_over);
                if let Ok(mut all) = all.lock() {
                    all.add(tally);
                }
            });
        }
        let done = until();
        // Without anything to do in between, it is the signal that ends it.
        if errand.stop.wake_fd.is_none() || done.is_err() {
            ended.store(true, std::sync::atomic::Ordering::Relaxed);
        }
        done
    })?;
    Ok(all.into_inner().unwrap_or_default())
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.closed += other.closed;
        self.slowest = self.slowest.max(other.slowest);
        self.told.extend(other.told);
        self.told.truncate(TOLD_MAX);
    }
}

impl Errand {
    /// Asks once, to know what the answer is.
    fn begin(address: SocketAddr, target: String, stop: ShutdownSignal) -> Outcome<Errand> {
        let mut errand = Errand { address, target, content: Vec::new(), stop };
        errand.content = errand.ask(&mut errand.connect()?)?.0;
        Ok(errand)
    }

    /// One connection after the other, until it is over.
    fn go_on(&self, is_over: &dyn Fn() -> bool) -> Tally {
        let mut tally = Tally::default();
        let mut kept: Option<BufReader<TcpStream>> = None;
        while !is_over() {
            if kept.as_ref().is_some_and(|connection| is_closed(connection.get_ref())) {
                tally.closed += 1;
                kept = None;
            }
            let (began, is_reused) = (Instant::now(), kept.is_some());
            match self.attempt(kept.take()) {
                Ok((connection, stays)) => {
                    tally.answered += 1;
                    tally.slowest = tally.slowest.max(began.elapsed());
                    tally.closed += u64::from(!stays);
                    kept = Some(connection).filter(|_| stays);
                }
                Err(error) => {
                    tally.failed += 1;
                    let on = if is_reused { "a connection in use" } else { "a new connection" };
                    tally.told.push(format!("failed on {on}, after {} ms: {error}", began.elapsed().as_millis()));
                    tally.told.truncate(TOLD_MAX);
                }
            }
            thread::sleep(THINK);
        }
        tally
    }

    fn attempt(&self, kept: Option<BufReader<TcpStream>>) -> Outcome<(BufReader<TcpStream>, bool)> {
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let (content, stays) = self.ask(&mut connection)?;
        if content == self.content { Ok((connection, stays)) } else { Err("other content".into()) }
    }

    fn connect(&self) -> Outcome<BufReader<TcpStream>> {
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(BufReader::new(stream))
    }

    /// One request; its content, and whether the connection stays open.
    fn ask(&self, connection: &mut BufReader<TcpStream>) -> Outcome<(Vec<u8>, bool)> {
        let head = format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", self.target);
        connection.get_mut().write_all(head.as_bytes())?;
        let (mut line, mut length, mut stays) = (String::new(), None, true);
        connection.read_line(&mut line)?;
        if !line.starts_with("HTTP/1.1 200 ") {
            return Err(format!("answered {:?}", line.trim_end()).into());
        }
        loop {
            line.clear();
            connection.read_line(&mut line)?;
            match line.trim_end().to_ascii_lowercase().split_once(": ") {
                Some(("content-length", value)) => length = Some(value.parse()?),
                Some(("connection", "close")) => stays = false,
                Some(_) => {}
                None if line == "\r\n" => break,
                None => return Err("the head broke off".into()),
            }
        }
        let mut content = vec![0; length.ok_or("no Content-Length")?];
        connection.read_exact(&mut content)?;
        Ok((content, stays))
    }
}

/// Whether the server has closed the connection. Clients that reuse connections check this before each request; the server may still close
/// it between check and request.
fn is_closed(connection: &TcpStream) -> bool {
    !matches!(recv(connection, &mut [0_u8; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT), Err(rustix::io::Errno::AGAIN))
}
