//! Is what is released whole, and does it say what it is?

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What cargo prints.
fn cargo(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).current_dir(root()).args(words).output().unwrap();
    assert!(output.status.success(), "cargo {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `Cargo.toml`, as cargo reads it.
fn manifest() -> Value {
    let read: Value = serde_json::from_str(&cargo(&["metadata", "--no-deps", "--offline", "--format-version", "1"])).unwrap();
    read["packages"][0].clone()
}

#[test]
fn the_version_has_its_day_in_the_changelog() {
    let version = manifest()["version"].as_str().unwrap().to_owned();
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let heading = format!("## {version} - ");
    let day = changelog.lines().find_map(|line| line.strip_prefix(&heading)).expect(&heading);
    let parts: Vec<usize> = day.split('-').map(|part| part.parse().unwrap()).collect();
    assert!(day.len() == 10 && parts.len() == 3, "deploy/package.sh takes it as the time of all it makes: {day:?}");
}

#[test]
fn the_manifest_says_all_that_a_registry_shows() {
    let manifest = manifest();
    for field in ["description", "license", "readme", "documentation", "rust_version"] {
        assert!(manifest[field].as_str().is_some_and(|text| !text.is_empty()), "{field}");
    }
    for (field, max) in [("keywords", 5), ("categories", 5)] {
        let words = manifest[field].as_array().unwrap();
        assert!((1..=max).contains(&words.len()), "{field}: crates.io takes at most {max}");
    }
}

/// Who unpacks the crate has what is read, built and tried; what only a checkout can use is not in it.
#[test]
fn the_crate_has_what_is_built_tried_and_read() {
    let listed: BTreeSet<String> =
        cargo(&["package", "--list", "--allow-dirty", "--offline"]).lines().map(|line| line.replace('\\', "/")).collect();
    for directory in ["src", "tests", "examples", "deploy"] {
        let mut files = Vec::new();
        find(&root().join(directory), &mut files);
        assert!(!files.is_empty(), "{directory}");
        for file in files {
            let name = file.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            assert!(listed.contains(&name), "{name} is not in the crate: `include` of Cargo.toml");
        }
    }
    for file in ["Cargo.lock", "LICENSE", "README.md", "CHANGELOG.md", "docs/CONFORMANCE.md", "docs/book/README.md"] {
        assert!(listed.contains(file), "{file}");
    }
    let stray = listed
        .iter()
        .find(|name| name.starts_with("target/") || name.starts_with("fuzz/") || name.starts_with("docs/book/pictures/"));
    assert_eq!(stray, None);
}

#[test]
fn what_the_debian_package_is_made_of_is_there() {
    let script = fs::read_to_string(root().join("deploy/package.sh")).unwrap();
    let deb = manifest()["metadata"]["deb"].clone();
    let assets = deb["assets"].as_array().unwrap();
    assert!(assets.len() > 8, "{assets:?}");
    let sources = assets.iter().map(|asset| asset[0].as_str().unwrap()).chain([deb["changelog"].as_str().unwrap()]);
    for source in sources {
        let made = source.strip_prefix("target/deb/").or(source.strip_prefix("target/release/"));
        match made.map(|name| name.trim_start_matches("threadbare.").trim_end_matches(".gz")) {
            Some(name) => assert!(script.contains(name), "deploy/package.sh makes no {source}"),
            None => assert!(root().join(source).is_file(), "{source}"),
        }
    }
    for unit in ["service", "socket"] {
        let directory = deb["systemd-units"]["unit-scripts"].as_str().unwrap();
        assert!(root().join(directory).join(format!("threadbare.{unit}")).is_file(), "{unit}");
    }
    // The program is where the unit looks for it, and the variables as well.
    let unit = fs::read_to_string(root().join("deploy/threadbare.service")).unwrap();
    let installed: Vec<String> = assets.iter().map(|asset| format!("/{}", asset[1].as_str().unwrap())).collect();
    assert!(unit.contains("\nExecStart=/usr/bin/threadbare\n") && installed.contains(&"/usr/bin/".to_owned()), "{installed:?}");
    let read = unit.lines().find_map(|line| line.strip_prefix("EnvironmentFile=-")).unwrap();
    assert!(installed.contains(&read.to_owned()), "{read}: {installed:?}");
}

/// What is set in the file of variables, were it not commented out, is understood.
#[test]
fn the_variables_that_come_with_the_package_are_ours() {
    let text = fs::read_to_string(root().join("deploy/debian/default")).unwrap();
    let examples: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#THREADBARE_")).collect();
    assert!(examples.len() >= 3, "{text}");
    for example in examples {
        let (name, value) = example.split_once('=').unwrap();
        let option = format!("--{}", name.to_lowercase().replace('_', "-"));
        let words = if option == "--root" { vec!["threadbare", value] } else { vec!["threadbare", &option, value] };
        assert!(threadbare::cli::Cli::try_parse_from(words).is_ok(), "{example}");
    }
}

/// All files beneath a directory.
fn find(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { find(&path, files) } else { files.push(path) }
    }
}
