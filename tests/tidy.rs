//! Checks of the source text: layers, invariants, lengths, and a test case for every RFC section that is cited.
//!
//! The files of `src/` are read line by line; most rules ignore comments and everything below `#[cfg(test)]`.

#[path = "support/sections.rs"]
mod sections;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use sections::{Section, sections};

/// The directories of `src/`. A file may import only from directories above its own in this list, and from its own.
const ROOMS: [&str; 9] = ["http", "net", "config", "os", "telemetry", "files", "handlers", "server", "cli"];

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
/// `#[inline(never)]` in all of `src/`.
const NEVER_INLINED_MAX: usize = 8;

/// Words that may stand only in certain files.
struct Ban {
    rule: &'static str,
    /// Separated by `|`.
    words: &'static str,
    /// The directory in which the words are banned; empty means everywhere.
    within: &'static str,
    /// Files that are exempt.
    except: &'static [&'static str],
}

const BANS: &[Ban] = &[
    Ban {
        rule: "http/ is pure: no socket, file, clock, log, lock or thread",
        words: "TcpStream|TcpListener|UdpSocket|UnixStream|UnixListener|std::fs|SystemTime::now|Instant::now|log::|Mutex|RwLock|thread::",
        within: "http/",
        except: &[],
    },
    Ban {
        rule: "handlers/ sees no socket",
        words: "TcpStream|TcpListener|UdpSocket|UnixStream|crate::net::socket|crate::net::deadline|Transport",
        within: "handlers/",
        // Routes of the feature for tests try what the sandbox must prevent.
        except: &["handlers/test_routes.rs"],
    },
    Ban {
        rule: "net/ sees no HTTP message",
        words: "http::request|http::response|http::target|http::framing|http::status|http::headers",
        within: "net/",
        except: &[],
    },
    Ban {
        rule: "only http/framing.rs reads Content-Length and Transfer-Encoding",
        words: "CONTENT_LENGTH|TRANSFER_ENCODING",
        within: "",
        except: &["http/framing.rs", "http/headers.rs"],
    },
    Ban {
        rule: "only server/response_writer.rs writes a response",
        words: "status_line(|\"HTTP/1.",
        within: "",
        // request.rs reads the version, response.rs has the functions that encode a head, echo.rs shows the version of the request.
        except: &["http/request.rs", "http/response.rs", "server/response_writer.rs", "handlers/echo.rs"],
    },
    Ban {
        rule: "only files/root.rs opens a path",
        words: "File::open|File::options|OpenOptions|read_dir|Dir::open|open_ambient|fs::read|read_link",
        within: "",
        // These read what the kernel says of the process and files that options name; no path of a client reaches them.
        except: &[
            "files/root.rs",
            "os/limits.rs",
            "os/mod.rs",
            "handlers/access.rs",
            "handlers/test_routes.rs",
            "server/certificates.rs",
            "server/self_signed.rs",
        ],
    },
    Ban {
        rule: "only net/deadline.rs sets the timeouts of a socket",
        words: "set_read_timeout|set_write_timeout",
        within: "",
        // The trait, its implementations that forward, and the transport in memory.
        except: &["net/deadline.rs", "net/mod.rs", "net/socket.rs", "net/tls.rs"],
    },
    Ban {
        rule: "telemetry/ takes labels, not CloseReason or Outcome",
        words: "::close_reason|::outcome|CloseReason|Outcome",
        within: "telemetry/",
        except: &[],
    },
    Ban { rule: "Builder::spawn instead of thread::spawn, which panics", words: "thread::spawn(", within: "", except: &[] },
    Ban { rule: "one `use` per module", words: "crate::{|super::super|use crate::*", within: "", except: &[] },
];

/// Files that may ask for the operating system.
const PLATFORM_FILES: &[&str] = &["os/", "net/socket.rs", "files/root.rs", "files/version.rs"];

/// Words of the former vocabulary, separated by `|`: none stands in the source, the tests, the documents or the messages.
const FORMER_WORDS: &str = "whoever|whomever|somebody|nobody|newcomer|stranger|guest|seat|palm|janitor|trapdoor|is told|of ours|\
    is none of|sent home|how late it is|goes by that name";

/// Sections that the source cites and that no case can show, each with its reason.
const NO_CASE: &[(&str, &str, &str)] = &[
    ("9110", "15.5.9", "408 answers what is not sent within ten seconds: tests/lifecycle.rs waits for it"),
    ("9110", "15.6.1", "no bytes of a client lead to 500: tests/faults.rs makes the system fail"),
    ("9110", "15.6.4", "nor to 503: tests/faults.rs takes the threads away"),
];

