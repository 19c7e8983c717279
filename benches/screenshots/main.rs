//! The pictures of README: `cargo bench --bench screenshots` writes them to `docs/book/pictures`.
//!
//! The browser is that of the tests. Names, sizes and times are made up, so that a picture changes only when a page does.

#[path = "../../tests/support/process.rs"]
mod process;
#[path = "../../tests/support/webdriver.rs"]
mod webdriver;

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use process::{Process, Scratch};
use webdriver::Browser;

/// README is read on slow lines as well.
const PICTURE_BYTES_MAX: usize = 150 * 1024;

/// Sharp where pixels are small, and still not many bytes.
const PIXEL_RATIO: f64 = 1.25;

/// A picture of one of our pages.
struct Picture {
    name: &'static str,
    path: &'static str,
    scheme: &'static str,
    width: u32,
    height: u32,
}

const PICTURES: &[Picture] = &[
    Picture { name: "listing-light", path: "/", scheme: "light", width: 920, height: 890 },
    Picture { name: "listing-dark", path: "/?sort=size&order=desc", scheme: "dark", width: 920, height: 890 },
    Picture { name: "listing-phone", path: "/", scheme: "light", width: 360, height: 780 },
    Picture { name: "error", path: "/recipes/bread.html", scheme: "light", width: 920, height: 250 },
];

/// What lies on the shelf: name, bytes, and when it was changed, in days before the first of October 2026.
const FILES: &[(&str, u64, u64)] = &[
    ("Autumn walk.mp4", 184_302_118, 3),
    ("chapter 2.md", 18_204, 12),
    ("chapter 10.md", 22_871, 2),
    ("index of plants.csv", 1_204_331, 40),
    ("letter to the editor.odt", 31_744, 61),
    ("map.svg", 88_120, 19),
    ("Übersicht.pdf", 2_418_090, 8),
    ("recordings/dawn.flac", 31_002_118, 9),
    ("recipes/soup.txt", 1_204, 300),
    ("site.tar.zst", 61_203_448, 0),
];

const README: &str = "# The shelf\n\nWhat we wrote, drew and recorded on our walks.\n\
    Take what you like; tell us what you found.\n";

fn main() {
    // Cargo says `--bench`, and tests of all targets say other things: pictures are made only on purpose.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let Some(browser) = Browser::start() else { std::process::exit(1) };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/book/pictures");
    fs::create_dir_all(&folder).expect("a folder for the pictures");
    let shelf = shelf();
    // Its pages show the name of the directory.
    let process = Process::start(&[shelf.path().join("shelf")]);
    for Picture { name, path, scheme, width, height } in PICTURES {
        browser.resize(*width, *height, PIXEL_RATIO, *width < 500);
        browser.prefer(scheme);
        browser.go(&format!("http://{}{path}", process.address));
        keep(&folder, name, &browser.picture());
    }
}

/// Writes a picture, unless it is too large.
fn keep(folder: &Path, name: &str, picture: &[u8]) {
    assert!(picture.len() <= PICTURE_BYTES_MAX, "{name} has {} bytes, more than {PICTURE_BYTES_MAX}", picture.len());
    let path = folder.join(format!("{name}.png"));
    fs::write(&path, picture).expect("the picture is written");
    println!("{}: {} bytes", path.display(), picture.len());
}

/// The directory that is shown.
fn shelf() -> Scratch {
    let scratch = Scratch::new();
    // The first of October 2026, at a quarter past nine.
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_846_100);
    let root = scratch.path().join("shelf");
    let changed = |days: u64| now - Duration::from_secs(days * 86_400 + days * 977);
    for folder in ["drawings", "recipes", "recordings"] {
        fs::create_dir_all(root.join(folder)).expect("a folder");
    }
    for (name, bytes, days) in FILES {
        let file = scratch.sparse(&format!("shelf/{name}"), *bytes);
        file.set_modified(changed(*days)).expect("its time is set");
    }
    scratch.file("shelf/README.md", README);
    #[cfg(unix)]
    std::os::unix::fs::symlink("site.tar.zst", root.join("latest.tar.zst")).expect("a link");
    for (name, days) in [("drawings", 19), ("recipes", 300), ("recordings", 9), ("README.md", 30)] {
        let file = fs::File::open(root.join(name)).expect("it is there");
        file.set_modified(changed(days)).expect("its time is set");
    }
    scratch
}
