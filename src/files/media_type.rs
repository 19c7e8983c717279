//! Media types of files by name, and by content where the name does not tell (RFC 9110 §8.3).

use std::borrow::Cow;

use crate::config::MimeTypes;
use crate::files::representation::OpenFile;
use crate::files::version::read_exact_at;
use crate::http::negotiation::ContentCoding;

/// Extensions whose type is wrong or missing in `mime_guess`.
const TYPES: &[(&str, &str)] = &[
    ("3mf", "model/3mf"),
    ("appinstaller", "application/appinstaller"),
    ("appx", "application/appx"),
    ("appxbundle", "application/appxbundle"),
    ("cbr", "application/vnd.comicbook-rar"),
    ("cbz", "application/vnd.comicbook+zip"),
    ("cjs", "text/javascript"),
    ("deb", "application/vnd.debian.binary-package"),
    ("dtd", "application/xml-dtd"),
    ("dwf", "model/vnd.dwf"),
    ("m2t", TRANSPORT_STREAM),
    ("m2ts", TRANSPORT_STREAM),
    ("m3u8", "application/vnd.apple.mpegurl"),
    ("m4a", "audio/mp4"),
    ("m4b", "audio/mp4"),
    ("m4s", "video/iso.segment"),
    ("map", "application/json"),
    ("mid", "audio/midi"),
    ("midi", "audio/midi"),
    ("mjs", "text/javascript"),
    ("mml", "application/mathml+xml"),
    ("mobileconfig", "application/x-apple-aspen-config"),
    ("msix", "application/msix"),
    ("msixbundle", "application/msixbundle"),
    ("mtl", "model/mtl"),
    ("mts", TRANSPORT_STREAM),
    ("obj", "model/obj"),
    ("otf", "font/otf"),
    ("pmtiles", "application/vnd.pmtiles"),
    ("rar", "application/vnd.rar"),
    ("rpm", "application/x-redhat-package-manager"),
    ("stl", "model/stl"),
    ("tgz", "application/gzip"),
    ("ts", TRANSPORT_STREAM),
    ("ttml", "application/ttml+xml"),
    ("usda", "model/vnd.usda"),
    ("usdz", "model/vnd.usdz+zip"),
    ("vcf", "text/vcard"),
    ("woff", "font/woff"),
    ("wrl", "model/vrml"),
    ("xml", "application/xml"),
    ("xsl", "application/xml"),
    ("xslt", "application/xslt+xml"),
    ("zst", "application/zstd"),
];

/// The type of what is neither known nor text: browsers that must not sniff save such a file.
const UNKNOWN: &str = "application/octet-stream";
/// Files with an extension of this type may be TypeScript or translations, so their content decides.
const TRANSPORT_STREAM: &str = "video/mp2t";
/// How many bytes of a file decide: at least five packets of a transport stream.
const SAMPLE_BYTES: u64 = 1024;

/// The media type of an open file, and the coding of one that is compressed by definition: SVG in `.svgz`, and what `--encoded` names. An
/// archive such as `.tgz` is to arrive as it is. The cursor of the file does not move.
pub fn of_file(path: &[u8], typing: &MimeTypes, open: &OpenFile) -> (Cow<'static, str>, Option<ContentCoding>) {
    let name = path.rsplit(|&b| b == b'/').next().unwrap_or(path);
    let is_encoded = || typing.encoded.iter().any(|glob| glob.matches(path));
    if let Some((inner, coding)) = ContentCoding::split_suffix(name).filter(|_| is_encoded()) {
        // Compressed content does not tell the type.
        return (of_name(inner, typing, None), Some(coding));
    }
    let media_type = of_name(name, typing, Some(open));
    let is_svgz = media_type == "image/svg+xml" && extension(name).is_some_and(|end| end.eq_ignore_ascii_case("svgz"));
    (media_type, is_svgz.then_some(ContentCoding::Gzip))
}

