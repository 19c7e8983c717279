//! The workflow for forks names the compiler of Cargo.toml and the systems of README. Which files may depend on the system is checked by
//! tests/tidy.rs.

use std::fs;
use std::path::{Path, PathBuf};

/// What one system has and others lack.
const WORDS: &[&str] = &[
    "cfg(unix",
    "cfg(not(unix",
    "cfg(windows",
    "cfg(target_os",
    "cfg(not(target_os",
    "cfg!(",
    "std::os::",
    "rustix::",
    "signal_hook::",
    "landlock::",
    "listenfd::",
    "/proc/",
    "/sys/",
    "/etc/",
];

/// A file that may say them, and what happens where the system has nothing of the kind.
const FILES: &[(&str, &str)] = &[
    ("cli/startup_warnings.rs", "nobody is root, so nobody is warned"),
    ("cli/browser.rs", "`open` on macOS, `start` on Windows, xdg-open elsewhere"),
    ("os/limits.rs", "no limit is known, so the number that is wished for stands"),
    ("cli/listen_options.rs", "--bind unix: says that this system has no such sockets"),
    ("os/socket_activation.rs", "whether a socket listens is not asked"),
    ("os/sighup.rs", "nobody hangs up"),
    ("os/mod.rs", "a module that would be empty is left out"),
    ("server/listener.rs", "the standard library's backlog, and a look every 20 ms in place of poll"),
    ("telemetry/log_file.rs", "the file gets the permissions that new files get"),
    ("telemetry/prometheus.rs", "nothing but the start is told of the process"),
    ("net/transport.rs", "no look before a read that waits"),
    ("os/systemd.rs", "there is no systemd to be told"),
    ("handlers/test_routes.rs", "left out of every build that serves anyone"),
    ("os/sandbox.rs", "it says that there is none, and --sandbox require refuses to start"),
    ("files/root.rs", "files are opened by cap-std alone; names are text"),
    ("net/socket.rs", "TCP alone"),
    ("files/version.rs", "a file's length and time, without inode and status change"),
    ("os/signals.rs", "the loop that accepts sees the wish within 20 ms"),
    ("os/unix_socket.rs", "left out"),
];

#[test]
fn what_only_some_systems_have_is_behind_named_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    find(&root, &mut sources);
    let mut offences = Vec::new();
    let mut seen = Vec::new();
    for path in &sources {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        let text = fs::read_to_string(path).unwrap();
        let code = text
            .lines()
            .enumerate()
            .take_while(|(_, line)| !line.starts_with("#[cfg(test)]") && !line.starts_with("#[cfg(all(test"));
        for (index, line) in code.filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let Some(word) = WORDS.iter().find(|word| line.contains(**word)) else { continue };
            if !FILES.iter().any(|(file, _)| *file == name) {
                offences.push(format!(
                    "src/{name}:{}: {word}: name the file in tests/platforms.rs, and what it does elsewhere",
                    index + 1
                ));
            }
            seen.push(name.clone());
        }
    }
    assert!(sources.len() > 30, "these are not all: {}", sources.len());
    for (file, _) in FILES {
        if !seen.iter().any(|name| name == file) {
            offences.push(format!("src/{file} says nothing of the kind any more: it needs no row in tests/platforms.rs"));
        }
    }
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}

/// The file for forks speaks of the compiler that Cargo.toml promises, and of the systems that README names.
#[test]
fn the_workflow_fits() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if root.join(".cargo_vcs_info.json").exists() {
        eprintln!("SKIPPED: the workflow is for checkouts, and not in the crate");
        return;
    }
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let workflow = read(".github/workflows/ci.yml");
    let manifest = read("Cargo.toml");
    let oldest = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    for words in [&format!("toolchain install {oldest} "), &format!("cargo +{oldest} check"), "macos-", "windows-", " .ci/run"] {
        assert!(workflow.contains(words), "{words} is not in the workflow");
    }
}
