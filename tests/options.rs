//! What does each option do? Every one of them is started, and its effect is seen.

#[path = "support/process.rs"]
mod process;

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;

use clap::CommandFactory;
use process::{Answer, GET, Log, Process, Scratch, run, served};
use threadbare::cli::Cli;

/// Where the effect of an option is seen.
enum Seen {
    /// Here, by this.
    Here(fn()),
    /// In the test of that name, of that file of `tests/`.
    In(&'static str, &'static str),
}

use Seen::{Here, In};

const OPTIONS: &[(&str, Seen)] = &[
    ("root", In("cli.rs", "a_single_file_is_served_at_its_name_and_at_the_root")),
    ("index", Here(index)),
    ("no_listing", Here(no_listing)),
    ("archive", Here(archive)),
    ("hidden", Here(hidden)),
    ("follow_symlinks", Here(follow_symlinks)),
    ("clean_urls", Here(clean_urls)),
    ("encoded", Here(encoded)),
    ("spa", Here(spa)),
    ("precompressed", Here(precompressed)),
    ("no_routes", Here(no_routes)),
    ("cache", Here(cache)),
    ("immutable", Here(immutable)),
    #[cfg(feature = "content-hash")]
    ("etag", Here(etag)),
    ("upload", Here(upload)),
    ("overwrite", In("cli.rs", "options_of_uploads_that_conflict_end_it_with_2")),
    ("upload_max", In("cli.rs", "options_of_uploads_that_conflict_end_it_with_2")),
    ("header", Here(header)),
    ("cors", Here(cors)),
    ("mime", Here(mime)),
    ("charset", Here(charset)),
    ("port", Here(port)),
    ("bind", In("cli.rs", "two_addresses_have_a_line_each_and_one_port")),
    ("lan", In("start.rs", "in_the_network_each_address_has_a_line")),
    ("tls", In("https.rs", "a_self_signed_certificate_is_stored_and_used_again")),
    ("tls_cert", In("https.rs", "a_client_is_served_and_the_scheme_is_known")),
    ("tls_key", In("https.rs", "unusable_certificates")),
    ("check_health", Here(check_health)),
    ("allow_host", Here(allow_host)),
    ("auth", Here(auth)),
    ("auth_file", In("safety.rs", "passwords_from_a_file_and_from_the_environment_are_seen_nowhere")),
    ("sandbox", In("safety.rs", "the_kernel_holds_us_to_reading_beneath_the_root")),
    ("max_connections", Here(max_connections)),
    ("header_timeout", Here(head_timeout)),
    ("send_timeout", In("lifecycle.rs", "a_reader_that_stops_is_cut_after_the_send_timeout")),
    ("idle_timeout", Here(idle_timeout)),
    ("cache_memory", Here(cache_memory)),
    ("shutdown_timeout", Here(grace)),
    ("qr", In("start.rs", "in_the_network_each_address_has_a_line")),
    ("open", In("start.rs", "the_browser_is_given_the_address")),
    ("trust_proxy", In("logs.rs", "only_the_client_of_a_trusted_proxy_is_logged")),
    ("proxy_protocol", In("logs.rs", "a_connection_that_does_not_begin_as_it_must_is_closed_and_noted")),
    ("drain", In("lifecycle.rs", "while_it_drains_new_connections_are_served_and_health_says_no")),
    ("quiet", In("logs.rs", "quiet_is_no_access_log")),
    ("access_log", In("logs.rs", "a_log_file_is_appended_to_and_opened_anew_on_sighup")),
    ("log_format", In("logs.rs", "each_format_says_who_asked")),
    ("metrics", In("metrics.rs", "who_may_see_it")),
    ("explain", In("explain.rs", "each_case_is_told_as_it_is_written")),
    ("verbose", Here(verbose)),
];

