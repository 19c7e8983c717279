//! Listings as real clients read them: wget, rclone, lftp, pip and the HTML parser of Python, and through nginx below a prefix.
#![cfg(target_os = "linux")]

#[path = "support/process.rs"]
mod process;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use process::{Process, Scratch};

/// Names with characters that mean something in a URL, in HTML or to a shell. Not among them: `%41`, which wget decodes twice, and `~x`, which
/// lftp ignores however it is linked.
const NAMES: &[&str] = &[
    "a:b",
    "http:x",
    "?x",
    "#x",
    "100%.txt",
    "a b",
    "a  b",
    "&amp;",
    "q\"uo'te",
    " lead",
    "trail ",
    "-dash",
    "--help",
    "a+b",
    "<b>",
    "x;y",
    "back\\slash",
    "$HOME",
    "*",
    "\u{fc}",
    "\u{202e}gpj.exe",
    "zero\u{200b}width",
    "\u{5d0}\u{5d1}.txt",
];

/// A command; `None`, and a line on standard error, where it is not installed.
fn tool(name: &str) -> Option<Command> {
    let places = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&places).chain(["/usr/sbin".into()]).map(|place| place.join(name)).find(|path| path.exists());
    if found.is_none() {
        // Past the harness, which keeps what a passing test prints.
        let _ = writeln!(io::stderr(), "SKIPPED: no {name} here, so listings are not read with it");
    }
    found.map(Command::new)
}

/// Runs a command that must succeed, and returns its standard output.
fn output(mut command: Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// All files beneath a directory, relative to it.
fn files(top: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut directories = vec![top.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                found.insert(path.strip_prefix(top).unwrap().to_owned());
            }
        }
    }
    found
}

/// A directory with all names, and in it a directory with all names.
fn unusual() -> Scratch {
    let scratch = Scratch::new();
    let below = scratch.path().join(" d ?#&");
    fs::create_dir(&below).unwrap();
    for directory in [scratch.path(), &below] {
        NAMES.iter().for_each(|name| fs::write(directory.join(name), name).unwrap());
    }
    scratch
}

#[test]
fn wget_and_lftp_copy_every_file() {
    let scratch = unusual();
    fs::write(scratch.path().join(OsStr::from_bytes(b"\xff\xfe.bin")), "not UTF-8").unwrap();
    let process = Process::start(&[scratch.path()]);
    let url = format!("http://{}/", process.address);
    let wget =
        ["-q", "-r", "-np", "-nH", "-R", "index.html*", "--restrict-file-names=nocontrol", "--tries=1", "--timeout=20", &url];
    let mirror = format!("set net:max-retries 1; set net:timeout 20; open {url}; mirror . .");
    for (name, arguments) in [("wget", &wget[..]), ("lftp", &["-c", &mirror])] {
        let Some(mut command) = tool(name) else { continue };
        let (copy, home) = (Scratch::new(), Scratch::new());
        command.current_dir(copy.path()).env("HOME", home.path()).args(arguments);
        output(command);
        let got = files(copy.path());
        assert_eq!(got, files(scratch.path()), "{name}");
        for file in got {
            assert_eq!(
                fs::read(copy.path().join(&file)).unwrap(),
                fs::read(scratch.path().join(&file)).unwrap(),
                "{name}: {file:?}"
            );
        }
    }
}

#[test]
fn rclone_lists_every_file() {
    let Some(mut rclone) = tool("rclone") else { return };
    let scratch = unusual();
    let process = Process::start(&[scratch.path()]);
    rclone.args(["lsf", "-R", "--files-only", ":http:", "--config", "", "--http-url", &format!("http://{}/", process.address)]);
    let got = String::from_utf8(output(rclone)).unwrap();
    assert_eq!(got.lines().map(PathBuf::from).collect::<BTreeSet<_>>(), files(scratch.path()));
}

/// Prints `href`, a tab and the text of each link, on a line.
const LINKS: &str = "\
import sys, html.parser, urllib.parse
class Links(html.parser.HTMLParser):
    href = None
    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if self.href is not None: sys.exit('<%s> in a link' % tag)
        if tag == 'a' and attributes.get('rel') != 'nofollow': self.href, self.text = attributes['href'], ''
    def handle_data(self, data):
        if self.href is not None: self.text += data
    def handle_endtag(self, tag):
        if tag == 'a' and self.href is not None:
            print(urllib.parse.unquote(self.href), self.text, sep='\\t')
            self.href = None
Links().feed(sys.stdin.read())
";

#[test]
fn a_link_is_the_name_and_so_is_its_text() {
    let Some(mut python) = tool("python3") else { return };
    let scratch = unusual();
    let process = Process::start(&[scratch.path()]);
    let page = scratch.file("page", process.get("/").text());
    python.args(["-c", LINKS]).stdin(fs::File::open(page).unwrap()).env("PYTHONIOENCODING", "utf-8");
    let got = String::from_utf8(output(python)).unwrap();
    let got: BTreeSet<&str> = got.lines().collect();
    for name in NAMES {
        let shown = name.replace('\u{202e}', r"\u{202e}").replace('\u{200b}', r"\u{200b}");
        let shown = match *name {
            " lead" => r"\x20lead",
            "trail " => r"trail\x20",
            _ => &shown,
        };
        assert!(got.contains(&*format!("{name}\t{shown}")), "{name:?} as {shown:?} is not in {got:#?}");
    }
    assert!(got.contains(" d ?#&/\t\\x20d ?#&/"), "{got:#?}");
}

