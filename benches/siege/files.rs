//! Files that change while they are sent.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::Scale;
use crate::ordinary::connect;
use crate::promise::Promise;
use crate::victim::Victim;

const VERSION_BYTES: usize = 1024 * 1024;

/// The outcomes of downloads.
#[derive(Default)]
struct Downloads {
    whole: usize,
    /// The connection broke, or the status was 500.
    broken: usize,
    /// Complete, but with bytes of more than one version.
    mixed: usize,
    /// Complete, but with a length different from Content-Length.
    wrong_length: usize,
}

impl Downloads {
    fn fetch(&mut self, victim: &Victim, name: &str) {
        let mut stream = connect(victim.address).unwrap();
        write!(stream, "GET /{name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let outcome = stream.read_to_end(&mut answer);
        let Some(head_end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
            self.broken += 1;
            return;
        };
        let (head, content) = (String::from_utf8_lossy(&answer[..head_end]), &answer[head_end + 4..]);
        let announced =
            head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).and_then(|length| length.parse().ok());
        if outcome.is_err() || !head.starts_with("HTTP/1.1 200 ") || announced.is_none_or(|length: usize| content.len() < length)
        {
            self.broken += 1;
        } else if announced != Some(content.len()) {
            self.wrong_length += 1;
        } else if content.windows(2).any(|two| two[0] != two[1]) {
            self.mixed += 1;
        } else {
            self.whole += 1;
        }
    }

    fn say(&self, how: &str) {
        println!("             {how}: {} complete, {} aborted, {} mixed", self.whole, self.broken, self.mixed);
    }
}

/// A thousand downloads while the file changes continuously.
fn downloads_while(victim: &Victim, count: usize, name: &str, mut change: impl FnMut(u8) + Send) -> Downloads {
    let over = AtomicBool::new(false);
    change(b'a');
    thread::scope(|scope| {
        scope.spawn(|| {
            for byte in [b'b', b'a'].into_iter().cycle() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                change(byte);
            }
        });
        let mut downloads = Downloads::default();
        (0..count).for_each(|_| downloads.fetch(victim, name));
        over.store(true, Ordering::Relaxed);
        downloads
    })
}

/// Replaced by rename, overwritten in place, grown and truncated.
pub fn replaced_and_overwritten(scale: &Scale) -> Vec<Promise> {
    let victim = Victim::start(&[]);
    let count = scale.of(1000);
    let at = |name: &str| victim.site().join(name);

    let replaced = downloads_while(&victim, count, "replaced", |byte| {
        fs::write(at("replaced.new"), vec![byte; VERSION_BYTES]).unwrap();
        fs::rename(at("replaced.new"), at("replaced")).unwrap();
    });
    replaced.say("replaced by rename");

    fs::write(at("overwritten"), vec![b'a'; VERSION_BYTES]).unwrap();
    let mut in_place = File::options().write(true).open(at("overwritten")).unwrap();
    let overwritten = downloads_while(&victim, count, "overwritten", |byte| {
        in_place.seek(SeekFrom::Start(0)).unwrap();
        in_place.write_all(&vec![byte; VERSION_BYTES]).unwrap();
    });
    overwritten.say("overwritten in place");

    let resized = File::create(at("resized")).unwrap();
    let resized = downloads_while(&victim, count, "resized", |byte| {
        resized.set_len(if byte == b'a' { VERSION_BYTES as u64 } else { 10 }).unwrap();
    });
    resized.say("truncated and grown");

    let mixed_percent = overwritten.mixed as f64 * 100.0 / count as f64;
    let wrong = replaced.wrong_length + overwritten.wrong_length + resized.wrong_length;
    let mut promises = vec![
        Promise::all("complete downloads of a file replaced by rename", count, replaced.whole),
        Promise::none("of them mixed", replaced.mixed),
        Promise::at_most("mixed downloads of a file overwritten in place", 0.2, mixed_percent, "%"),
        Promise::none("downloads whose length differs from Content-Length", wrong),
    ];
    promises.extend(victim.back_at_rest());
    promises
}

/// A directory is exchanged with a link that leads outside, as fast as possible. The kernel sandbox is off, so that the path code of
/// the server is tested.
pub fn swapped(scale: &Scale) -> Vec<Promise> {
    let victim = Victim::start(&["--sandbox", "off"]);
    let site = victim.site();
    let outside = site.with_extension("outside");
    for (directory, content) in [(site.join("box"), "inside"), (outside.clone(), "SECRET")] {
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("file.txt"), content).unwrap();
    }
    std::os::unix::fs::symlink(&outside, site.join("link")).unwrap();
    let over = AtomicBool::new(false);
    let (swaps, asked, opened, leaked) = thread::scope(|scope| {
        let swaps = scope.spawn(|| {
            let root = File::open(site).unwrap();
            let mut swaps = 0_usize;
            while !over.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(&root, "box", &root, "link", rustix::fs::RenameFlags::EXCHANGE).unwrap();
                swaps += 1;
            }
            swaps
        });
        let clients: Vec<_> = ["/box/file.txt", "/box/", "/link/file.txt"]
            .map(|target| scope.spawn(|| ask_while_swapped(&victim, target, &over)))
            .into_iter()
            .collect();
        thread::sleep(std::time::Duration::from_secs(scale.of(60) as u64));
        over.store(true, Ordering::Relaxed);
        let seen = clients.into_iter().map(|client| client.join().unwrap());
        let (asked, opened, leaked) = seen.fold((0, 0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2));
        (swaps.join().unwrap(), asked, opened, leaked)
    });
    println!("             {swaps} swaps, {asked} requests, {opened} of them found the file or directory");
    fs::remove_dir_all(outside).unwrap();
    vec![
        Promise::none("responses with a byte from outside the root", leaked),
        Promise::none("runs in which no request found a file", usize::from(opened == 0)),
    ]
}

/// The number of responses, of those with the file, and of those with content from outside the root.
fn ask_while_swapped(victim: &Victim, target: &str, over: &AtomicBool) -> (usize, usize, usize) {
    let (mut asked, mut opened, mut leaked) = (0, 0, 0);
    while !over.load(Ordering::Relaxed) {
        let mut stream = connect(victim.address).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        asked += 1;
        opened += usize::from(answer.starts_with(b"HTTP/1.1 200 "));
        leaked += usize::from(answer.windows(6).any(|window| window == b"SECRET"));
    }
    (asked, opened, leaked)
}
