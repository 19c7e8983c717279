//! Can shells and `man` read what is made for them? (Only with the feature `generate`.)

#[path = "support/process.rs"]
mod process;

use process::run;

#[cfg(not(feature = "generate"))]
#[test]
fn a_build_without_says_how_to_get_them() {
    for (words, option) in [(&["--man"][..], "--man"), (&["--completions", "zsh"], "--completions")] {
        let left = run(words);
        assert_eq!((left.code, left.stdout.as_str()), (Some(2), ""), "{left:?}");
        assert_eq!(left.stderr.lines().count(), 1, "{left:?}");
        assert!(left.stderr.contains(option) && left.stderr.contains("--features generate"), "{left:?}");
    }
}

#[cfg(feature = "generate")]
mod with_the_feature {
    use std::io::Write;
    use std::process::{Command, Output, Stdio};

    use clap::CommandFactory;
    use threadbare::cli::Cli;

    use super::process::Scratch;
    use super::run;

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
        let mut command = Cli::command();
        command.build();
        command.get_arguments().filter_map(|arg| arg.get_long()).map(|long| format!("--{long}")).collect()
    }

    fn made(words: &[&str]) -> String {
        let left = run(words);
        assert_eq!((left.code, left.stderr.as_str()), (Some(0), ""), "{words:?}");
        left.stdout
    }

    #[test]
    fn the_manual_page_renders_without_a_warning() {
        let page = made(&["--man"]);
        if let Some(lint) = through(&page, "mandoc", &["-T", "lint", "-W", "warning"]) {
            let said = String::from_utf8_lossy(&lint.stdout).into_owned() + &String::from_utf8_lossy(&lint.stderr);
            assert!(lint.status.success() && said.is_empty(), "{said}");
        }
        let scratch = Scratch::new();
        let file = scratch.file("threadbare.1", &page);
        if let Some(shown) = through("", "man", &["--warnings", "-l", file.to_str().unwrap()]) {
            let (text, said) = (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
            assert!(shown.status.success() && said.is_empty(), "{said}");
            for heading in ["NAME", "SYNOPSIS", "OPTIONS", "ROUTES", "EXIT STATUS", "EXAMPLES"] {
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
    fn the_time_of_the_page_can_be_given() {
        let page = Command::new(env!("CARGO_BIN_EXE_threadbare")).arg("--man").env("SOURCE_DATE_EPOCH", "784111777").output();
        let page = String::from_utf8(page.unwrap().stdout).unwrap();
        assert!(page.contains(".TH THREADBARE 1 1994-11-06 "), "{}", &page[..200]);
    }

    #[test]
    fn shells_can_read_their_completions() {
        for (shell, check) in
            [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["--no-execute"]), ("elvish", &[]), ("powershell", &[])]
        {
            let script = made(&["--completions", shell]);
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
        let script = made(&["--completions", "bash"]);
        let ask = format!(
            "{script}\nCOMP_WORDS=(threadbare --no-l) COMP_CWORD=1\n_threadbare threadbare --no-l threadbare\necho \"${{COMPREPLY[@]}}\"\n"
        );
        if let Some(answer) = through(&ask, "bash", &[]) {
            assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), "--no-listing");
        }
    }
}
