//! The test cases, in the format of `tests/wire/README.md`.

use std::fs;
use std::path::Path;

use super::bytes::{Token, literal, matches, pattern};

/// The probe: a request that the runner sends after the bytes of the case, unless the client half-closes. The server must respond to it,
/// or must not. It has the password of the cases with one.
pub const PROBE: &[u8] = b"GET /list/sub/inside.txt HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic YWRhOmxvdmVsYWNl\r\n\
    Connection: close\r\n\r\n";

/// How the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The connection persists: the probe gets a response.
    Persists,
    /// The server closes: the probe gets no response.
    Closes,
    /// The client half-closes after its bytes.
    AtEof,
}

/// A test case.
#[derive(Debug)]
pub struct Case {
    /// `file.md: heading`
    pub name: String,
    pub options: Vec<String>,
    send: Vec<u8>,
    receive: Vec<Token>,
    absent: Vec<String>,
    pub ending: Ending,
}

impl Case {
    /// All bytes that the client sends.
    pub fn sent(&self) -> Vec<u8> {
        if self.ending == Ending::AtEof { self.send.clone() } else { [&self.send, PROBE].concat() }
    }

    /// Whether it may change the site, so that it needs its own copy.
    pub fn changes_the_site(&self) -> bool {
        self.options.iter().any(|option| option.starts_with("--upload"))
    }

    /// The bytes of the case, without the probe.
    pub fn own_bytes(&self) -> &[u8] {
        &self.send
    }

    /// Checks the received bytes, and returns a report if they differ.
    pub fn judge(&self, received: &[u8]) -> Result<(), String> {
        let shown = || {
            let text = received.escape_ascii().to_string().replace("\\r\\n", "\\r\\n\n");
            if text.len() > 3000 { format!("{}…", &text[..3000]) } else { text }
        };
        let mut tokens = self.receive.clone();
        let probe_answered = received.ends_with(b"\r\n\r\ninside\n");
        if self.ending == Ending::Persists {
            tokens.push(Token::Literal(b"HTTP/1.1 200 OK\r\n".to_vec()));
            tokens.push(Token::Dots);
            tokens.push(Token::Literal(b"\r\nConnection: close\r\n\r\ninside\n".to_vec()));
            if !probe_answered {
                return Err(format!("the connection should persist, but the probe was not answered\n{}", shown()));
            }
        } else if probe_answered {
            return Err(format!("the server should close, but it answered the probe\n{}", shown()));
        }
        if !matches(&tokens, received) {
            return Err(format!("another answer came\n{}", shown()));
        }
        // The response to the probe is not compared.
        let own =
            received.windows(9).rposition(|window| window == b"HTTP/1.1 ").filter(|_| probe_answered).unwrap_or(received.len());
        let lower = received[..own].to_ascii_lowercase();
        for absent in &self.absent {
            let needle = absent.to_ascii_lowercase();
            if lower.windows(needle.len()).any(|window| window == needle.as_bytes()) {
                return Err(format!("{absent:?} should not occur\n{}", shown()));
            }
        }
        Ok(())
    }
}

/// All cases of the chapters and the advisories.
pub fn all() -> Vec<Case> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut cases = of_folder(&tests.join("wire"));
    cases.extend(of_chapter(&tests.join("advisories.md")));
    cases
}

/// All cases of the chapters in a directory.
pub fn of_folder(folder: &Path) -> Vec<Case> {
    let mut chapters: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md") && !path.ends_with("README.md"))
        .collect();
    chapters.sort();
    chapters.iter().flat_map(|path| of_chapter(path)).collect()
}

fn of_chapter(path: &Path) -> Vec<Case> {
    let file = path.file_name().unwrap().to_str().unwrap();
    let text = fs::read_to_string(path).unwrap();
    let mut sections = text.split("\n## ");
    sections.next();
    let cases = sections.map(|section| {
        let (heading, body) = section.split_once('\n').unwrap_or((section, ""));
        of_section(&format!("{file}: {heading}"), body).unwrap_or_else(|error| panic!("{file}: {heading}: {error}"))
    });
    cases.collect()
}

fn of_section(name: &str, body: &str) -> Result<Case, String> {
    let (mut options, mut send, mut receive, mut absent) = (Vec::new(), None, None, Vec::new());
    let mut lines = body.lines();
    let mut prose = String::new();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else {
            prose.push_str(line);
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let text = block.join("\n");
        let ending = match kind {
            "send" => {
                send = Some(literal(&text)?);
                continue;
            }
            "options" => {
                options = text.split_whitespace().map(str::to_owned).collect();
                continue;
            }
            "absent" => {
                absent = block.iter().filter(|line| !line.is_empty()).map(|line| (*line).to_owned()).collect();
                continue;
            }
            "receive" => Ending::Persists,
            "receive-then-close" => Ending::Closes,
            "receive-at-eof" => Ending::AtEof,
            _ => return Err(format!("unknown block {kind:?}")),
        };
        if receive.replace((pattern(&text)?, ending)).is_some() {
            return Err("two receive blocks".to_owned());
        }
    }
    if prose.trim().is_empty() {
        return Err("no word of why".to_owned());
    }
    let (receive, ending) = receive.ok_or("no receive block")?;
    Ok(Case { name: name.to_owned(), options, send: send.ok_or("no send block")?, receive, absent, ending })
}
