//! Do the files for containers say the same as the program, and as each other?
//!
//! `deploy/box.sh` runs what they describe; here they are read. They are read line by line: what is looked for stands on a line of its own.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use threadbare::cli::Cli;
use threadbare::config::Limits;
use threadbare::handlers::ROUTES;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)).unwrap()
}

/// The lines without what is said beside them, and without their indentation.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.split_once(" #").map_or(line, |(line, _)| line).trim()).filter(|line| !line.starts_with('#'))
}

/// What follows these words, of the one line that begins with them.
fn after<'a>(text: &'a str, words: &str) -> &'a str {
    let mut found = lines(text).filter_map(|line| line.strip_prefix(words));
    let rest = found.next().unwrap_or_else(|| panic!("{words} is not there"));
    assert_eq!(found.next(), None, "{words} is there twice");
    rest.trim().trim_matches('"')
}

/// The variables of this program that a file sets, each with its value.
fn variables(text: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for line in lines(text) {
        // NAME=VALUE \ of a Dockerfile, NAME: VALUE of compose, - { name: NAME, value: VALUE } of Kubernetes.
        let plain = line.replace("- { name: ", "").replace(", value:", "").replace(" }", "").replace("ENV ", "");
        if let Some((name, value)) = plain.trim_end_matches(" \\").split_once(['=', ' '])
            && name.starts_with("THREADBARE_")
        {
            all.push((name.trim_end_matches(':').to_owned(), value.trim_matches('"').to_owned()));
        }
    }
    all
}

/// The command line that says the same.
fn words(variables: &[(String, String)]) -> Vec<String> {
    let mut words = vec!["threadbare".to_owned()];
    for (name, value) in variables {
        match &*name.trim_start_matches("THREADBARE_").to_lowercase().replace('_', "-") {
            "root" => words.push(value.clone()),
            // Understood by the build that is asked for there, and this may be another.
            "etag" if value == "content" => assert!(read("Dockerfile").contains("--features content-hash")),
            flag if value == "1" => words.push(format!("--{flag}")),
            option => words.push(format!("--{option}={value}")),
        }
    }
    words
}

/// How long a server takes to end, at most: it drains, then finishes what it has begun.
fn time_to_end(variables: &[(String, String)]) -> Duration {
    let drain = variables.iter().rfind(|(name, _)| name == "THREADBARE_DRAIN").expect("THREADBARE_DRAIN");
    Duration::from_secs(drain.1.parse().unwrap()) + Limits::default().shutdown_timeout
}

#[test]
fn each_variable_is_an_option_of_ours() {
    let image = variables(&read("Dockerfile"));
    assert!(image.len() >= 4, "{image:?}");
    let of_kubernetes = variables(&read("kubernetes.yaml"));
    let of_compose: Vec<_> =
        variables(&read("compose.yaml")).into_iter().filter(|(name, _)| name.len() > "THREADBARE_A".len()).collect();
    for more in [&[][..], &of_kubernetes, &of_compose] {
        let mut all = image.clone();
        all.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        all.extend_from_slice(more);
        let words = words(&all);
        assert!(words.len() > more.len() + 1);
        assert!(Cli::try_parse_from(&words).is_ok(), "{words:?}");
    }
}

#[test]
fn the_image_is_the_program_and_nothing_else() {
    let text = read("Dockerfile");
    let stages: Vec<&str> = lines(&text).filter_map(|line| line.strip_prefix("FROM ")).collect();
    assert_eq!(stages.len(), 2);
    let (builder, image) = (stages[0], stages[1]);
    assert_eq!(image, "scratch");
    let tag = builder.strip_prefix("docker.io/library/rust:").unwrap().split('-').next().unwrap();
    let parts = |version: &str| -> Vec<u32> { version.split('.').map(|part| part.parse().unwrap()).collect() };
    assert!(tag.split('.').count() == 3, "a tag that moves makes another image of the same source: {tag}");
    assert!(parts(tag) >= parts(env!("CARGO_PKG_RUST_VERSION")), "{tag}");

    let user: Vec<u32> =
        after(&text, "USER ").split(':').map(|number| number.parse().expect("a number needs no /etc/passwd")).collect();
    assert!(user.len() == 2 && user.iter().all(|number| *number > 0), "{user:?}");
    assert_eq!(after(&text, "STOPSIGNAL "), "SIGTERM");
    assert_eq!(
        after(&text, "ENTRYPOINT "),
        r#"["/threadbare"]"#,
        "a list: there is no shell that could split words, or keep the signal"
    );
    let health = lines(&text).find(|line| line.starts_with("HEALTHCHECK ")).unwrap();
    let command: Vec<String> = serde_json::from_str(health.split_once(" CMD ").unwrap().1).expect("a list, too");
    assert_eq!(command, ["/threadbare", "--check-health"]);
    assert!(Cli::try_parse_from(&command).is_ok());
    let port = after(&text, "EXPOSE ");
    assert!(variables(&text).contains(&("THREADBARE_PORT".to_owned(), port.to_owned())), "{port}");
}

