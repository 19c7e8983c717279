//! What keeps others out, as seen from outside the process: the sandbox, passwords, and what is said of all that.
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;

use std::fs;
use std::process::Command;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use process::{Log, PATIENCE, Process, Scratch, command, run};
use rustix::process::Signal;

/// base64 of `ada:lovelace`.
const CREDENTIALS: &str = "YWRhOmxvdmVsYWNl";

fn get_with(process: &Process, credentials: &str) -> u16 {
    let mut client = process.client();
    client.send(format!("GET /ten.txt HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {credentials}\r\n\r\n").as_bytes());
    client.answer().status
}

/// The log up to the end.
fn stopped(mut process: Process) -> Vec<String> {
    process.signal(Signal::TERM);
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
    process.log_lines()
}

#[test]
#[cfg(all(feature = "test-routes", target_os = "linux"))]
fn the_kernel_holds_us_to_reading_beneath_the_root() {
    let logs = Scratch::new();
    let file = logs.path().join("log");
    let ask = |process: &Process, scratch: &Scratch| {
        let (address, logs) = (&process.address, logs.path().display());
        let root = scratch.path().join("root");
        let (root, inside) = (root.display(), root.join("ten.txt"));
        let target = format!(
            "/escape?open={}&list={root}&open=/etc/passwd&list=/&write={root}/new&write=/tmp/threadbare-escaped&write={logs}/log&\
             write={logs}/new&open={logs}/log&connect={address}&bind=127.0.0.1:0&run=/bin/true&signal={}",
            inside.display(),
            std::process::id()
        );
        let answer = process.get(&target);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text().lines().map(|line| line.rsplit(": ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // In a directory of its own: the sandbox may cover the parent of the served directory.
    let served = |options: &[&str]| {
        let parent = Scratch::new();
        let root = parent.path().join("root");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("ten.txt"), "0123456789").unwrap();
        let process = Process::start(&[options, &[root.to_str().unwrap()]].concat());
        (parent, process)
    };
    let (scratch, process) = served(&["-v", "--sandbox", "auto", "--access-log", file.to_str().unwrap()]);
    let line = process.wait_for_log("sandbox: ");
    if !line.contains("Landlock allows only reading") {
        eprintln!("SKIPPED: this kernel does not enforce all of the sandbox: {line}");
        return;
    }
    let denied = "PermissionDenied";
    let want = [&["10 bytes", "1 entries"][..], &[denied; 11]].concat();
    assert_eq!(ask(&process, &scratch), want, "not even the log: only its own thread writes there");
    assert_eq!(process.get("/ten.txt").text(), "0123456789", "and it still serves");
    process.wait_until("the exchange is noted", |_| fs::read_to_string(&file).unwrap().contains("/ten.txt"));

    let (scratch, process) = served(&["-v", "--sandbox", "off"]);
    process.wait_for_log("sandbox: off");
    assert!(ask(&process, &scratch).iter().all(|outcome| outcome != denied), "without it all of that works");
    fs::remove_file("/tmp/threadbare-escaped").unwrap();
}

#[test]
#[cfg(all(feature = "test-routes", target_os = "linux"))]
fn with_uploads_the_kernel_allows_writing_where_they_go_and_nowhere_else() {
    let parent = Scratch::new();
    let root = parent.path().join("root");
    fs::create_dir_all(root.join("in")).unwrap();
    fs::create_dir(root.join("other")).unwrap();
    fs::write(root.join("ten.txt"), "0123456789").unwrap();
    let process = Process::start(&["-v", "--upload=/in", root.to_str().unwrap()]);
    let line = process.wait_for_log("sandbox: ");
    if !line.contains("creating files in the directories of --upload") {
        eprintln!("SKIPPED: this kernel does not enforce all of the sandbox: {line}");
        return;
    }
    let (root, beside) = (root.display(), parent.path().join("new"));
    let answer = process.get(&format!(
        "/escape?write={root}/in/new&write={root}/new&write={root}/other/new&write={}&write={root}/ten.txt&open=/etc/passwd",
        beside.display()
    ));
    let outcomes: Vec<&str> = answer.text().lines().map(|line| line.rsplit(": ").next().unwrap()).collect();
    assert_eq!(outcomes, [&["done"][..], &["PermissionDenied"; 5]].concat());
    let mut client = process.client();
    client.send(b"PUT /in/d/e.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nnew");
    assert_eq!(client.answer().status, 201);
}

#[test]
fn passwords_from_a_file_and_from_the_environment_are_seen_nowhere() {
    let scratch = Scratch::new();
    scratch.file("ten.txt", "0123456789");
    let outside = Scratch::new();
    let hash = bcrypt::hash("lovelace", 4).unwrap();
    let file = outside.file("passwords", &format!("# who may come in\n\nada:{hash}\n"));
    let mut from_file = command(&["--auth-file", file.to_str().unwrap()], &scratch);
    from_file.env_remove("THREADBARE_AUTH");
    let mut from_environment = command(&[], &scratch);
    from_environment.env("THREADBARE_AUTH", "ada:lovelace\nbob:builder");
    for (command, is_plain) in [(from_file, false), (from_environment, true)] {
        let process = Process::of(command, Log::Read);
        assert_eq!(process.get("/ten.txt").status, 401);
        assert_eq!(get_with(&process, CREDENTIALS), 200);
        assert_eq!(get_with(&process, "YWRhOndyb25n"), 401);
        assert_eq!(process.get("/health").status, 200);
        let arguments = fs::read(format!("/proc/{}/cmdline", process.pid())).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&arguments).contains("lovelace"));
        let log = stopped(process);
        assert_eq!(log.iter().any(|line| line.contains("stored in plain text")), is_plain, "{log:#?}");
        for secret in ["lovelace", CREDENTIALS, "ada", &hash] {
            assert!(!log.iter().any(|line| line.contains(secret)), "{secret} in {log:#?}");
        }
    }
}

