//! Is an archive what the site serves, whole or visibly broken, and readable by the programs that people have?
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use process::{Client, Log, Process, Scratch, command};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use threadbare::cli::Cli;
use threadbare::files::Site;
use threadbare::handlers::AppState;
use threadbare::http::forwarded::PeerAddr;
use threadbare::net::memory::MemoryTransport;
use threadbare::server::connection;
use threadbare::server::registry::ConnState;

/// What is in a directory: paths beneath it and contents, `None` for a directory.
type Tree = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A server of a directory that is still empty.
fn serving() -> (Scratch, Process) {
    let scratch = Scratch::new();
    let process = Process::start(&[OsStr::new("--archive"), scratch.path().as_os_str()]);
    (scratch, process)
}

/// The output of a program; `None` where it is missing.
fn run(program: &str, args: &[&OsStr], stdin: Option<&Path>) -> Option<Output> {
    let stdin = stdin.map_or(Stdio::null(), |path| File::open(path).unwrap().into());
    match Command::new(program).args(args).env("LC_ALL", "C.UTF-8").stdin(stdin).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("SKIPPED: {program} is missing, so it reads no archive: {error}");
            None
        }
    }
}

#[track_caller]
fn succeeds(output: &Output) {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
}

fn file(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn set_time(path: &Path, time: SystemTime) {
    File::open(path).unwrap().set_modified(time).unwrap();
}

/// What is beneath a directory; links are not followed, as there are none.
fn tree(directory: &Path) -> Tree {
    let (mut found, mut pending) = (Tree::new(), vec![directory.to_owned()]);
    while let Some(path) = pending.pop() {
        for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = path.strip_prefix(directory).unwrap().as_os_str().as_bytes().to_vec();
            if entry.file_type().unwrap().is_dir() {
                found.insert(name, None);
                pending.push(path);
            } else {
                found.insert(name, Some(fs::read(path).unwrap()));
            }
        }
    }
    found
}

/// Fetches an archive into a file, and checks that HEAD has announced its length.
fn fetch(process: &Process, directory: &str, format: &str, to: &Path) {
    let target = format!("{directory}?archive={format}");
    let answer = process.get(&target);
    assert_eq!(answer.status, 200, "{target}: {}", answer.text());
    assert_eq!(head(process, &target).1, answer.field("Content-Length").map(str::to_owned), "{target}");
    fs::write(to, answer.content).unwrap();
}