/// What is copied must not be left out; all else is.
#[test]
fn the_build_is_sent_what_it_copies() {
    let text = read("Dockerfile");
    let ignored = read("Dockerfile.dockerignore");
    let sent: Vec<&str> = lines(&ignored).filter_map(|line| line.strip_prefix('!')).collect();
    assert_eq!(lines(&ignored).next(), Some("*"));
    let copies = lines(&text).filter_map(|line| line.strip_prefix("COPY ")).filter(|rest| !rest.starts_with("--from"));
    let mut copied: Vec<&str> = copies.flat_map(|rest| rest.split(' ').rev().skip(1)).collect();
    for name in &copied {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(name).exists(), "{name}");
    }
    copied.sort_unstable();
    let mut sent = sent;
    sent.sort_unstable();
    assert_eq!(sent, copied);
}

/// An engine that loses patience kills, and what was under way is cut.
#[test]
fn stopping_it_waits_until_it_has_stopped() {
    let image = variables(&read("Dockerfile"));
    let compose = read("compose.yaml");
    let patience = after(&compose, "stop_grace_period:").strip_suffix('s').unwrap().parse().unwrap();
    assert!(Duration::from_secs(patience) > time_to_end(&[image, variables(&compose)].concat()));

    let text = read("kubernetes.yaml");
    let patience: u64 = after(&text, "terminationGracePeriodSeconds:").parse().unwrap();
    let before: u64 = after(&text, "sleep: { seconds:").trim_end_matches(" }").parse().unwrap();
    assert!(Duration::from_secs(patience - before) > time_to_end(&variables(&text)));
}

#[test]
fn kubernetes_asks_what_is_answered() {
    let text = read("kubernetes.yaml");
    let asked: Vec<&str> = lines(&text).filter_map(|line| line.strip_prefix("httpGet: { path: ")).collect();
    assert_eq!(
        asked, ["/health, port: http }"; 2],
        "for the start, and for readiness; not for liveness, since who drains is alive"
    );
    for path in ["/health", after(&text, "prometheus.io/path:")] {
        assert!(ROUTES.iter().any(|route| route.path == path), "{path}");
    }
    let port = after(&read("Dockerfile"), "EXPOSE ").to_owned();
    assert_eq!(after(&text, "prometheus.io/port:"), port);
    assert_eq!(after(&text, "- { name: http, containerPort:"), format!("{port} }}"));
    let user = after(&read("Dockerfile"), "USER ").to_owned();
    assert_eq!(format!("{}:{}", after(&text, "runAsUser:"), after(&text, "runAsGroup:")), user);
    // Else a Service of our name sets THREADBARE_PORT, to something that is no port.
    assert_eq!(after(&text, "enableServiceLinks:"), "false");
    for hard in [
        "runAsNonRoot: true",
        "allowPrivilegeEscalation: false",
        "readOnlyRootFilesystem: true",
        "automountServiceAccountToken: false",
    ] {
        assert!(lines(&text).any(|line| line == hard), "{hard}");
    }
}

/// The balancer knows the replicas by address, and they it.
#[test]
fn compose_joins_what_belongs_together() {
    let text = read("compose.yaml");
    let port = after(&read("Dockerfile"), "EXPOSE ").to_owned();
    let addresses: Vec<IpAddr> = lines(&text)
        .filter_map(|line| line.strip_prefix("networks: { web: { ipv4_address: "))
        .map(|rest| rest.trim_end_matches(" } }").parse().unwrap())
        .collect();
    let [a, b, balancer] = addresses[..] else { panic!("{addresses:?}") };
    let set = variables(&text);
    let value = |name: &str| &*set.iter().find(|(other, _)| other == name).unwrap_or_else(|| panic!("{name}")).1;
    assert_eq!(value("THREADBARE_A"), format!("{a}:{port}"));
    assert_eq!(value("THREADBARE_B"), format!("{b}:{port}"));
    assert_eq!(value("THREADBARE_TRUST_PROXY"), balancer.to_string());
    let balances = read("haproxy.cfg");
    for name in ["${THREADBARE_A-127.0.0.1:8001}", "${THREADBARE_B-127.0.0.1:8002}"] {
        assert!(balances.contains(&format!("\"{name}\"")), "{name}");
    }
    assert!(text.contains("./haproxy.cfg:/usr/local/etc/haproxy/haproxy.cfg:ro"));
    assert!(balances.contains("bind *:8080\n") && text.contains("\"127.0.0.1:8080:8080\""));
}