#[test]
fn every_option_has_an_effect_that_is_seen() {
    // Those that print a text have tests in cli.rs.
    let printing = ["short_help", "long_help", "version", "directory"];
    let ids = Cli::command().get_arguments().map(|arg| arg.get_id().to_string()).collect::<Vec<_>>();
    let options: Vec<String> = ids.into_iter().filter(|id| !printing.contains(&id.as_str())).collect();
    for option in &options {
        assert!(OPTIONS.iter().any(|(known, _)| known == option), "what does {option} do? OPTIONS in tests/options.rs");
    }
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for (option, seen) in OPTIONS {
        assert!(options.iter().any(|known| known == option), "there is no option {option} any more");
        match seen {
            Here(see) => see(),
            In(file, test) => {
                let text = fs::read_to_string(tests.join(file)).unwrap();
                assert!(text.contains(&format!("fn {test}()")), "{option}: there is no {test} in {file}");
            }
        }
    }
}

/// A server of a directory with these files in it, each with its own name as content.
fn serving(files: &[&str], words: &[&str]) -> (Scratch, Process) {
    let scratch = Scratch::new();
    for file in files {
        let place = scratch.path().join(file);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, file).unwrap();
    }
    let root = scratch.path().as_os_str().to_owned();
    let process = Process::start(&words.iter().map(OsString::from).chain([root]).collect::<Vec<_>>());
    (scratch, process)
}

/// One request with further field lines.
fn ask(process: &Process, target: &str, lines: &str) -> Answer {
    let mut client = process.client();
    let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n");
    client.send(head.as_bytes());
    client.answer()
}

fn check_health() {
    let check = |words: &[&str]| {
        let left = run(&[&["--check-health"], words].concat());
        (left.code, [left.stdout, left.stderr].concat())
    };
    let well = |port: &str, words: &[&str]| {
        let (code, said) = check(&[&["--port", port], words].concat());
        assert!(code == Some(0) && said.starts_with("healthy: HTTP/1.1 "), "{words:?}: {said}");
    };
    for options in [&[][..], &["--no-routes"], &["--proxy-protocol"], &["--auth", "a:b"], &["--allow-host", "www.example.com"]] {
        let (_scratch, process) = served(options);
        well(process.address.rsplit(':').next().unwrap(), options);
    }
    let (_scratch, process) = served(&["--trust-proxy", "192.0.2.1", "--proxy-protocol"]);
    let port = process.address.rsplit(':').next().unwrap();
    let (code, said) = check(&["--port", port, "--proxy-protocol"]);
    assert_eq!(code, Some(0), "the check is of this machine and names no client: {said}");
    well_or(&check(&["--port", "0"]), "name the port");

    // No process listens on a port that was just closed.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    well_or(&check(&["--port", &free, "--bind", "127.0.0.1"]), "no response from 127.0.0.1:");
    // A process listens that does not speak HTTP.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let says = thread::spawn(move || {
        let mut socket = other.accept().unwrap().0;
        // What is closed unread is reset, and its answer with it.
        socket.read(&mut [0; 1024]).and_then(|_| socket.write_all(b"SSH-2.0-x\r\n"))
    });
    well_or(&check(&["--port", &port, "--bind", "127.0.0.1"]), "not an HTTP response");
    says.join().unwrap().unwrap();
}

/// It is unhealthy, and says why.
fn well_or((code, said): &(Option<i32>, String), why: &str) {
    assert!(*code != Some(0) && said.contains(why) && said.lines().count() == 1, "{code:?}: {said}");
}

fn index() {
    let (_scratch, process) = serving(&["index.html", "home.htm"], &["--index", "start.htm", "--index", "home.htm"]);
    assert_eq!(process.get("/").text(), "home.htm", "the first that exists");
}

fn no_listing() {
    assert_eq!(serving(&["d/a"], &["--no-listing"]).1.get("/d/").status, 404);
    assert_eq!(serving(&["d/a"], &[]).1.get("/d/").status, 200);
}

fn archive() {
    assert_eq!(serving(&["d/a"], &["--archive"]).1.get("/d/?archive=tar").field("Content-Type"), Some("application/x-tar"));
    assert_eq!(serving(&["d/a"], &[]).1.get("/d/?archive=tar").field("Content-Type"), Some("text/html; charset=utf-8"));
}

fn hidden() {
    assert_eq!(serving(&[".env"], &["--hidden"]).1.get("/.env").text(), ".env");
    assert_eq!(serving(&[".env"], &[]).1.get("/.env").status, 404);
}

