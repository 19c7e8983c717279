//! How does a directory look in a browser?
//!
//! The path, each part of it a link; then a table that is sorted by its links, and needs no script. Every name passes two gates: what is
//! shown is escaped as HTML, what is linked is percent-encoded, so no name can become a tag, a script or a link elsewhere.

use std::fmt::Write;

use crate::files::directory::{Direction, SortKey};
use crate::files::directory::{DirectoryListing, ListingTotals};
use crate::files::root::{DirectoryEntry, EntryKind, Name};
use crate::handlers::listing::{HumanSize, ListingFormat, ThousandsSeparated};
use crate::handlers::page;
use crate::http::date::CivilTime;
use crate::http::target::encode_path;

/// So many names are worth filtering; fewer are seen at a glance.
const FILTERED_MIN: usize = 10;

/// The page.
pub const PAGE: ListingFormat = ListingFormat { media_type: "text/html; charset=utf-8", begin, row, end };

// Writing to a String cannot fail, here and below.
fn begin(out: &mut String, contents: &DirectoryListing) {
    page::begin(out, &contents.path);
    breadcrumb(out, contents);
    out.push_str("<main>\n<h1 class=\"unseen\" id=\"path\">");
    page::show(out, &contents.path);
    out.push_str("</h1>\n");
    if contents.names.is_empty() {
        out.push_str("<p class=\"quiet\">This directory is empty.</p>\n");
    } else if contents.names.len() >= FILTERED_MIN {
        out.push_str("<div class=\"bar\"></div>\n");
    }
    if has_no_table(contents) {
        return;
    }
    out.push_str("<table aria-labelledby=\"path\">\n<thead>\n<tr>");
    for (column, says) in [(SortKey::Name, "Name"), (SortKey::Size, "Size"), (SortKey::Time, "Changed<span> (UTC)</span>")] {
        column_head(out, contents, column, says);
    }
    out.push_str("</tr>\n</thead>\n<tbody>\n");
    if contents.path != b"/" {
        let query = page::escape_html(contents.order.query());
        let _ = writeln!(
            out,
            "<tr class=\"d up\"><th scope=\"row\"><a href=\"../{query}\">Parent directory</a></th><td></td><td></td></tr>"
        );
    }
}

/// Where this is: a link for each directory above.
fn breadcrumb(out: &mut String, contents: &DirectoryListing) {
    let query = page::escape_html(contents.order.query());
    let segments: Vec<&[u8]> = contents.path.split(|&b| b == b'/').filter(|segment| !segment.is_empty()).collect();
    out.push_str("<nav aria-label=\"Breadcrumb\">\n<ol>\n");
    let mut link = "/".to_owned();
    for (depth, name) in [&b"Home"[..]].iter().chain(&segments).enumerate() {
        if depth > 0 {
            let _ = write!(link, "{}/", encode_path(name));
        }
        let (before, after) = if depth == segments.len() {
            ("<li><span aria-current=\"page\">".to_owned(), "</span></li>\n")
        } else {
            (format!("<li><a href=\"{link}{query}\">"), "</a></li>\n")
        };
        out.push_str(&before);
        // Isolated, text that runs from right to left does not rearrange the path.
        out.push_str("<bdi>");
        page::show(out, name);
        out.push_str("</bdi>");
        out.push_str(after);
    }
    out.push_str("</ol>\n</nav>\n");
}

/// Whether there is nothing to show, not even a way up.
fn has_no_table(contents: &DirectoryListing) -> bool {
    contents.names.is_empty() && contents.path == b"/"
}

