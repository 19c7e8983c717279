//! Is the book whole: its table of contents, its chapters, its exercises, and the change that it shows from beginning to end?

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The directories of `src/`.
const ROOMS: [&str; 9] = ["http", "net", "config", "os", "telemetry", "files", "handlers", "server", "cli"];

/// The files that a request passes through, in reading order.
const REQUEST_PATH: [&str; 11] = [
    "server/mod.rs",
    "server/connection.rs",
    "http/request.rs",
    "http/target.rs",
    "http/framing.rs",
    "http/chunked.rs",
    "handlers/mod.rs",
    "files/lookup.rs",
    "handlers/static_file.rs",
    "server/response_writer.rs",
    "net/deadline.rs",
];

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The file names of `docs/book/` that begin with the number of a chapter, in order.
fn chapters() -> Vec<String> {
    let folder = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/book")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter(|name| name.ends_with(".md") && name.starts_with(|c: char| c.is_ascii_digit())).collect();
    names.sort();
    names
}

/// The blocks of code of a Markdown text that are in Rust, without the white space at the ends of their lines.
fn rust_blocks(markdown: &str) -> Vec<Vec<&str>> {
    let blocks = markdown.split("```rust,ignore\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| block.lines().map(str::trim_end).collect()).collect()
}

/// The modules that a file declares for all to see.
fn modules(source: &str) -> Vec<&str> {
    source.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect()
}

/// The comment at the head of a file.
fn head(source: &str) -> String {
    source.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_crate_docs_name_every_room_and_the_request_path() {
    let source = text("src/lib.rs");
    assert_eq!(modules(&source).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(ROOMS));
    let head = head(&source);
    for room in ROOMS {
        assert!(head.contains(&format!("//! - [`{room}`]: ")), "src/lib.rs does not say what is in {room}");
    }
    let mut rest = head.as_str();
    for file in REQUEST_PATH {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file).exists(), "src/{file} does not exist");
        let module = file.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
        let link = format!("[`{module}`]");
        let at = rest.find(&link).unwrap_or_else(|| panic!("src/lib.rs does not name {link} in its place of the reading order"));
        rest = &rest[at..];
    }
}

#[test]
fn the_chapters_are_numbered_listed_and_end_with_three_exercises() {
    let contents = text("docs/book/README.md");
    let listed: Vec<&str> = contents.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).collect();
    let chapters = chapters();
    assert_eq!(listed.len(), chapters.len(), "{listed:#?}");
    for (index, (name, line)) in chapters.iter().zip(listed).enumerate() {
        let number = index + 1;
        let chapter = text(&format!("docs/book/{name}"));
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
    let shown = text("docs/CONTRIBUTING.md");
    let blocks = rust_blocks(&shown);
    assert_eq!(blocks.len(), 2, "a function and a row: {blocks:#?}");
    for block in blocks {
        let block: Vec<&str> = block.into_iter().map(str::trim).collect();
        let is_there = compiled.windows(block.len()).any(|lines| lines == block);
        assert!(is_there, "the doc comment of Route in src/handlers/mod.rs has not these lines:\n{}", block.join("\n"));
    }
}