/// A file of `src/`.
struct Source {
    /// `http/target.rs`
    name: String,
    text: String,
}

impl Source {
    fn all() -> Vec<Source> {
        let root = manifest().join("src");
        let mut files = Vec::new();
        find(&root, "rs", &mut |path| {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
            files.push(Source { name, text: fs::read_to_string(path).unwrap() });
        });
        files.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(files.len() > 30, "only {} files found", files.len());
        files
    }

    /// `http`, of `http/target.rs`.
    fn room(&self) -> Option<usize> {
        ROOMS.iter().position(|room| self.name.split('/').next() == Some(room))
    }

    /// Numbered lines above the tests.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.take_while(|(_, line)| !line.starts_with("#[cfg(test)]") && !line.starts_with("#[cfg(all(test"))
    }

    /// The same without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let code = self.lines().map(|(number, line)| (number, line.split(" //").next().unwrap()));
        code.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn manifest() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Visits every file with that extension, if the directory exists.
fn find(directory: &Path, extension: &str, visit: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, extension, visit);
        } else if path.extension().is_some_and(|found| found == extension) {
            visit(&path);
        }
    }
}

/// Violations of one rule: each with its file, its line and what is wrong.
#[derive(Default)]
struct Violations(Vec<String>);

impl Violations {
    fn add(&mut self, source: &Source, line: usize, what: &str) {
        self.0.push(format!("src/{}:{line}: {}", source.name, what.trim()));
    }

    #[track_caller]
    fn check(self, rule: &str) {
        assert!(self.0.is_empty(), "{rule}:\n{}\n", self.0.join("\n"));
    }
}

/// The name that follows each `prefix` in a line.
fn names_after<'a>(line: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(prefix).filter_map(move |(at, _)| line[at + prefix.len()..].split(|c| !is_name(c)).next())
}

#[test]
fn the_top_of_src_is_nine_directories() {
    let entries = fs::read_dir(manifest().join("src")).unwrap();
    let entries: BTreeSet<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let expected = ROOMS.into_iter().chain(["lib.rs", "main.rs"]).map(str::to_owned).collect();
    assert_eq!(entries, expected);
}

#[test]
fn imports_go_up_the_list_of_rooms() {
    let mut violations = Violations::default();
    for source in Source::all() {
        let Some(mine) = source.room() else { continue };
        for (number, line) in source.code() {
            let mut rooms = names_after(line, "crate::").filter_map(|name| ROOMS.iter().position(|room| *room == name));
            if rooms.any(|other| other > mine) {
                violations.add(&source, number, line);
            }
        }
    }
    violations.check("layers");
}

#[test]
fn banned_words_stand_only_where_they_belong() {
    let sources = Source::all();
    for ban in BANS {
        let mut violations = Violations::default();
        for source in &sources {
            if source.name.starts_with(ban.within) && !ban.except.contains(&&*source.name) {
                for (number, line) in source.code().filter(|(_, line)| ban.words.split('|').any(|word| line.contains(word))) {
                    violations.add(source, number, line);
                }
            }
        }
        violations.check(ban.rule);
    }
}

#[test]
fn every_exemption_is_needed() {
    let sources = Source::all();
    for ban in BANS {
        for name in ban.except {
            let source = sources.iter().find(|source| source.name == *name);
            let is_needed =
                source.is_some_and(|s| s.code().any(|(_, line)| ban.words.split('|').any(|word| line.contains(word))));
            assert!(is_needed, "src/{name} needs no exemption from: {}", ban.rule);
        }
    }
}

#[test]
fn platforms_are_told_apart_in_a_few_files() {
    let mut violations = Violations::default();
    for source in Source::all().iter().filter(|source| !PLATFORM_FILES.iter().any(|name| source.name.starts_with(name))) {
        let asks = |line: &str| line.contains("cfg") && ["unix", "windows", "target_os"].iter().any(|word| line.contains(word));
        for (number, line) in source.code().filter(|(_, line)| asks(line)) {
            violations.add(source, number, line);
        }
    }
    violations.check("platforms");
}

#[test]
fn files_and_functions_are_short() {
    let (mut files, mut functions) = (Violations::default(), Violations::default());
    for source in Source::all() {
        let lines: Vec<(usize, &str)> = source.lines().collect();
        if lines.len() > FILE_LINES_MAX {
            files.add(&source, lines.len(), "too long");
        }
        let is_start = |line: &str| line.starts_with("fn ") || (line.starts_with("pub") && line.contains("fn "));
        for (index, (number, line)) in lines.iter().enumerate().filter(|(_, (_, line))| is_start(line.trim_start())) {
            let end = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
            let is_whole = line.trim_end().ends_with([';', '}']);
            let length = lines[index..].iter().position(|(_, line)| *line == end).map_or(0, |last| last + 1);
            if !is_whole && length > FUNCTION_LINES_MAX {
                functions.add(&source, *number, line);
            }
        }
    }
    files.check("file length");
    functions.check("function length");
}

