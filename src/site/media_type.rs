//! Of which media type is a file? (RFC 9110 §8.3)

use std::borrow::Cow;

/// Extensions whose type `mime_guess` has wrong, has without its charset, or is asked for so often that it is better looked up
/// here. Text is UTF-8 today; XML says itself what it is.
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

/// What nobody knows is bytes; a browser that is not to guess then saves them.
const UNKNOWN: &str = "application/octet-stream";

/// The media type of a file of that name.
pub fn of_name(name: &[u8]) -> Cow<'static, str> {
    let Some(extension) = extension(name) else { return UNKNOWN.into() };
    if let Some((_, media_type)) = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension)) {
        return Cow::Borrowed(media_type);
    }
    match mime_guess::from_ext(extension).first_raw() {
        Some(text) if text.starts_with("text/") => format!("{text}; charset=utf-8").into(),
        Some(media_type) => media_type.into(),
        None => UNKNOWN.into(),
    }
}

/// What follows the last dot, if anything stands before it: `.profile` has no extension.
fn extension(name: &[u8]) -> Option<&str> {
    let dot = name.iter().rposition(|&b| b == b'.').filter(|&at| at > 0)?;
    std::str::from_utf8(name.get(dot + 1..)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
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
            assert_eq!(of_name(name), want, "{}", name.escape_ascii());
        }
    }

    #[test]
    fn each_row_is_reached_and_each_text_has_its_charset() {
        for (extension, media_type) in TYPES {
            assert_eq!(of_name(format!("x.{extension}").as_bytes()), *media_type);
            assert_eq!(media_type.starts_with("text/"), media_type.ends_with("; charset=utf-8"), "{extension}");
        }
    }
}