/// The media type of a file of that name, and with that content if it can tell.
fn of_name(name: &[u8], typing: &MimeTypes, content: Option<&OpenFile>) -> Cow<'static, str> {
    if let Some((_, media_type)) = typing.overrides.iter().find(|(key, _)| is_named(name, key)) {
        return with_charset(media_type.clone().into(), typing);
    }
    match from_extension(extension(name).unwrap_or_default()) {
        Some(known) if known != TRANSPORT_STREAM => with_charset(known.into(), typing),
        known => match content.and_then(of_content) {
            // It has been found to be UTF-8, whatever the charset of other files.
            Some("text/plain") if typing.charset.is_some() => "text/plain; charset=utf-8".into(),
            found => found.or(known).unwrap_or(UNKNOWN).into(),
        },
    }
}

/// Whether a key of `--mime` is the name of the file, or what follows a dot in it, ignoring case. A dot at the beginning begins no extension.
fn is_named(name: &[u8], key: &str) -> bool {
    let extension = key.strip_prefix('.').unwrap_or(key).as_bytes();
    let split = name.len().checked_sub(extension.len()).and_then(|at| name.split_at_checked(at));
    name == key.as_bytes()
        || split.is_some_and(|(stem, end)| stem.len() > 1 && stem.ends_with(b".") && end.eq_ignore_ascii_case(extension))
}

/// The type of an extension, without a charset; `None` if it is unknown or says nothing of the content, as `bin`.
fn from_extension(extension: &str) -> Option<&'static str> {
    let row = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension));
    row.map(|(_, media_type)| *media_type)
        .or_else(|| mime_guess::from_ext(extension).first_raw())
        .filter(|known| *known != UNKNOWN)
}

/// The type, judged by the beginning of a file; `None` if it is neither text nor a transport stream, or cannot be read.
fn of_content(open: &OpenFile) -> Option<&'static str> {
    let length = open.version.length;
    let mut start = vec![0; usize::try_from(length.min(SAMPLE_BYTES)).ok()?];
    read_exact_at(&open.file, &mut start, 0).ok()?;
    let text = match std::str::from_utf8(&start) {
        Ok(text) => Some(text),
        // The sample may end in the middle of a character, but the file may not.
        Err(error) if length > SAMPLE_BYTES && error.error_len().is_none() => {
            start.get(..error.valid_up_to()).and_then(|whole| std::str::from_utf8(whole).ok())
        }
        Err(_) => None,
    };
    if text.is_some_and(|text| !text.contains(|c: char| c.is_control() && !"\t\n\r\x0c".contains(c))) {
        return Some("text/plain");
    }
    // Each packet of 188 bytes begins with this byte (ISO/IEC 13818-1 §2.4.3.2).
    let is_stream = start.len() > 188 && start.iter().step_by(188).all(|byte| *byte == 0x47);
    is_stream.then_some(TRANSPORT_STREAM)
}