#[test]
fn inline_never_is_rare() {
    let mut violations = Violations::default();
    let sources = Source::all();
    let lines = || sources.iter().flat_map(|source| source.code().map(move |(number, line)| (source, number, line)));
    let never = || lines().filter(|(_, _, line)| line.contains("inline(never)"));
    if never().count() > NEVER_INLINED_MAX {
        never().for_each(|(source, number, line)| violations.add(source, number, line));
    }
    violations.check("inline(never)");
}

#[test]
fn public_types_have_different_names() {
    let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let sources = Source::all();
    for source in &sources {
        for (_, line) in source.code().filter(|(_, line)| line.trim_start().starts_with("pub")) {
            for kind in ["struct ", "enum ", "trait ", "type "] {
                for name in names_after(line, kind).filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase())) {
                    files.entry(name.to_owned()).or_default().insert(source.name.clone());
                }
            }
        }
    }
    let mut violations = Violations::default();
    for (name, files) in files.iter().filter(|(_, files)| files.len() > 1) {
        for source in sources.iter().filter(|source| files.contains(&source.name)) {
            violations.add(source, 1, &format!("{name} is also in {files:?}"));
        }
    }
    violations.check("type names");
}

#[test]
fn the_former_vocabulary_is_gone() {
    let mut texts: Vec<(String, String)> =
        Source::all().into_iter().map(|source| (format!("src/{}", source.name), source.text)).collect();
    for name in ["README.md", "CHANGELOG.md"] {
        texts.push((name.to_owned(), fs::read_to_string(manifest().join(name)).unwrap()));
    }
    for folder in ["docs", "tests", "benches", "examples", "deploy", "fuzz/fuzz_targets", "fuzz/src"] {
        for extension in ["rs", "md", "yml", "yaml", "sh"] {
            find(&manifest().join(folder), extension, &mut |path| {
                let name = path.strip_prefix(manifest()).unwrap().to_str().unwrap().replace('\\', "/");
                // The site is data, and this file has the list.
                if !name.starts_with("tests/site/") && name != "tests/tidy.rs" {
                    texts.push((name, fs::read_to_string(path).unwrap()));
                }
            });
        }
    }
    let mut found = Vec::new();
    for (name, text) in &texts {
        for (index, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            let begins = |at: usize| !lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
            if FORMER_WORDS.split('|').any(|word| lower.match_indices(word).any(|(at, _)| begins(at))) {
                found.push(format!("{name}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "words that the project no longer uses (FORMER_WORDS):\n{}\n", found.join("\n"));
}

#[test]
fn nothing_is_left_to_do() {
    // Put together here, so that this file does not offend.
    let words = [["TO", "DO"], ["FIX", "ME"], ["XX", "X:"], ["dbg", "!("], ["todo", "!("], ["unimplemented", "!("]]
        .map(|word| word.concat());
    let mut found = Vec::new();
    for folder in ["src", "tests", "examples", "benches", "fuzz/fuzz_targets"] {
        find(&manifest().join(folder), "rs", &mut |path| {
            for (index, line) in fs::read_to_string(path).unwrap().lines().enumerate() {
                if words.iter().any(|word| line.contains(word)) {
                    found.push(format!("{}:{}: {}", path.display(), index + 1, line.trim()));
                }
            }
        });
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_section_cited_has_a_case() {
    let mut cited: BTreeMap<Section, String> = BTreeMap::new();
    for source in Source::all() {
        for (number, line) in source.lines() {
            for section in sections(line) {
                cited.entry(section).or_insert_with(|| format!("src/{}:{number}: {}", source.name, line.trim()));
            }
        }
    }
    assert!(cited.len() > 10, "{cited:?}");
    let mut shown = BTreeSet::new();
    find(&manifest().join("tests/wire"), "md", &mut |path| {
        if !path.ends_with("README.md") {
            shown.extend(sections(&fs::read_to_string(path).unwrap()));
        }
    });
    let excused: BTreeSet<Section> = NO_CASE.iter().map(|(rfc, number, _)| ((*rfc).to_owned(), (*number).to_owned())).collect();
    for (section, place) in cited.iter().filter(|(section, _)| !excused.contains(*section)) {
        assert!(shown.contains(section), "no case cites RFC {} §{}, but {place}", section.0, section.1);
    }
    for section in &excused {
        assert!(cited.contains_key(section) && !shown.contains(section), "{section:?} needs no excuse");
    }
}
