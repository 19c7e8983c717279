//! Does the house still stand as it was planned? Layers, invariants, first lines, lengths, and a case for every section cited.
//!
//! It reads `src/` as text, line by line, and names each line that offends. What stands below a file's `#[cfg(test)]` is free.

#[path = "support/sections.rs"]
mod sections;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs;
use std::path::Path;

use sections::{Section, sections};

/// A file imports only from the rooms of earlier rows. Rooms in one row are neighbours and never import each other.
const LAYERS: &[&[&str]] = &[
    &["wire", "peer"],
    &["socket"],
    &[
        "semantics",
        "stamp",
        "positioned",
        "fields",
        "common_fields",
        "html",
        "glob",
        "json",
        "ended",
        "log_writer",
        "log_file",
        "hangup",
        "notify",
        "slot",
        "workers",
        "stop",
        "capacity",
        "auth",
        "unix_socket",
        "handed_over",
        "interfaces",
        "ink",
        "because",
        "understood",
        "browser",
    ],
    &["caching", "representation", "log_line", "metrics"],
    &["config", "notes"],
    &["qr", "welcome", "message", "logging", "live", "sandbox"],
    &["page", "finish"],
    &["site", "listen", "access_log", "explain"],
    &["app"],
    &["advice"],
    &["routes", "net"],
    &["delivery", "asking", "preface", "health_check"],
    &["conn"],
    &["cli", "server"],
    &["lib"],
    &["main"],
];

/// A word that may stand only where it belongs.
struct Ban {
    words: &'static [&'static str],
    /// Where it is banned: files that begin so. Empty is everywhere.
    within: &'static [&'static str],
    /// But not in these.
    except: &'static [&'static str],
    why: &'static str,
}

const PURE: &[&str] = &["wire/", "semantics/"];

const BANS: &[Ban] = &[
    // An address in a target, a Host, a Forwarded or before all of them is parsed, and nothing is connected to.
    Ban {
        words: &["std::net"],
        within: PURE,
        except: &["http/target.rs", "http/host.rs", "http/forwarded.rs", "server/proxy_protocol.rs"],
        why: "wire and semantics are pure",
    },
    Ban {
        words: &["TcpStream", "TcpListener", "SocketAddr", "net::*"],
        within: PURE,
        except: &[],
        why: "wire and semantics are pure",
    },
    Ban {
        words: &["std::fs", "std::io", "SystemTime::now", "Instant::now", "log::", "Mutex", "thread::"],
        within: PURE,
        except: &[],
        why: "wire and semantics are pure: no file, clock, log or lock",
    },
    Ban {
        words: &["net::", "TcpStream"],
        within: &["routes/"],
        except: &["handlers/test_routes.rs"],
        why: "routes never see a socket",
    },
    Ban { words: &["routes", "site"], within: &["net/"], except: &[], why: "net never sees a route" },
    Ban {
        words: &["CONTENT_LENGTH", "TRANSFER_ENCODING"],
        within: &[],
        except: &["http/framing.rs", "http/headers.rs"],
        why: "only framing.rs reads them",
    },
    Ban {
        words: &["File::open", "File::options", "OpenOptions", "read_dir", "Dir::open", "open_ambient", "fs::read", "read_link"],
        within: &[],
        // capacity.rs and telemetry/prometheus.rs read what the kernel says about this process and this machine, auth.rs what --auth-file names,
        // log_file.rs writes what --access-log names; no path of a client gets there. What trapdoors.rs opens is what the sandbox must not let it open.
        except: &["files/root.rs", "capacity.rs", "auth.rs", "log_file.rs", "telemetry/prometheus.rs", "handlers/test_routes.rs"],
        why: "only root.rs opens a path",
    },
    Ban {
        words: &["set_read_timeout", "set_write_timeout"],
        within: &[],
        // stream.rs says that there are such timeouts, and in scripted.rs a client in memory has none.
        except: &["net/deadline.rs", "net/transport.rs", "net/memory.rs"],
        why: "only deadline.rs touches a socket's timeouts",
    },
    Ban {
        words: &["\"HTTP/1."],
        within: &[],
        // echo.rs shows the version of the request.
        except: &["http/request.rs", "http/response.rs", "handlers/echo.rs"],
        why: "only http/response.rs spells a status line",
    },
    Ban { words: &["thread::spawn("], within: &[], except: &[], why: "it panics where no thread can be had: Builder::spawn" },
    Ban {
        words: &["crate::{", "super::super", "use crate::*"],
        within: &[],
        except: &[],
        why: "one use a module, by its full path",
    },
];

