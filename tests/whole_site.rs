//! Does every byte of a whole site arrive, one request at a time and pipelined?

mod support;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use support::server::Server;
use support::site::{TestSite, walk};

/// Sizes around every boundary that sending has: nothing, one byte, a chunk, a kept buffer, a piece, and more than one piece.
const SIZES: [usize; 14] =
    [0, 1, 1023, 1024, 16_384, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 524_288, 700_001, 1_048_576];

#[test]
fn every_byte_of_every_file_in_batches_of_any_size() {
    let site = TestSite::new();
    let root = site.root();
    let odd_names =
        ["plain", "with space", "ümlaut", "100%", "a+b", "q?x", "h#y", "semi;colon", "back\\slash", "quote\"s", "tab\tname"];
    for (number, size) in SIZES.iter().cycle().take(200).enumerate() {
        let name = odd_names[number % odd_names.len()];
        let directory = root.join(format!("generated/{}/{}", number % 7, name));
        fs::create_dir_all(&directory).unwrap();
        let content: Vec<u8> = (0..*size).map(|index| u8::try_from((index * 7 + number) % 251).unwrap()).collect();
        fs::write(directory.join(format!("{number} {name}.bin")), content).unwrap();
    }
    let generated = walk(&root.join("generated"));
    assert_eq!(generated.len(), 200);
    let server = Server::start(&root, &[]);
    for batch_size in [1, 2, 16, 200] {
        let mut client = TcpStream::connect(&server.address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut answers = BufReader::new(client.try_clone().unwrap());
        for batch in generated.chunks(batch_size) {
            let requests: String = batch.iter().map(|path| request(path.strip_prefix(&root).unwrap())).collect();
            client.write_all(requests.as_bytes()).unwrap();
            for path in batch {
                let content = read_answer(&mut answers);
                assert!(content == fs::read(path).unwrap(), "{} differs in batches of {batch_size}", path.display());
            }
        }
    }
}

fn request(path: &Path) -> String {
    let mut target = String::new();
    for byte in path.to_str().unwrap().bytes() {
        if byte == b'/' { target.push('/') } else { write!(target, "%{byte:02x}").unwrap() }
    }
    format!("GET /{target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn read_answer(answers: &mut impl BufRead) -> Vec<u8> {
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 200 OK\r\n");
    let mut length = None;
    loop {
        line.clear();
        answers.read_line(&mut line).unwrap();
        if line == "\r\n" {
            break;
        }
        length = line.strip_prefix("Content-Length: ").map(|value| value.trim().parse::<usize>().unwrap()).or(length);
    }
    let mut content = vec![0; length.expect("a Content-Length")];
    answers.read_exact(&mut content).unwrap();
    content
}
