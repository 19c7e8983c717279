//! What is in this directory?
//!
//! A page for people: directories first, names in the order in which people count, sizes and dates. Every name passes two gates:
//! what is shown is escaped as HTML, what is linked is percent-encoded, so no name can become a tag, a script or a link
//! elsewhere.

use std::fmt::Write;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::html;
use crate::message::Response;
use crate::site::lookup::Directory;
use crate::site::order::{Column, Direction, Order};
use crate::site::root::{Entry, Kind};
use crate::wire::status::Status;
use crate::wire::target::{Target, encode_path};

/// Names on one page. Each costs about 200 bytes of memory while the page is sent; beyond this a page is of no use to a person.
const ENTRIES_MAX: usize = 10_000;

const STYLE: &str = "\
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; color-scheme: light dark; }\n\
h1 { font-size: 1.25rem; overflow-wrap: anywhere; }\n\
table { width: 100%; border-collapse: collapse; }\n\
th, td { padding: .25rem .5rem; text-align: left; border-bottom: 1px solid #8884; white-space: nowrap; }\n\
td:first-child { white-space: normal; overflow-wrap: anywhere; }\n\
th:nth-child(2), td:nth-child(2) { text-align: right; }\n\
a { text-decoration: none; }\n\
a:hover, a:focus { text-decoration: underline; }\n";

/// Answers GET or HEAD of a directory.
// Not inlined: see `conn::serve` on the depth of the stack.
#[inline(never)]
pub fn answer(directory: Directory<'_>, target: &Target<'_>) -> Response {
    let order = Order::asked(target);
    let entries = match sorted(&directory, order, ENTRIES_MAX) {
        Ok(entries) => entries,
        Err(error) => return Response::failed(&error),
    };
    Response::with_content(Status::OK, "text/html; charset=utf-8", page(target.path(), order, entries).into_bytes())
        .with("Cache-Control", "no-cache")
}

/// Entries in the order of the page.
struct Sorted {
    entries: Vec<Entry>,
    rest: Rest,
}

/// Whether the page shows all there is.
enum Rest {
    None,
    LeftOut,
}

/// Reads no more entries than are shown.
fn sorted(directory: &Directory<'_>, order: Order, entries_max: usize) -> io::Result<Sorted> {
    let mut all = directory.entries()?;
    let entries = all.by_ref().take(entries_max).collect();
    let rest = if all.next().is_some() { Rest::LeftOut } else { Rest::None };
    Ok(Sorted { entries: order.sort(entries), rest })
}

/// The page of a directory with that canonical path.
fn page(path: &[u8], order: Order, sorted: Sorted) -> String {
    let title = shown(path);
    let head = [(Column::Name, "Name"), (Column::Size, "Size"), (Column::Time, "Changed (UTC)")];
    let head = head.map(|(column, says)| column_head(order, column, says)).concat();
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<table>\n\
         <thead>\n<tr>{head}</tr>\n</thead>\n\
         <tbody>\n"
    );
    if path != b"/" {
        out.push_str("<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
    }
    for entry in &sorted.entries {
        row(&mut out, entry);
    }
    out.push_str("</tbody>\n</table>\n");
    match sorted.rest {
        Rest::None if sorted.entries.is_empty() => out.push_str("<p>This directory is empty.</p>\n"),
        Rest::None => {}
        Rest::LeftOut => {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "<p>There is more in this directory: only {ENTRIES_MAX} names are shown.</p>");
        }
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

/// The head of a column: a link that sorts by it, and the other way round where it is sorted by already.
fn column_head(order: Order, column: Column, says: &str) -> String {
    let name = match column {
        Column::Name => "name",
        Column::Size => "size",
        Column::Time => "time",
    };
    let (next, state) = match (order.column == column, order.direction) {
        (false, _) => ("asc", ""),
        (true, Direction::Ascending) => ("desc", " aria-sort=\"ascending\""),
        (true, Direction::Descending) => ("asc", " aria-sort=\"descending\""),
    };
    format!("<th scope=\"col\"{state}><a href=\"?sort={name}&amp;order={next}\">{says}</a></th>")
}

fn row(out: &mut String, entry: &Entry) {
    let slash = match entry.kind {
        Kind::Directory => "/",
        Kind::File => "",
    };
    let size = match entry.kind {
        Kind::Directory => String::new(),
        Kind::File => format!("<data value=\"{}\">{}</data>", entry.length, size(entry.length)),
    };
    let (name, href) = (shown(&entry.name), encode_path(&entry.name));
    let time = entry.modified.and_then(time).unwrap_or_default();
    // `./` keeps a name with a colon from being read as a scheme (RFC 3986 §4.2); isolating it keeps text that runs from right to
    // left from rearranging the row.
    let _ =
        writeln!(out, "<tr><td><a href=\"./{href}{slash}\"><bdi>{name}</bdi>{slash}</a></td><td>{size}</td><td>{time}</td></tr>");
}

/// A name as it can be shown: what is not UTF-8, and what would control the page and not be seen, becomes U+FFFD.
fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name).replace(char::is_control, "\u{fffd}");
    html::escape(&text).into_owned()
}

