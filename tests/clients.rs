//! Real clients that fetch a site: what each needs of a server beyond the RFCs. One that is not installed is skipped, and the test says so.
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use process::{Process, Scratch, served};

/// What the site consists of, beside `ten.txt`.
const FILES: [(&str, &str); 4] =
    [("a.txt", "a"), ("two words & more.txt", "b"), ("d/\u{fc}.txt", "in a directory"), ("d/e/empty", "")];

/// A command without the settings of the user, in a directory of its own.
fn client(program: &str, directory: &Scratch) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory.path()).env("HOME", directory.path()).stdin(Stdio::null());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("PIP_CONFIG_FILE", "/dev/null").env("RCLONE_CONFIG", "/dev/null");
    for variable in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(variable);
    }
    command
}

/// Runs a client that must succeed; `None` if it is not installed.
fn run(command: &mut Command) -> Option<Output> {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("SKIPPED: {:?} is not installed: {error}", command.get_program());
            return None;
        }
    };
    assert!(output.status.success(), "{command:?}: {output:?}");
    Some(output)
}

/// A server with [`FILES`], and an empty directory for the client.
fn site() -> (Scratch, Process, Scratch, String) {
    let (scratch, process) = served(&[]);
    fs::create_dir_all(scratch.path().join("d/e")).unwrap();
    for (name, content) in FILES {
        scratch.file(name, content);
    }
    let url = format!("http://{}", process.address);
    (scratch, process, Scratch::new(), url)
}

#[track_caller]
fn has_all_files(directory: &Path) {
    for (name, content) in FILES.iter().chain(&[("ten.txt", "0123456789")]) {
        let got = fs::read_to_string(directory.join(name));
        assert_eq!(got.ok().as_deref(), Some(*content), "{name}");
    }
}

/// Bytes of which no block occurs twice.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let step = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..length).map(step).collect()
}

#[test]
fn wget_mirrors_a_site() {
    let (_scratch, _process, out, url) = site();
    let args = ["-q", "-r", "-np", "-nH", "--no-config", "--tries=1", "--restrict-file-names=nocontrol"];
    if run(client("wget", &out).args(args).arg(format!("{url}/"))).is_some() {
        has_all_files(out.path());
    }
}

#[test]
fn wget_resumes_a_download() {
    let (scratch, process, out, url) = site();
    let content = noise(1_000_000);
    fs::write(scratch.path().join("large"), &content).unwrap();
    let name = out.path().join("large");
    fs::write(&name, &content[..400_000]).unwrap();
    let resume = || run(client("wget", &out).args(["-q", "-c", "--no-config", "--tries=1"]).arg(format!("{url}/large")));
    if resume().is_none() {
        return;
    }
    assert!(process.wait_for_log("GET /large").contains(" 206 600000 "));
    assert!(fs::read(&name).unwrap() == content);
    resume();
    assert!(process.wait_for_log("GET /large").contains(" 416 "), "nothing is left of it");
    assert!(fs::read(&name).unwrap() == content);
}

#[test]
fn rclone_syncs_a_site() {
    let (scratch, _process, out, url) = site();
    let sync = || run(client("rclone", &out).args(["sync", "--retries", "1", "--http-url", &url, ":http:", "out"]));
    if sync().is_none() {
        return;
    }
    has_all_files(&out.path().join("out"));
    fs::remove_file(scratch.path().join("a.txt")).unwrap();
    scratch.file("new.txt", "new");
    sync();
    assert!(!out.path().join("out/a.txt").exists() && out.path().join("out/new.txt").exists());
}

#[test]
fn lftp_mirrors_a_site() {
    let (_scratch, _process, out, url) = site();
    let script = format!("set net:max-retries 1; set cmd:fail-exit true; mirror {url}/ out");
    if run(client("lftp", &out).args(["--norc", "-c", &script])).is_some() {
        has_all_files(&out.path().join("out"));
    }
}

#[test]
fn aria2c_downloads_parts_at_once() {
    let (scratch, process, out, url) = site();
    let content = noise(16_000_000);
    fs::write(scratch.path().join("large"), &content).unwrap();
    let args = ["-q", "--no-conf", "-x8", "-s8", "-k1M", "--max-tries=1"];
    if run(client("aria2c", &out).args(args).arg(format!("{url}/large"))).is_some() {
        assert!(fs::read(out.path().join("large")).unwrap() == content);
        process.wait_for_log(" 206 ");
    }
}

