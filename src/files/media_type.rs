//! Media types of files by extension (RFC 9110 §8.3).

use std::borrow::Cow;

use crate::config::MimeTypes;

/// Common extensions, and those whose type is wrong or lacks the charset in `mime_guess`. Text is UTF-8 unless `--charset` says otherwise;
/// XML declares its own encoding.
const TYPES: &[(&str, &str)] = &[
    ("html", "text/html; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("cjs", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("map", "application/json"),
    ("webmanifest", "application/manifest+json"),
    ("wasm", "application/wasm"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("svg", "image/svg+xml"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("ico", "image/x-icon"),
    ("woff2", "font/woff2"),
    ("woff", "font/woff"),
    ("ttf", "font/ttf"),
    ("otf", "font/otf"),
    ("txt", "text/plain; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("xml", "application/xml"),
    ("pdf", "application/pdf"),
    ("zip", "application/zip"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
    ("ts", "video/mp2t"),
    ("mp3", "audio/mpeg"),
    ("m4a", "audio/mp4"),
    ("wav", "audio/wav"),
    ("ogg", "audio/ogg"),
];

/// The type of unknown extensions: browsers that must not sniff save such a file.
const UNKNOWN: &str = "application/octet-stream";

/// The parameter of text types in the table.
const UTF_8: &str = "; charset=utf-8";

/// The media type of a file by its name.
pub fn from_name(name: &[u8], typing: &MimeTypes) -> Cow<'static, str> {
    let Some(extension) = extension(name) else { return UNKNOWN.into() };
    if let Some((_, media_type)) = typing.overrides.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension)) {
        let lacks_charset = media_type.starts_with("text/") && !media_type.to_ascii_lowercase().contains("charset=");
        return match &typing.charset {
            Some(charset) if lacks_charset => format!("{media_type}; charset={charset}").into(),
            _ => media_type.clone().into(),
        };
    }
    let known = from_extension(extension);
    match (known.strip_suffix(UTF_8), &typing.charset) {
        (Some(media_type), None) => media_type.to_owned().into(),
        (Some(media_type), Some(charset)) if charset != "utf-8" => format!("{media_type}; charset={charset}").into(),
        _ => known,
    }
}

/// The type of an extension, with the charset UTF-8 for text.
fn from_extension(extension: &str) -> Cow<'static, str> {
    if let Some((_, media_type)) = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension)) {
        return Cow::Borrowed(media_type);
    }
    match mime_guess::from_ext(extension).first_raw() {
        Some(text) if text.starts_with("text/") => format!("{text}{UTF_8}").into(),
        Some(media_type) => media_type.into(),
        None => UNKNOWN.into(),
    }
}

/// The part after the last dot; none if the dot comes first, as in `.profile`.
fn extension(name: &[u8]) -> Option<&str> {
    let dot = name.iter().rposition(|&b| b == b'.').filter(|&at| at > 0)?;
    std::str::from_utf8(name.get(dot + 1..)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(from_name(name, &MimeTypes::default()), want, "{}", name.escape_ascii());
        }
    }

    #[test]
    fn each_row_is_reachable_and_each_text_has_a_charset() {
        for (extension, media_type) in TYPES {
            assert_eq!(from_name(format!("x.{extension}").as_bytes(), &MimeTypes::default()), *media_type);
            assert_eq!(media_type.starts_with("text/"), media_type.ends_with("; charset=utf-8"), "{extension}");
        }
    }

    #[test]
    fn options_override_types_and_charset() {
        let own = [
            ("log", "text/plain"),
            ("csv", "text/csv; charset=iso-8859-1"),
            ("wasm", "application/octet-stream"),
            ("h", "TEXT/X"),
        ];
        let own: Vec<_> = own.map(|(extension, media_type)| (extension.to_owned(), media_type.to_owned())).into();
        for (name, charset, want, why) in [
            ("a.log", Some("utf-8"), "text/plain; charset=utf-8", "a new text type gets the charset"),
            ("a.LOG", Some("latin1"), "text/plain; charset=latin1", "case is ignored"),
            ("a.log", None, "text/plain", "no charset"),
            ("a.csv", Some("utf-8"), "text/csv; charset=iso-8859-1", "it has a charset"),
            ("a.wasm", Some("utf-8"), "application/octet-stream", "it replaces a type of the table"),
            ("a.html", Some("utf-8"), "text/html; charset=utf-8", "not overridden"),
            ("a.html", Some("shift_jis"), "text/html; charset=shift_jis", "another charset"),
            ("a.html", None, "text/html", "no charset"),
            ("a.rs", Some("latin1"), "text/x-rust; charset=latin1", "a type from mime_guess"),
            ("a.json", Some("latin1"), "application/json", "not text"),
            ("a", Some("latin1"), UNKNOWN, "no extension"),
        ] {
            let typing = MimeTypes { overrides: own.clone(), charset: charset.map(str::to_owned) };
            assert_eq!(from_name(name.as_bytes(), &typing), want, "{name}: {why}");
        }
    }
}
