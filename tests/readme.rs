//! Does docs/guide/options.md describe the options that the program has?
//!
//! `UPDATE_README=1 cargo test --test readme` writes the current `--help` into it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::CommandFactory;
use threadbare::cli::Cli;

const BEGIN: &str = "## The text of --help\n\n```text\n$ threadbare --help\n";
const END: &str = "```\n";

/// Options of builds with other features.
const OF_OTHER_BUILDS: [&str; 1] = ["etag"];

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/options.md")
}

/// The words of a command line as a shell splits them; only single quotes are understood.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.last_mut().unwrap().push_str(part);
            continue;
        }
        for (index, word) in part.split(' ').enumerate() {
            if index > 0 {
                words.push(String::new());
            }
            words.last_mut().unwrap().push_str(word);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The names of options at the headings of the page, and the examples below each.
fn sections(text: &str) -> Vec<(&str, Vec<&str>)> {
    let sections = text.split("\n### `").skip(1).map(|section| section.split("\n## ").next().unwrap());
    sections
        .map(|section| {
            let (name, rest) = section.split_once("`\n").unwrap();
            (name.trim_start_matches("--"), rest.lines().filter(|line| line.starts_with("threadbare ")).collect())
        })
        .collect()
}

#[test]
fn the_options_are_those_of_help() {
    let text = fs::read_to_string(page()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    // As wide as it is where the width of the terminal is unknown.
    let help = command.arg("--help").env_remove("COLUMNS").stdin(Stdio::null()).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("options.md ends with the text of --help");
    let (shown, after) = rest.split_once(END).unwrap();
    if shown == help {
        return;
    }
    if std::env::var_os("UPDATE_README").is_some() {
        return fs::write(page(), [before, BEGIN, &help, END, after].concat()).unwrap();
    }
    let differs = shown.lines().zip(help.lines()).find(|(shown, said)| shown != said);
    panic!("options.md differs from --help: {differs:?}; UPDATE_README=1 cargo test --test readme updates it");
}

#[test]
fn each_option_has_its_heading_and_an_example() {
    let text = fs::read_to_string(page()).unwrap();
    let sections = sections(&text);
    let command = Cli::command();
    let options = command.get_arguments().filter(|option| !option.is_hide_set());
    let known: BTreeSet<&str> = options.filter_map(|option| option.get_long()).collect();
    let described: BTreeSet<&str> = sections.iter().map(|(name, _)| *name).filter(|name| *name != "ROOT").collect();
    for name in &known {
        assert!(described.contains(name), "docs/guide/options.md has no heading ### `--{name}`");
    }
    for name in &described {
        assert!(known.contains(name) || OF_OTHER_BUILDS.contains(name), "docs/guide/options.md has --{name}, which is no option");
    }
    for (name, examples) in &sections {
        let needs_none = ["help", "version"].contains(name) || OF_OTHER_BUILDS.contains(name);
        assert!(needs_none || !examples.is_empty(), "docs/guide/options.md has no example of {name}");
        let option = command.get_arguments().find(|option| option.get_long() == Some(*name));
        let short = option.and_then(|option| option.get_short());
        for example in examples {
            let is_short = short.is_some_and(|short| example.contains(&format!(" -{short}")));
            assert!(*name == "ROOT" || example.contains(&format!("--{name}")) || is_short, "{example:?} does not show --{name}");
        }
    }
}

#[test]
fn the_command_lines_in_the_guide_are_accepted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_dir(root.join("docs/guide")).unwrap().map(|entry| entry.unwrap().path());
    let mut count = 0;
    for path in guide.chain([root.join("README.md")]) {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("```").skip(1).step_by(2).flat_map(str::lines).map(|line| line.strip_prefix("$ ").unwrap_or(line));
        for line in code.filter(|line| line.starts_with("threadbare ") && !line.contains("--help")) {
            count += 1;
            let parsed = Cli::try_parse_from(words(line));
            if let Err(error) = parsed {
                let needs_tls = !cfg!(feature = "tls") && error.to_string().contains("a build with the feature tls");
                assert!(needs_tls, "{}: {line}\n{error}", path.display());
            }
        }
    }
    assert!(count > 40, "these are not all: {count}");
}

/// The sentences of the prose: no code, tables, headings or pictures.
fn sentences(markdown: &str) -> Vec<String> {
    let prose = markdown.split("```").step_by(2).flat_map(str::lines);
    let prose: Vec<&str> = prose.map(|line| if line.starts_with(['|', '#', '!']) { "" } else { line }).collect();
    let mut sentences = vec![String::new()];
    for line in prose {
        let begins = line.is_empty() || line.trim_start().starts_with("- ") || line.starts_with(|c: char| c.is_ascii_digit());
        if begins {
            sentences.push(String::new());
        }
        for word in line.split_whitespace() {
            let last = sentences.last_mut().unwrap();
            last.push_str(word);
            last.push(' ');
            if word.trim_end_matches(['*', ')', '"']).ends_with(['.', ':', '?', '!']) {
                sentences.push(String::new());
            }
        }
    }
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

#[test]
fn readme_is_short() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    assert!(text.lines().count() <= 200, "{} lines: the guide and the reference have more room", text.lines().count());
    let all = sentences(&text);
    assert!(all.len() > 40, "these are not all: {all:#?}");
    for sentence in all {
        assert!(sentence.split(' ').count() <= 31, "more than 30 words: {sentence}");
    }
}

#[test]
fn how_a_line_is_split() {
    assert_eq!(
        words("threadbare -H 'A: b c' --immutable 'x/**' ./site"),
        ["threadbare", "-H", "A: b c", "--immutable", "x/**", "./site"]
    );
    assert_eq!(sections("## A\n### `--port`\nThe port.\nthreadbare --port 1\n## B\n"), [("port", vec!["threadbare --port 1"])]);
}