/// A length with at most one decimal, cut and not rounded.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut shift = 10_u32;
    for unit in UNITS {
        let whole = bytes >> shift;
        if whole < 1024 {
            // The ten bits below the point are enough for one decimal, and times ten they cannot overflow.
            let tenth = (((bytes >> (shift - 10)) & 0x3ff) * 10) >> 10;
            return if whole < 10 { format!("{whole}.{tenth} {unit}") } else { format!("{whole} {unit}") };
        }
        shift += 10;
    }
    format!("{bytes} B")
}

/// A point in time as a `time` element, UTC to the minute; `None` outside the years that HTML can name in four digits.
fn time(at: SystemTime) -> Option<String> {
    let seconds = match at.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).ok()?,
        // Rounded down, like all others.
        Err(before) => -i64::try_from(before.duration().as_nanos().div_ceil(1_000_000_000)).ok()?,
    };
    let (days, minutes) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400) / 60);
    let (year, month, day) = civil(days);
    if !(1..=9999).contains(&year) {
        return None;
    }
    let (date, clock) = (format!("{year:04}-{month:02}-{day:02}"), format!("{:02}:{:02}", minutes / 60, minutes % 60));
    Some(format!("<time datetime=\"{date}T{clock}Z\">{date} {clock}</time>"))
}

