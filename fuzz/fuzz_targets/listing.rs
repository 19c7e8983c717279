//! Directory listings link to exactly the names in the directory, and no name can inject markup.

#![no_main]

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::SystemTime;

use libfuzzer_sys::fuzz_target;
use threadbare::cli::Cli;
use threadbare::files::Site;
use threadbare::files::lookup::{Resource, lookup};
use threadbare::handlers::listing;
use threadbare::handlers::message::{Body, Request};
use threadbare::http::forwarded::{Client, PeerAddr};
use threadbare::http::framing::BodyLength;
use threadbare::http::target::RequestTarget;
use threadbare::net::budget::MemoryBudget;
use threadbare_fuzz::with_head;

thread_local! {
    /// A directory of this process's own.
    static PLACE: LazyCell<(PathBuf, Site)> = LazyCell::new(|| {
        let root = std::env::temp_dir().join(format!("threadbare-fuzz-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("d")).expect("a directory to list");
        let words = ["threadbare".into(), "--hidden".into(), root.to_str().expect("a plain path").to_owned()];
        let site = Site::open(&Cli::try_parse_from(words).expect("plain words").config()).expect("it is there");
        (root.join("d"), site)
    });
}

/// The names to which a page links, in order, as a browser would read them.
fn links(page: &str) -> Vec<Vec<u8>> {
    let hrefs = page.split("<a href=\"").skip(1).map(|after| after.split('"').next().unwrap_or_default());
    // Other links lead upwards, or to this page in another order.
    let entries = hrefs.filter(|href| !href.starts_with("../") && !href.starts_with('?'));
    let names = entries.map(|href| {
        let mut out = Vec::new();
        let mut bytes = href.bytes();
        while let Some(byte) = bytes.next() {
            assert!(byte.is_ascii_graphic() && !b"\"<>'&".contains(&byte), "{href}");
            let mut digit = || char::from(bytes.next().unwrap_or(b'?')).to_digit(16).expect("two digits");
            out.push(if byte == b'%' { u8::try_from(digit() * 16 + digit()).expect("a byte") } else { byte });
        }
        out
    });
    names.filter(|name| !name.is_empty()).collect()
}

fuzz_target!(|data: &[u8]| {
    PLACE.with(|place| {
        let (directory, site) = &**place;
        let mut names = BTreeSet::new();
        for name in data.split(|byte| *byte == b'\n').take(16) {
            if !name.contains(&b'/') && fs::write(directory.join(OsStr::from_bytes(name)), "x").is_ok() {
                names.insert(name.to_vec());
            }
        }
        let head = b"GET /d/ HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n";
        let page = with_head(head, |head, _| {
            let target = RequestTarget::parse(head).expect("a plain target");
            let mut request = Request {
                peer: PeerAddr::unix(),
                client: &Client::from_peer(PeerAddr::unix()),
                head,
                target: &target,
                body_length: BodyLength::None,
                content: &mut std::io::empty(),
                memory: &mut MemoryBudget::new(usize::MAX).hold_none(None),
                decisions: None,
            };
            match lookup(site, &target, None, SystemTime::now()) {
                Resource::Directory(directory) => match &listing::serve(directory, &mut request, false).body {
                    Body::Bytes(bytes) => String::from_utf8(bytes.to_vec()).expect("a page is UTF-8"),
                    _ => panic!("no page"),
                },
                _ => panic!("no directory"),
            }
        });
        let page = page.expect("a plain request").expect("a whole one");
        let listed = links(&page);
        let count = listed.len();
        let listed: BTreeSet<_> = listed.into_iter().collect();
        for name in &names {
            let _ = fs::remove_file(directory.join(OsStr::from_bytes(name)));
        }
        // index.html would have been served instead.
        assert_eq!((count, listed), (names.len(), names));
        // Of scripts there is only the filter, where there are names enough.
        assert!(page.matches("<script").count() <= 1 && !page.contains("<img"));
    });
});
