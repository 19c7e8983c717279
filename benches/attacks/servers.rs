//! The servers that are compared, and the directory they serve.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The content of every file that must not be served.
pub const SECRET: &[u8] = b"SECRET";
/// The name of a file in the root that is a tag.
pub const TAG: &str = "<img src=x onerror=alert(1)>.txt";

/// A site, and beside it what must not be seen. Removed with this value.
pub struct Place {
    above: PathBuf,
}

impl Place {
    /// Makes it.
    pub fn new() -> Place {
        let above = std::env::temp_dir().join(format!("threadbare-hostile-{}", std::process::id()));
        let site = above.join("site");
        fs::create_dir_all(site.join("sub")).unwrap();
        for directory in ["outside", "site-secret"] {
            fs::create_dir(above.join(directory)).unwrap();
            fs::write(above.join(directory).join("secret.txt"), SECRET).unwrap();
        }
        for name in ["ten.txt", TAG] {
            fs::write(site.join(name), "0123456789").unwrap();
        }
        fs::write(site.join(".env"), SECRET).unwrap();
        symlink("../outside/secret.txt", site.join("link")).unwrap();
        symlink("../outside", site.join("links")).unwrap();
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR | rustix::fs::Mode::ROTH;
        rustix::fs::mknodat(rustix::fs::CWD, site.join("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        Place { above }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.above);
    }
}

/// A server that may be on this machine.
pub struct Server {
    /// Its name.
    pub name: &'static str,
    command: fn(site: &str, port: u16, scratch: &str) -> Command,
}

/// One that runs, ended with this value.
pub struct Running {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

/// All that are looked for.
pub const SERVERS: [Server; 6] = [
    Server {
        name: "threadbare",
        command: |site, port, _| with(env!("CARGO_BIN_EXE_threadbare"), &["-q", "-p", &port.to_string(), site]),
    },
    Server {
        name: "python3 http.server",
        command: |site, port, _| with("python3", &["-m", "http.server", "--bind", "127.0.0.1", "-d", site, &port.to_string()]),
    },
    Server {
        name: "busybox httpd",
        command: |site, port, _| with("busybox", &["httpd", "-f", "-p", &format!("127.0.0.1:{port}"), "-h", site]),
    },
    Server { name: "nginx", command: nginx },
    Server { name: "miniserve", command: |site, port, _| with("miniserve", &["-i", "127.0.0.1", "-p", &port.to_string(), site]) },
    Server {
        name: "static-web-server",
        command: |site, port, _| {
            with("static-web-server", &["-a", "127.0.0.1", "-p", &port.to_string(), "-d", site, "--directory-listing", "true"])
        },
    },
];

fn with(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// As a distribution installs it, but for the listing.
fn nginx(site: &str, port: u16, scratch: &str) -> Command {
    let configuration = format!(
        "daemon off; user root; pid {scratch}/pid; error_log /dev/null; events {{}}\n\
         http {{ access_log off; client_body_temp_path {scratch}/b; proxy_temp_path {scratch}/p; fastcgi_temp_path {scratch}/f;\n\
         uwsgi_temp_path {scratch}/u; scgi_temp_path {scratch}/s;\n\
         server {{ listen 127.0.0.1:{port}; root {site}; autoindex on; }} }}\n"
    );
    let path = format!("{scratch}/nginx.conf");
    fs::write(&path, configuration).unwrap();
    with("nginx", &["-c", &path])
}

impl Server {
    /// Starts it and waits until it listens; `None` if it is not here.
    pub fn start(&self, place: &Place) -> Option<Running> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let (site, scratch) = (place.above.join("site"), place.above.join("scratch"));
        fs::create_dir_all(&scratch).unwrap();
        let mut command = (self.command)(site.to_str().unwrap(), port, scratch.to_str().unwrap());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let running = Running { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) };
        let deadline = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(running.address).is_err() {
            if Instant::now() > deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The parent of several, which ends its children when it is asked to.
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), rustix::process::Signal::TERM);
        std::thread::sleep(Duration::from_millis(300));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
