//! Steps 09 and 10: sessions and passwords.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::example::{curl_text, response_to, start};
use crate::process::{Answer, Process, Scratch};
use crate::webdriver::Browser;

/// Sends the form of step 09.
fn log_in(server: &Process, form: &str) -> Answer {
    let mut client = server.client();
    client.send(format!("POST /login HTTP/1.1\r\nContent-Length: {}\r\n\r\n{form}", form.len()).as_bytes());
    client.answer()
}

/// The page of step 09 for a client with these cookies.
fn page(server: &Process, cookies: &str) -> String {
    let mut client = server.client();
    client.send(format!("GET / HTTP/1.1\r\nCookie: {cookies}\r\n\r\n").as_bytes());
    client.answer().text().to_owned()
}

/// `session=…`, from the field Set-Cookie.
fn session(answer: &Answer) -> &str {
    answer.field("Set-Cookie").unwrap().split(';').next().unwrap()
}

const FORM: &str = "<!doctype html><form method=post action=/login>Your name? <input name=name><button>Log in</button></form>\n";

#[test]
fn step_09_recognizes_a_session() {
    let server = start("09_cookies_and_forms", &[]);
    let answer = log_in(&server, "name=Ada");
    assert_eq!((answer.status, answer.field("Location"), answer.text()), (303, Some("/"), ""));
    let (ada, attributes) = answer.field("Set-Cookie").unwrap().split_once(';').unwrap();
    assert_eq!(attributes, " HttpOnly; SameSite=Lax");
    let number = ada.strip_prefix("session=").unwrap();
    assert!(number.len() == 32 && number.bytes().all(|b| b.is_ascii_hexdigit()), "{ada}");
    let grace = log_in(&server, "name=Grace");
    assert_ne!(ada, session(&grace), "each session has its own number");
    for (cookies, want) in [
        (ada, "<!doctype html><h1>Hello, Ada</h1>\n"),
        (session(&grace), "<!doctype html><h1>Hello, Grace</h1>\n"),
        (&format!("a=b; {ada}; c=d"), "<!doctype html><h1>Hello, Ada</h1>\n"),
        ("", FORM),
        ("session=", FORM),
        ("session=00000000000000000000000000000000", FORM),
        (&format!("x{ada}"), FORM),
        (&ada[..ada.len() - 1], FORM),
    ] {
        assert_eq!(page(&server, cookies), want, "{cookies}");
    }
}

#[test]
fn step_09_decodes_the_form_and_escapes_the_name() {
    let server = start("09_cookies_and_forms", &[]);
    for (form, shown) in [
        ("name=Ada+L%C3%B6v", "Ada Löv"),
        ("name=a%2Bb%26c", "a+b&amp;c"),
        ("a=b&name=Ada&c=d", "Ada"),
        ("name=%3Cscript%3Ealert(%22x%22)%3C%2Fscript%3E", "&lt;script>alert(&quot;x&quot;)&lt;/script>"),
        ("name=%ff%zz", "\u{fffd}%zz"),
        ("surname=Ada", ""),
        ("", ""),
    ] {
        let answer = log_in(&server, form);
        assert_eq!(page(&server, session(&answer)), format!("<!doctype html><h1>Hello, {shown}</h1>\n"), "{form}");
    }
}

#[test]
fn step_09_limits_the_number_of_sessions() {
    let server = start("09_cookies_and_forms", &[]);
    for number in 1..=1001 {
        assert_eq!(log_in(&server, "name=Ada").status, if number <= 1000 { 303 } else { 404 }, "session {number}");
    }
}

#[test]
fn step_09_in_curl() {
    let server = start("09_cookies_and_forms", &[]);
    let (scratch, url) = (Scratch::new(), format!("http://{}", server.address));
    let jar = scratch.path().join("jar").to_str().unwrap().to_owned();
    // curl follows the redirect with GET, and sends the cookie.
    let Some(shown) = curl_text(&["-L", "-c", &jar, "-d", "name=<Ada>", &format!("{url}/login")]) else { return };
    assert_eq!(shown, "<!doctype html><h1>Hello, &lt;Ada></h1>\n");
    assert_eq!(curl_text(&["-b", &jar, &url]), Some(shown));
    assert_eq!(curl_text(&[&url]).as_deref(), Some(FORM));
}

#[test]
fn step_09_in_a_browser() {
    let Some(browser) = Browser::start() else { return };
    let server = start("09_cookies_and_forms", &[]);
    browser.go(&format!("http://{}/", server.address));
    browser.run("document.querySelector('input').focus()");
    browser.press("Ada <3");
    browser.click("button");
    browser.wait_until("document.querySelector('h1')?.textContent === 'Hello, Ada <3'");
    browser.reload();
    assert_eq!(browser.text("return document.body.textContent.trim()"), "Hello, Ada <3", "the form is not sent again");
    assert_eq!(browser.text("return document.cookie"), "", "scripts cannot read the cookie");
}

#[test]
fn step_10_requires_the_password() {
    let server = start("10_auth", &[]);
    let basic = |credentials: &[u8]| format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode(credentials));
    let ada = Some("dear ada, today we wrote a server\n");
    for (field, letter, why) in [
        (basic(b"ada:engine"), ada, "valid"),
        (basic(b"grace:na:no"), Some("dear grace, today we wrote a server\n"), "a password with a colon"),
        (format!("authorization:basic   {}  \r\n", BASE64_STANDARD.encode("ada:engine")), ada, "spaces, and lower case"),
        (String::new(), None, "no field"),
        (basic(b"ada:Engine"), None, "another case"),
        (basic(b"ada:engin"), None, "too short"),
        (basic(b"ada:engines"), None, "too long"),
        (basic(b"ada:na:no"), None, "the password of another user"),
        (basic(b"ada"), None, "no password"),
        (basic(b"ada:"), None, "an empty password"),
        (basic(b""), None, "empty credentials"),
        (basic(b"\xff:\xff"), None, "not UTF-8"),
        ("Authorization: Basic !!!\r\n".to_owned(), None, "not base64"),
        ("Authorization: Basic\r\n".to_owned(), None, "no credentials"),
        (basic(b"ada:engine").replace("Basic", "Bearer"), None, "another scheme"),
    ] {
        let mut client = server.client();
        client.send(format!("GET /diary HTTP/1.1\r\n{field}\r\n").as_bytes());
        let answer = client.answer();
        match letter {
            Some(letter) => assert_eq!((answer.status, answer.text()), (200, letter), "{why}"),
            None => {
                assert_eq!((answer.status, answer.text()), (401, "authentication required\n"), "{why}");
                assert_eq!(answer.field("WWW-Authenticate"), Some("Basic realm=\"diary\""), "{why}");
            }
        }
    }
    assert_eq!(server.get("/").text(), "this page is public, /diary is not\n");
    assert!(response_to(&server, b"POST /diary HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
}

#[test]
fn step_10_in_curl() {
    let server = start("10_auth", &[]);
    let url = format!("http://{}/diary", server.address);
    for (user, want) in [("ada:engine", "200"), ("ada:machine", "401")] {
        let Some(status) = curl_text(&["-o", "/dev/null", "-w", "%{http_code}", "-u", user, &url]) else { return };
        assert_eq!(status, want, "{user}");
    }
}