#[test]
fn git_clones_over_plain_http() {
    let (scratch, _process, out, url) = site();
    let repository = scratch.path().join("repository.git");
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"];
        run(client("git", &out).args(identity).args(args))
    };
    if git(&["init", "-q", "work"]).is_none() {
        return;
    }
    let commit = |content: &str| {
        fs::write(out.path().join("work/file"), content).unwrap();
        git(&["-C", "work", "add", "file"]);
        git(&["-C", "work", "commit", "-q", "-m", content]);
    };
    commit("in a pack");
    let to = repository.to_str().unwrap();
    git(&["clone", "-q", "--bare", "work", to]);
    git(&["-C", to, "repack", "-q", "-a", "-d"]);
    commit("a loose object");
    git(&["-C", "work", "push", "-q", to, "main"]);
    git(&["-C", to, "update-server-info"]);
    git(&["clone", "-q", &format!("{url}/repository.git"), "clone"]);
    assert_eq!(fs::read_to_string(out.path().join("clone/file")).unwrap(), "a loose object");
    let log = git(&["-C", "clone", "log", "--format=%s"]).unwrap();
    assert_eq!(String::from_utf8(log.stdout).unwrap(), "a loose object\nin a pack\n");
}

#[test]
fn pip_finds_and_installs_a_wheel() {
    const WHEEL: &str = "\
import sys, zipfile
name = 'threadbare_example-1.0'
files = {
    'threadbare_example.py': 'answer = 42\\n',
    name + '.dist-info/METADATA': 'Metadata-Version: 2.1\\nName: threadbare-example\\nVersion: 1.0\\n',
    name + '.dist-info/WHEEL': 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n',
}
files[name + '.dist-info/RECORD'] = ''.join(path + ',,\\n' for path in files) + name + '.dist-info/RECORD,,\\n'
with zipfile.ZipFile(sys.argv[1] + '/' + name + '-py3-none-any.whl', 'w') as wheel:
    for path, text in files.items():
        wheel.writestr(path, text)
";
    let (scratch, _process, out, url) = site();
    if !client("python3", &out).args(["-m", "pip", "--version"]).output().is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: pip is not installed");
        return;
    }
    run(client("python3", &out).args(["-c", WHEEL]).arg(scratch.path()));
    let args = ["-m", "pip", "install", "-q", "--no-index", "--disable-pip-version-check", "--no-cache-dir", "--target", "out"];
    run(client("python3", &out).args(args).args(["--find-links", &format!("{url}/"), "threadbare-example"]));
    assert_eq!(fs::read_to_string(out.path().join("out/threadbare_example.py")).unwrap(), "answer = 42\n");
}

#[test]
fn zsync_downloads_what_has_changed() {
    let (scratch, process, out, url) = site();
    let content = noise(400_000);
    let mut old = content.clone();
    // So many places that one request asks for more than 16 ranges.
    old.chunks_mut(6500).for_each(|chunk| chunk[100..110].fill(b'x'));
    fs::write(scratch.path().join("large"), &content).unwrap();
    fs::write(out.path().join("old"), old).unwrap();
    let to = scratch.path().join("large.zsync");
    if run(client("zsyncmake", &scratch).args(["-u", "large", "large", "-o"]).arg(&to)).is_none() {
        return;
    }
    // It asks again and again if it does not understand the answer.
    let args = ["60", "zsync", "-q", "-i", "old", "-o", "new"];
    run(client("timeout", &out).args(args).arg(format!("{url}/large.zsync")));
    assert!(fs::read(out.path().join("new")).unwrap() == content);
    assert!(process.wait_for_log("GET /large HTTP").contains(" 206 "));
}

#[test]
#[ignore = "waits for 15 seconds, for which a client may pause"]
fn curl_may_pause() {
    let (scratch, _process, out, url) = site();
    let content = noise(64_000_000);
    fs::write(scratch.path().join("large"), &content).unwrap();
    let mut curl = client("curl", &out);
    let Ok(mut curl) = curl.args(["-q", "-sS", &format!("{url}/large")]).stdout(Stdio::piped()).spawn() else {
        eprintln!("SKIPPED: curl is not installed");
        return;
    };
    // The pipe and the sockets fill, and then nothing moves.
    thread::sleep(Duration::from_secs(15));
    let mut received = Vec::new();
    curl.stdout.take().unwrap().read_to_end(&mut received).unwrap();
    assert!(curl.wait().unwrap().success() && received == content, "{} bytes", received.len());
}
