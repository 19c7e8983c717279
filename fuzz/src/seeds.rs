//! Seed corpus from the requests of `tests/wire`: `cargo run --bin seeds` writes `fuzz/corpus/`.

use std::fs;
use std::path::Path;

#[allow(dead_code)]
#[path = "../../tests/support/bytes.rs"]
mod bytes;
#[allow(dead_code)]
#[path = "../../tests/support/case.rs"]
mod case;

fn main() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut written = 0;
    for (number, case) in case::of_folder(&fuzz.join("../tests/wire")).iter().enumerate() {
        let sent = case.own_bytes();
        let end_of_head = sent.windows(4).position(|four| four == b"\r\n\r\n").map_or(sent.len(), |at| at + 4);
        let (head, content) = sent.split_at(end_of_head);
        let mut write = |target: &str, bytes: &[u8]| {
            // Longer inputs make mutation slow and find nothing more.
            if !bytes.is_empty() && bytes.len() <= 4096 {
                let folder = fuzz.join("corpus").join(target);
                fs::create_dir_all(&folder).expect("the folder of the corpus");
                fs::write(folder.join(format!("case-{number:04}")), bytes).expect("a seed");
                written += 1;
            }
        };
        write("head", head);
        write("exchange", &[b"\0", sent].concat());
        write("log_format", head.split(|b| *b == b'\r').next().unwrap_or_default());
        write("target", head.split(|b| *b == b' ').nth(1).unwrap_or_default());
        if head.to_ascii_lowercase().windows(7).any(|seven| seven == b"chunked") {
            write("chunked", &[b"\x07", content].concat());
        }
        if head.to_ascii_lowercase().windows(19).any(|part| part == b"multipart/form-data") {
            write("multipart", &[b"\x07", content].concat());
        }
        for line in head.split(|b| *b == b'\n') {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix(b"range: ") {
                write("range", &[b"\x0a", value].concat());
            }
            if line.to_ascii_lowercase().starts_with(b"if-") {
                write("conditional", &[b"\0", line, b"\n"].concat());
            }
        }
    }
    for (number, name) in ["<script>", "javascript:x\nb", "a b\nc%20d\n\"", "\u{202e}x\n&amp;"].iter().enumerate() {
        let folder = fuzz.join("corpus/listing");
        fs::create_dir_all(&folder).expect("the folder of the corpus");
        fs::write(folder.join(format!("name-{number}")), name).expect("a seed");
        written += 1;
    }
    println!("{written} seeds in {}", fuzz.join("corpus").display());
}
