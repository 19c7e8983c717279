//! Who shows the first page?
//!
//! The browser of whoever started the program, if that is asked for. It is started once there is somebody to answer it, and before the
//! sandbox forbids us to start anything.

use std::io;
use std::process::{Child, Command, Stdio};

use log::warn;

/// The program that opens whatever it is given, and its first arguments.
#[cfg(target_os = "macos")]
const OPENER: (&str, &[&str]) = ("open", &[]);
#[cfg(windows)]
const OPENER: (&str, &[&str]) = ("cmd", &["/c", "start", ""]);
#[cfg(not(any(target_os = "macos", windows)))]
const OPENER: (&str, &[&str]) = ("xdg-open", &[]);

/// A browser that was asked for a page, or why it could not be.
pub struct OpenedBrowser {
    url: String,
    outcome: io::Result<Child>,
}

/// Asks for a page.
pub fn open_browser(url: String) -> OpenedBrowser {
    let (program, first) = OPENER;
    let mut command = Command::new(program);
    command.args(first).arg(&url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // In a group of its own, so that Ctrl-C ends us and not the browser.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let outcome = command.spawn();
    OpenedBrowser { url, outcome }
}

impl OpenedBrowser {
    /// Says in the log if it came to nothing. That is never more than a pity.
    pub fn reap(self) {
        let OpenedBrowser { url, outcome } = self;
        let (program, _) = OPENER;
        let result = outcome.and_then(|mut child| {
            // It may run as long as the browser does, and must be waited for all the same, or it stays behind as a zombie. This thread
            // holds nothing and ends with the process at the latest.
            std::thread::Builder::new().name("browser".into()).spawn(move || match child.wait() {
                Ok(status) if status.success() => {}
                Ok(status) => warn!("{program} could not open a browser ({status}); {url} is the address"),
                Err(error) => warn!("{program} could not be waited for ({error})"),
            })
        });
        if let Err(error) = result {
            warn!("cannot open a browser: {program} cannot be started ({error}); open the address yourself");
        }
    }
}