/// Status and Content-Length of a response to HEAD.
fn head(process: &Process, target: &str) -> (String, Option<String>) {
    let mut client = process.client();
    client.send(format!("HEAD {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes());
    let head = client.head();
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("Content-Length: ")).map(str::to_owned);
    (head[9..12].to_owned(), length)
}

/// Unpacks an archive with a program, and returns what came out; `None` where it is missing.
fn unpack(scratch: &Scratch, archive: &Path, program: &str, from_stdin: bool) -> Option<Tree> {
    let place = scratch.path().join(format!("unpacked-{program}-{from_stdin}"));
    fs::create_dir(&place).unwrap();
    let (at, archive) = (place.as_os_str(), archive.as_os_str());
    let args = match program {
        // By default it removes control characters from names.
        "unzip" => vec![OsStr::new("-qq^"), archive, OsStr::new("-d"), at],
        _ if from_stdin => vec![OsStr::new("-xf"), OsStr::new("-"), OsStr::new("-C"), at],
        _ => vec![OsStr::new("-xf"), archive, OsStr::new("-C"), at],
    };
    let output = run(program, &args, from_stdin.then_some(Path::new(archive)))?;
    succeeds(&output);
    let tree = tree(&place);
    fs::remove_dir_all(place).unwrap();
    Some(tree)
}

/// A directory with names and files of all kinds, and what its archive should hold.
fn every_kind(directory: &Path) -> Tree {
    let long = "l".repeat(99);
    let deep = [&*"d".repeat(200), &"e".repeat(200), "f"].join("/");
    let mut names: Vec<Vec<u8>> = [
        "plain",
        "a b&c<d>.txt",
        "\u{fc}mlaut/\u{fc}.txt",
        "\u{65e5}\u{672c}",
        "back\\slash",
        "line\nfeed",
        "-rf",
        &long,
        &format!("{long}l"),
        &format!("{long}ll"),
        &format!("dir/{long}"),
        &format!("{}/{}", "p".repeat(147), "n".repeat(100)),
        &format!("{}/{}", "q".repeat(148), "n".repeat(100)),
        &"x".repeat(255),
        &format!("{}..", "y".repeat(200)),
        &"\u{fc}".repeat(100),
        &deep,
    ]
    .map(|name| name.as_bytes().to_vec())
    .into();
    names.extend([b"latin1-\xe9".to_vec(), [b"long-\xfe-".to_vec(), vec![b'z'; 200]].concat()]);
    let mut want = Tree::new();
    for name in &names {
        let path = directory.join(OsStr::from_bytes(name));
        file(&path, name);
        for above in Path::new(OsStr::from_bytes(name)).ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
            want.insert(above.as_os_str().as_bytes().to_vec(), None);
        }
        want.insert(name.clone(), Some(name.clone()));
    }
    for (length, name) in
        [(0, "empty"), (511, "511"), (512, "512"), (513, "513"), (65_535, "65535"), (65_536, "65536"), (200_000, "big")]
    {
        let content: Vec<u8> = (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect();
        file(&directory.join(name), &content);
        want.insert(name.as_bytes().to_vec(), Some(content));
    }
    fs::create_dir(directory.join("nothing")).unwrap();
    want.insert(b"nothing".to_vec(), None);
    file(&directory.join("index.html"), b"index");
    want.insert(b"index.html".to_vec(), Some(b"index".to_vec()));
    for (name, seconds) in [("plain", 0), ("511", 1), ("512", 4_000_000_000), ("513", 9_000_000_000)] {
        set_time(&directory.join(name), UNIX_EPOCH + Duration::from_secs(seconds));
    }
    set_time(&directory.join("empty"), UNIX_EPOCH - Duration::from_millis(1500));
    // Links within the root are followed, but not in circles.
    symlink("plain", directory.join("link")).unwrap();
    symlink("dir", directory.join("dir-link")).unwrap();
    symlink("..", directory.join("dir/up")).unwrap();
    want.insert(b"link".to_vec(), Some(b"plain".to_vec()));
    want.insert(b"dir-link".to_vec(), None);
    want.insert(format!("dir-link/{long}").into_bytes(), Some(format!("dir/{long}").into_bytes()));
    // Not served: hidden, out of the root, to nowhere, a FIFO.
    file(&directory.join(".hidden/file"), b"hidden");
    symlink("/etc/passwd", directory.join("absolute")).unwrap();
    symlink("../../outside", directory.join("outside")).unwrap();
    symlink("nowhere", directory.join("dangling")).unwrap();
    mknodat(CWD, directory.join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    want.into_iter().map(|(path, content)| ([b"d/", &*path].concat(), content)).chain([(b"d".to_vec(), None)]).collect()
}

#[test]
fn programs_unpack_what_is_served() {
    let (scratch, process) = serving();
    let want = every_kind(&scratch.path().join("d"));
    let other = Scratch::new();
    for (format, programs) in
        [("tar", &[("tar", false), ("bsdtar", true)][..]), ("zip", &[("unzip", false), ("bsdtar", false), ("bsdtar", true)])]
    {
        let archive = other.path().join(format!("d.{format}"));
        fetch(&process, "/d/", format, &archive);
        for &(program, from_stdin) in programs {
            let Some(got) = unpack(&other, &archive, program, from_stdin) else { continue };
            let names = |tree: &Tree| tree.keys().map(|name| name.escape_ascii().to_string()).collect::<Vec<_>>();
            assert_eq!(names(&got), names(&want), "{program} of {format}");
            assert!(got == want, "{program} of {format} has other contents");
        }
    }
}

/// Prints the name, length, time and content hash of each entry, in order.
const PYTHON: &str = r#"
import hashlib, sys, tarfile, zipfile
kind, path = sys.argv[1:]
def digest(content):
    hash = hashlib.sha256()
    while piece := content.read(1 << 20):
        hash.update(piece)
    return hash.hexdigest()
if kind == "tar":
    archive = tarfile.open(path, encoding="utf-8", errors="surrogateescape")
    rows = [(m.name.encode("utf-8", "surrogateescape") + b"/" * m.isdir(), m.size, int(m.mtime // 1), archive.extractfile(m)) for m in archive]
    assert all((m.uid, m.gid, m.uname, m.gname) == (0, 0, "", "") for m in archive)
else:
    archive = zipfile.ZipFile(path)
    assert archive.testzip() is None
    name = lambda i: i.filename.encode("utf-8" if i.flag_bits & 0x800 else "cp437")
    rows = [(name(i), i.file_size, "%04d-%02d-%02d %02d:%02d:%02d" % i.date_time, None if i.is_dir() else archive.open(i)) for i in archive.infolist()]
for name, size, time, content in rows:
    print(name.hex(), size, time, digest(content) if content else "-")
"#;

#[test]
fn python_reads_both_formats_in_the_order_of_names() {
    let (scratch, process) = serving();
    let want = every_kind(&scratch.path().join("d"));
    let other = Scratch::new();
    for format in ["tar", "zip"] {
        let archive = other.path().join("archive");
        fetch(&process, "/d/", format, &archive);
        let args = [OsStr::new("-c"), OsStr::new(PYTHON), OsStr::new(format), archive.as_os_str()];
        let Some(output) = run("python3", &args, None) else { return };
        succeeds(&output);
        let rows: Vec<Vec<String>> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| line.splitn(3, ' ').map(str::to_owned).collect())
            .collect();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let mut names: Vec<(Vec<u8>, u64)> = want
            .iter()
            .map(|(path, content)| match content {
                Some(content) => (path.clone(), u64::try_from(content.len()).unwrap()),
                None => ([&**path, b"/"].concat(), 0),
            })
            .collect();
        // A directory is followed by what is in it: the order of paths in which a slash comes before all other bytes.
        names.sort_by_key(|(path, _)| path.iter().map(|&byte| if byte == b'/' { 0 } else { byte }).collect::<Vec<u8>>());
        let names: Vec<String> = names.iter().map(|(path, length)| format!("{} {length}", hex(path))).collect();
        assert_eq!(rows.iter().map(|row| format!("{} {}", row[0], row[1])).collect::<Vec<_>>(), names, "{format}");
        let time_of = |name: &str| {
            let row = rows.iter().find(|row| row[0] == hex(format!("d/{name}").as_bytes())).unwrap();
            row[2].rsplit_once(' ').unwrap().0.to_owned()
        };
        for (name, tar, zip, why) in [
            ("plain", "0", "1980-01-01 00:00:00", "1970 is before the first year of ZIP"),
            ("512", "4000000000", "2096-10-02 07:06:40", "after 2038"),
            ("513", "9000000000", "1980-01-01 00:00:00", "more than eleven octal digits, and after the last year of ZIP"),
            ("empty", "-2", "1980-01-01 00:00:00", "before 1970"),
        ] {
            assert_eq!(time_of(name), if format == "tar" { tar } else { zip }, "{name}: {why}");
        }
    }
}

#[test]
fn the_same_tree_has_the_same_bytes() {
    let (scratch, process) = serving();
    let names = ["b", "a/y", "a/x", "c"];
    for (place, order) in [("one/tree", [0, 1, 2, 3]), ("two/tree", [3, 2, 0, 1])] {
        let root = scratch.path().join(place);
        order.iter().for_each(|&index| file(&root.join(names[index]), names[index].as_bytes()));
        for path in ["", "a", "a/x", "a/y", "b", "c"] {
            set_time(&root.join(path), UNIX_EPOCH + Duration::from_secs(1_577_934_245));
        }
    }
    // Modes and owners of the machine are not in it.
    fs::set_permissions(scratch.path().join("two/tree/b"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    for format in ["tar", "zip"] {
        let [one, two] = ["one", "two"].map(|place| process.get(&format!("/{place}/tree/?archive={format}")).content);
        assert!(one == two && !one.is_empty(), "{format}");
    }
}

/// Random numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Bytes of a path that are encoded.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.');

/// Fills a directory with files, directories, links, FIFOs and hidden names.
fn fill(directory: &Path, random: &mut Random, depth: u32) {
    fs::create_dir_all(directory).unwrap();
    for number in 0..random.below(7) {
        let dot = if random.below(5) == 0 { "." } else { "" };
        let path = directory.join(format!("{dot}{number}"));
        match random.below(8) {
            0 | 1 if depth > 0 => fill(&path, random, depth - 1),
            2 => mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0).unwrap(),
            3 | 4 => {
                let targets = ["0", "1", "..", "../0", "../../1", ".0", "/etc", "../../../../etc/passwd", "../.1/2", "."];
                symlink(targets[usize::try_from(random.below(10)).unwrap()], path).unwrap();
            }
            _ => fs::write(path, random.below(u64::MAX).to_string().repeat(50)).unwrap(),
        }
    }
}

#[test]
fn nothing_in_an_archive_is_refused_by_get() {
    let (scratch, process) = serving();
    let (other, mut random) = (Scratch::new(), Random(0x9e37_79b9_7f4a_7c15));
    let mut entries = 0;
    for number in 0..20 {
        let name = format!("tree{number}");
        fill(&scratch.path().join(&name), &mut random, 3);
        let archive = other.path().join("archive.tar");
        fetch(&process, &format!("/{name}/"), "tar", &archive);
        let Some(tree) = unpack(&other, &archive, "tar", false) else { return };
        let mut client = process.client();
        for (path, content) in &tree {
            entries += 1;
            let slash = if content.is_none() { "/" } else { "" };
            let target = percent_encode(path, PATH);
            client
                .send(format!("GET /{target}{slash} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n").as_bytes());
            let answer = client.answer();
            assert_eq!(answer.status, 200, "{target}{slash}");
            match content {
                Some(content) => assert!(answer.content == *content, "{target}"),
                // And what is listed is in the archive, but for links to a directory above.
                None => {
                    let listed = answer.text().matches("\"href\"").count();
                    let circles = answer.text().matches("\"type\":\"directory\",\"size\":null").count();
                    let held = tree
                        .keys()
                        .filter(|other| Path::new(OsStr::from_bytes(other)).parent() == Some(Path::new(OsStr::from_bytes(path))))
                        .count();
                    assert!(held <= listed && listed <= held + circles, "{target}/: {held} of {}", answer.text());
                }
            }
        }
    }
    assert!(entries > 100, "{entries} entries");
}

#[test]
fn an_unreadable_file_is_named() {
    let scratch = Scratch::new();
    file(&scratch.path().join("d/a"), b"a");
    let path = scratch.path().join("d/e/secret\u{202e}.txt");
    file(&path, b"secret");
    let forbid = |path: &Path| fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    let allow = |path: &Path| fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut server = command(&["--archive"], &scratch);
    if rustix::process::geteuid().is_root() {
        // The superuser may read everything.
        let words: Vec<_> = [server.get_program()].into_iter().chain(server.get_args()).map(OsStr::to_owned).collect();
        server = Command::new("setpriv");
        server.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).args(words);
        if run("setpriv", &[OsStr::new("--reuid"), OsStr::new("65534"), OsStr::new("true")], None)
            .is_none_or(|output| !output.status.success())
        {
            eprintln!("SKIPPED: without setpriv, nothing is unreadable for the superuser");
            return;
        }
    }
    let process = Process::of(server, Log::Read);
    assert_eq!(process.get("/d/?archive=tar").status, 200, "all is readable");
    for (path, named) in [(&*path, "d/e/secret\\u{202e}.txt"), (path.parent().unwrap(), "d/e")] {
        forbid(path);
        for format in ["tar", "zip"] {
            let answer = process.get(&format!("/d/?archive={format}"));
            let text = format!("403 Forbidden: this server has no permission to read {named}\n");
            assert_eq!((answer.status, answer.text()), (403, &*text));
        }
        assert_eq!(process.get("/?archive=tar").status, 403, "above it");
        allow(path);
    }
}

/// Begins to read an archive and returns after some bytes of it, with its announced length.
fn begin(process: &Process, target: &str, bytes: usize) -> (Client, u64) {
    let mut client = process.client();
    client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    client.exactly(bytes);
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    (client, length.parse().unwrap())
}

#[test]
fn a_file_that_changes_breaks_the_connection() {
    // More than the buffers of a connection hold.
    const FIRST: u64 = 20 * 1024 * 1024;
    const SECOND: u64 = 1024 * 1024;
    type Change = fn(&Path);
    let changes: [(Change, bool, &str); 6] = [
        (|path| File::options().write(true).open(path).unwrap().set_len(SECOND - 1).unwrap(), false, "shrinks"),
        (|path| fs::remove_file(path).unwrap(), false, "vanishes before it is opened"),
        (|path| fs::rename(path.with_file_name("short"), path).unwrap(), false, "is replaced by a shorter one"),
        (|path| set_time(path, UNIX_EPOCH), false, "changes at the same length"),
        (|path| File::options().append(true).open(path).unwrap().write_all(b"more").unwrap(), true, "grows"),
        (|_| {}, true, "stays"),
    ];
    for format in ["tar", "zip"] {
        for (change, is_complete, why) in changes {
            let (scratch, process) = serving();
            fs::create_dir(scratch.path().join("d")).unwrap();
            // The first is being read, and the second is not opened yet.
            scratch.sparse("d/a", FIRST);
            scratch.sparse("d/b", SECOND);
            scratch.sparse("d/short", SECOND - 1);
            let (mut client, length) = begin(&process, &format!("/d/?archive={format}"), 1024);
            change(&scratch.path().join("d/b"));
            let expected = length - 1024;
            let got = client.read_up_to(expected);
            assert_eq!(got == expected, is_complete, "{format}: the file {why}: {got} of {expected}");
            if !is_complete {
                assert_eq!(client.read_up_to(1), 0, "{format}: the connection is closed");
                process.wait_for_log("response aborted: ");
            }
        }
        // While it is being read.
        let (scratch, process) = serving();
        fs::create_dir(scratch.path().join("d")).unwrap();
        let file = scratch.sparse("d/a", FIRST);
        let (mut client, length) = begin(&process, &format!("/d/?archive={format}"), 1024);
        file.set_len(FIRST / 2).unwrap();
        assert!(client.read_up_to(length) < length - 1024, "{format}: shorter while it is read");
        process.wait_for_log("d/a changed while an archive was sent");
    }
}

#[test]
fn more_than_four_at_once_are_503() {
    let (scratch, process) = serving();
    scratch.sparse("film", 256 * 1024 * 1024);
    let mut readers: Vec<Client> = (0..4).map(|_| begin(&process, "/?archive=tar", 1).0).collect();
    for method in ["GET", "HEAD"] {
        let mut client = process.client();
        client.send(format!("{method} /?archive=zip HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("\r\nRetry-After: 10"), "{head}");
    }
    assert_eq!(process.get("/").status, 200, "others are served");
    // One that has ended makes room for one more.
    readers.pop();
    process.wait_until("one has ended", |process| head(process, "/?archive=zip").0 == "200");
    let fourth = begin(&process, "/?archive=tar", 1);
    assert_eq!(head(&process, "/?archive=zip").0, "503");
    drop(fourth);
}

/// The response with an archive of `/d/`, with all the time that it takes.
fn archive_in_memory(root: &Path, method: &str, format: &str) -> Vec<u8> {
    let cli = Cli::try_parse_from([OsStr::new("threadbare"), OsStr::new("--archive"), root.as_os_str()]).unwrap();
    let mut config = cli.config();
    assert_eq!(config.limits.archive_walk_time_max, Duration::from_secs(10));
    config.limits.archive_walk_time_max = Duration::MAX;
    let site = Site::open(&config).unwrap();
    let request = format!("{method} /d/?archive={format} HTTP/1.0\r\n\r\n");
    let mut client = MemoryTransport::new(vec![request.into_bytes()]);
    let peer = PeerAddr::from(SocketAddr::from(([127, 0, 0, 1], 50_000)));
    let app = AppState::new(config, site, None);
    connection::serve_connection(&mut client, peer, &app, &ConnState::new(Instant::now()), app.memory.hold_none(None));
    client.received
}

#[test]
fn an_archive_has_at_most_100_000_entries() {
    let scratch = Scratch::new();
    // Links multiply a few files: a directory with 99 links to one of 999 files, and 999 files, is 1 + 99 * 1000 + 999 entries.
    for number in 0..999 {
        file(&scratch.path().join(format!("leaf/{number}")), b"");
        file(&scratch.path().join(format!("d/file{number}")), b"");
    }
    (0..99).for_each(|number| symlink("../leaf", scratch.path().join(format!("d/{number}"))).unwrap());
    let answer = String::from_utf8(archive_in_memory(scratch.path(), "HEAD", "tar")).unwrap();
    let length = format!("\r\nContent-Length: {}\r\n", (100_000 + 2) * 512);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains(&length), "{answer}");
    file(&scratch.path().join("d/one-more"), b"");
    let answer = String::from_utf8(archive_in_memory(scratch.path(), "GET", "tar")).unwrap();
    let text = "403 Forbidden: this directory has more than 100,000 entries, too many for an archive\n";
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.ends_with(text), "{answer}");
}

#[test]
fn seventy_thousand_files_are_read_by_others() {
    let scratch = Scratch::new();
    (0..999).for_each(|number| file(&scratch.path().join(format!("leaf/{number}")), b"x"));
    fs::create_dir(scratch.path().join("d")).unwrap();
    (0..70).for_each(|number| symlink("../leaf", scratch.path().join(format!("d/{number}"))).unwrap());
    let entries = 1 + 70 * 1000;
    let other = Scratch::new();
    let response = archive_in_memory(scratch.path(), "GET", "zip");
    let head = response.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let archive = other.path().join("zip");
    fs::write(&archive, &response[head..]).unwrap();
    let lines = |output: Output| {
        succeeds(&output);
        output.stdout.iter().filter(|&&byte| byte == b'\n').count()
    };
    let python = [OsStr::new("-c"), OsStr::new(PYTHON), OsStr::new("zip"), archive.as_os_str()];
    for (program, args) in [("python3", &python[..]), ("bsdtar", &[OsStr::new("-tf"), archive.as_os_str()])] {
        if let Some(output) = run(program, args, None) {
            assert_eq!(lines(output), entries, "{program}");
        }
    }
    if let Some(output) = run("unzip", &[OsStr::new("-tqq"), archive.as_os_str()], None) {
        succeeds(&output);
    }
}

/// A directory `d` with a file of 5 GiB and a short one after it, and a server of it.
fn large() -> (Scratch, Process) {
    let (scratch, process) = serving();
    fs::create_dir(scratch.path().join("d")).unwrap();
    scratch.sparse("d/large", 5 << 30);
    scratch.file("d/short", "short");
    (scratch, process)
}

#[test]
#[cfg(target_os = "linux")]
fn five_gibibytes_need_little_memory() {
    let (_scratch, process) = large();
    let (mut client, length) = begin(&process, "/d/?archive=tar", 1);
    assert_eq!(length, (5 << 30) + 6 * 512);
    assert_eq!(client.read_up_to(length - 1), length - 1);
    let kibibytes = process.status_number("VmHWM");
    assert!(kibibytes < 32 * 1024, "{kibibytes} KiB");
}

#[test]
#[ignore = "the checksum of 5 GiB takes minutes in a debug build"]
fn five_gibibytes_as_zip_are_read_by_others() {
    let (_scratch, process) = large();
    let other = Scratch::new();
    let archive = other.path().join("large.zip");
    // Most of it is zeros, which need no space in a file with holes.
    let fetch = "curl -sSg \"http://$1/d/?archive=zip\" | dd of=\"$2\" bs=4096 iflag=fullblock conv=sparse status=none";
    let args = ["-c", fetch, "sh", &process.address, archive.to_str().unwrap()].map(OsStr::new);
    succeeds(&run("sh", &args, None).unwrap());
    assert_eq!(head(&process, "/d/?archive=zip").1, Some(fs::metadata(&archive).unwrap().len().to_string()));
    let python = [OsStr::new("-c"), OsStr::new(PYTHON), OsStr::new("zip"), archive.as_os_str()];
    for (program, args, stdin) in [
        ("python3", &python[..], None),
        ("unzip", &[OsStr::new("-tqq"), archive.as_os_str()], None),
        ("bsdtar", &[OsStr::new("-tf"), archive.as_os_str()], None),
        ("bsdtar", &[OsStr::new("-tf"), OsStr::new("-")], Some(&*archive)),
    ] {
        if let Some(output) = run(program, args, stdin) {
            succeeds(&output);
        }
    }
    let kibibytes = process.status_number("VmHWM");
    assert!(kibibytes < 32 * 1024, "{kibibytes} KiB");
}
