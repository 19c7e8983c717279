//! Can shells and `man` read what is made for them?

#[path = "../deploy/generate.rs"]
#[allow(dead_code, reason = "its main is for `cargo run --example generate`")]
mod generate;
#[path = "support/process.rs"]
mod process;

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use process::Scratch;
use threadbare::cli;

/// Pipes a text through a command; `None` where there is no such command.
fn through(text: &str, program: &str, args: &[&str]) -> Option<Output> {
    let child = Command::new(program).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        eprintln!("SKIPPED: no {program} here");
        return None;
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

/// The long names of all options.
fn options() -> Vec<String> {
    let mut command = cli::command();
    command.build();
    command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set())
        .filter_map(|arg| arg.get_long())
        .map(|long| format!("--{long}"))
        .collect()
}

/// The files, in a directory of their own.
fn made() -> Scratch {
    let scratch = Scratch::new();
    generate::write_all(scratch.path(), SystemTime::now()).unwrap();
    scratch
}

#[test]
fn the_manual_page_renders_without_a_warning() {
    let scratch = made();
    let file = scratch.path().join("threadbare.1");
    let page = fs::read_to_string(&file).unwrap();
    if let Some(lint) = through(&page, "mandoc", &["-T", "lint", "-W", "warning"]) {
        let said = String::from_utf8_lossy(&lint.stdout).into_owned() + &String::from_utf8_lossy(&lint.stderr);
        assert!(lint.status.success() && said.is_empty(), "{said}");
    }
    if let Some(shown) = through("", "man", &["--warnings", "-l", file.to_str().unwrap()]) {
        let (text, said) = (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
        assert!(shown.status.success() && said.is_empty(), "{said}");
        for heading in ["NAME", "SYNOPSIS", "OPTIONS", "ROUTES", "ENVIRONMENT", "EXIT STATUS", "EXAMPLES"] {
            assert!(text.lines().any(|line| line == heading), "{heading}: {text}");
        }
    }
    let plain = page.replace('\\', "");
    for option in options() {
        assert!(plain.contains(&option), "{option} is not in the page");
    }
    assert!(plain.contains("THREADBARE_PORT"), "{plain}");
}

#[test]
fn the_date_of_the_page_is_given() {
    for (secs, want) in [(784_111_777, "1994-11-06"), (0, "1970-01-01"), (951_782_400, "2000-02-29")] {
        let page = String::from_utf8(generate::man_page(UNIX_EPOCH + Duration::from_secs(secs)).unwrap()).unwrap();
        assert!(page.contains(&format!(".TH THREADBARE 1 {want} ")), "{}", &page[..200]);
    }
}

#[test]
fn shells_can_read_their_completions() {
    let scratch = made();
    for (file, shell, check) in [
        ("threadbare.bash", "bash", &["-n"][..]),
        ("_threadbare", "zsh", &["-n"]),
        ("threadbare.fish", "fish", &["--no-execute"]),
        ("threadbare.elv", "elvish", &[]),
        ("_threadbare.ps1", "powershell", &[]),
    ] {
        let script = fs::read_to_string(scratch.path().join(file)).unwrap();
        for option in options() {
            assert!(script.contains(option.trim_start_matches('-')), "{shell}: {option}");
        }
        if !check.is_empty()
            && let Some(read) = through(&script, shell, check)
        {
            assert!(read.status.success(), "{shell}: {}", String::from_utf8_lossy(&read.stderr));
        }
    }
}

#[test]
fn bash_completes_an_option() {
    let script = fs::read_to_string(made().path().join("threadbare.bash")).unwrap();
    let ask = format!(
        "{script}\nCOMP_WORDS=(threadbare --no-l) COMP_CWORD=1\n_threadbare threadbare --no-l threadbare\necho \"${{COMPREPLY[@]}}\"\n"
    );
    if let Some(answer) = through(&ask, "bash", &[]) {
        assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), "--no-listing");
    }
}
