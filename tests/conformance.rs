//! Does docs/CONFORMANCE.md say what the code does?
//!
//! It is prose, and prose rots. So each file that it names must exist, each case must stand under that heading in that chapter, and each section
//! that the source cites must have a row.

#[path = "support/sections.rs"]
mod sections;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sections::{Section, sections};

/// A row of one of the tables.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    number: usize,
    sections: Vec<Section>,
    /// In the source; none where there is nothing to do.
    files: Vec<String>,
    /// Chapter and heading.
    cases: Vec<(String, String)>,
    /// Tests that are no cases.
    tests: Vec<String>,
}

impl Row {
    /// The row that a line below the heading of an RFC is, if it is one.
    fn of(number: usize, line: &str, rfc: &str) -> Option<Row> {
        let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix('|')?.split(" | ").map(str::trim).collect();
        let [cited, _, place, proof] = cells[..] else { return None };
        let cited = cited.strip_prefix('§')?;
        Some(Row {
            number,
            sections: sections(&format!("RFC {rfc} §{cited}")).into_iter().collect(),
            files: code_spans(place),
            cases: cases(proof),
            tests: code_spans(&proof.split('“').map(|part| part.rsplit('”').next().unwrap()).collect::<String>()),
        })
    }
}

fn code_spans(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// `[01](../tests/wire/01-request-line.md) “Four words”` is a chapter, from the root of the repository, and a heading.
fn cases(proof: &str) -> Vec<(String, String)> {
    let parts = proof.split("](").skip(1);
    let parts =
        parts.filter_map(|part| part.split_once(')').and_then(|(chapter, rest)| Some((chapter, rest.split_once('“')?.1))));
    parts
        .map(|(chapter, rest)| (chapter.trim_start_matches("../").to_owned(), rest.split('”').next().unwrap().to_owned()))
        .collect()
}

/// The rows of both tables.
fn rows(text: &str) -> Vec<Row> {
    let mut rfc = None;
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(heading) = line.strip_prefix("## ") {
            rfc = heading.strip_prefix("RFC ");
        }
        rows.extend(rfc.and_then(|rfc| Row::of(index + 1, line, rfc)));
    }
    rows
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn conformance() -> Vec<Row> {
    let rows = rows(&fs::read_to_string(root().join("docs/CONFORMANCE.md")).unwrap());
    assert!(rows.len() > 50, "these are not all: {}", rows.len());
    rows
}

/// What the source cites, and where.
fn cited() -> Vec<(Section, String)> {
    let mut cited = Vec::new();
    let mut directories = vec![root().join("src")];
    while let Some(directory) = directories.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                cited.extend(sections(&text).into_iter().map(|section| (section, path.display().to_string())));
            }
        }
    }
    cited
}

#[test]
fn what_is_named_exists() {
    let mut offences = Vec::new();
    for row in conformance() {
        let files = row.files.iter().chain(&row.tests).chain(row.cases.iter().map(|(chapter, _)| chapter));
        for file in files.filter(|file| !root().join(file).is_file()) {
            offences.push(format!("CONFORMANCE.md:{}: {file} is no file", row.number));
        }
        for (chapter, heading) in &row.cases {
            let text = fs::read_to_string(root().join(chapter)).unwrap_or_default();
            if !text.lines().any(|line| line.strip_prefix("## ") == Some(heading)) {
                offences.push(format!("CONFORMANCE.md:{}: {chapter} has no case {heading:?}", row.number));
            }
        }
    }
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

#[test]
fn what_is_done_is_proved() {
    let unproved = conformance().into_iter().filter(|row| !row.files.is_empty() && row.cases.is_empty() && row.tests.is_empty());
    let offences: Vec<_> = unproved.map(|row| format!("CONFORMANCE.md:{}: no case of {:?}", row.number, row.sections)).collect();
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

#[test]
fn what_the_source_cites_has_a_row() {
    let covered: BTreeSet<Section> = conformance().into_iter().flat_map(|row| row.sections).collect();
    let cited = cited();
    assert!(cited.len() > 50, "these are not all: {}", cited.len());
    let missing = cited.iter().filter(|(section, _)| !covered.contains(section));
    let offences: Vec<_> =
        missing.map(|((rfc, section), place)| format!("RFC {rfc} §{section} has no row, but {place} cites it")).collect();
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

#[test]
fn chapters_have_a_number_each() {
    let names = fs::read_dir(root().join("tests/wire")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut chapters: Vec<String> = names.filter(|name| name != "README.md").collect();
    chapters.sort();
    for (index, name) in chapters.iter().enumerate() {
        assert!(name.starts_with(&format!("{:02}-", index + 1)), "chapter {} is {name}", index + 1);
    }
    // And they are named by it: `[01](../tests/wire/01-request-line.md)`.
    let text = fs::read_to_string(root().join("docs/CONFORMANCE.md")).unwrap();
    for (at, link) in text.match_indices("](../tests/wire/").filter(|(at, _)| text[..*at].ends_with(|c: char| c.is_ascii_digit()))
    {
        assert_eq!(text[at - 2..at], text[at + link.len()..][..2], "{}", &text[at - 3..at + 40]);
    }
}

#[test]
fn what_is_a_row() {
    let text = "## RFC 9112\n| section | what | where | cases |\n| --- | --- | --- | --- |\n\
        | §1, §2.3 | x | `src/a.rs` | [01](../tests/wire/01.md) “A `b`: c”; `tests/d.rs` |\n| §7.4 | y | nowhere |  |\n## Else\n| §9 | z | `q` | r |\n";
    let section = |number: &str| ("9112".to_owned(), number.to_owned());
    let want = [
        Row {
            number: 4,
            sections: vec![section("1"), section("2.3")],
            files: vec!["src/a.rs".to_owned()],
            cases: vec![("tests/wire/01.md".to_owned(), "A `b`: c".to_owned())],
            tests: vec!["tests/d.rs".to_owned()],
        },
        Row { number: 5, sections: vec![section("7.4")], files: vec![], cases: vec![], tests: vec![] },
    ];
    assert_eq!(rows(text), want);
}
