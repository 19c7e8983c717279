//! Does every link in this repository lead somewhere?
//!
//! In Markdown and in doc comments. Only what is here can be looked up: a test has no network, and rustdoc itself looks after links from
//! one item to another. A file that is only named, as in `src/server/connection.rs`, must exist as well.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Directories without text to check: what is built, and what is served as it is.
const SKIPPED: &[&str] = &["target", "fuzz/target", "fuzz/corpus", "tests/site"];

/// What begins so in a code span names a file of the repository.
const ROOMS: &[&str] = &["src/", "tests/", "docs/", "examples/", "fuzz/", "benches/"];

/// Files that are named and need not exist: a run makes them.
const MADE: &[&str] = &["benches/RESULTS.md", "benches/results.svg", "fuzz/corpus"];

/// A text, and where it stands.
struct Text {
    /// `tests/wire/README.md`
    name: String,
    /// Its numbered lines, without what is only shown: code blocks, and in source everything but doc comments.
    lines: Vec<(usize, String)>,
}

impl Text {
    fn of(name: String, text: &str) -> Text {
        let is_source = name.ends_with(".rs");
        let mut fence: Option<String> = None;
        let mut lines = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let comment = line.trim_start().strip_prefix("//!").or(line.trim_start().strip_prefix("///"));
            let Some(line) = (if is_source { comment } else { Some(line) }) else { continue };
            let ticks: String = line.trim_start().chars().take_while(|c| *c == '`').collect();
            match &fence {
                Some(open) if ticks.len() >= open.len() => fence = None,
                None if ticks.len() >= 3 => fence = Some(ticks),
                Some(_) => {}
                None => lines.push((index + 1, line.to_owned())),
            }
        }
        Text { name, lines }
    }

    fn is_source(&self) -> bool {
        self.name.ends_with(".rs")
    }

    /// The anchors of its headings, as GitHub makes them.
    fn anchors(&self) -> Vec<String> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let headings = self.lines.iter().filter_map(|(_, line)| line.strip_prefix('#'));
        let anchors = headings.filter_map(|line| line.trim_start_matches('#').strip_prefix(' ')).map(|heading| {
            let slug = slug(heading);
            let count = seen.entry(slug.clone()).or_default();
            *count += 1;
            if *count == 1 { slug } else { format!("{slug}-{}", *count - 1) }
        });
        anchors.collect()
    }
}

fn slug(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Where the links of a line lead: `[text](here)`, and `[name]: here`. What stands in a code span is no link.
fn links(line: &str) -> Vec<String> {
    let shown: String =
        line.split('`').enumerate().map(|(index, part)| if index % 2 == 0 { part.to_owned() } else { "x".to_owned() }).collect();
    let mut found: Vec<String> = shown
        .match_indices("](")
        .filter_map(|(at, mark)| shown[at + mark.len()..].split([')', ' ']).next().map(str::to_owned))
        .collect();
    if let Some((name, target)) = shown.strip_prefix('[').and_then(|rest| rest.split_once("]: "))
        && !name.contains(']')
    {
        found.extend(target.split_whitespace().next().map(str::to_owned));
    }
    found
}

/// Files that a line names in code spans.
fn named(line: &str) -> Vec<&str> {
    let spans = line.split('`').enumerate().filter(|(index, _)| index % 2 == 1).map(|(_, span)| span);
    let is_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
    spans.filter(|span| ROOMS.iter().any(|room| span.starts_with(room)) && span.chars().all(is_path)).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text of the repository.
fn texts() -> Vec<Text> {
    let mut texts = Vec::new();
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(root().join(&directory)).unwrap().map(Result::unwrap) {
            let path = directory.join(entry.file_name());
            let name = path.to_str().unwrap().replace('\\', "/");
            let kind = entry.file_type().unwrap();
            if SKIPPED.contains(&&*name) || name.starts_with('.') {
                continue;
            } else if kind.is_dir() {
                directories.push(path);
            } else if kind.is_file() && (name.ends_with(".md") || name.ends_with(".rs")) {
                texts.push(Text::of(name, &fs::read_to_string(root().join(&path)).unwrap()));
            }
        }
    }
    texts.sort_by(|a, b| a.name.cmp(&b.name));
    texts
}

/// A path without its steps back; `None` if it leads out of the repository.
fn resolved(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if !out.pop() => return None,
            Component::ParentDir | Component::CurDir => {}
            _ => out.push(part),
        }
    }
    Some(out)
}

