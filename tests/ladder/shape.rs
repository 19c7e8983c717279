//! Is each step short, does it begin with its question, and does it say what is new and what is still wrong?

use std::fs;
use std::path::Path;

/// With the comment at its head. More than that is no page.
const LINES_MAX: usize = 80;

/// What fits on a screen beside something else.
const COLUMNS_MAX: usize = 150;

/// A file of `examples/`.
struct Step {
    /// `01_socket`
    name: String,
    text: String,
}

impl Step {
    fn all() -> Vec<Step> {
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
        assert_eq!(steps.len(), 14, "these are not all");
        steps
    }

    /// The comment at its head.
    fn head(&self) -> String {
        self.text.lines().map_while(|line| line.strip_prefix("//!")).collect::<Vec<_>>().join("\n")
    }
}

/// The numbers of steps that a text names: `step 02`, `steps 06 and 08`.
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
fn steps_are_found_in_a_text() {
    assert_eq!(steps_named("half of it (step 02); and the rest\n(steps 06 and 08). 404: no such step"), [2, 6, 8]);
}

#[test]
fn each_is_a_page() {
    for Step { name, text } in Step::all() {
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "examples/{name}.rs has {lines} lines, and {LINES_MAX} are enough");
        for (index, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            assert!(columns <= COLUMNS_MAX, "examples/{name}.rs:{}: {columns} columns, and {COLUMNS_MAX} are enough", index + 1);
        }
    }
}

#[test]
fn they_are_numbered_without_a_gap() {
    for (index, step) in Step::all().iter().enumerate() {
        assert_eq!(step.name[..3], format!("{:02}_", index + 1), "{}", step.name);
    }
}

#[test]
fn each_asks_says_what_is_new_and_what_is_still_wrong() {
    for step in Step::all() {
        let name = &step.name;
        let first = step.text.lines().next().unwrap();
        assert!(first.starts_with("//! ") && first.ends_with('?'), "{name} begins with no question: {first:?}");
        for part in ["\n New: ", "\n Try: ", "\n Still wrong: "] {
            assert_eq!(step.head().matches(part).count(), 1, "{name}: {part:?} once");
        }
    }
}

#[test]
fn what_is_still_wrong_names_who_mends_it() {
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
        assert!(!named.is_empty() || !files.is_empty(), "{}: who mends that?", step.name);
        for number in named {
            // What mends it comes later.
            assert!(index + 1 < number && number <= steps.len(), "{} names step {number}", step.name);
        }
    }
}

#[test]
fn each_listens_where_it_is_told_and_else_where_its_head_says() {
    for Step { name, text } in Step::all() {
        let port = if name == "01_socket" { 8080 } else { 8000 };
        assert!(text.contains(&format!("unwrap_or_else(|| \"127.0.0.1:{port}\".to_owned())")), "{name}");
        assert!(text.contains("println!(\"listening on http://{}/\", listener.local_addr()?);"), "{name}");
    }
}

#[test]
fn each_is_in_the_table() {
    let table = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/README.md")).unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| [")).collect();
    let steps = Step::all();
    assert_eq!(rows.len(), steps.len(), "{rows:#?}");
    for (row, Step { name, .. }) in rows.iter().zip(&steps) {
        assert!(
            row.starts_with(&format!("| [{name}]({name}.rs) | `cargo run --example {name}` |")),
            "{name} is not at its place: {row}"
        );
    }
}

#[test]
fn each_has_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ladder");
    let texts = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let tests = texts.collect::<Vec<_>>().concat();
    for Step { name, .. } in Step::all() {
        assert!(tests.contains(&format!("start(\"{name}\"")), "no test starts {name}");
    }
}