/// Sections that the source cites and that no case can show, each with its reason.
const NO_CASE: &[(&str, &str, &str)] = &[
    ("9110", "15.5.9", "408 is an answer to what is not sent, ten seconds long: tests/lifecycle.rs waits for it"),
    ("9110", "15.6.1", "no bytes of a client lead to 500: tests/faults.rs makes the system fail"),
    ("9110", "15.6.4", "nor to 503: tests/faults.rs takes the threads away"),
];

const FILE_LINES_MAX: usize = 500;

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
        assert!(files.len() > 30, "these are not all: {}", files.len());
        files
    }

    /// `wire`, of `http/target.rs`; `conn`, of `conn.rs`.
    fn room(&self) -> &str {
        self.name.split(['/', '.']).next().unwrap()
    }

    /// `target`, of `http/target.rs`; `wire` itself, of `http/mod.rs`.
    fn stem(&self) -> &str {
        self.name.trim_end_matches("/mod.rs").trim_end_matches(".rs").rsplit('/').next().unwrap()
    }

    /// Numbered lines, down to the tests.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.take_while(|(_, line)| !matches!(*line, "#[cfg(test)]" | "#[cfg(all(test, unix))]"))
    }

    /// The same without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let code = self.lines().map(|(number, line)| (number, line.split(" //").next().unwrap()));
        code.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    fn says(&self, number: usize, what: impl Display) -> String {
        format!("src/{}:{number}: {what}", self.name)
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

/// Fails with all of them, if there are any.
#[track_caller]
fn none(offences: Vec<String>) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

/// What follows each `prefix` in a line, as far as it is a name.
fn names_after<'a>(line: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(prefix).filter_map(move |(at, _)| line[at + prefix.len()..].split(|c| !is_name(c)).next())
}

#[test]
fn every_file_begins_with_its_question() {
    let offences = Source::all().into_iter().filter_map(|source| {
        let first = source.text.lines().next().unwrap_or_default();
        let asks = first.contains('?') || matches!(&*source.name, "main.rs" | "lib.rs");
        (!first.starts_with("//! ") || !asks).then(|| source.says(1, format!("which question does it answer? {first:?}")))
    });
    none(offences.collect());
}

#[test]
fn files_are_short() {
    let sources = Source::all();
    let offences = sources.iter().filter_map(|source| {
        let lines = source.text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
        (lines > FILE_LINES_MAX).then(|| source.says(lines, format!("{FILE_LINES_MAX} lines are enough")))
    });
    none(offences.collect());
}

#[test]
fn imports_go_down() {
    let floor = |room: &str| LAYERS.iter().position(|rooms| rooms.contains(&room));
    let mut offences = Vec::new();
    for source in Source::all() {
        let Some(mine) = floor(source.room()) else {
            offences.push(source.says(1, "which layer is that? (LAYERS in tests/tidy.rs)"));
            continue;
        };
        for (number, line) in source.code() {
            for room in names_after(line, "crate::").filter(|room| *room != source.room()) {
                if floor(room).is_none_or(|other| other >= mine) {
                    offences.push(source.says(number, format!("{} is not above {room}: {}", source.room(), line.trim())));
                }
            }
        }
    }
    none(offences);
}