/// What is wrong with a link of that text.
fn offence(text: &Text, link: &str, texts: &[Text]) -> Option<String> {
    let is_elsewhere = ["http://", "https://", "mailto:", "<"].iter().any(|start| link.starts_with(start));
    // In source, what has no slash and no ending is an item, and rustdoc looks after it.
    let is_item = text.is_source() && (link.contains("::") || !link.contains(['/', '.']));
    if is_elsewhere || is_item {
        return None;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let here = Path::new(&text.name);
    let target = if path.is_empty() { here.to_owned() } else { here.parent().unwrap().join(path) };
    let Some(target) = resolved(&target) else { return Some("leads out of the repository".to_owned()) };
    if !root().join(&target).exists() {
        return Some("leads to nothing".to_owned());
    }
    let target = target.to_str().unwrap().replace('\\', "/");
    let heading = anchor.filter(|_| target.ends_with(".md"))?;
    let anchors = texts.iter().find(|text| text.name == target).map(Text::anchors).unwrap_or_default();
    (!anchors.iter().any(|known| known == heading)).then(|| format!("{target} has no heading #{heading}"))
}

/// Whether this is the crate, to which not everything belongs that is named in it: cargo has put this file there.
fn is_crate() -> bool {
    let is_crate = root().join(".cargo_vcs_info.json").exists();
    if is_crate {
        eprintln!("SKIPPED: links are looked up in a checkout; the crate has neither pictures nor fuzzers");
    }
    is_crate
}

#[test]
fn every_link_leads_somewhere() {
    if is_crate() {
        return;
    }
    let texts = texts();
    let mut offences = Vec::new();
    let mut count = 0;
    for text in &texts {
        for (number, line) in &text.lines {
            for link in links(line) {
                count += 1;
                let what = offence(text, &link, &texts);
                offences.extend(what.map(|what| format!("{}:{number}: ({link}) {what}", text.name)));
            }
        }
    }
    assert!(count > 50, "these are not all: {count}");
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

#[test]
fn every_file_that_is_named_exists() {
    if is_crate() {
        return;
    }
    let mut offences = Vec::new();
    let mut count = 0;
    // The cases name files of the site that they are about.
    for text in texts().into_iter().filter(|text| text.is_source() || !text.name.starts_with("tests/")) {
        for (number, line) in &text.lines {
            for name in named(line).into_iter().filter(|name| !MADE.iter().any(|made| name.starts_with(made))) {
                count += 1;
                if !root().join(name).exists() {
                    offences.push(format!("{}:{number}: {name} does not exist", text.name));
                }
            }
        }
    }
    assert!(count > 20, "these are not all: {count}");
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

#[test]
fn what_is_a_link() {
    for (line, want, why) in [
        ("see [a](b.md) and [`c`](d.rs)", &["b.md", "d.rs"][..], "two on a line, one with code in its text"),
        ("`[a](b.md)`", &[], "it is only shown"),
        ("[a](b.md \"title\")", &["b.md"], "a title is no part of it"),
        ("[a]: b.md", &["b.md"], "a reference"),
        ("a[0]: b", &[], "no reference"),
    ] {
        assert_eq!(links(line), want, "{line}: {why}");
    }
    assert_eq!(
        named("`src/server/connection.rs`, `src/*.rs`, `conn.rs` and src/x.rs"),
        ["src/server/connection.rs"],
        "whole names in code spans only"
    );
}

#[test]
fn what_a_link_leads_to() {
    let text = Text::of("tests/wire/README.md".to_owned(), "# The *one*, `two`\n## Same\n## Same\n```\n# No heading\n```\n");
    assert_eq!(text.anchors(), ["the-one-two", "same", "same-1"]);
    let texts = [text];
    let dead = |link: &str| offence(&texts[0], link, &texts).is_some();
    for (link, is_dead, why) in [
        ("#same-1", false, "a heading of its own"),
        ("#other", true, "none of its headings"),
        ("../../README.md", false, "a file"),
        ("../../src", false, "a directory"),
        ("READYOU.md", true, "no file"),
        ("../../../etc", true, "it leaves the repository"),
        ("https://example.com/nothing", false, "there is no network here"),
    ] {
        assert_eq!(dead(link), is_dead, "{link}: {why}");
    }
    let source = Text::of("src/a.rs".to_owned(), "//! [a](Item), [b](../nothing.md)\nlet x = y[0](z.md);\n/// [c](Item::new)\n");
    assert_eq!(source.lines.len(), 2, "only comments are read");
    assert!(offence(&source, "Item", &texts).is_none() && offence(&source, "Item::new", &texts).is_none());
    assert!(offence(&source, "../nothing.md", &texts).is_some());
}
