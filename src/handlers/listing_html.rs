//! Directory listings as HTML pages.
//!
//! The path as links, then a table that is sorted by links, without a script. Every name is escaped where it is shown and percent-encoded
//! where it is linked, so that none can become a tag, a script or a link to another site.

use std::borrow::Cow;
use std::fmt::Write;
use std::iter;

use crate::files::directory::{DirectoryEntry, DirectoryListing, EntryKind, ListingTotals, Name, SortKey};
use crate::handlers::archive::FORMATS;
use crate::handlers::listing::{ListingFormat, counted, human_size, nothing_shown};
use crate::handlers::page::{self, escape_html};
use crate::handlers::upload_page;
use crate::http::date::CivilTime;
use crate::http::target::encode_path;
use crate::telemetry::printable;

/// Listings with at least so many names get a filter.
const FILTERED_MIN: usize = 10;

/// The page.
pub const HTML: ListingFormat = ListingFormat { media_type: "text/html; charset=utf-8", begin, row, end, close };

fn begin(out: &mut String, listing: &DirectoryListing) {
    let name = printable(listing.directory.name());
    page::begin(out, &name);
    breadcrumb(out, listing);
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(out, "<main>\n<h1 class=\"unseen\" id=\"name\">{}</h1>", escape_html(&name));
    if listing.names.is_empty() {
        let _ = writeln!(out, "<p class=\"quiet why\">{}</p>", nothing_shown(listing));
    } else if listing.names.len() >= FILTERED_MIN {
        out.push_str("<div class=\"bar\"></div>\n");
    }
    if listing.accepts_uploads {
        upload_page::push_form(out);
    }
    if !has_table(listing) {
        return;
    }
    out.push_str("<table aria-labelledby=\"name\">\n<thead>\n<tr>");
    for (key, title) in [(SortKey::Name, "Name"), (SortKey::Size, "Size"), (SortKey::Time, "Changed<span> (UTC)</span>")] {
        column_head(out, listing, key, title);
    }
    out.push_str("</tr>\n</thead>\n<tbody>\n");
    if let [.., up, _] = *listing.levels_up {
        let _ = writeln!(
            out,
            "<tr class=\"d up\"><th scope=\"row\"><a href=\"{}{}\">Parent directory</a></th><td></td><td></td></tr>",
            "../".repeat(up),
            query(listing)
        );
    }
}

/// The query of the current order, for links to other directories.
fn query(listing: &DirectoryListing) -> Cow<'static, str> {
    escape_html(listing.order.query())
}

/// Writes a link for each directory above.
fn breadcrumb(out: &mut String, listing: &DirectoryListing) {
    let query = query(listing);
    let segments = listing.path.split(|&b| b == b'/').filter(|segment| !segment.is_empty());
    out.push_str("<nav aria-label=\"Breadcrumb\">\n<ol>\n");
    for (depth, (name, up)) in iter::once(listing.directory.root.name()).chain(segments).zip(&listing.levels_up).enumerate() {
        let text = printable(name);
        let name = escape_html(&text);
        let _ = if depth + 1 == listing.levels_up.len() {
            writeln!(out, "<li><span aria-current=\"page\">{name}</span></li>")
        } else {
            // Relative, since a proxy may serve this below a prefix.
            writeln!(out, "<li><a href=\"{}{query}\">{name}</a></li>", "../".repeat(*up))
        };
    }
    out.push_str("</ol>\n</nav>\n");
}

/// Whether there is a row: an entry, or the parent directory.
fn has_table(listing: &DirectoryListing) -> bool {
    !listing.names.is_empty() || listing.path != b"/"
}

