//! A strict parser of the Prometheus text format: anything unexpected is a failure.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;

/// A metric family.
#[derive(Debug)]
pub struct Family {
    pub name: String,
    pub kind: String,
    /// Each series, with name and labels as written, and its value.
    pub series: Vec<(String, f64)>,
}

/// Parses an exposition.
#[track_caller]
pub fn read(text: &str) -> Vec<Family> {
    assert!(text.ends_with('\n'), "the last line has an end as well");
    let mut families: Vec<Family> = Vec::new();
    let mut seen = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').expect(line);
            assert!(is_name(name) && words.ends_with('.') && !words.contains('\\'), "{line:?}");
            let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE ")?.strip_prefix(name)?.strip_prefix(' '));
            let kind = kind.unwrap_or_else(|| panic!("no TYPE behind {line:?}"));
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{name} is a {kind}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
            assert!(families.iter().all(|family| family.name != name), "{name} comes twice");
            families.push(Family { name: name.to_owned(), kind: kind.to_owned(), series: Vec::new() });
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line:?}"));
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line:?}"));
        let family = families.last_mut().unwrap_or_else(|| panic!("no metric has begun: {line:?}"));
        let name = series.split('{').next().unwrap();
        let belongs = match (&*family.kind, name.strip_prefix(&*family.name)) {
            ("histogram", Some(suffix)) => ["_bucket", "_sum", "_count"].contains(&suffix),
            (_, suffix) => suffix == Some(""),
        };
        assert!(belongs, "{line:?} is no value of {}", family.name);
        labels(series.strip_prefix(name).unwrap());
        assert!(value.is_finite() && value >= 0.0, "{line:?}");
        assert_eq!(seen.insert(series.to_owned(), value), None, "{series} comes twice");
        family.series.push((series.to_owned(), value));
    }
    families.iter().filter(|family| family.kind == "histogram").for_each(buckets);
    families
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Parses `{name="value",…}`, or nothing.
fn labels(text: &str) {
    if text.is_empty() {
        return;
    }
    let inside = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_else(|| panic!("no labels: {text:?}"));
    let mut names = Vec::new();
    for label in inside.split(',') {
        let (name, value) = label.split_once('=').unwrap_or_else(|| panic!("no label: {label:?}"));
        let value =
            value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_else(|| panic!("no quotes: {label:?}"));
        assert!(is_name(name) && !names.contains(&name), "{text:?}");
        assert!(!value.contains(['"', '\\', '\n']) && value.is_ascii() && value.len() < 30, "{label:?}");
        names.push(name);
    }
}

/// Checks that buckets are cumulative, and that the last one has all samples.
fn buckets(family: &Family) {
    let of = |suffix: &str| {
        let name = format!("{}{suffix}", family.name);
        family.series.iter().filter(move |(series, _)| series.split('{').next() == Some(&*name)).collect::<Vec<_>>()
    };
    let bound = |series: &str| match series.split_once("le=\"").unwrap().1.strip_suffix("\"}").unwrap() {
        "+Inf" => f64::INFINITY,
        bound => bound.parse().unwrap(),
    };
    let buckets: Vec<(f64, f64)> = of("_bucket").iter().map(|(series, count)| (bound(series), *count)).collect();
    assert!(buckets.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 <= two[1].1), "{buckets:?}");
    let (sums, counts) = (of("_sum"), of("_count"));
    assert_eq!((sums.len(), counts.len()), (1, 1), "{}", family.name);
    assert_eq!(buckets.last(), Some(&(f64::INFINITY, counts[0].1)), "{}", family.name);
}

/// The value of one series; `None` if it is missing.
pub fn value(families: &[Family], series: &str) -> Option<f64> {
    families.iter().flat_map(|family| &family.series).find(|(known, _)| known == series).map(|(_, value)| *value)
}

/// The names of all metrics with values.
pub fn names(families: &[Family]) -> Vec<String> {
    let series =
        families.iter().flat_map(|family| &family.series).map(|(series, _)| series.split('{').next().unwrap().to_owned());
    series.chain(families.iter().map(|family| family.name.clone())).collect()
}
