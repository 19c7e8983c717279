//! The workflow for forks names the compiler of Cargo.toml and the systems of docs/reference/limits.md. Which files may depend on the system is checked by
//! tests/tidy.rs.

use std::fs;
use std::path::Path;

/// The file for forks speaks of the compiler that Cargo.toml promises, and of the systems that docs/reference/limits.md names.
#[test]
fn the_workflow_fits() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if root.join(".cargo_vcs_info.json").exists() {
        eprintln!("SKIPPED: the workflow is for checkouts, and not in the crate");
        return;
    }
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let workflow = read(".github/workflows/ci.yml");
    let manifest = read("Cargo.toml");
    let oldest = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    for words in [&format!("toolchain install {oldest} "), &format!("cargo +{oldest} check"), "macos-", "windows-", " .ci/run"] {
        assert!(workflow.contains(words), "{words} is not in the workflow");
    }
}