#[cfg(unix)]
fn follow_symlinks() {
    let outside = Scratch::new();
    let secret = outside.file("secret", "outside");
    for (words, status) in [(&["--follow-symlinks"][..], 200), (&[], 404)] {
        let (scratch, process) = serving(&[], words);
        std::os::unix::fs::symlink(&secret, scratch.path().join("link")).unwrap();
        assert_eq!(process.get("/link").status, status, "{words:?}");
    }
}

#[cfg(not(unix))]
fn follow_symlinks() {
    eprintln!("SKIPPED: making links needs rights here");
}

fn clean_urls() {
    let (_scratch, process) = serving(&["hello.html", "d/a.html", ".b.html"], &["--clean-urls"]);
    let answer = process.get("/d/a");
    assert_eq!((answer.text(), answer.field("Content-Location")), ("d/a.html", Some("a.html")));
    assert!(process.get("/hello").text().contains("Hello, world!"), "a built-in route comes before a page");
    assert_eq!(process.get("/.b").status, 404);
    let (_scratch, process) = serving(&["hello.html"], &["--clean-urls", "--no-routes"]);
    assert_eq!(process.get("/hello").text(), "hello.html");
    let scratch = Scratch::new();
    let process = Process::start(&["--clean-urls".into(), scratch.file("a.html", "alone").into_os_string()]);
    assert_eq!(process.get("/a").text(), "alone", "a single file");
    assert_eq!(process.get("/b").status, 404);
}

fn encoded() {
    let (_scratch, process) = serving(&["Build/a.wasm.gz", "a.wasm.gz"], &["--encoded", "Build/*"]);
    let answer = process.get("/Build/a.wasm.gz");
    assert_eq!((answer.field("Content-Type"), answer.field("Content-Encoding")), (Some("application/wasm"), Some("gzip")));
    let answer = process.get("/a.wasm.gz");
    assert_eq!((answer.field("Content-Type"), answer.field("Content-Encoding")), (Some("application/gzip"), None));
    for (pattern, says) in [
        ("*.wasm", "only names ending in .gz, .br or .zst can match; add the suffix, as in *.wasm.gz"),
        ("Build/a.gz?b", "only names ending in .gz, .br or .zst can match"),
        ("Build/*.{gz,br}", "only *, ** and ? are supported"),
        ("Build/", "NAME/**"),
    ] {
        let left = run(&["--encoded", pattern]);
        assert_eq!(left.code, Some(2), "{pattern}");
        assert!(left.stderr.contains("--encoded") && left.stderr.contains(says), "{pattern}: {}", left.stderr);
    }
    for pattern in ["*", "**", "Build/**", "*.gz", "a.wasm.zst", "*.b?", "*z"] {
        let (_scratch, process) = serving(&["a"], &["--encoded", pattern]);
        assert_eq!(process.get("/a").field("Content-Encoding"), None, "{pattern}");
    }
}

fn spa() {
    let (_scratch, process) = serving(&["index.html"], &["--spa"]);
    assert_eq!(ask(&process, "/user/7", "Accept: text/html\r\n").text(), "index.html");
    assert_eq!(ask(&process, "/user/7.js", "Accept: text/html\r\n").status, 404);
    assert!(serving(&["other"], &["--spa"]).1.wait_for_log("--spa has no effect").starts_with("warn: "));
}

fn precompressed() {
    use std::time::{Duration, SystemTime};
    let hour = Duration::from_secs(3600);
    // Within an hour from now, as a slow machine may take its time.
    let (old, future) = (SystemTime::now() - hour, SystemTime::now() + hour);
    for (content, modified, coding, why) in [
        ("coded", old, Some("zstd"), "complete"),
        ("coded", future, None, "younger than two seconds: perhaps it is still being written"),
        ("", old, None, "only begun"),
    ] {
        let (scratch, process) = serving(&["app.js", "app.js.zst"], &["--precompressed"]);
        fs::write(scratch.path().join("app.js.zst"), content).unwrap();
        for (name, modified) in [("app.js", old), ("app.js.zst", modified)] {
            fs::File::options().append(true).open(scratch.path().join(name)).unwrap().set_modified(modified).unwrap();
        }
        let answer = ask(&process, "/app.js", "Accept-Encoding: zstd\r\n");
        assert_eq!(answer.field("Content-Encoding"), coding, "{why}: {answer:?}");
    }
}