/// Year, month and day of a number of days since 1970-01-01. Years are counted from March, so that the leap day is their last;
/// months then have 30.6 days, rounded (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    // From 0000-03-01 on.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(DAYS_OF_400_YEARS), days.rem_euclid(DAYS_OF_400_YEARS));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Hidden;
    use crate::site::lookup::{Found, lookup};
    use crate::site::scratch::Scratch;
    use crate::wire::request::{HeadLimits, HeadParser};

    /// Looks a directory up and hands it over.
    fn found<T>(scratch: &Scratch, path: &str, hidden: Hidden, with: impl Fn(Directory<'_>, &Target<'_>) -> T) -> T {
        let head = format!("GET {path} HTTP/1.0\r\n\r\n");
        let mut parser = HeadParser::new(HeadLimits::default());
        parser.advance(head.as_bytes()).unwrap();
        let target = Target::parse(&parser.head(head.as_bytes()).unwrap()).unwrap();
        let site = scratch.site("", |config| config.hidden = hidden);
        match lookup(&site, &target, SystemTime::now()) {
            Found::Directory(directory) => with(directory, &target),
            _ => panic!("no directory"),
        }
    }

    /// The page of a directory.
    fn listed(scratch: &Scratch, path: &str, hidden: Hidden) -> String {
        found(scratch, path, hidden, |directory, target| match &answer(directory, target).body {
            crate::message::Body::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            _ => panic!("no page"),
        })
    }

    /// What the links of a page lead to, in order, decoded as a browser would.
    fn links(page: &str) -> Vec<Vec<u8>> {
        let hrefs = page.split("<a href=\"").skip(1).map(|after| after.split('"').next().unwrap());
        let hrefs = hrefs.filter(|href| !href.starts_with('?'));
        hrefs.map(|href| percent_encoding::percent_decode_str(href).collect()).collect()
    }

    #[test]
    fn order_and_rows() {
        let files = ["b", "A", "x10", "x9", "x09", "d/y", "E/y", ".hidden", "d/.hidden", "d/index.htm"];
        let scratch = Scratch::with(&files);
        let page = listed(&scratch, "/", Hidden::NotFound);
        let want = ["./d/", "./E/", "./A", "./b", "./x09", "./x9", "./x10"];
        assert_eq!(links(&page), want.map(|link| link.as_bytes().to_vec()));
        assert!(
            page.contains("<a href=\"./b\"><bdi>b</bdi></a></td><td><data value=\"1\">1 B</data></td><td><time datetime=\"20")
        );
        let page = listed(&scratch, "/d/", Hidden::Served);
        assert_eq!(links(&page), ["../", "./.hidden", "./index.htm", "./y"].map(|link| link.as_bytes().to_vec()));
        assert!(page.contains("<title>/d/</title>"));
    }

    // Other systems have file systems that refuse some of these names.
    #[cfg(target_os = "linux")]
    #[test]
    fn awkward_names_parse_back_and_break_nothing() {
        use std::os::unix::ffi::OsStrExt;
        let mut names: Vec<Vec<u8>> =
            (1..=255_u8).filter(|b| !b"/.".contains(b)).flat_map(|b| [vec![b], vec![b'x', b, b'%']]).collect();
        for name in [
            "<script>alert(1)</script>",
            "javascript:alert(1)",
            "//host",
            "a&amp;b",
            "\" onclick=\"x",
            "%2e%2e",
            "..x",
            "\u{202e}x",
        ] {
            names.push(name.replace('/', "\u{2215}").into_bytes());
        }
        let scratch = Scratch::with(&["<d>\"&'/"]);
        for name in &names {
            std::fs::write(scratch.path().join("<d>\"&'").join(std::ffi::OsStr::from_bytes(name)), "").unwrap();
        }
        let page = listed(&scratch, "/%3Cd%3E%22&'/", Hidden::Served);
        let mut want: Vec<Vec<u8>> = names.iter().map(|name| [b"./", &**name].concat()).collect();
        want.push(b"../".to_vec());
        let mut got = links(&page);
        want.sort();
        got.sort();
        assert_eq!(got, want);
        assert!(
            page.contains("<title>/&lt;d&gt;&quot;&amp;&#39;/</title>") && !page.contains("<script") && !page.contains("<d>")
        );
        assert!(page.chars().all(|c| c == '\n' || !c.is_control()), "controls are not shown");
        assert_eq!(page.lines().filter(|line| line.starts_with("<tr><td>")).count(), names.len() + 1, "a line a name");
    }

    #[test]
    fn no_more_than_so_many() {
        let scratch = Scratch::with(&["a", "b", "c"]);
        for (max, want) in [(3, (3, false)), (2, (2, true))] {
            let got = found(&scratch, "/", Hidden::NotFound, |directory, _| {
                sorted(&directory, Order { column: Column::Name, direction: Direction::Ascending }, max)
                    .map(|sorted| (sorted.entries.len(), matches!(sorted.rest, Rest::LeftOut)))
                    .unwrap()
            });
            assert_eq!(got, want);
        }
    }

    #[test]
    fn sizes() {
        for (bytes, want) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (10_240, "10 KiB"),
            (1_048_575, "1023 KiB"),
            (1_048_576, "1.0 MiB"),
            (5_000_000_000, "4.6 GiB"),
            (u64::MAX, "15 EiB"),
        ] {
            assert_eq!(size(bytes), want);
        }
    }

    #[test]
    fn times() {
        let day = |days: i64| {
            let by = Duration::from_secs(days.unsigned_abs() * 86_400);
            time(if days < 0 { UNIX_EPOCH - by } else { UNIX_EPOCH + by })
        };
        let element = |date: &str, clock: &str| Some(format!("<time datetime=\"{date}T{clock}Z\">{date} {clock}</time>"));
        assert_eq!(time(UNIX_EPOCH + Duration::from_secs(784_111_777)), element("1994-11-06", "08:49"));
        assert_eq!(time(UNIX_EPOCH - Duration::from_nanos(1)), element("1969-12-31", "23:59"));
        for (days, want) in [
            (0, "1970-01-01"),
            (-25_202, "1901-01-01"),
            (-1, "1969-12-31"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
            (2_932_896, "9999-12-31"),
            (-719_162, "0001-01-01"),
        ] {
            assert_eq!(day(days), element(want, "00:00"));
        }
        for days in [2_932_897, -719_163, 100_000_000_000] {
            assert_eq!(day(days), None, "{days}");
        }
    }
}
