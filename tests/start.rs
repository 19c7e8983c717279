//! What does a person see who starts it, and what opens?

#[path = "support/process.rs"]
mod process;

use std::fs;
use std::process::Command;

use process::{Log, Process, Scratch, run};

/// The server on a free port, with these words.
fn command(words: &[&str], scratch: &Scratch) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    command.args(["--port", "0"]).args(words).arg(scratch.path()).env_remove("LISTEN_FDS");
    command
}

#[test]
#[cfg(unix)]
fn in_the_network_each_address_has_a_line() {
    let scratch = Scratch::new();
    scratch.file("ten.txt", "0123456789");
    let process = Process::of(command(&["--lan", "--qr"], &scratch), Log::Read);
    assert!(process.ready.starts_with("serving "), "{}", process.ready);
    assert!(process.ready.contains(" at http://localhost:"), "{}", process.ready);
    let port = process.address.rsplit(':').next().unwrap().to_owned();
    let mut client = process::Client::connect(&format!("127.0.0.1:{port}"));
    client.send(b"GET /ten.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!(client.answer().text(), "0123456789");
    let mut lines = vec![process.ready.clone()];
    process.end();
    lines.extend(std::iter::from_fn(|| process.stdout_line()));
    let listeners = lines.iter().take_while(|line| line.starts_with("serving ")).count();
    let machine = threadbare::cli::banner::lan_addresses(&[([0, 0, 0, 0], 0).into()]);
    assert_eq!(listeners, 1, "{lines:#?}");
    let has_ipv6 = lines.iter().any(|line| line.contains("network: http://["));
    let machine: Vec<_> = machine.iter().filter(|address| has_ipv6 || address.is_ipv4()).collect();
    for (line, address) in lines[listeners..].iter().zip(&machine) {
        let url = line.strip_prefix("  on the network: http://").and_then(|url| url.strip_suffix(&format!(":{port}/")));
        assert_eq!(url.unwrap().trim_matches(['[', ']']), address.to_string(), "{lines:#?}");
    }
    let below = &lines[listeners + machine.len()..];
    if machine.is_empty() {
        eprintln!("SKIPPED: this machine has no address in a network");
        assert!(below.is_empty(), "{lines:#?}");
    } else {
        // 25 modules and more, with 4 on each side, two to a line.
        assert!(below[0].is_empty() && below.len() > 16, "{lines:#?}");
        // Each byte came as a char of its own.
        let first: Vec<u8> = below[1].chars().map(|char| u8::try_from(char).unwrap()).collect();
        assert!(first.starts_with("\u{2588}".repeat(4).as_bytes()), "no colour but on a terminal: {lines:#?}");
    }
}

#[test]
fn a_code_needs_an_address_for_others() {
    for words in [&["--qr"][..], &["--qr", "--bind", "127.0.0.1"], &["--qr", "--bind", "::1", "--bind", "127.0.0.2"]] {
        let left = run(words);
        assert_eq!((left.code, left.stdout.as_str()), (Some(2), ""), "{left:?}");
        assert!(left.stderr.contains("'--qr'") && left.stderr.contains("'--lan'"), "{left:?}");
        assert_eq!(left.stderr.lines().count(), 1, "{left:?}");
    }
}

/// A program in a directory of its own, under the name of the one that opens a browser.
#[cfg(all(unix, not(target_os = "macos")))]
fn opener(scratch: &Scratch, script: &str) -> std::ffi::OsString {
    use std::os::unix::fs::PermissionsExt;
    let programs = scratch.path().join("bin");
    fs::create_dir_all(&programs).unwrap();
    let program = programs.join("xdg-open");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    programs.into_os_string()
}

#[test]
#[cfg(all(unix, not(target_os = "macos")))]
fn the_browser_is_given_the_address() {
    let scratch = Scratch::new();
    let note = scratch.path().join("note");
    // Renamed, so that a note that is there is whole.
    let script = format!("#!/bin/sh\necho \"$#: $1\" > '{0}.new' && /bin/mv '{0}.new' '{0}'\n", note.display());
    let mut command = command(&["--open"], &scratch);
    command.env("PATH", opener(&scratch, &script));
    let process = Process::of(command, Log::Read);
    let port = process.address.rsplit(':').next().unwrap();
    process.wait_until("a browser is opened, though the sandbox would forbid it by now", |_| note.exists());
    assert_eq!(fs::read_to_string(&note).unwrap(), format!("1: http://localhost:{port}/\n"));
    assert_eq!(process.get("/note").status, 200, "and a thread is there to answer it");
}

#[test]
#[cfg(all(unix, not(target_os = "macos")))]
fn without_a_browser_it_serves_all_the_same() {
    let scratch = Scratch::new();
    scratch.file("ten.txt", "0123456789");
    for (path, says) in [
        (opener(&scratch, "#!/bin/sh\nexit 3\n"), "xdg-open could not open a browser"),
        ("/nowhere".into(), "cannot start xdg-open"),
    ] {
        let mut command = command(&["--open"], &scratch);
        command.env("PATH", path);
        let process = Process::of(command, Log::Read);
        assert!(process.wait_for_log(says).starts_with("warn: "), "it is no more than a pity");
        assert_eq!(process.get("/ten.txt").text(), "0123456789");
    }
}

/// In a mount namespace of its own, with the files of control groups as a container has them.
#[test]
#[cfg(target_os = "linux")]
fn the_control_group_and_those_above_it_lower_the_limits() {
    let scratch = Scratch::new();
    let script = "mount -t tmpfs none /sys/fs/cgroup && echo $0 >/sys/fs/cgroup/memory.max && echo $1 >/sys/fs/cgroup/pids.max && \
                  shift && exec \"$@\"";
    let is_possible = Command::new("unshare").args(["--mount", "sh", "-c", "mount -t tmpfs none /sys/fs/cgroup"]).output();
    if !is_possible.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: this process may not create a mount namespace, so no control group is shown to the server");
        return;
    }
    for (memory, pids, options, says) in [
        ("134217728", "500", &[][..], "info: connection limit reduced to 468: pids.max of the control group"),
        ("134217728", "max", &[], "info: connection limit reduced to 768: memory.max of the control group"),
        ("134217728", "max", &[], "info: memory for small files reduced to 48 MiB: memory.max of the control group"),
        ("134217728", "max", &["--cache-memory=0"], "info: connection limit reduced to 1536: memory.max of the control group"),
    ] {
        let server = command(options, &scratch);
        let mut confined = Command::new("unshare");
        confined.args(["--mount", "sh", "-c", script, memory, pids]).arg(server.get_program()).args(server.get_args());
        let process = Process::of(confined, Log::Read);
        process.wait_for_log(says.trim_start_matches("info: "));
    }
}