/// How much there is, in a line below the rows: only then is it known.
fn tally(out: &mut String, contents: &DirectoryListing) {
    let ListingTotals { directories, files, bytes } = contents.tally;
    let count =
        |number: u64, one: &str, many: &str| format!("{} {}", ThousandsSeparated(number), if number == 1 { one } else { many });
    let parts = [
        (directories > 0).then(|| count(directories, "directory", "directories")),
        (files > 0).then(|| format!("{}, {}", count(files, "file", "files"), HumanSize(bytes))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if !parts.is_empty() {
        let _ = writeln!(out, "<p class=\"quiet\">{}</p>", parts.join(", "));
    }
}

/// The head of a column: a link that sorts by it, and the other way round where it is sorted by already.
fn column_head(out: &mut String, contents: &DirectoryListing, column: SortKey, says: &str) {
    let order = contents.order;
    let state = match (order.column == column, order.direction) {
        (false, _) => "",
        (true, Direction::Ascending) => " aria-sort=\"ascending\"",
        (true, Direction::Descending) => " aria-sort=\"descending\"",
    };
    let query = order.toggled(column).query();
    // An empty query would be this page again, whatever it is sorted by.
    let href = if query.is_empty() { "./".into() } else { page::escape_html(query) };
    let _ = write!(out, "<th scope=\"col\"{state}><a href=\"{href}\">{says}</a></th>");
}

fn row(out: &mut String, contents: &DirectoryListing, name: &Name, entry: &DirectoryEntry) {
    let (class, slash, query) = match entry.kind {
        EntryKind::Directory => (" class=\"d\"", "/", page::escape_html(contents.order.query())),
        EntryKind::File => ("", "", "".into()),
    };
    // `./` keeps a name with a colon from being read as a scheme (RFC 3986 §4.2).
    let _ = write!(out, "<tr{class}><th scope=\"row\"><a href=\"./{}{slash}{query}\"><bdi>", encode_path(&name.bytes));
    page::show(out, &name.bytes);
    let _ = write!(out, "</bdi>{slash}</a>");
    if entry.is_link {
        out.push_str("<span class=\"link\">symlink</span>");
    }
    out.push_str("</th><td>");
    if entry.kind == EntryKind::File {
        let bytes = entry.length;
        let unit = if bytes == 1 { "byte" } else { "bytes" };
        let _ = write!(out, "<data value=\"{bytes}\" title=\"{} {unit}\">{}</data>", ThousandsSeparated(bytes), HumanSize(bytes));
    }
    out.push_str("</td><td>");
    if let Some(moment) = entry.modified.and_then(CivilTime::of) {
        let (date, clock) = (moment.date(), moment.clock());
        let _ = write!(out, "<time datetime=\"{date}T{clock}Z\">{date}<span> {clock}</span></time>");
    }
    out.push_str("</td></tr>\n");
}

fn end(out: &mut String, contents: &DirectoryListing) {
    if !has_no_table(contents) {
        out.push_str("</tbody>\n</table>\n");
    }
    tally(out, contents);
    if let Some(readme) = &contents.readme {
        let (href, text) = (encode_path(&readme.name), page::escape_html(&readme.text));
        let _ = write!(out, "<section aria-labelledby=\"readme\">\n<h2 id=\"readme\"><a href=\"{href}\">");
        page::show(out, &readme.name);
        // The line end that HTML ignores there, so that the first of the text is not ignored.
        let _ = writeln!(out, "</a></h2>\n<pre>\n{text}</pre>");
        if readme.truncated {
            let _ = writeln!(out, "<p class=\"quiet\">This is its beginning. <a href=\"{href}\">All of it</a></p>");
        }
        out.push_str("</section>\n");
    }
    out.push_str("</main>\n");
    if contents.names.len() >= FILTERED_MIN {
        page::filter(out);
    }
    page::end(out);
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::config::Hidden;
    use crate::files::directory::tests::contents;
    use crate::files::scratch::Scratch;
    use crate::handlers::message::Body;

    /// The page of a directory.
    fn listed(scratch: &Scratch, path: &str, hidden: Hidden) -> String {
        match PAGE.body(contents(scratch, path, hidden)).unwrap() {
            Body::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Body::Stream(mut stream) => {
                let mut page = String::new();
                stream.read_to_string(&mut page).unwrap();
                page
            }
            _ => panic!("no page"),
        }
    }

    /// Where the links in the rows of a page lead to, in order, decoded as a browser would.
    fn links(page: &str) -> Vec<Vec<u8>> {
        let hrefs = page.split("<th scope=\"row\"><a href=\"").skip(1).map(|after| after.split('"').next().unwrap());
        hrefs.map(|href| percent_encoding::percent_decode_str(href).collect()).collect()
    }

    #[test]
    fn order_and_rows() {
        let files = ["b", "A", "x10", "x9", "x09", "d/y", "E/y", ".hidden", "d/.hidden", "d/index.htm"];
        let scratch = Scratch::with(&files);
        let page = listed(&scratch, "/", Hidden::NotFound);
        let want = ["./d/", "./E/", "./A", "./b", "./x09", "./x9", "./x10"];
        assert_eq!(links(&page), want.map(|link| link.as_bytes().to_vec()));
        let row = "<tr><th scope=\"row\"><a href=\"./b\"><bdi>b</bdi></a></th><td><data value=\"1\" title=\"1 byte\">1 B</data></td>\
                   <td><time datetime=\"20";
        assert!(page.contains(row) && page.contains("</table>\n<p class=\"quiet\">2 directories, 5 files, 10 B</p>"), "{page}");
        let page = listed(&scratch, "/d/", Hidden::Served);
        assert_eq!(links(&page), ["../", "./.hidden", "./index.htm", "./y"].map(|link| link.as_bytes().to_vec()));
        assert!(page.contains("<title>/d/</title>"));
    }

    #[test]
    fn an_order_is_kept_on_the_way() {
        let scratch = Scratch::with(&["a/b/c/", "a/b/f"]);
        let page = listed(&scratch, "/a/b/?order=desc&sort=size", Hidden::NotFound);
        for (part, why) in [
            ("<li><a href=\"/?sort=size&amp;order=desc\"><bdi>Home</bdi></a></li>", "to the top"),
            ("<li><a href=\"/a/?sort=size&amp;order=desc\"><bdi>a</bdi></a></li>", "up"),
            ("<li><span aria-current=\"page\"><bdi>b</bdi></span></li>", "here"),
            ("<a href=\"../?sort=size&amp;order=desc\">", "up once more"),
            ("<a href=\"./c/?sort=size&amp;order=desc\">", "down"),
            ("<a href=\"./f\">", "a file is not sorted"),
            ("<th scope=\"col\"><a href=\"./\">Name</a></th>", "as it is where nothing is asked for"),
            ("<th scope=\"col\" aria-sort=\"descending\"><a href=\"?sort=size&amp;order=asc\">Size</a></th>", "the other way"),
            ("<th scope=\"col\"><a href=\"?sort=time&amp;order=desc\">Changed<span> (UTC)</span></a></th>", "the newest first"),
        ] {
            assert!(page.contains(part), "{part} is missing, {why}:\n{page}");
        }
    }

    #[test]
    fn what_stands_around_the_rows() {
        let names: Vec<String> = (0..FILTERED_MIN).map(|n| format!("many/{n}")).collect();
        let mut files: Vec<&str> = names.iter().map(|name| &**name).collect();
        files.extend(["few/README.md", "few/a", "empty/"]);
        let scratch = Scratch::with(&files);
        std::fs::write(scratch.path().join("few/README.md"), "\n<b>&").unwrap();
        for (path, readme, script, empty) in
            [("/many/", false, true, false), ("/few/", true, false, false), ("/empty/", false, false, true)]
        {
            let page = listed(&scratch, path, Hidden::NotFound);
            assert_eq!(page.contains("<pre>\n\n&lt;b&gt;&amp;</pre>"), readme, "{path}");
            assert_eq!(page.matches("<script>").count(), usize::from(script), "{path}");
            assert_eq!(page.contains("This directory is empty."), empty, "{path}");
            assert_eq!(page.matches("<main>").count() + page.matches("</main>").count(), 2, "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_marked() {
        let scratch = Scratch::with(&["d/", "f"]);
        std::os::unix::fs::symlink("d", scratch.path().join("to-d")).unwrap();
        std::os::unix::fs::symlink("f", scratch.path().join("to-f")).unwrap();
        let page = listed(&scratch, "/", Hidden::NotFound);
        assert!(page.contains("<bdi>to-d</bdi>/</a><span class=\"link\">symlink</span></th>"), "{page}");
        assert!(page.contains("<bdi>to-f</bdi></a><span class=\"link\">symlink</span></th>"), "{page}");
        assert_eq!(page.matches("class=\"link\"").count(), 2);
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
        assert!(page.contains("<title>/&lt;d&gt;&quot;&amp;&#39;/</title>") && !page.contains("<d>"));
        assert_eq!(page.matches("<script").count(), 1, "the filter and no other");
        assert!(page.chars().all(|c| c == '\n' || !c.is_control()), "controls are not shown");
        assert_eq!(page.lines().filter(|line| line.starts_with("<tr><th scope=\"row\">")).count(), names.len(), "a line a name");
    }
}