fn upload() {
    if cfg!(not(unix)) {
        assert_eq!(run(&["--upload"]).code, Some(2), "only on Unix");
        return;
    }
    let (scratch, process) = serving(&["in/a"], &["--upload=in"]);
    for (target, status) in [("/in/new", 201), ("/in/a", 409), ("/new", 403)] {
        let mut client = process.client();
        client.send(format!("PUT {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nnew").as_bytes());
        assert_eq!(client.answer().status, status, "{target}");
    }
    assert_eq!(fs::read_to_string(scratch.path().join("in/new")).unwrap(), "new");
    assert!(!scratch.path().join("new").exists());
}

fn no_routes() {
    assert_eq!(serving(&[], &["--no-routes"]).1.get("/health").status, 404);
    assert_eq!(serving(&[], &[]).1.get("/health").status, 200);
}

fn cache() {
    assert_eq!(serving(&["a"], &["--cache", "60"]).1.get("/a").field("Cache-Control"), Some("max-age=60"));
    assert_eq!(serving(&["a"], &["--cache", "0"]).1.get("/a").field("Cache-Control"), Some("no-cache"));
}

fn immutable() {
    let (_scratch, process) = serving(&["d/a", "a"], &["--immutable", "d/**"]);
    assert_eq!(process.get("/d/a").field("Cache-Control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(process.get("/a").field("Cache-Control"), Some("no-cache"));
}

#[cfg(feature = "content-hash")]
fn etag() {
    use std::time::{Duration, SystemTime};
    let replica = |content: &str, age_secs: u64, by: &str| {
        let (scratch, process) = serving(&["a"], &["--etag", by, "--precompressed"]);
        for name in ["a", "a.gz"] {
            scratch.file(name, content);
            let file = fs::File::options().write(true).open(scratch.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age_secs)).unwrap();
        }
        (scratch, process)
    };
    let tag = |replica: &(Scratch, Process)| replica.1.get("/a").field("ETag").unwrap().to_owned();
    let [one, other, newer] = [("same", 90, "content"), ("same", 3000, "content"), ("Same", 90, "content")]
        .map(|(content, age_secs, by)| replica(content, age_secs, by));
    // sha256sum of "same", 40 digits of it.
    assert_eq!(tag(&one), "\"0967115f2813a3541eaef77de9d9d5773f1c0c04\"");
    assert_eq!(tag(&one), tag(&other), "an hour later, and the same");
    assert_ne!(tag(&one), tag(&newer), "of one length and one time, and not the same");
    assert_eq!(one.1.get("/a").field("Last-Modified"), None, "what differs between copies is not told");
    let known = format!("If-None-Match: {}\r\n", tag(&one));
    assert_eq!((ask(&other.1, "/a", &known).status, ask(&newer.1, "/a", &known).status), (304, 200));
    let part = format!("Range: bytes=1-2\r\nIf-Range: {}\r\n", tag(&one));
    let (whole, part) = (ask(&newer.1, "/a", &part), ask(&other.1, "/a", &part));
    assert_eq!((whole.status, whole.text(), part.status, part.text()), (200, "Same", 206, "am"));
    let coded = ask(&one.1, "/a", "Accept-Encoding: gzip\r\n");
    assert_eq!(coded.field("ETag"), Some("\"0967115f2813a3541eaef77de9d9d5773f1c0c04-gzip\""), "another representation");
    assert_ne!(tag(&replica("same", 90, "mtime")), tag(&replica("same", 3000, "mtime")), "by time they differ");
}

fn header() {
    let (_scratch, process) = serving(&["a"], &["-H", "X-Frame-Options: DENY", "--header", "X-B: c: d"]);
    for target in ["/a", "/nothing", "/health"] {
        let answer = process.get(target);
        assert_eq!((answer.field("X-Frame-Options"), answer.field("X-B")), (Some("DENY"), Some("c: d")), "{target}");
    }
    for (field, says) in [("Content-Length: 3", "cannot be set"), ("X-A: b\r\nX-B: c", "one line"), ("X-A", "'Name: value'")] {
        let left = run(&["-H", field]);
        assert!(left.code == Some(2) && left.stderr.contains("--header") && left.stderr.contains(says), "{field:?}: {left:?}");
        assert_eq!(left.stderr.lines().count(), 1, "{left:?}");
    }
    let left = run(&["--cache", "1", "-H", "Cache-Control: no-store"]);
    assert!(left.code == Some(2) && left.stderr.contains("use one of them"), "{left:?}");
}

fn cors() {
    let origin = "Origin: http://a.test\r\n";
    let allowed = |words: &[&str]| {
        let (_scratch, process) = serving(&["a"], words);
        ask(&process, "/a", origin).field("Access-Control-Allow-Origin").map(str::to_owned)
    };
    assert_eq!(allowed(&["--cors"]).as_deref(), Some("*"));
    assert_eq!(allowed(&["--cors=http://b.test", "--cors=http://a.test:80"]).as_deref(), Some("http://a.test"));
    assert_eq!(allowed(&["--cors=http://b.test"]), None);
    assert_eq!(allowed(&[]), None);
    for (words, says) in [
        (&["--cors=a.test"][..], "scheme://host"),
        (&["--cors=http://a.test/"], "no slash"),
        (&["--cors", "--cors=http://a.test"], "use it alone"),
        (&["--cors", "http://a.test"], "--cors=http://a.test"),
    ] {
        let left = run(words);
        assert!(left.code == Some(2) && left.stderr.contains(says), "{words:?}: {left:?}");
        assert_eq!(left.stderr.lines().count(), 1, "{left:?}");
    }
}

fn mime() {
    let (_scratch, process) = serving(&["a.log"], &["--mime", "log=text/x-a", "--mime", "log=text/x-log"]);
    assert_eq!(process.get("/a.log").field("Content-Type"), Some("text/x-log; charset=utf-8"), "the last one typed");
    let (_scratch, process) =
        serving(&["apple-app-site-association"], &["--mime", "apple-app-site-association=application/json"]);
    assert_eq!(process.get("/apple-app-site-association").field("Content-Type"), Some("application/json"), "a file name");
    for (value, says) in [
        ("log", "EXTENSION=TYPE/SUBTYPE or NAME=TYPE/SUBTYPE"),
        ("log=text", "expected a media type"),
        ("a/b=a/b", "expected an extension or the name of a file"),
        ("=a/b", "expected an extension or the name of a file"),
        (".=a/b", "expected an extension or the name of a file"),
    ] {
        let left = run(&["--mime", value]);
        assert!(left.code == Some(2) && left.stderr.contains(says) && left.stderr.contains("--mime"), "{value}: {left:?}");
        assert_eq!(left.stderr.lines().count(), 1, "{left:?}");
    }
}

fn charset() {
    assert_eq!(
        serving(&["a.txt"], &["--charset", "latin1"]).1.get("/a.txt").field("Content-Type"),
        Some("text/plain; charset=latin1")
    );
    assert_eq!(serving(&["a.txt"], &["--charset", "none"]).1.get("/a.txt").field("Content-Type"), Some("text/plain"));
    assert_eq!(run(&["--charset", "utf 8"]).code, Some(2));
}

fn port() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for flag in ["--port", "-p"] {
        let left = run(&[flag, &port, "--bind", "127.0.0.1"]);
        assert!(left.code == Some(1) && left.stderr.contains(&format!("127.0.0.1:{port}")), "that one and no other: {left:?}");
    }
}