#[test]
fn wrong_passwords_do_not_keep_other_clients_out() {
    const USERS: usize = 6;
    let (scratch, outside) = (Scratch::new(), Scratch::new());
    scratch.file("ten.txt", "0123456789");
    let hash = bcrypt::hash("lovelace", 4).unwrap();
    let file = outside.file("passwords", &(0..USERS).map(|user| format!("ada{user}:{hash}\n")).collect::<String>());
    let process =
        Process::of(command(&["--trust-proxy", "127.0.0.1", "--auth-file", file.to_str().unwrap()], &scratch), Log::Unread);
    let ask = |client: &mut process::Client, address: &str, pair: &str| {
        let credentials = BASE64_STANDARD.encode(pair);
        let fields = format!("Host: localhost\r\nX-Forwarded-For: {address}\r\nAuthorization: Basic {credentials}");
        client.send(format!("GET /ten.txt HTTP/1.1\r\n{fields}\r\n\r\n").as_bytes());
        client.answer().status
    };
    let (running, stop) = (Barrier::new(41), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for number in 0..40 {
            let (server, running, stop, ask) = (&*process.address, &running, &stop, &ask);
            scope.spawn(move || {
                let mut client = process::Client::connect(server);
                // One address, and one network of IPv6.
                let address = if number % 2 == 0 { "192.0.2.1".to_owned() } else { format!("2001:db8::{number}") };
                assert!([401, 503].contains(&ask(&mut client, &address, "ada0:wrong")));
                running.wait();
                while !stop.load(Ordering::Relaxed) {
                    assert!([401, 503].contains(&ask(&mut client, &address, "ada0:wrong")));
                }
            });
        }
        running.wait();
        let logins: Vec<u16> =
            (0..USERS).map(|user| ask(&mut process.client(), "198.51.100.1", &format!("ada{user}:lovelace"))).collect();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(logins, [200; USERS]);
    });
}

#[test]
fn passwords_that_cannot_be_read_are_a_reason_not_to_start() {
    let scratch = Scratch::new();
    let served = Scratch::new();
    let empty = scratch.file("empty", "# no users\n");
    let broken = scratch.file("broken", "\nada:good\nno colon here\n");
    let hashed = scratch.file("hashed", "bob:builder\nada:$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00\n");
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    for (file, says) in [
        (path(&scratch.path().join("none")), "cannot read --auth-file"),
        (path(&empty), "--auth-file has no entry"),
        (path(&broken), "line 3: it has no colon"),
        (path(&hashed), "line 2: its hash is of an unsupported kind; create one with htpasswd -B"),
    ] {
        let left = run(&["--port", "0", "--auth-file", &file, &path(served.path())]);
        assert_eq!((left.code, left.stdout.as_str()), (Some(1), ""), "{file}: {left:?}");
        assert!(left.stderr.contains(says) && left.stderr.lines().count() == 1, "{left:?}");
        assert!(!left.stderr.contains("no colon here") && !left.stderr.contains("good"), "{left:?}");
    }
}