#[test]
fn within_a_room_imports_go_up_the_list() {
    let sources = Source::all();
    let mut offences = Vec::new();
    for room in sources.iter().filter(|source| source.name.ends_with("/mod.rs")) {
        let order: Vec<&str> = room.code().flat_map(|(_, line)| names_after(line, "pub mod ")).collect();
        let prefix = format!("crate::{}::", room.room());
        for source in sources.iter().filter(|source| source.room() == room.room() && source.name != room.name) {
            let Some(mine) = order.iter().position(|name| *name == source.stem()) else {
                offences.push(source.says(1, format!("it is not in src/{}", room.name)));
                continue;
            };
            for (number, line) in source.code() {
                let later = |name: &&str| order.iter().position(|other| other == name).is_some_and(|other| other >= mine);
                let wrong = names_after(line, &prefix).find(later);
                offences.extend(wrong.map(|name| source.says(number, format!("{name} comes later in src/{}", room.name))));
                if line.contains("super::") && room.room() == "wire" {
                    offences.push(source.says(number, "by its full path, so that the order can be seen"));
                }
            }
        }
    }
    none(offences);
}

#[test]
fn each_word_in_its_place() {
    let mut offences = Vec::new();
    for source in Source::all() {
        for ban in BANS {
            let is_within = ban.within.is_empty() || ban.within.iter().any(|within| source.name.starts_with(within));
            if !is_within || ban.except.contains(&&*source.name) {
                continue;
            }
            for (number, line) in source.code() {
                let word = ban.words.iter().find(|word| line.contains(**word));
                offences.extend(word.map(|word| source.says(number, format!("{word}: {}: {}", ban.why, line.trim()))));
            }
        }
        if source.name == "http/target.rs" {
            let nets = source.code().filter(|(_, line)| line.contains("std::net"));
            let nets = nets.filter(|(_, line)| !matches!(line.trim(), "use std::net::Ipv6Addr;"));
            offences.extend(nets.map(|(number, line)| source.says(number, format!("more than an address: {}", line.trim()))));
        }
    }
    none(offences);
}

#[test]
fn every_exception_is_still_needed() {
    let sources = Source::all();
    let mut offences = Vec::new();
    for ban in BANS {
        for name in ban.except {
            let source = sources.iter().find(|source| source.name == *name);
            let is_needed =
                source.is_some_and(|source| source.code().any(|(_, line)| ban.words.iter().any(|w| line.contains(w))));
            if !is_needed {
                offences.push(format!("src/{name} needs no exception for {:?}", ban.words));
            }
        }
    }
    none(offences);
}

#[test]
fn nothing_is_left_to_do() {
    // Put together here, so that this file does not offend.
    let words = [["TO", "DO"], ["FIX", "ME"], ["XX", "X:"], ["dbg", "!("], ["todo", "!("], ["unimplemented", "!("], ["@", "@"]]
        .map(|word| word.concat());
    let mut offences = Vec::new();
    for folder in ["src", "tests", "examples", "benches", "fuzz/fuzz_targets"] {
        find(&manifest().join(folder), "rs", &mut |path| {
            for (index, line) in fs::read_to_string(path).unwrap().lines().enumerate() {
                if words.iter().any(|word| line.contains(word)) {
                    offences.push(format!("{}:{}: {}", path.display(), index + 1, line.trim()));
                }
            }
        });
    }
    none(offences);
}

#[test]
fn every_section_cited_has_a_case() {
    let mut cited: BTreeMap<Section, String> = BTreeMap::new();
    for source in Source::all() {
        for (number, line) in source.lines() {
            for section in sections(line) {
                cited.entry(section).or_insert_with(|| source.says(number, line.trim()));
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
    let mut offences = Vec::new();
    for (section, place) in &cited {
        let excused = NO_CASE.iter().any(|(rfc, number, _)| (*rfc, *number) == (&section.0, &section.1));
        match (shown.contains(section), excused) {
            (true, false) | (false, true) => {}
            (false, false) => offences.push(format!("no case cites RFC {} §{}, but {place}", section.0, section.1)),
            (true, true) => offences.push(format!("RFC {} §{} has a case: it needs no excuse", section.0, section.1)),
        }
    }
    for (rfc, number, why) in NO_CASE {
        if !cited.contains_key(&((*rfc).to_owned(), (*number).to_owned())) {
            offences.push(format!("nobody cites RFC {rfc} §{number} any more ({why})"));
        }
    }
    none(offences);
}