fn allow_host() {
    for (words, status) in [(&["--allow-host", "dev.test"][..], 200), (&[], 421)] {
        let (_scratch, process) = serving(&["a"], words);
        let mut client = process.client();
        client.send(b"GET /a HTTP/1.1\r\nHost: dev.test\r\n\r\n");
        assert_eq!(client.answer().status, status, "{words:?}");
    }
}

fn auth() {
    let (_scratch, process) = serving(&["a"], &["--auth", "ada:lovelace"]);
    assert_eq!(process.get("/a").status, 401);
    assert_eq!(ask(&process, "/a", "Authorization: Basic YWRhOmxvdmVsYWNl\r\n").text(), "a");
}

fn max_connections() {
    let (_scratch, process) = served(&["--max-connections", "1"]);
    let mut first = process.client();
    first.send(GET);
    assert_eq!(first.answer().status, 200);
    // Just after its answer it is not idle yet, and a new connection is rejected.
    process.wait_until("a second connection is served", |process| process.get("/ten.txt").status == 200);
    assert_eq!(first.rest(), b"", "the idle one made room");
}

fn head_timeout() {
    let (_scratch, process) = served(&["--header-timeout", "1"]);
    let mut client = process.client();
    client.send(b"GET /ten.txt HTTP/1.1\r\n");
    assert_eq!(client.answer().status, 408);
}

