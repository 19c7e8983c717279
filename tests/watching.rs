//! Do the alert rules and the dashboard in `deploy/watching` fit the numbers that `/metrics` tells?

#[path = "support/exposition.rs"]
mod exposition;
#[path = "support/process.rs"]
mod process;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use process::{Scratch, served};
use serde_json::{Value, json};

/// What Grafana puts into a query before it asks, and what could stand there.
const VARIABLES: &[(&str, &str)] = &[("$__rate_interval", "1m"), ("$job", "threadbare"), ("$instance", ".+")];

fn deployed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/watching").join(name)
}

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(deployed("dashboard.json")).unwrap()).unwrap()
}

/// Every query of the dashboard, of its panels and of its annotations.
fn queries(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let all = targets.chain(dashboard["annotations"]["list"].as_array().unwrap());
    all.map(|query| VARIABLES.iter().fold(query["expr"].as_str().unwrap().to_owned(), |text, (name, is)| text.replace(name, is)))
        .collect()
}

/// Runs promtool. `false` where there is none, said loudly.
fn promtool(words: &[&str]) -> bool {
    let Ok(left) = Command::new("promtool").args(words).output() else {
        // Not by eprintln, which the test harness keeps to itself.
        let _ = writeln!(io::stderr(), "SKIPPED: no promtool here, so {words:?} is not checked");
        return false;
    };
    assert!(left.status.success(), "{words:?}:\n{}", String::from_utf8_lossy(&[left.stdout, left.stderr].concat()));
    true
}

#[test]
fn the_rules_raise_what_they_should_and_nothing_else() {
    promtool(&["check", "rules", deployed("alerts.yml").to_str().unwrap()]);
    promtool(&["test", "rules", deployed("alerts_test.yml").to_str().unwrap()]);
    let named = |text: &str, key: &str| -> BTreeSet<String> {
        let names = text.lines().filter_map(|line| line.split_once(key));
        names.map(|(_, name)| name.split(',').next().unwrap().trim().to_owned()).collect()
    };
    let rules = fs::read_to_string(deployed("alerts.yml")).unwrap();
    let tests = fs::read_to_string(deployed("alerts_test.yml")).unwrap();
    let rules = named(&rules, "alert: ");
    assert!(rules.len() >= 8, "{rules:?}");
    assert_eq!(rules, named(&tests, "alertname: "), "each rule has a test");
}

/// A rule for each query of the dashboard: promtool reads no dashboards.
#[test]
fn prometheus_understands_every_query_of_the_dashboard() {
    let queries = queries(&dashboard());
    assert!(queries.len() > 20, "{}", queries.len());
    let rules: Vec<Value> = queries
        .iter()
        .enumerate()
        .map(|(number, query)| json!({"record": format!("query{number}"), "expr": query, "labels": {"number": number.to_string()}}))
        .collect();
    let scratch = Scratch::new();
    // JSON is YAML.
    let file = scratch.file("rules.yml", &json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string());
    promtool(&["check", "rules", file.to_str().unwrap()]);
}

/// Every word of a text that looks like a metric of this program.
fn metrics_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("threadbare_") || word.starts_with("process_"))
}

/// What is asked of labels: `code="5xx"`. Of those that Grafana and Prometheus bring along we know nothing.
fn labels_in(text: &str) -> impl Iterator<Item = String> {
    let pieces = text.split(['{', ',', '}']).map(str::trim);
    let theirs = ["job", "instance", "severity"];
    pieces.filter_map(move |piece| {
        let (name, value) = piece.split_once('=')?;
        let name = name.trim_end_matches('!');
        let is_label = value.starts_with('"') && value.ends_with('"') && !theirs.contains(&name);
        (is_label && !name.is_empty()).then(|| format!("{name}={value}"))
    })
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "only Linux tells what the process takes")]
fn they_ask_for_numbers_that_there_are() {
    let (_scratch, process) = served(&["--metrics"]);
    let text = process.get("/metrics").text().to_owned();
    let families = exposition::read(&text);
    let names = exposition::names(&families);
    let rules = fs::read_to_string(deployed("alerts.yml")).unwrap();
    let dashboard = dashboard();
    let asked = [queries(&dashboard), vec![rules]].concat();
    let mut used = BTreeSet::new();
    for text in &asked {
        for name in metrics_in(text) {
            assert!(names.iter().any(|known| *known == *name), "{name} is not there: {text}");
            used.insert(name.trim_end_matches("_bucket").to_owned());
        }
    }
    for label in asked.iter().flat_map(|text| labels_in(text)) {
        assert!(text.contains(&label), "{label} is not there");
    }
    for family in &families {
        assert!(used.contains(&*family.name), "neither the dashboard nor a rule looks at {}", family.name);
    }
}

#[test]
fn each_panel_says_what_it_shows_and_none_lies_upon_another() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is taken");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
        assert!(x + w <= 24, "{title} is too wide");
        for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(places.insert(place), "{title} lies upon another one");
        }
        if panel["type"] != "row" {
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has no unit");
            assert!(panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()), "{title} shows nothing");
        }
    }
    assert!(panels.len() > 15);
}