#[test]
fn pip_finds_a_package() {
    let (Some(mut python), Some(mut pip)) = (tool("python3"), tool("pip")) else { return };
    let scratch = Scratch::new();
    let wheel = "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w') as wheel:\n\
        \x20   wheel.writestr('shelf.py', '')\n\
        \x20   wheel.writestr('shelf-1.0+a.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: shelf\\nVersion: 1.0+a\\n')\n\
        \x20   wheel.writestr('shelf-1.0+a.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
        \x20   wheel.writestr('shelf-1.0+a.dist-info/RECORD', '')\n";
    python.args(["-c", wheel]).arg(scratch.path().join("shelf-1.0+a-py3-none-any.whl"));
    output(python);
    let process = Process::start(&[scratch.path()]);
    let copy = Scratch::new();
    pip.args([
        "download",
        "--isolated",
        "--disable-pip-version-check",
        "--no-index",
        "--no-deps",
        "--no-cache-dir",
        "--find-links",
    ]);
    pip.arg(format!("http://{}/", process.address)).arg("shelf==1.0+a").current_dir(copy.path());
    output(pip);
    assert_eq!(files(copy.path()), files(scratch.path()));
}

/// nginx in front of a server, which it maps to `/files/`.
struct Proxy {
    place: Scratch,
}

impl Proxy {
    fn start(address: &str) -> Option<Proxy> {
        let proxy = Proxy { place: Scratch::new() };
        let command = proxy.command()?;
        proxy.place.file(
            "nginx.conf",
            &format!(
                "pid nginx.pid;\nevents {{}}\nhttp {{\n access_log off;\n client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c;\n \
                 uwsgi_temp_path d; scgi_temp_path e;\n server {{\n  listen unix:{}/socket;\n  location /files/ {{ proxy_pass \
                 http://{address}/; }}\n  location / {{ return 502; }}\n }}\n}}\n",
                proxy.place.path().display()
            ),
        );
        // It returns when the socket is bound, and serves in the background.
        output(command);
        Some(proxy)
    }

    fn command(&self) -> Option<Command> {
        let mut nginx = tool("nginx")?;
        nginx.arg("-p").arg(self.place.path()).args(["-c", "nginx.conf", "-e", "error.log"]);
        Some(nginx)
    }

    /// Status, head and content of a response.
    fn get(&self, target: &str) -> (u16, String, String) {
        let mut stream = UnixStream::connect(self.place.path().join("socket")).unwrap();
        stream.set_read_timeout(Some(process::PATIENCE)).unwrap();
        write!(stream, "GET {target} HTTP/1.0\r\nHost: www.example.com\r\nAccept: text/html\r\n\r\n").unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, content) = text.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), head.to_owned(), content.to_owned())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(mut command) = self.command() {
            let _ = command.args(["-s", "stop"]).output();
        }
    }
}

/// Resolves a relative reference against the target of a page (RFC 3986 §5.2).
fn resolve(base: &str, reference: &str) -> String {
    assert!(!reference.starts_with('/') && !reference.contains(':') && !reference.is_empty(), "{reference} on {base}");
    let path = base.split('?').next().unwrap();
    if reference.starts_with('?') {
        return format!("{path}{reference}");
    }
    let mut segments: Vec<&str> = path.split('/').collect();
    segments.pop();
    let mut rest = reference;
    loop {
        if let Some(after) = rest.strip_prefix("../") {
            segments.pop();
            rest = after;
        } else if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else {
            return format!("{}/{rest}", segments.join("/"));
        }
    }
}

#[test]
fn every_link_works_below_a_prefix() {
    let scratch = unusual();
    fs::create_dir_all(scratch.path().join("deep/deeper/a:b")).unwrap();
    scratch.file("deep/README.md", "# Read me");
    let process = Process::start(&[scratch.path()]);
    let Some(proxy) = Proxy::start(&process.address) else { return };

    let mut seen = BTreeSet::from(["/files/".to_owned()]);
    let mut todo: Vec<String> = ["/files/", "/files/hello", "/files/none", "/files/deep/none/none"].map(str::to_owned).into();
    while let Some(target) = todo.pop() {
        let (status, head, page) = proxy.get(&target);
        assert_eq!(status, if target.contains("none") { 404 } else { 200 }, "{target}");
        if head.contains("Content-Security-Policy") {
            let links = page.split(" href=\"").skip(1).map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&"));
            for link in links.map(|link| resolve(&target, &link)) {
                assert!(link.starts_with("/files/"), "{link} on {target}");
                if seen.insert(link.clone()) {
                    todo.push(link);
                }
            }
        }
    }
    assert!(
        ["/files/deep/deeper/a%3Ab/?sort=size&order=desc", "/files/deep/README.md", "/files/hello?name=Ada"]
            .iter()
            .all(|link| seen.contains(*link)),
        "{seen:#?}"
    );
    for (target, want) in [
        ("/files/deep", "/files/deep/"),
        ("/files/deep/deeper?sort=size", "/files/deep/deeper/?sort=size"),
        ("/files/deep/deeper/a:b", "/files/deep/deeper/a%3Ab/"),
        ("/files/%20d%20%3F%23%26", "/files/%20d%20%3F%23%26/"),
    ] {
        let (status, head, _) = proxy.get(target);
        let location =
            head.split("\r\nLocation: ").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap_or_else(|| panic!("{head}"));
        assert_eq!((status, resolve(target, location)), (301, want.to_owned()), "{target}");
    }
}