fn idle_timeout() {
    let (_scratch, process) = served(&["--idle-timeout", "1", "--verbose"]);
    let mut client = process.client();
    client.send(GET);
    assert_eq!(client.answer().status, 200);
    assert_eq!(client.rest(), b"");
    process.wait_for_log("no further request arrived in time");
}

/// How many bytes of files it has read so far.
#[cfg(target_os = "linux")]
fn bytes_read(process: &Process) -> u64 {
    let io = fs::read_to_string(format!("/proc/{}/io", process.pid())).unwrap();
    io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
fn cache_memory() {
    const LENGTH: u64 = 50_000;
    let start = |words: &[&str]| {
        let (scratch, process) = serving(&[], words);
        let path = scratch.file("file", &"x".repeat(LENGTH.try_into().unwrap()));
        fs::File::options().write(true).open(path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        (scratch, process)
    };
    let reads = |process: &Process| {
        let before = bytes_read(process);
        assert_eq!(process.get("/file").status, 200);
        bytes_read(process) - before >= LENGTH
    };
    let ((_kept, keeping), (_unkept, forgetful)) = (start(&[]), start(&["--cache-memory", "0"]));
    // A file whose status has just changed may change again unseen, and is read each time.
    keeping.wait_until("the file comes from memory", |process| !reads(process));
    assert!((0..3).all(|_| reads(&forgetful)), "it is as old as the other one, and read each time");
}

#[cfg(not(target_os = "linux"))]
fn cache_memory() {
    eprintln!("SKIPPED: nothing here tells how much a process has read");
}

#[cfg(unix)]
fn grace() {
    let (_scratch, mut process) = served(&["--shutdown-timeout", "1"]);
    let mut client = process.client();
    client.send(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 100 Continue", "it waits for the content");
    process.signal(rustix::process::Signal::TERM);
    assert_eq!(process.wait(process::PATIENCE).code(), Some(0));
    assert!(process.log_lines().iter().any(|line| line.contains("shutdown timeout: closing 1 connection")));
}

#[cfg(not(unix))]
fn grace() {
    eprintln!("SKIPPED: there are no signals here");
}

fn verbose() {
    let (_scratch, process) = serving(&["a"], &["-v"]);
    process.get("/a");
    process.wait_for_log("connected");
}

/// One file is served alone, and all that changes answers changes its answers.
#[test]
fn one_file_with_all_of_it() {
    let scratch = Scratch::new();
    let report = scratch.file("report.html", "<title>report</title>");
    scratch.file("report.html.gz", "another file");
    let words = ["--spa", "--precompressed", "--cache=9", "--cors", "-HX-A: b", "--charset=latin1", "--mime=html=text/x-h"];
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
        command.args(["--port", "0", "--bind", "127.0.0.1"]).args(words).arg(&report);
        command
    };
    let process = Process::of(command(), Log::Read);
    for target in ["/", "/report.html", "/an/address"] {
        let answer = ask(&process, target, "Accept: text/html\r\nAccept-Encoding: gzip\r\n");
        assert_eq!((answer.status, answer.text()), (200, "<title>report</title>"), "{target}");
        for (name, value) in [
            ("Content-Type", "text/x-h; charset=latin1"),
            ("Cache-Control", "max-age=9"),
            ("Vary", "Accept-Encoding"),
            ("Access-Control-Allow-Origin", "*"),
            ("X-A", "b"),
        ] {
            assert_eq!(answer.field(name), Some(value), "{target}: {name}");
        }
        assert_eq!(answer.field("Content-Encoding"), None, "what lies beside it is not served, in no role");
    }
    assert_eq!(process.get("/report.html.gz").status, 404);
    let mut command = command();
    command.args(["--immutable", "report.*"]);
    drop(process);
    let answer = Process::of(command, Log::Read);
    let answer = answer.get("/");
    assert_eq!(answer.field("Cache-Control"), Some("public, max-age=31536000, immutable"), "by its name, whatever was asked for");
}