#[test]
fn a_server_that_would_serve_its_passwords_or_its_log_does_not_start() {
    let scratch = Scratch::new();
    let at = |name: &str| scratch.path().join(name);
    for directory in ["site/sub", "site/.hidden", "site/.well-known", "outside"] {
        fs::create_dir_all(at(directory)).unwrap();
    }
    for name in ["site/pw", "site/sub/pw", "site/.pw", "site/.hidden/pw", "site/.well-known/pw", "outside/pw", "site-pw"] {
        scratch.file(name, "ada:lovelace\n");
    }
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, at(name)).unwrap();
    link("../site/pw", "outside/link");
    link("../outside", "site/away");
    link("../outside/pw", "site/link");
    link("site", "root-link");
    link("none", "site/dangling");
    for (options, file, root, is_served, why) in [
        ("", "site/pw", "site", true, "beneath ROOT"),
        ("", "site/sub/pw", "site", true, "deeper"),
        ("", "site/pw", "root-link", true, "ROOT is a link"),
        ("", "root-link/pw", "site", true, "named by a link that leads to ROOT"),
        ("", "outside/link", "site", true, "a link that leads into ROOT"),
        ("", "outside/../site/./pw", "site", true, "named in a roundabout way"),
        ("", "site/pw", "site/pw", true, "it is ROOT"),
        ("", "outside/link", "site/pw", true, "a link to the single file"),
        ("", "site/.well-known/pw", "site", true, "a name with a dot that is served"),
        ("--hidden", "site/.pw", "site", true, "hidden names are served"),
        ("--follow-symlinks", "site/link", "site", true, "a link that leaves ROOT, and is followed"),
        ("--follow-symlinks", "site/away/pw", "site", true, "the same, of a directory"),
        ("", "site/.pw", "site", false, "a hidden name"),
        ("", "site/.hidden/pw", "site", false, "a hidden directory"),
        ("", "site/link", "site", false, "a link that leaves ROOT is not served"),
        ("", "site/away/pw", "site", false, "the same, of a directory"),
        ("", "outside/pw", "site", false, "outside"),
        ("", "site-pw", "site", false, "ROOT is a prefix of its name"),
        ("", "site/sub/pw", "site/pw", false, "beside the single file"),
        ("--access-log", "site/log", "site", true, "a log that does not exist yet"),
        ("--access-log", "site/away/log", "site", false, "the log is outside in truth"),
        ("--access-log", "outside/log", "site", false, "a log outside"),
    ] {
        let (file, root) = (at(file), at(root));
        let (file, root) = (file.to_str().unwrap(), root.to_str().unwrap());
        let (option, more) = if options == "--access-log" { (options, None) } else { ("--auth-file", Some(options)) };
        let mut args = vec!["--port", "0", option, file, root];
        args.extend(more.filter(|more| !more.is_empty()));
        if is_served {
            let left = run(&args);
            assert_eq!((left.code, left.stdout.as_str(), left.stderr.lines().count()), (Some(1), "", 1), "{why}: {left:?}");
            assert!(left.stderr.contains(option) && left.stderr.contains("beneath ROOT"), "{why}: {left:?}");
            assert!(!at("site/log").exists(), "{why}: the log is not created");
        } else {
            assert!(Process::start(&args[2..]).ready.starts_with("serving "), "{why}");
        }
    }
}

#[test]
fn what_is_not_safe_is_said_at_the_start() {
    for (options, says, why) in [
        (&["--auth", "ada:lovelace"][..], Some("--auth shows its password"), "other users see the command line"),
        (&["--bind", "127.0.0.1"], None, "nothing to say on loopback"),
        (&["--bind", "0.0.0.0"], Some("any Host name is accepted; --allow-host NAME"), "a hint"),
        (&["--bind", "0.0.0.0", "--auth", "ada:lovelace"], Some("passwords are sent unencrypted"), "there is no TLS"),
        (&["--bind", "0.0.0.0", "--allow-host", "a.test"], None, "a name is said"),
        (&["--bind", "0.0.0.0", "--proxy-protocol"], Some("can forge its address"), "the header is not checked"),
        (
            &["--bind", "0.0.0.0", "--proxy-protocol", "--trust-proxy", "192.0.2.1", "--allow-host", "a.test"],
            None,
            "a balancer is named",
        ),
    ] {
        let scratch = Scratch::new();
        let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
        command.args(["--port", "0"]).args(options).arg(scratch.path());
        let log = stopped(Process::of(command, Log::Read)).join("\n");
        match says {
            Some(says) => assert!(log.contains(says), "{why}: {log}"),
            None => assert!(!log.contains("Host name") && !log.contains("forge") && !log.contains("password"), "{why}: {log}"),
        }
        assert!(!log.contains("lovelace"), "{log}");
    }
}

#[test]
fn with_lan_only_names_of_local_networks_are_accepted() {
    let scratch = Scratch::new();
    scratch.file("ten.txt", "0123456789");
    let own = rustix::system::uname().nodename().to_str().unwrap().to_owned();
    let names = [("evil.example", 421), ("192.168.1.5", 200), ("localhost", 200), ("nas", 200), ("nas.local", 200), (&own, 200)];
    for (options, names) in [
        (&["--lan"][..], &names[..]),
        (&["--lan", "--allow-host", "files.test"], &[("files.test", 200), ("nas.local", 200), ("evil.example", 421)]),
        (&["--bind", "0.0.0.0,::"], &[("evil.example", 200)]),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
        command.args(["--port", "0"]).args(options).arg(scratch.path());
        let process = Process::of(command, Log::Unread);
        for (name, status) in names {
            let mut client = process.client();
            client.send(format!("GET /ten.txt HTTP/1.1\r\nHost: {name}:8000\r\n\r\n").as_bytes());
            assert_eq!(client.answer().status, *status, "{options:?}: {name}");
        }
    }
}

#[test]
fn running_as_root_is_warned_of() {
    let scratch = Scratch::new();
    let log = stopped(Process::of(command(&[], &scratch), Log::Read)).join("\n");
    assert_eq!(log.contains("running as root"), rustix::process::geteuid().is_root(), "{log}");
}
