//! What does whoever starts the program see first?
//!
//! One line for each listener, whose last word is the URL: scripts read these. Then what a person needs who sits at another machine:
//! the addresses by which it can be reached from there, and a QR code of the first.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::telemetry::color::Color;

/// How addresses look: bold, since they are what is looked for.
const URL_STYLE: &str = "1;36";

/// What there is to say.
pub struct Banner<'a> {
    /// What is served.
    pub served: &'a Path,
    /// Where we listen.
    pub listening: &'a [SocketAddr],
    /// And at which paths.
    pub paths: &'a [PathBuf],
    /// The addresses of the machine that others may know, the best first.
    pub machine: &'a [IpAddr],
    /// Whether it may be coloured.
    pub ink: Color,
}

impl Banner<'_> {
    /// All lines but the code.
    pub fn lines(&self) -> String {
        let mut out = String::new();
        let served = printable(self.served);
        for address in self.listening {
            out.push_str(&format!("serving {served} at {}\n", self.ink.style(URL_STYLE, &url(*address))));
        }
        for path in self.paths {
            out.push_str(&format!("serving {served} at {}\n", self.ink.style(URL_STYLE, &format!("unix:{}", printable(path)))));
        }
        for address in self.lan_addresses() {
            out.push_str(&format!("  in the network: {}\n", self.ink.style(URL_STYLE, &url(address))));
        }
        out
    }

    /// What the addresses stand for that mean all of the machine's.
    fn lan_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        let everywhere = self.listening.iter().filter(|address| address.ip().is_unspecified());
        everywhere.flat_map(|everywhere| {
            let same_kind = self.machine.iter().filter(|address| address.is_ipv4() == everywhere.is_ipv4());
            same_kind.map(|address| SocketAddr::new(*address, everywhere.port()))
        })
    }

    /// The address that somebody else should use.
    pub fn lan_url(&self) -> Option<String> {
        let ours = self.listening.iter().filter(|address| !address.ip().is_unspecified() && !address.ip().is_loopback());
        ours.copied().chain(self.lan_addresses()).next().map(url)
    }

    /// The address that whoever sits at this machine should use.
    pub fn local_url(&self) -> Option<String> {
        let first = self.listening.first()?;
        let here = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let is_localhost = first.ip().is_unspecified() || here.contains(&first.ip());
        Some(if is_localhost { format!("http://localhost:{}/", first.port()) } else { url(*first) })
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}/")
}

/// A path on one line, whatever bytes are in it.
pub fn printable(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.chars().map(|char| if char.is_control() { char.escape_default().to_string() } else { char.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_told_what() {
        let all: Vec<IpAddr> = ["192.168.1.5", "10.0.0.1", "fd00::5"].map(|address| address.parse().unwrap()).into();
        for (listening, machine, lines, others, this_machine) in [
            (
                &["127.0.0.1:80", "[::1]:80"][..],
                &*all,
                "serving /srv at http://127.0.0.1:80/\nserving /srv at http://[::1]:80/\n",
                None,
                "http://localhost:80/",
            ),
            (
                &["0.0.0.0:80", "[::]:80"],
                &all,
                "serving /srv at http://0.0.0.0:80/\nserving /srv at http://[::]:80/\n  in the network: http://192.168.1.5:80/\n  \
                 in the network: http://10.0.0.1:80/\n  in the network: http://[fd00::5]:80/\n",
                Some("http://192.168.1.5:80/"),
                "http://localhost:80/",
            ),
            (
                &["[::]:8000"],
                &all,
                "serving /srv at http://[::]:8000/\n  in the network: http://[fd00::5]:8000/\n",
                Some("http://[fd00::5]:8000/"),
                "http://localhost:8000/",
            ),
            (
                &["127.0.0.2:80", "10.0.0.1:80"],
                &all,
                "serving /srv at http://127.0.0.2:80/\nserving /srv at http://10.0.0.1:80/\n",
                Some("http://10.0.0.1:80/"),
                "http://127.0.0.2:80/",
            ),
            (&["0.0.0.0:80"], &[], "serving /srv at http://0.0.0.0:80/\n", None, "http://localhost:80/"),
        ] {
            let listening: Vec<SocketAddr> = listening.iter().map(|address| address.parse().unwrap()).collect();
            let welcome = Banner { served: Path::new("/srv"), listening: &listening, paths: &[], machine, ink: Color::Plain };
            assert_eq!(welcome.lines(), lines);
            assert_eq!(welcome.lan_url().as_deref(), others, "{lines}");
            assert_eq!(welcome.local_url().as_deref(), Some(this_machine), "{lines}");
        }
    }
}