/// Writes the totals.
fn totals(out: &mut String, listing: &DirectoryListing) {
    let ListingTotals { directories, files, bytes } = listing.totals;
    let parts = [
        (directories > 0).then(|| counted(directories, "directory", "directories")),
        (files > 0).then(|| format!("{}, {}", counted(files, "file", "files"), human_size(bytes))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if !parts.is_empty() {
        let _ = writeln!(out, "<p class=\"quiet\">{}</p>", parts.join(", "));
    }
}

/// Writes the links to the archives of the directory.
fn archive_links(out: &mut String, listing: &DirectoryListing) {
    if listing.directory.archive {
        let links = FORMATS.map(|format| format!("<a href=\"?archive={0}\" rel=\"nofollow\">{0}</a>", format.name));
        let _ = writeln!(out, "<p class=\"quiet\">Download all: {}</p>", links.join(" "));
    }
}

/// Writes the head of a column, which links to the listing sorted by it.
fn column_head(out: &mut String, listing: &DirectoryListing, key: SortKey, title: &str) {
    let order = listing.order;
    let state = match (order.key == key, order.descending) {
        (false, _) => "",
        (true, false) => " aria-sort=\"ascending\"",
        (true, true) => " aria-sort=\"descending\"",
    };
    let query = order.toggled(key).query();
    // An empty reference would keep the query of this page.
    let href = if query.is_empty() { "./".into() } else { escape_html(query) };
    let _ = write!(out, "<th scope=\"col\"{state}><a href=\"{href}\" rel=\"nofollow\">{title}</a></th>");
}

fn row(out: &mut String, listing: &DirectoryListing, name: &Name, entry: &DirectoryEntry) {
    let (class, slash, query) = match entry.kind {
        EntryKind::Directory => (" class=\"d\"", "/", query(listing)),
        EntryKind::File => ("", "", "".into()),
    };
    let (link, text) = (encode_path(&name.bytes), printable(&name.bytes));
    // Clients find names by this form: the link as it is, and nothing but the name in it.
    out.extend(["<tr", class, "><th scope=\"row\"><a href=\"", &*link, slash, &*query, "\">"]);
    out.extend([&*escape_html(&text), slash, "</a>"]);
    if entry.is_link {
        out.push_str("<span class=\"link\">symlink</span>");
    }
    out.push_str("</th><td>");
    if entry.kind == EntryKind::File {
        let bytes = entry.length;
        let (value, title) = (bytes.to_string(), counted(bytes, "byte", "bytes"));
        out.extend(["<data value=\"", &*value, "\" title=\"", &*title, "\">", &*human_size(bytes), "</data>"]);
    }
    out.push_str("</td><td>");
    if let Some(time) = entry.modified.and_then(CivilTime::of) {
        let (date, clock) = (time.date(), time.clock());
        out.extend(["<time datetime=\"", &*date, "T", &*clock, "Z\">", &*date, "<span> ", &*clock, "</span></time>"]);
    }
    out.push_str("</td></tr>\n");
}

fn end(out: &mut String, listing: &DirectoryListing) {
    if has_table(listing) {
        out.push_str("</tbody>\n</table>\n");
    }
    totals(out, listing);
    archive_links(out, listing);
    if let Some(readme) = &listing.readme {
        let (href, name) = (encode_path(&readme.name), printable(&readme.name));
        // HTML ignores a line feed after <pre>, so that the first of the text is kept.
        let _ = writeln!(
            out,
            "<section aria-labelledby=\"readme\">\n<h2 id=\"readme\"><a href=\"{href}\">{}</a></h2>\n<pre>",
            escape_html(&name)
        );
    }
}

fn close(out: &mut String, listing: &DirectoryListing) {
    if let Some(readme) = &listing.readme {
        out.push_str("</pre>\n");
        if readme.truncated {
            let href = encode_path(&readme.name);
            let _ = writeln!(out, "<p class=\"quiet\">The file is longer. <a href=\"{href}\">Read all of it</a></p>");
        }
        out.push_str("</section>\n");
    }
    out.push_str("</main>\n");
    if !listing.names.is_empty() {
        page::push_script(out);
    }
    page::end(out);
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::files::directory::tests::{listing, memory};
    use crate::files::scratch::Scratch;
    use crate::handlers::message::Body;

    /// The listing of a directory as a page.
    fn listed(scratch: &Scratch, path: &str, hidden: bool) -> String {
        match HTML.body(listing(scratch, path, hidden), &mut memory()).unwrap() {
            Body::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Body::Stream(mut stream) => {
                let mut page = String::new();
                stream.read_to_string(&mut page).unwrap();
                page
            }
            _ => panic!("no page"),
        }
    }

    /// The targets of the links in the rows of a page, in order, percent-decoded.
    fn links(page: &str) -> Vec<Vec<u8>> {
        let hrefs = page.split("<th scope=\"row\"><a href=\"").skip(1).map(|after| after.split('"').next().unwrap());
        hrefs.map(|href| percent_encoding::percent_decode_str(href).collect()).collect()
    }

    #[test]
    fn names_are_sorted_and_counted() {
        let files = ["b", "A", "x10", "x9", "x09", "d/y", "E/y", ".hidden", "d/.hidden", "d/index.htm"];
        let scratch = Scratch::with(&files);
        let page = listed(&scratch, "/", false);
        let want = ["d/", "E/", "A", "b", "x09", "x9", "x10"];
        assert_eq!(links(&page), want.map(|link| link.as_bytes().to_vec()));
        let row = "<tr><th scope=\"row\"><a href=\"b\">b</a></th><td><data value=\"1\" title=\"1 byte\">1 B</data></td>\
                   <td><time datetime=\"20";
        assert!(page.contains(row) && page.contains("</table>\n<p class=\"quiet\">2 directories, 5 files, 10 B</p>"), "{page}");
        let page = listed(&scratch, "/d/", true);
        assert_eq!(links(&page), ["../", ".hidden", "index.htm", "y"].map(|link| link.as_bytes().to_vec()));
        assert!(page.contains("<title>d</title>"));
    }

    #[test]
    fn links_keep_the_order() {
        let scratch = Scratch::with(&["a/b/c/", "a/b/f"]);
        let root = scratch.path().file_name().unwrap().to_str().unwrap();
        let page = listed(&scratch, "/a/b/?order=desc&sort=size", false);
        assert!(listed(&scratch, "/", false).contains(&format!("<title>{root}</title>")));
        for (part, why) in [
            (&*format!("<li><a href=\"../../?sort=size&amp;order=desc\">{root}</a></li>"), "to the top"),
            ("<li><a href=\"../?sort=size&amp;order=desc\">a</a></li>", "up"),
            ("<li><span aria-current=\"page\">b</span></li>", "this directory"),
            ("<a href=\"../?sort=size&amp;order=desc\">", "the parent directory"),
            ("<a href=\"c/?sort=size&amp;order=desc\">", "down"),
            ("<a href=\"f\">", "the link of a file has no query"),
            ("<th scope=\"col\"><a href=\"./\" rel=\"nofollow\">Name</a></th>", "the default order has no query"),
            (
                "<th scope=\"col\" aria-sort=\"descending\"><a href=\"?sort=size&amp;order=asc\" rel=\"nofollow\">Size</a></th>",
                "reversed",
            ),
            (
                "<th scope=\"col\"><a href=\"?sort=time&amp;order=desc\" rel=\"nofollow\">Changed<span> (UTC)</span></a></th>",
                "the newest first",
            ),
        ] {
            assert!(page.contains(part), "{part} is missing, {why}:\n{page}");
        }
    }

    #[test]
    fn links_upwards_follow_the_path_that_was_sent() {
        let scratch = Scratch::with(&["a/b/c/", "x/"]);
        for (sent, want) in [
            ("/a/b/", vec!["/", "/a", "/a"]),
            ("/a//b/", vec!["/", "/a", "/a"]),
            ("/a/b//", vec!["/", "/a", "/a"]),
            ("/a///b//c////", vec!["/", "/a", "/a/b", "/a/b"]),
            ("//a/b/", vec!["/", "/a", "/a"]),
            ("/a/", vec!["/", "/"]),
            ("/a//", vec!["/", "/"]),
            ("//", vec![]),
            ("/a/./b/", vec!["/", "/a", "/a"]),
            ("/x/../a/b/", vec!["/", "/a", "/a"]),
            ("/a/%2E/b/", vec!["/", "/a", "/a"]),
        ] {
            let page = listed(&scratch, sent, false);
            // A client resolves dot segments itself, before it sends the path and when it follows a link (RFC 3986 §5.2.4).
            let base = sent.replace("/x/..", "").replace("/.", "").replace("/%2E", "");
            let followed: Vec<String> = page
                .split("<a href=\"../")
                .skip(1)
                .map(|link| 1 + link.split("../").take_while(|rest| rest.is_empty()).count())
                .map(|levels| {
                    let mut segments: Vec<&str> = base.split('/').skip(1).collect();
                    segments.truncate(segments.len().saturating_sub(levels + 1));
                    segments.retain(|segment| !segment.is_empty());
                    format!("/{}", segments.join("/"))
                })
                .collect();
            assert_eq!(followed, want, "{sent}: the links of the path, and that to the parent directory");
        }
    }

    #[test]
    fn readme_script_and_empty_directory() {
        let names: Vec<String> = (0..FILTERED_MIN).map(|n| format!("many/{n}")).collect();
        let mut files: Vec<&str> = names.iter().map(|name| &**name).collect();
        files.extend(["few/README.md", "few/a", "empty/", "one/.a", "three/.a", "three/.b/", "three/.c"]);
        let scratch = Scratch::with(&files);
        std::fs::write(scratch.path().join("few/README.md"), "\n<b>&").unwrap();
        for (path, readme, script, bar, text) in [
            ("/many/", false, true, true, "10 files, "),
            ("/few/", true, true, false, "2 files, "),
            ("/empty/", false, false, false, "this directory is empty<"),
            ("/one/", false, false, false, "1 hidden entry<"),
            ("/three/", false, false, false, "3 hidden entries<"),
        ] {
            let page = listed(&scratch, path, false);
            assert_eq!(page.contains("<pre>\n\n&lt;b&gt;&amp;</pre>"), readme, "{path}");
            assert_eq!(page.matches("<script>").count(), usize::from(script), "{path}");
            assert_eq!(page.contains("<div class=\"bar\">"), bar, "{path}");
            assert!(page.contains(&format!("\">{text}")), "{path}");
            assert_eq!(page.matches("<main>").count() + page.matches("</main>").count(), 2, "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_marked() {
        let scratch = Scratch::with(&["d/", "f"]);
        std::os::unix::fs::symlink("d", scratch.path().join("to-d")).unwrap();
        std::os::unix::fs::symlink("f", scratch.path().join("to-f")).unwrap();
        let page = listed(&scratch, "/", false);
        assert!(page.contains(">to-d/</a><span class=\"link\">symlink</span></th>"), "{page}");
        assert!(page.contains(">to-f</a><span class=\"link\">symlink</span></th>"), "{page}");
        assert_eq!(page.matches("class=\"link\"").count(), 2);
    }

    // Other systems have file systems that refuse some of these names.
    #[cfg(target_os = "linux")]
    #[test]
    fn unusual_names_are_escaped_and_their_links_decode_back() {
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
        let page = listed(&scratch, "/%3Cd%3E%22&'/", true);
        let mut want: Vec<Vec<u8>> = names.clone();
        want.push(b"../".to_vec());
        let mut got = links(&page);
        want.sort();
        got.sort();
        assert_eq!(got, want);
        assert!(page.contains("<title>&lt;d&gt;&quot;&amp;&#39;</title>") && !page.contains("<d>"));
        assert_eq!(page.matches("<script").count(), 1, "the filter alone");
        assert!(page.chars().all(|c| c == '\n' || !c.is_control()), "control characters are replaced");
        assert_eq!(
            page.lines().filter(|line| line.starts_with("<tr><th scope=\"row\">")).count(),
            names.len(),
            "a line per name"
        );
    }
}
