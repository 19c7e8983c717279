//! Is the book whole: its table of contents, its chapters, its exercises, and the change that it shows from beginning to end?

use std::fs;
use std::path::Path;

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The file names of `docs/` that begin with the number of a chapter, in order.
fn chapters() -> Vec<String> {
    let folder = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter(|name| name.ends_with(".md") && name.starts_with(|c: char| c.is_ascii_digit())).collect();
    names.sort();
    names
}

/// The modules that a file declares for all to see.
fn modules(source: &str) -> Vec<&str> {
    source.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect()
}

/// The comment at the head of a file.
fn head(source: &str) -> String {
    source.lines().map_while(|line| line.strip_prefix("//!")).collect::<Vec<_>>().join("\n")
}

/// Modules that the head of a file leads to by no link: neither to the module nor to anything in it.
fn unmentioned(source: &str) -> Vec<&str> {
    let head = head(source);
    let is_mentioned = |name: &&str| ["`]", "::"].iter().any(|end| head.contains(&format!("[`{name}{end}")));
    modules(source).into_iter().filter(|name| !is_mentioned(name)).collect()
}

/// The blocks of code of a Markdown text that are in Rust, without the white space at the ends of their lines.
fn rust_blocks(markdown: &str) -> Vec<Vec<&str>> {
    let blocks = markdown.split("```rust,ignore\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| block.lines().map(str::trim_end).collect()).collect()
}

#[test]
fn the_table_of_contents_leads_to_every_module() {
    let source = text("src/lib.rs");
    assert!(modules(&source).len() > 40, "these are not all: {:?}", modules(&source));
    let missing = unmentioned(&source);
    assert!(missing.is_empty(), "the head of src/lib.rs does not say when to read these: {missing:?}");
}

#[test]
fn what_is_mentioned() {
    let source =
        "//! [`one`], [`two::Thing`], `three`, [`fours`]\npub mod one;\npub mod two;\npub mod three;\npub mod four;\nmod own;\n";
    assert_eq!(unmentioned(source), ["three", "four"]);
}

#[test]
fn the_chapters_are_numbered_listed_and_end_with_three_exercises() {
    let contents = text("docs/README.md");
    let listed: Vec<&str> = contents.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).collect();
    let chapters = chapters();
    assert_eq!(listed.len(), chapters.len(), "{listed:#?}");
    for (index, (name, line)) in chapters.iter().zip(listed).enumerate() {
        let number = index + 1;
        let chapter = text(&format!("docs/{name}"));
        let title = chapter.lines().next().unwrap().strip_prefix(&format!("# {number}. "));
        let title = title.unwrap_or_else(|| panic!("{name} should begin with its number, {number}"));
        assert!(name.starts_with(&format!("{number:02}-")), "{name} is chapter {number}");
        assert!(line.starts_with(&format!("{number}. [{title}]({name}): ")), "{name} is not at its place: {line}");
        let exercises = chapter.split("\n## Exercises\n").nth(1).unwrap_or_else(|| panic!("{name} has no exercises"));
        let numbers: Vec<&str> = exercises.lines().filter_map(|line| line.split_once(". ")).map(|(number, _)| number).collect();
        let numbers: Vec<&str> = numbers.into_iter().filter(|number| number.chars().all(|c| c.is_ascii_digit())).collect();
        assert_eq!(numbers, ["1", "2", "3"], "{name} has three exercises, and nothing behind them");
    }
}

#[test]
fn the_route_from_beginning_to_end_is_the_one_that_is_compiled() {
    // The doc comment of `Route` is run as a test, so what stands there compiles.
    let source = text("src/handlers/mod.rs");
    let compiled: Vec<&str> = source.lines().filter_map(|line| line.strip_prefix("///")).map(str::trim).collect();
    let shown = text("CONTRIBUTING.md");
    let blocks = rust_blocks(&shown);
    assert_eq!(blocks.len(), 2, "a function and a row: {blocks:#?}");
    for block in blocks {
        let block: Vec<&str> = block.into_iter().map(str::trim).collect();
        let is_there = compiled.windows(block.len()).any(|lines| lines == block);
        assert!(is_there, "the doc comment of Route in src/handlers/mod.rs has not these lines:\n{}", block.join("\n"));
    }
}