/// The type with the charset of texts, unless it has one. XML declares its own (RFC 7303 §3.2).
fn with_charset(media_type: Cow<'static, str>, typing: &MimeTypes) -> Cow<'static, str> {
    let lower = media_type.to_ascii_lowercase();
    let essence = lower.split_once(';').map_or(&*lower, |(essence, _)| essence).trim_end();
    let is_xml = matches!(essence, "text/xml" | "text/xml-external-parsed-entity" | "text/x-opml") || essence.ends_with("+xml");
    match &typing.charset {
        Some(charset) if essence.starts_with("text/") && !is_xml && !lower.contains("charset=") => {
            format!("{media_type}; charset={charset}").into()
        }
        _ => media_type,
    }
}

/// The part after the last dot; none if the dot comes first, as in `.profile`.
fn extension(name: &[u8]) -> Option<&str> {
    let dot = name.iter().rposition(|&b| b == b'.').filter(|&at| at > 0)?;
    std::str::from_utf8(name.get(dot + 1..)?).ok()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;
    use crate::config::glob::Glob;
    use crate::files::scratch::Scratch;
    use crate::files::version::FileVersion;

    /// The type and coding of a file of that path and content.
    fn described(path: &[u8], content: &[u8], typing: &MimeTypes) -> (Cow<'static, str>, Option<ContentCoding>) {
        let scratch = Scratch::new();
        fs::write(scratch.path().join("x"), content).unwrap();
        let file = File::open(scratch.path().join("x")).unwrap();
        let version = FileVersion::from_file(&file).unwrap();
        of_file(path, typing, &OpenFile { file, version })
    }

    /// The type of a file of that name and content.
    fn type_of(name: &[u8], content: &[u8], typing: &MimeTypes) -> String {
        described(name, content, typing).0.into_owned()
    }

    const TEXT: &str = "text/plain; charset=utf-8";

    #[test]
    fn types_follow_the_extension() {
        for (name, want) in [
            (&b"index.html"[..], "text/html; charset=utf-8"),
            (b"INDEX.HTM", "text/html; charset=utf-8"),
            (b"app.min.js", "text/javascript; charset=utf-8"),
            (b"app.js.map", "application/json"),
            (b"module.mjs", "text/javascript; charset=utf-8"),
            (b"code.wasm", "application/wasm"),
            (b"site.webmanifest", "application/manifest+json"),
            (b"picture.SVG", "image/svg+xml"),
            (b"feed.xml", "application/xml"),
            (b"feed.atom", "application/atom+xml"),
            (b"main.rs", "text/x-rust; charset=utf-8"),
            (b"words.vtt", "text/vtt; charset=utf-8"),
            (b"archive.tar.gz", "application/gzip"),
            (b"song.flac", "audio/flac"),
            (b"noextension", UNKNOWN),
            (b"html", UNKNOWN),
            (b".html", UNKNOWN),
            (b"dot.", UNKNOWN),
            (b"thing.zzz", UNKNOWN),
            (b"x.\xff", UNKNOWN),
            (b"", UNKNOWN),
        ] {
            assert_eq!(type_of(name, b"\0", &MimeTypes::default()), want, "{}", name.escape_ascii());
        }
    }

    #[test]
    fn content_decides_where_the_name_does_not_tell() {
        let cut = |length: usize, end: &[u8]| [&vec![b'x'; length][..], end].concat();
        let packets = |first: u8, count: usize| [&[first][..], &[0xff; 187]].concat().repeat(count);
        for (name, content, want, why) in [
            ("LICENSE", b"MIT License\n".to_vec(), TEXT, "no extension"),
            (".profile", b"umask 022\n".to_vec(), TEXT, "a name that begins with a dot"),
            ("main.go", b"package main\n\n\tx\r\n\x0c".to_vec(), TEXT, "TAB, LF, CR and FF are in texts"),
            ("main.java", b"class Main {}".to_vec(), TEXT, "mime_guess has application/octet-stream"),
            ("page", b"<!doctype html><script>".to_vec(), TEXT, "never HTML: it may be an upload"),
            ("words", "\u{feff}ein W\u{f6}rtchen \u{1f980}".into(), TEXT, "UTF-8, with a byte order mark"),
            ("empty", vec![], TEXT, "empty"),
            ("a", b"a\0b".to_vec(), UNKNOWN, "NUL"),
            ("a", b"a\x1b[1mb".to_vec(), UNKNOWN, "an escape sequence"),
            ("a", b"a\x7fb".to_vec(), UNKNOWN, "DEL"),
            ("a", "a\u{85}".into(), UNKNOWN, "a control character of two bytes"),
            ("a", b"caf\xe9".to_vec(), UNKNOWN, "Latin-1, not a character that is cut"),
            ("a", b"caf\xe9 au lait".to_vec(), UNKNOWN, "Latin-1"),
            ("a", cut(1023, "\u{e9}".as_bytes()), TEXT, "the sample ends within a character"),
            ("a", cut(1021, "\u{1f980}".as_bytes()), TEXT, "after three bytes of four"),
            ("a", cut(1023, b"\xe9"), UNKNOWN, "the file ends within it"),
            ("a", cut(1023, b"\xff\0"), UNKNOWN, "no beginning of a character"),
            ("a", cut(1023, b"\0"), UNKNOWN, "the last byte that is looked at"),
            ("a", cut(1024, b"\0"), TEXT, "the first that is not"),
            ("movie", packets(0x47, 2), TRANSPORT_STREAM, "two packets"),
            ("movie", packets(0x47, 9), TRANSPORT_STREAM, "more than the sample holds"),
            ("movie", packets(0x47, 1), UNKNOWN, "a single packet may be anything"),
            ("movie", packets(0x48, 2), UNKNOWN, "another byte"),
            ("movie", [packets(0x47, 2), packets(0x48, 1)].concat(), UNKNOWN, "another byte in the third packet"),
            ("app.ts", b"export const x: number = 1;\n".to_vec(), TEXT, "TypeScript"),
            ("app.mts", b"export const x: number = 1;\n".to_vec(), TEXT, "a module of it"),
            ("0.ts", packets(0x47, 2), TRANSPORT_STREAM, "a segment"),
            ("0.ts", packets(0x9c, 2), TRANSPORT_STREAM, "an encrypted segment (RFC 8216 \u{a7}4.3.2.4)"),
            ("page.html", b"\0".to_vec(), "text/html; charset=utf-8", "a known extension is enough"),
        ] {
            assert_eq!(type_of(name.as_bytes(), &content, &MimeTypes::default()), want, "{name}: {why}");
        }
    }

    #[test]
    fn file_that_is_shorter_than_announced_is_unknown() {
        let file = File::open(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/site/ten.txt")).unwrap();
        let mut version = FileVersion::from_file(&file).unwrap();
        version.length += 1;
        assert_eq!(of_file(b"ten", &MimeTypes::default(), &OpenFile { file, version }).0, UNKNOWN);
    }

    #[test]
    fn xml_declares_its_own_charset() {
        let overrides = ["text/xml", "Text/XML; x=y", "text/x+xml", "text/xml-external-parsed-entity"];
        let overrides = overrides.iter().enumerate().map(|(index, own)| (format!("own{index}"), (*own).to_owned())).collect();
        let typing = MimeTypes { overrides, charset: Some("latin1".to_owned()), ..MimeTypes::default() };
        for (name, want) in [
            ("a.xml", "application/xml"),
            ("a.xsl", "application/xml"),
            ("a.xslt", "application/xslt+xml"),
            ("a.dtd", "application/xml-dtd"),
            ("a.xsd", "text/xml"),
            ("a.wsdl", "text/xml"),
            ("a.svg", "image/svg+xml"),
            ("a.rss", "application/rss+xml"),
            ("a.atom", "application/atom+xml"),
            ("a.xhtml", "application/xhtml+xml"),
            ("a.mml", "application/mathml+xml"),
            ("a.opml", "text/x-opml"),
            ("a.own0", "text/xml"),
            ("a.own1", "Text/XML; x=y"),
            ("a.own2", "text/x+xml"),
            ("a.own3", "text/xml-external-parsed-entity"),
            ("a.txt", "text/plain; charset=latin1"),
        ] {
            assert_eq!(type_of(name.as_bytes(), b"<?xml version='1.0' encoding='utf-16'?>", &typing), want, "{name}");
        }
    }

    /// Extensions, their types and why: compared with IANA, and the tables of nginx, Apache and mime-db.
    const REVIEWED: &[(&str, &str, &str)] = &[
        ("apk", "application/vnd.android.package-archive", "Android installs it"),
        ("appcache", "text/cache-manifest", "the type that its users required"),
        ("appinstaller", "application/appinstaller", "Windows installs from it"),
        ("atom", "application/atom+xml", "feed readers look for it"),
        ("avif", "image/avif", "an image"),
        ("br", UNKNOWN, "no type is registered for Brotli"),
        ("bz2", "application/x-bzip2", "saved"),
        ("cbz", "application/vnd.comicbook+zip", "readers of comics open it (IANA)"),
        ("crt", "application/x-x509-ca-cert", "Android and Firefox import it"),
        ("crx", "application/x-chrome-extension", "Chromium installs it"),
        ("css", "text/css", "style sheets of another type are refused with nosniff"),
        ("csv", "text/csv", "RFC 4180"),
        ("deb", "application/vnd.debian.binary-package", "IANA; offered to the package manager"),
        ("dmg", UNKNOWN, "saved"),
        ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "IANA"),
        ("epub", "application/epub+zip", "readers of books open it"),
        ("exe", UNKNOWN, "saved"),
        ("flac", "audio/flac", "RFC 9639"),
        ("geojson", "application/geo+json", "RFC 7946"),
        ("gif", "image/gif", "an image"),
        ("glb", "model/gltf-binary", "model viewers look for it"),
        ("gltf", "model/gltf+json", "the same, as JSON"),
        ("gpx", "application/gpx+xml", "maps import it"),
        ("gz", "application/gzip", "RFC 6713; saved, without Content-Encoding"),
        ("heic", "image/heic", "Safari shows it"),
        ("html", "text/html", "shown as a page"),
        ("ico", "image/x-icon", "an image"),
        ("ics", "text/calendar", "calendars subscribe to it"),
        ("ipa", "application/x-itunes-ipa", "no type is registered"),
        ("iso", UNKNOWN, "saved"),
        ("jar", "application/java-archive", "saved"),
        ("jpg", "image/jpeg", "an image"),
        ("js", "text/javascript", "RFC 9239; scripts of another type are refused with nosniff"),
        ("json", "application/json", "modules of JSON need it"),
        ("jsonld", "application/ld+json", "processors of linked data look for it"),
        ("jxl", "image/jxl", "Safari shows it"),
        ("kml", "application/vnd.google-earth.kml+xml", "maps import it"),
        ("m2ts", "video/mp2t", "a recording of a camera"),
        ("m3u8", "application/vnd.apple.mpegurl", "RFC 8216 \u{a7}4: Safari plays it"),
        ("m4a", "audio/mp4", "RFC 4337"),
        ("m4s", "video/iso.segment", "segments of DASH (ISO/IEC 23009-1)"),
        ("map", "application/json", "source maps are JSON"),
        ("md", "text/markdown", "RFC 7763"),
        ("mid", "audio/midi", "nginx, Apache and mime-db agree"),
        ("mjs", "text/javascript", "modules of another type are refused"),
        ("mkv", "video/x-matroska", "browsers look at the content"),
        ("mobileconfig", "application/x-apple-aspen-config", "iOS installs the profile"),
        ("mov", "video/quicktime", "Safari plays it"),
        ("mp3", "audio/mpeg", "RFC 3003"),
        ("mp4", "video/mp4", "RFC 4337"),
        ("mpd", "application/dash+xml", "players look for it"),
        ("msix", "application/msix", "Windows installs it"),
        ("obj", "model/obj", "IANA; not a drawing of Tgif"),
        ("ogg", "audio/ogg", "RFC 5334"),
        ("ogv", "video/ogg", "RFC 5334"),
        ("opus", "audio/ogg", "RFC 7845"),
        ("otf", "font/otf", "RFC 8081"),
        ("pdf", "application/pdf", "browsers show it"),
        ("pkpass", "application/vnd.apple.pkpass", "iOS adds it to the wallet"),
        ("pmtiles", "application/vnd.pmtiles", "IANA"),
        ("png", "image/png", "an image"),
        ("rpm", "application/x-redhat-package-manager", "not a plug-in of RealAudio"),
        ("rss", "application/rss+xml", "feed readers look for it"),
        ("stl", "model/stl", "IANA; not a list of certificates"),
        ("svg", "image/svg+xml", "an image, or a page"),
        ("tar", "application/x-tar", "saved"),
        ("tgz", "application/gzip", "RFC 6713; saved, without Content-Encoding"),
        ("torrent", "application/x-bittorrent", "clients open it"),
        ("ts", "video/mp2t", "RFC 8216 \u{a7}3.2"),
        ("ttf", "font/ttf", "RFC 8081"),
        ("ttml", "application/ttml+xml", "subtitles (IANA)"),
        ("txt", "text/plain", "shown"),
        ("usdz", "model/vnd.usdz+zip", "Quick Look of iOS opens it"),
        ("vcf", "text/vcard", "RFC 6350"),
        ("vtt", "text/vtt", "subtitles"),
        ("wasm", "application/wasm", "WebAssembly.compileStreaming refuses other types"),
        ("wav", "audio/wav", "browsers play it"),
        ("webm", "video/webm", "browsers play it"),
        ("webmanifest", "application/manifest+json", "manifests of applications"),
        ("webp", "image/webp", "an image"),
        ("woff", "font/woff", "RFC 8081"),
        ("woff2", "font/woff2", "RFC 8081"),
        ("xhtml", "application/xhtml+xml", "shown as a page"),
        ("xml", "application/xml", "RFC 7303"),
        ("xpi", "application/x-xpinstall", "Firefox installs it"),
        ("xz", "application/x-xz", "saved"),
        ("zip", "application/zip", "saved"),
        ("zst", "application/zstd", "RFC 8878; saved, without Content-Encoding"),
        ("3mf", "model/3mf", "IANA"),
        ("7z", "application/x-7z-compressed", "saved"),
    ];

    #[test]
    fn types_are_those_that_browsers_and_players_act_on() {
        for (extension, want, why) in REVIEWED {
            let name = format!("x.{extension}");
            let typing = MimeTypes { charset: None, ..MimeTypes::default() };
            assert_eq!(type_of(name.as_bytes(), b"\0", &typing), *want, "{extension}: {why}");
        }
    }

    #[test]
    fn some_files_are_compressed_by_definition() {
        const GZIP: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03";
        const SVG: &str = "image/svg+xml";
        let gzip = Some(ContentCoding::Gzip);
        let plain = MimeTypes::default();
        let archive = MimeTypes { overrides: vec![("svgz".to_owned(), "application/gzip".to_owned())], ..MimeTypes::default() };
        let glob = |pattern| Glob::parse(pattern).unwrap();
        let build = MimeTypes { encoded: vec![glob("Build/**"), glob("*.wasm.br")], ..archive.clone() };
        for (path, typing, want, coding, why) in [
            ("a.svgz", &plain, SVG, gzip, "compressed SVG"),
            ("d/a.SVGZ", &plain, SVG, gzip, "extensions have no case"),
            ("a.svgz", &archive, "application/gzip", None, "--mime says that it is an archive"),
            ("a.svg", &plain, SVG, None, "not compressed"),
            ("a.tgz", &plain, "application/gzip", None, "an archive is to be saved as it is"),
            ("a.svg.gz", &plain, "application/gzip", None, "a compressed file"),
            ("svgz", &plain, UNKNOWN, None, "no extension"),
            ("Build/a.wasm.gz", &build, "application/wasm", gzip, "a build"),
            ("Build/a.framework.js.gz", &build, "text/javascript; charset=utf-8", gzip, "the last extension counts"),
            ("Build/d/a.data.zst", &build, UNKNOWN, Some(ContentCoding::Zstandard), "an unknown type, at any depth"),
            ("Build/a.tar.gz", &build, "application/x-tar", gzip, "an archive, since the pattern says so"),
            ("Build/a.svgz", &build, "application/gzip", None, "another extension"),
            ("Build/a.tgz", &build, "application/gzip", None, "another extension"),
            ("Build/a.wasm", &build, "application/wasm", None, "not compressed"),
            ("Build/.gz", &build, UNKNOWN, None, "no name before the suffix"),
            ("Build/a.js.GZ", &build, "application/gzip", None, "suffixes have case, as with --precompressed"),
            ("a.wasm.br", &build, "application/wasm", Some(ContentCoding::Brotli), "the second pattern"),
            ("a.wasm.gz", &build, "application/gzip", None, "neither pattern"),
            ("a/Build/a.wasm.gz", &build, "application/gzip", None, "a pattern with a slash begins at the root"),
            ("Build/LICENSE.gz", &build, UNKNOWN, gzip, "compressed content does not tell its type"),
        ] {
            let (media_type, found) = described(path.as_bytes(), GZIP, typing);
            assert_eq!((&*media_type, found), (want, coding), "{path}: {why}");
        }
        let text = described(b"Build/LICENSE.br", b"Brotli may look like text", &build);
        assert_eq!(text, (UNKNOWN.into(), Some(ContentCoding::Brotli)));
    }

    #[test]
    fn rows_are_sorted_and_differ_from_mime_guess() {
        assert!(TYPES.is_sorted_by(|(before, _), (after, _)| before < after));
        for (extension, media_type) in TYPES {
            assert_ne!(mime_guess::from_ext(extension).first_raw(), Some(*media_type), "{extension}: the row may go");
        }
    }

    #[test]
    fn options_override_types_and_charset() {
        let own = [
            ("log", "text/plain"),
            ("csv", "text/csv; charset=iso-8859-1"),
            ("wasm", "application/octet-stream"),
            ("h", "TEXT/X"),
            (".ts", "video/x-ts"),
            ("apple-app-site-association", "application/json"),
            ("d.ts", "text/x-d"),
            ("tar.gz", "application/x-t"),
        ];
        let own: Vec<_> = own.map(|(extension, media_type)| (extension.to_owned(), media_type.to_owned())).into();
        for (name, charset, want, why) in [
            ("a.log", Some("utf-8"), "text/plain; charset=utf-8", "a new text type gets the charset"),
            ("a.LOG", Some("latin1"), "text/plain; charset=latin1", "case is ignored"),
            ("a.log", None, "text/plain", "no charset"),
            ("a.h", Some("utf-8"), "TEXT/X; charset=utf-8", "types have no case"),
            ("a.csv", Some("utf-8"), "text/csv; charset=iso-8859-1", "it has a charset"),
            ("a.wasm", Some("utf-8"), "application/octet-stream", "it replaces a type of the table"),
            ("a.ts", None, "video/x-ts", "it comes before the content, and the dot may be typed"),
            ("x.d.ts", None, "video/x-ts", "the first that suits"),
            ("a.tar.gz", None, "application/x-t", "an extension with a dot"),
            ("tar.gz", None, "application/x-t", "a name with a dot"),
            ("atar.gz", None, "application/gzip", "another name"),
            ("apple-app-site-association", None, "application/json", "a name"),
            ("Apple-App-Site-Association", None, "text/plain", "names have case"),
            (".log", None, "text/plain", "a dot at the beginning begins no extension"),
            ("a.html", Some("utf-8"), "text/html; charset=utf-8", "not overridden"),
            ("a.html", Some("shift_jis"), "text/html; charset=shift_jis", "another charset"),
            ("a.html", None, "text/html", "no charset"),
            ("a.rs", Some("latin1"), "text/x-rust; charset=latin1", "a type from mime_guess"),
            ("a.json", Some("latin1"), "application/json", "not text"),
            ("a", Some("latin1"), TEXT, "its content is UTF-8"),
            ("a", None, "text/plain", "no charset"),
        ] {
            let typing = MimeTypes { overrides: own.clone(), charset: charset.map(str::to_owned), ..MimeTypes::default() };
            assert_eq!(type_of(name.as_bytes(), b"text", &typing), want, "{name}: {why}");
        }
    }
}
