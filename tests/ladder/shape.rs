//! The form of each step: its length, its head, and the table of the README.

use std::fs;
use std::path::Path;

/// With the comment at its head: about one page.
const LINES_MAX: usize = 80;

/// Half of a wide screen.
const COLUMNS_MAX: usize = 150;

/// A file of `examples/`.
pub struct Step {
    /// `01_socket`
    pub name: String,
    text: String,
}

impl Step {
    pub fn all() -> Vec<Step> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let sources = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
        let mut steps: Vec<Step> = sources
            .map(|path| Step {
                name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
                text: fs::read_to_string(path).unwrap(),
            })
            .collect();
        steps.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(steps.len(), 16, "number of steps");
        steps
    }

    /// The comment at its head.
    fn head(&self) -> String {
        self.text.lines().map_while(|line| line.strip_prefix("//!")).collect::<Vec<_>>().join("\n")
    }
}

/// The numbers of steps in a text: `step 02`, `steps 06 and 08`.
fn steps_named(text: &str) -> Vec<usize> {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).peekable();
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        if word == "step" || word == "steps" {
            while let Some(word) = words.next_if(|word| *word == "and" || (word.len() == 2 && word.parse::<usize>().is_ok())) {
                found.extend(word.parse::<usize>().ok());
            }
        }
    }
    found
}

#[test]
fn numbers_of_steps_are_found_in_a_text() {
    assert_eq!(steps_named("half of it (step 02); and the rest\n(steps 06 and 08). 404: no such step"), [2, 6, 8]);
}

#[test]
fn steps_are_short() {
    for Step { name, text } in Step::all() {
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "examples/{name}.rs has {lines} lines; the limit is {LINES_MAX}");
        for (index, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            assert!(columns <= COLUMNS_MAX, "examples/{name}.rs:{}: {columns} columns; the limit is {COLUMNS_MAX}", index + 1);
        }
    }
}

#[test]
fn steps_are_numbered_without_a_gap() {
    for (index, step) in Step::all().iter().enumerate() {
        assert_eq!(step.name[..3], format!("{:02}_", index + 1), "{}", step.name);
    }
}

#[test]
fn heads_begin_with_a_noun_phrase_and_have_three_parts() {
    for step in Step::all() {
        let name = &step.name;
        let first = step.text.lines().next().unwrap();
        assert!(first.starts_with("//! ") && first.ends_with('.') && first.len() < 90, "{name} begins with {first:?}");
        for part in ["\n New: ", "\n Try: ", "\n Still wrong: "] {
            assert_eq!(step.head().matches(part).count(), 1, "{name}: {part:?} once");
        }
    }
}

#[test]
fn faults_name_the_step_or_file_without_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let steps = Step::all();
    for (index, step) in steps.iter().enumerate() {
        let head = step.head();
        let wrong = head.split("Still wrong: ").nth(1).unwrap();
        let files: Vec<&str> = wrong.split('`').filter(|word| word.starts_with("src/")).collect();
        for file in &files {
            assert!(root.join(file).exists(), "{} names {file}", step.name);
        }
        let named = steps_named(wrong);
        assert!(!named.is_empty() || !files.is_empty(), "{}: which step or file does it better?", step.name);
        for number in named {
            // A later step.
            assert!(index + 1 < number && number <= steps.len(), "{} names step {number}", step.name);
        }
    }
}

#[test]
fn steps_listen_on_port_8080_by_default() {
    for Step { name, text } in Step::all() {
        assert!(text.contains("std::env::var(\"PORT\").unwrap_or_else(|_| \"8080\".to_owned())"), "{name}");
        assert!(text.contains("println!(\"listening on http://{}/\", listener.local_addr()?);"), "{name}");
        assert!(!text.contains("8000"), "{name}: port 8000 is that of the server in the book");
    }
}

#[test]
fn steps_are_in_the_table() {
    let table = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/README.md")).unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| [")).collect();
    let steps = Step::all();
    assert_eq!(rows.len(), steps.len(), "{rows:#?}");
    for (row, Step { name, .. }) in rows.iter().zip(&steps) {
        assert!(
            row.starts_with(&format!("| [{name}]({name}.rs) | `cargo run --example {name}` |")),
            "the row of {name} is {row}"
        );
    }
}

#[test]
fn steps_have_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ladder");
    let texts = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let tests = texts.collect::<Vec<_>>().concat();
    for Step { name, .. } in Step::all() {
        assert!(tests.contains(&format!("start(\"{name}\"")), "no test starts {name}");
    }
}
