//! HTTPS: certificates, handshakes, and what is the same as without TLS.
#![cfg(all(unix, feature = "tls"))]

#[path = "support/process.rs"]
mod process;
#[path = "support/webdriver.rs"]
mod webdriver;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use process::{GET, Log, PATIENCE, Process, Scratch, run, tls};
use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tls::{Pair, TlsStream};
use webdriver::Browser;

/// A directory with `ten.txt`, a certificate beside it, and a server of both.
fn served(options: &[&str]) -> (Scratch, Scratch, Pair, Process) {
    let (site, keys) = (Scratch::new(), Scratch::new());
    site.file("ten.txt", "0123456789");
    let pair = Pair::new(keys.path(), "a", 30);
    let args = pair.options().into_iter().map(OsString::from).chain(options.iter().map(OsString::from));
    let process = Process::start(&args.chain([site.path().as_os_str().to_owned()]).collect::<Vec<_>>());
    (site, keys, pair, process)
}

fn raw(process: &Process) -> TcpStream {
    let stream = TcpStream::connect(&process.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn client(process: &Process, certificate: &CertificateDer<'static>) -> TlsStream {
    tls::over(raw(process), certificate)
}

/// One request on a connection of its own, and everything that comes back. The end must be announced.
fn get(process: &Process, certificate: &CertificateDer<'static>, target: &str) -> String {
    let mut client = client(process, certificate);
    write!(client, "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    text
}

/// A command, or a word about what is not tried without it.
fn tool(name: &str) -> Option<Command> {
    let is_there = Command::new(name).arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !is_there {
        let _ = writeln!(io::stderr(), "SKIPPED: no {name} here, so HTTPS is not tried with it");
    }
    is_there.then(|| Command::new(name))
}

fn output(command: &mut Command, input: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn a_client_is_served_and_the_scheme_is_known() {
    let (_site, _keys, pair, process) = served(&["--metrics", "--explain", "--log-format", "json"]);
    assert!(process.ready.contains(" https://127.0.0.1:"), "{}", process.ready);
    let mut client = client(&process, &pair.der);
    for _ in 0..3 {
        client.write_all(GET).unwrap();
        let mut answer = vec![0; 512];
        let mut length = 0;
        while !answer[..length].ends_with(b"0123456789") {
            length += client.read(&mut answer[length..]).unwrap();
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
    assert_eq!(client.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    let echo = get(&process, &pair.der, "/echo");
    assert!(echo.contains("\nscheme: https\n"), "{echo}");
    assert!(!echo.contains("Strict-Transport-Security"), "{echo}");
    process.wait_for_log(r#""scheme":"https""#);
    let checked = run(&["--check-health", "--tls", "--port", process.address.rsplit(':').next().unwrap()]);
    assert_eq!((checked.code, &*checked.stderr), (Some(0), ""), "{checked:?}");
}

#[test]
fn large_bodies_arrive_whole_in_both_directions() {
    let (site, _keys, pair, process) = served(&["--upload"]);
    let content: Vec<u8> = (0..9_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24).try_into().unwrap()).collect();
    fs::write(site.path().join("large"), &content).unwrap();
    let mut client = client(&process, &pair.der);
    client.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert!(answer.ends_with(&content));
    let mut client = self::client(&process, &pair.der);
    write!(client, "PUT /new HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len())
        .unwrap();
    client.write_all(&content).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(fs::read(site.path().join("new")).unwrap() == content);
}

#[test]
fn what_is_not_tls() {
    let (_site, _keys, pair, process) = served(&["--metrics"]);
    let redirect = "HTTP/1.1 308 Permanent Redirect\r\n";
    // What the client sends, how the answer starts, a line in it, and whether it is sent after TLS has failed.
    for (sent, start, line, why) in [
        (
            "GET /a%20b?c=/d HTTP/1.1\r\nHost: localhost:1\r\n\r\n",
            redirect,
            "Location: https://localhost:1/a%20b?c=/d\r\n",
            "GET",
        ),
        ("HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n", redirect, "Location: https://a.example/\r\n", "any Host"),
        ("GET http://a.example/b HTTP/1.1\r\nHost: c\r\n\r\n", redirect, "Location: https://a.example/b\r\n", "absolute-form"),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 400 ", "send the request to https://", "POST"),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 ", "send the request to https://", "OPTIONS *"),
        ("GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 400 ", "send the request to https://", "no Host"),
        ("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "Host", "a malformed request"),
        ("SSH-2.0-OpenSSH\r\n", "HTTP/1.1 400 ", "", "another protocol"),
        ("\u{16}\u{3}\u{1}\u{0}\u{5}xxxxx", "\u{15}\u{3}\u{3}", "", "a record that is no ClientHello: an alert"),
        ("\u{16}xGET / HTTP/1.1\r\n\r\n", "\u{15}\u{3}\u{3}", "", "only the first byte is one of TLS"),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", "\u{15}\u{3}\u{3}", "", "a ClientHello that breaks off"),
        ("\u{16}", "\u{15}\u{3}\u{3}", "", "after the first byte"),
        ("", "", "", "no byte at all"),
    ] {
        let mut stream = raw(&process);
        stream.write_all(sent.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with(start) && answer.contains(line) && answer.is_empty() == start.is_empty(), "{why}: {answer:?}");
    }
    let metrics = get(&process, &pair.der, "/metrics");
    for line in
        ["reason=\"handshake\"} 4\n", "reason=\"cleartext\"} 6\n", "reason=\"malformed\"} 2\n", "reason=\"by_client\"} 1\n"]
    {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[test]
fn a_proxy_header_precedes_tls() {
    let (_site, _keys, pair, process) = served(&["--proxy-protocol"]);
    let mut stream = raw(&process);
    // In one write with the ClientHello.
    let mut session = tls::over(stream.try_clone().unwrap(), &pair.der);
    let mut first = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n".to_vec();
    session.conn.write_tls(&mut first).unwrap();
    stream.write_all(&first).unwrap();
    session.write_all(b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    session.read_to_string(&mut text).unwrap();
    assert!(text.contains("peer: 192.0.2.1:56324\nscheme: https\n"), "{text}");
    // In the clear behind it.
    let mut stream = raw(&process);
    stream.write_all(b"PROXY UNKNOWN\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 308 "), "{text}");
    let port = process.address.rsplit(':').next().unwrap();
    let checked = run(&["--check-health", "--tls", "--proxy-protocol", "--port", port]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

#[test]
fn unusable_certificates() {
    let keys = Scratch::new();
    let (a, b, old) = (Pair::new(keys.path(), "a", 30), Pair::new(keys.path(), "b", 30), Pair::new(keys.path(), "old", -2));
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    let empty = keys.file("empty", "");
    let half = keys.file("half", &text(&a.certificate)[..200]);
    let encrypted = keys.file("encrypted", &text(&a.key).replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"));
    let garbage = keys.file("garbage", &tls::pem("PRIVATE KEY", b"garbage"));
    let nonsense = keys.file("nonsense", &tls::pem("CERTIFICATE", b"nonsense"));
    let missing = keys.path().join("missing");
    for (certificate, key, start, why) in [
        (&missing, &a.key, "cannot use --tls-cert '", "No such file"),
        (&a.certificate, &missing, "cannot use --tls-key '", "No such file"),
        (&empty, &a.key, "cannot use --tls-cert '", "no certificate in it"),
        (&half, &a.key, "cannot use --tls-cert '", "invalid PEM"),
        (&nonsense, &a.key, "cannot use --tls-", "ertificate"),
        (&a.key, &a.key, "cannot use --tls-cert '", "no certificate in it"),
        (&a.certificate, &a.certificate, "cannot use --tls-key '", "no private key in it"),
        (&a.certificate, &encrypted, "cannot use --tls-key '", "decrypt an encrypted one"),
        (&a.certificate, &garbage, "cannot use --tls-key '", "failed to parse"),
        (&a.certificate, &b.key, "cannot use --tls-key '", "not the key of the certificate"),
        (&old.certificate, &old.key, "cannot use --tls-cert '", "expired on "),
    ] {
        let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
        let left = run(&["--port", "0", "--tls-cert", &certificate, "--tls-key", &key]);
        assert_eq!(left.code, Some(1), "{left:?}");
        assert!(left.stderr.starts_with(&format!("threadbare: {start}")) && left.stderr.contains(why), "{why}: {left:?}");
        assert_eq!(left.stderr.lines().count(), 1, "{left:?}");
    }
    let left = run(&["--tls-cert", "a.pem"]);
    assert_eq!(left.code, Some(2), "{left:?}");
    assert!(left.stderr.contains("'--tls-cert' and '--tls-key' belong together"), "{left:?}");
    let left = run(&[
        OsString::from("--port"),
        "0".into(),
        "--tls-cert".into(),
        a.certificate.into(),
        "--tls-key".into(),
        a.key.into(),
        keys.path().into(),
    ]);
    assert!(left.code == Some(1) && left.stderr.contains("is beneath ROOT"), "{left:?}");
}

#[test]
fn a_certificate_is_replaced_on_sighup_and_a_bad_one_is_not_used() {
    let (_site, keys, a, process) = served(&[]);
    let b = Pair::new(keys.path(), "b", 30);
    let mut kept = client(&process, &a.der);
    kept.write_all(GET).unwrap();
    let before = fs::read(&a.certificate).unwrap();
    for (certificate, why) in [
        (fs::read(&b.certificate).unwrap(), "not the key of the certificate"),
        (before[..before.len() / 2].to_vec(), "invalid PEM"),
        (Vec::new(), "no certificate in it"),
    ] {
        fs::write(&a.certificate, certificate).unwrap();
        process.signal(Signal::HUP);
        assert!(process.wait_for_log("keeping the previous certificate").contains(why), "{why}");
        assert!(get(&process, &a.der, "/ten.txt").ends_with("0123456789"), "{why}");
    }
    // As certbot does: by rename.
    fs::rename(&b.certificate, &a.certificate).unwrap();
    fs::rename(&b.key, &a.key).unwrap();
    process.signal(Signal::HUP);
    process.wait_for_log("certificate reloaded");
    assert!(get(&process, &b.der, "/ten.txt").ends_with("0123456789"));
    let mut first = [0; 15];
    kept.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK", "a connection keeps its certificate");
}

#[test]
#[ignore = "takes up to 30 s: cargo test --features tls --test https -- --ignored"]
fn a_changed_certificate_is_noticed_without_a_signal() {
    let (_site, keys, a, process) = served(&[]);
    let b = Pair::new(keys.path(), "b", 30);
    fs::rename(&b.certificate, &a.certificate).unwrap();
    fs::rename(&b.key, &a.key).unwrap();
    process.wait_for_log_within(Duration::from_secs(60), "certificate reloaded");
    assert!(get(&process, &b.der, "/ten.txt").ends_with("0123456789"));
}

#[test]
fn a_self_signed_certificate_is_stored_and_used_again() {
    let (site, home) = (Scratch::new(), Scratch::new());
    site.file("ten.txt", "0123456789");
    let file = home.path().join("state/threadbare/self-signed.pem");
    let start = |state: &Path| {
        let mut command = process::command(&["--tls"], &site);
        command.env("XDG_STATE_HOME", state);
        let process = Process::of(command, Log::Read);
        (process.stdout_line().unwrap(), process)
    };
    let (line, process) = start(&home.path().join("state"));
    let stored = fs::read(&file).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let der = CertificateDer::from_pem_slice(&stored).unwrap();
    assert!(get(&process, &der, "/ten.txt").ends_with("0123456789"));
    assert!(line.starts_with("  certificate (SHA-256): ") && line.len() == 25 + 32 * 3 - 1, "{line}");
    if let Some(mut openssl) = tool("openssl") {
        let shown =
            output(openssl.args(["x509", "-noout", "-fingerprint", "-sha256", "-ext", "subjectAltName", "-in"]).arg(&file), "");
        assert!(shown.contains(line.rsplit(' ').next().unwrap()), "{shown}");
        for name in ["DNS:localhost", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1"] {
            assert!(shown.contains(name), "{name}: {shown}");
        }
    }
    assert_eq!(start(&home.path().join("state")).0, line, "the same after a restart");
    assert_eq!(fs::read(&file).unwrap(), stored);
    // What cannot be used is replaced: another name, garbage, a certificate that expires within 30 days.
    let soon = Pair::new(home.path(), "soon", 29);
    let other = [fs::read(&soon.certificate).unwrap(), fs::read(&soon.key).unwrap()].concat();
    for content in [b"garbage".to_vec(), other] {
        fs::write(&file, &content).unwrap();
        let again = start(&home.path().join("state")).0;
        assert_ne!(again, line);
        assert_ne!(fs::read(&file).unwrap(), content);
    }
    // Where it cannot be stored.
    home.file("file", "");
    let (_, process) = start(&home.path().join("file"));
    let warning = process.wait_for_log("cannot store the certificate in '");
    assert!(warning.ends_with("browsers will ask again after a restart"), "{warning}");
}

#[test]
fn curl_with_each_version() {
    let (site, _keys, pair, process) = served(&[]);
    site.file("big", &"0123456789abcdef".repeat(100_000));
    let url = format!("https://localhost:{}/", process.address.rsplit(':').next().unwrap());
    for version in ["1.2", "1.3"] {
        let Some(mut curl) = tool("curl") else { return };
        let options =
            ["-sS", "--ipv4", "--tls-max", version, "-w", "%{http_version} %{http_code} %{size_download}", "-o", "/dev/null"];
        let said = output(curl.args(options).arg("--cacert").arg(&pair.certificate).arg(format!("{url}big")), "");
        assert_eq!(said, "1.1 200 1600000", "{version}");
    }
    let Some(mut curl) = tool("curl") else { return };
    let plain = url.replace("https:", "http:");
    let said = output(curl.args(["-sSL", "--ipv4", "--cacert"]).arg(&pair.certificate).arg(format!("{plain}ten.txt")), "");
    assert_eq!(said, "0123456789", "the redirect is followed");
}

#[test]
fn openssl_with_each_version_and_a_wrong_protocol() {
    let (_site, _keys, pair, process) = served(&[]);
    let request = "GET /ten.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for (options, input, wanted, why) in [
        (&["-tls1_2"][..], request, "0123456789", "TLS 1.2"),
        (&["-tls1_3"], request, "0123456789", "TLS 1.3"),
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "", " alert ", "TLS 1.1"),
        (&["-alpn", "h2,http/1.1"], request, "0123456789", "one of two protocols"),
        (&["-alpn", "h2"], "", "alert no application protocol", "only another protocol"),
        (&["-tls1_2"], "R\n", "no renegotiation", "renegotiation"),
    ] {
        let Some(mut openssl) = tool("openssl") else { return };
        let command = openssl.args(["s_client", "-ign_eof", "-connect", &process.address, "-CAfile"]).arg(&pair.certificate);
        let command = if why == "renegotiation" { command.arg("-no_ign_eof") } else { command };
        let said = output(command.args(options), input);
        assert!(said.contains(wanted), "{why}: {said}");
    }
}

#[test]
fn links_as_certbot_makes_them_can_be_followed_in_the_sandbox() {
    let (site, keys) = (Scratch::new(), Scratch::new());
    site.file("ten.txt", "0123456789");
    let [live, archive] = ["live", "archive"].map(|name| keys.path().join(name));
    fs::create_dir(&live).unwrap();
    fs::create_dir(&archive).unwrap();
    let (first, second) = (Pair::new(&archive, "1", 30), Pair::new(&archive, "2", 30));
    let link = |number: &str| {
        for extension in ["pem", "key"] {
            let new = live.join("new");
            std::os::unix::fs::symlink(format!("../archive/{number}.{extension}"), &new).unwrap();
            fs::rename(&new, live.join(format!("a.{extension}"))).unwrap();
        }
    };
    link("1");
    let (certificate, key) = (live.join("a.pem"), live.join("a.key"));
    let process = Process::start(&[
        "--tls-cert".as_ref(),
        certificate.as_os_str(),
        "--tls-key".as_ref(),
        key.as_os_str(),
        site.path().as_os_str(),
    ]);
    assert!(get(&process, &first.der, "/ten.txt").ends_with("0123456789"));
    link("2");
    process.signal(Signal::HUP);
    process.wait_for_log("certificate reloaded");
    assert!(get(&process, &second.der, "/ten.txt").ends_with("0123456789"));
}

#[test]
fn no_request_fails_while_the_certificate_is_replaced() {
    const REQUESTS: usize = 400;
    let (_site, keys, a, process) = served(&["--quiet"]);
    let b = Pair::new(keys.path(), "b", 30);
    let contents = [&a, &b].map(|pair| (fs::read(&pair.certificate).unwrap(), fs::read(&pair.key).unwrap()));
    let either = [a.der.clone(), b.der.clone()];
    let (address, done) = (process.address.clone(), AtomicUsize::new(0));
    thread::scope(|scope| {
        let work = || {
            while done.fetch_add(1, Ordering::Relaxed) < REQUESTS {
                let mut client = tls::over_any(TcpStream::connect(&address).unwrap(), &either);
                client.write_all(b"GET /ten.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
                let mut text = String::new();
                client.read_to_string(&mut text).unwrap();
                assert!(text.ends_with("0123456789"), "{text}");
            }
        };
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        let mut replaced = 0;
        for (certificate, key) in contents.iter().cycle() {
            // In between they do not belong together.
            fs::write(&a.certificate, certificate).unwrap();
            process.signal(Signal::HUP);
            fs::write(&a.key, key).unwrap();
            process.signal(Signal::HUP);
            process.wait_for_log("certificate");
            replaced += 1;
            if workers.iter().all(|worker| worker.is_finished()) {
                break;
            }
        }
        assert!(replaced > 1);
    });
}

#[test]
fn incomplete_handshakes_evict_each_other() {
    let (_site, _keys, pair, process) = served(&["--max-connections", "16"]);
    let mut hello = Vec::new();
    tls::over(raw(&process), &pair.der).conn.write_tls(&mut hello).unwrap();
    let mut held = Vec::new();
    for count in 0..64 {
        let mut stream = raw(&process);
        // Nothing, one byte, a part, or all of it without an answer to what the server sends.
        let sent = [0, 1, 100, hello.len()][count % 4];
        stream.write_all(&hello[..sent]).unwrap();
        held.push(stream);
        if count % 8 == 7 {
            assert!(get(&process, &pair.der, "/ten.txt").ends_with("0123456789"), "after {count}");
        }
    }
}

/// A page whose script registers a service worker, and a server of it.
fn site_with_worker() -> (Scratch, Scratch, Pair, Process) {
    let served = served(&[]);
    served.0.file("index.html", "<!DOCTYPE html><title>t</title><p>t");
    served.0.file("worker.js", "self.addEventListener('fetch', (event) => event.respondWith(new Response('from the worker')))");
    served
}

const REGISTER: &str = "if (!isSecureContext) return 'insecure'; try { await navigator.serviceWorker.register('/worker.js'); \
    await navigator.serviceWorker.ready; return 'ready' } catch (error) { return error.name }";

#[test]
fn a_browser_that_trusts_the_certificate_runs_a_service_worker() {
    let (_site, _keys, pair, process) = site_with_worker();
    let trusted = format!("--ignore-certificate-errors-spki-list={}", pair.key_hash);
    let Some(browser) = Browser::start_with(&[&trusted]) else { return };
    let url = format!("https://localhost:{}/", process.address.rsplit(':').next().unwrap());
    browser.go(&url);
    assert_eq!(browser.text(REGISTER), "ready");
    browser.reload();
    assert_eq!(browser.text("return document.body.textContent"), "from the worker");
}

#[test]
fn a_browser_that_only_accepts_the_certificate_has_a_secure_context_and_no_service_worker() {
    let (_site, _keys, _pair, process) = site_with_worker();
    let Some(browser) = Browser::start() else { return };
    browser.go_on(&format!("https://{}/", process.address));
    assert_eq!(browser.text(REGISTER), "SecurityError");
    assert_eq!(browser.run("return typeof navigator.clipboard"), "object");
}
