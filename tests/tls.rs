//! Are the configurations of `deploy/tls` what the proxies understand, and what `docs/guide/tls.md` says of them?
//!
//! Whether they do what they should is shown by `deploy/tls/check.sh`, which runs them. Here each proxy only reads its file.
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use process::Scratch;

const PLACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/tls");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide/tls.md");

/// The files, in the order of the columns of the page.
const FILES: [&str; 3] = ["haproxy.cfg", "nginx.conf", "Caddyfile"];

fn text_of(file: &str) -> String {
    fs::read_to_string(Path::new(PLACE).join(file)).unwrap()
}

/// A command, or a word about what is not tried without it.
fn command(tool: &str) -> Option<Command> {
    let places = std::env::var_os("PATH").unwrap_or_default();
    // Where Debian has what servers are made of, which not everybody's PATH knows.
    let found =
        std::env::split_paths(&places).chain(["/usr/sbin".into()]).map(|place| place.join(tool)).find(|path| path.exists());
    if found.is_none() {
        // Past the harness, which would keep it to itself.
        let _ = writeln!(io::stderr(), "SKIPPED: no {tool} here, so a file of deploy/tls is not tried");
    }
    found.map(Command::new)
}

/// Whether a proxy takes the file, and all that it says.
fn verdict(mut command: Command) -> (bool, String) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// A key and a certificate, in one file, by `openssl`.
fn certificate(scratch: &Scratch) -> Option<String> {
    let file = scratch.path().join("both.pem");
    let mut openssl = command("openssl")?;
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=www.example.com"]);
    openssl.arg("-keyout").arg(&file).arg("-out").arg(scratch.path().join("certificate"));
    let (success, said) = verdict(openssl);
    assert!(success, "{said}");
    let both = fs::read_to_string(&file).unwrap() + &fs::read_to_string(scratch.path().join("certificate")).unwrap();
    fs::write(&file, both).unwrap();
    Some(file.to_str().unwrap().to_owned())
}

/// The file with these replacements, each of which must have something to replace; and with what can be switched on, if it shall be.
fn changed(file: &str, replacements: &[(&str, &str)], switch: Option<&str>) -> String {
    let mut text = text_of(file);
    if let Some(switch) = switch {
        assert!(text.contains(&format!("#{switch}")), "{file} has nothing to switch on");
        text = text.replace(&format!("#{switch}"), switch);
    }
    for (what, with) in replacements {
        assert!(text.contains(what), "{file} has no {what:?}");
        text = text.replace(what, with);
    }
    text
}

#[test]
fn haproxy_takes_its_file() {
    let scratch = Scratch::new();
    let (Some(_), Some(certificate)) = (command("haproxy"), certificate(&scratch)) else { return };
    for switch in [None, Some("http-response")] {
        let text = changed("haproxy.cfg", &[("/etc/haproxy/www.example.com.pem", &certificate)], switch);
        let mut haproxy = command("haproxy").unwrap();
        haproxy.args(["-c", "-f"]).arg(scratch.file("haproxy.cfg", &text));
        let (success, said) = verdict(haproxy);
        assert!(success && !said.contains("WARNING"), "{switch:?}: {said}");
    }
}

#[test]
fn nginx_takes_its_file() {
    let scratch = Scratch::new();
    let (Some(_), Some(certificate)) = (command("nginx"), certificate(&scratch)) else { return };
    // nginx binds its listen addresses even if it is only asked to read: that is not for everybody, nor free.
    let socket = |name: &str| format!("listen unix:{}", scratch.path().join(name).display());
    let replacements = [
        ("/etc/ssl/www.example.com.crt", certificate.as_str()),
        ("/etc/ssl/private/www.example.com.key", &certificate),
        ("listen 80", &socket("a")),
        ("listen [::]:80", &socket("b")),
        ("listen 443", &socket("c")),
        ("listen [::]:443", &socket("d")),
    ];
    for switch in [None, Some("add_header")] {
        let site = scratch.file("site.conf", &changed("nginx.conf", &replacements, switch));
        let here = scratch.path().display();
        let temps = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|temp| format!("{temp}_temp_path {here}/{temp};"));
        let whole =
            format!("pid {here}/pid; events {{}} http {{ access_log off; {} include {}; }}", temps.concat(), site.display());
        let mut nginx = command("nginx").unwrap();
        nginx.args(["-t", "-e", "stderr", "-c"]).arg(scratch.file("nginx.conf", &whole));
        let (success, said) = verdict(nginx);
        // Newer ones warn of `http2`, as the file says.
        assert!(success, "{switch:?}: {said}");
    }
}

#[test]
fn caddy_takes_its_file() {
    let scratch = Scratch::new();
    let (Some(_), Some(certificate)) = (command("caddy"), certificate(&scratch)) else { return };
    let pair = format!("tls {certificate} {certificate}");
    let with_certificate = ("tls /etc/ssl/www.example.com.crt /etc/ssl/private/www.example.com.key", pair.as_str());
    for (replacements, switch) in [(&[][..], None), (&[with_certificate], Some("tls")), (&[], Some("header"))] {
        let file = scratch.file("Caddyfile", &changed("Caddyfile", replacements, switch));
        let mut caddy = command("caddy").unwrap();
        caddy.args(["validate", "--adapter", "caddyfile", "--config"]).arg(&file);
        caddy.env("XDG_DATA_HOME", scratch.path()).env("XDG_CONFIG_HOME", scratch.path());
        let (success, said) = verdict(caddy);
        // No authority answers for a certificate that was made on the spot: of that alone it may warn.
        let warning = said.lines().find(|line| line.contains("\"warn\"") && !line.contains("no OCSP stapling"));
        assert!(success && said.contains("Valid configuration") && warning.is_none(), "{switch:?}: {said}");
    }
}

#[test]
fn the_page_shows_what_stands_in_the_files() {
    let page = fs::read_to_string(PAGE).unwrap();
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|row| row.split(" | ").collect::<Vec<_>>());
    let mut shown = 0;
    for row in rows.filter(|row| row.len() == 1 + FILES.len()) {
        for (file, cell) in FILES.iter().zip(&row[1..]) {
            let text = text_of(file);
            // What stands between two ticks is a line of the file, or a part of one.
            for code in cell.split('`').skip(1).step_by(2) {
                assert!(text.contains(code), "{code:?} is not in {file}: {row:?}");
                shown += 1;
            }
        }
    }
    assert!(shown > 20, "{shown}");
}

#[test]
fn the_page_names_every_promise_of_the_check() {
    let page = fs::read_to_string(PAGE).unwrap();
    let check = text_of("check.sh");
    let promises: Vec<_> = check.lines().filter_map(|line| line.trim_start().strip_prefix("row \"")?.split('"').next()).collect();
    assert!(promises.len() > 20, "{promises:?}");
    for promise in promises {
        assert!(
            page.lines().any(|line| line.starts_with(&format!("{promise:<48}ok"))),
            "{promise:?} is not in the table of the page"
        );
    }
}
