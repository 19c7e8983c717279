//! What is printed when the server is ready: its URL, the URLs for other devices, a QR code.
//!
//! The last word of each line is a URL, so that scripts can read it.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Child;

use log::warn;
use qrcodegen::{QrCode, QrCodeEcc};

use crate::config::Bind;
use crate::os;
use crate::telemetry::{Color, printable_path};

/// Bold cyan (ECMA-48 §8.3.117).
const URL_STYLE: &str = "1;36";
/// Black on bright white.
const QR_STYLE: &str = "30;107";
/// The margin of a QR code, in modules (ISO/IEC 18004 §9.1).
const QR_MARGIN: i32 = 4;

/// An unspecified address to send from, and a documentation address (RFC 5737, RFC 3849) to send to.
const ROUTES: [(&str, &str); 2] = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];

/// What the server serves, and where it listens.
pub struct Banner<'a> {
    /// The directory or file that is served.
    pub served: &'a Path,
    /// What `--bind` and `--lan` ask for.
    pub bind: &'a Bind,
    /// The addresses that are bound.
    pub listening: &'a [SocketAddr],
    /// The paths of the Unix sockets that are bound.
    pub sockets: &'a [PathBuf],
    /// The addresses of this machine that other devices can use.
    pub lan_addresses: &'a [IpAddr],
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The fingerprint of a self-signed certificate.
    pub fingerprint: Option<&'a str>,
    /// Whether standard output may be coloured.
    pub color: Color,
}

impl Banner<'_> {
    /// Returns all lines but the QR code: one for this machine, or one for each address that was chosen, then those for other devices.
    pub fn lines(&self) -> String {
        let mut out = String::new();
        let served = printable_path(self.served);
        let mut add = |start: &str, url: &str| out.push_str(&format!("{start} {}\n", self.color.style(URL_STYLE, url)));
        let serving = format!("serving {served} at");
        for url in self.local_urls() {
            add(&serving, &url);
        }
        for path in self.sockets {
            add(&serving, &format!("unix:{}", printable_path(path)));
        }
        for address in self.lan() {
            add("  on the network:", &self.url(address));
        }
        if let Some(fingerprint) = self.fingerprint {
            out.push_str(&format!("  certificate (SHA-256): {fingerprint}\n"));
        }
        out
    }

    /// Returns the addresses for other devices behind each wildcard address.
    fn lan(&self) -> impl Iterator<Item = SocketAddr> {
        let wildcards = self.listening.iter().filter(|address| address.ip().is_unspecified());
        wildcards.flat_map(|wildcard| {
            let same_family = self.lan_addresses.iter().filter(|address| address.is_ipv4() == wildcard.is_ipv4());
            same_family.map(|address| SocketAddr::new(*address, wildcard.port()))
        })
    }

    /// Returns the first URL for other devices.
    pub fn lan_url(&self) -> Option<String> {
        let chosen = self.listening.iter().filter(|address| !address.ip().is_unspecified() && !address.ip().is_loopback());
        chosen.copied().chain(self.lan()).next().map(|address| self.url(address))
    }

    /// Returns the URLs for this machine: one, or one for each address that was chosen.
    pub fn local_urls(&self) -> Vec<String> {
        let shown = if let Bind::Addresses(_) = self.bind { self.listening.len() } else { 1 };
        self.listening.iter().take(shown).map(|address| self.url(*address)).collect()
    }

    /// Returns the URL of an address. Wildcard addresses, and those of `localhost`, are shown under that name.
    fn url(&self, address: SocketAddr) -> String {
        let is_localhost = address.ip().is_unspecified() || *self.bind == Bind::Loopback;
        let host = if is_localhost { format!("localhost:{}", address.port()) } else { address.to_string() };
        format!("{}://{host}/", self.scheme)
    }

    /// Prints the lines, and the QR code if it is wanted.
    ///
    /// # Errors
    /// They cannot be written: what waits for the ready line would wait forever.
    pub fn print(&self, with_qr: bool) -> io::Result<()> {
        let mut text = self.lines();
        if with_qr {
            match self.lan_url().and_then(|url| qr_code(&url, self.color)) {
                Some(code) => text.push_str(&format!("\n{code}")),
                None => warn!("--qr: this machine has no address that other devices could use"),
            }
        }
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    }
}

/// Returns the addresses of this machine that other devices can use, if one that is listened on stands for all of them: for IPv4 and
/// IPv6, the one that a UDP socket would send from. Connecting it sends nothing.
pub fn lan_addresses(listening: &[SocketAddr]) -> Vec<IpAddr> {
    if !listening.iter().any(|address| address.ip().is_unspecified()) {
        return Vec::new();
    }
    let source = |(from, to): (&str, &str)| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    };
    // A link-local address needs the name of an interface.
    let is_link_local = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    ROUTES.into_iter().filter_map(source).filter(|ip| !ip.is_loopback() && !ip.is_unspecified() && !is_link_local(ip)).collect()
}

/// Returns the QR code of a text, a line for two rows of modules, since a character is about twice as high as wide. `None` if the text is
/// too long.
///
/// With colours it is black on white. Without, the light modules are drawn, since most terminals are dark; phones read both.
fn qr_code(text: &str, color: Color) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Low).ok()?;
    let range = -QR_MARGIN..code.size() + QR_MARGIN;
    let mut out = String::new();
    for y in range.clone().step_by(2) {
        let line: String = range.clone().map(|x| half_blocks(code.get_module(x, y), code.get_module(x, y + 1), color)).collect();
        out.push_str(&color.style(QR_STYLE, &line));
        out.push('\n');
    }
    Some(out)
}

/// Returns the character for two modules, one above the other.
fn half_blocks(above_is_dark: bool, below_is_dark: bool, color: Color) -> char {
    let is_drawn = |is_dark| is_dark == (color == Color::Coloured);
    match (is_drawn(above_is_dark), is_drawn(below_is_dark)) {
        (true, true) => '\u{2588}',
        (true, false) => '\u{2580}',
        (false, true) => '\u{2584}',
        (false, false) => ' ',
    }
}

/// Logs a failure to start the browser, now or later. A thread waits for the child, which would stay behind as a zombie otherwise.
pub fn reap_browser(started: io::Result<Child>) {
    let result = started.and_then(|mut child| {
        std::thread::Builder::new().name("browser".into()).spawn(move || match child.wait() {
            Ok(status) if status.success() => {}
            Ok(status) => warn!("{} could not open a browser ({status}); open the URL yourself", os::OPENER.0),
            Err(error) => warn!("cannot wait for {}: {error}", os::OPENER.0),
        })
    });
    if let Err(error) = result {
        warn!("cannot start {}: {error}; open the URL yourself", os::OPENER.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_urls() {
        let all: Vec<IpAddr> = ["192.168.1.5", "fd00::5"].map(|address| address.parse().unwrap()).into();
        let chosen = Bind::Addresses(Vec::new());
        for (bind, listening, lan, lines, lan_url, local_url) in [
            (
                &Bind::Loopback,
                &["127.0.0.1:80", "[::1]:80"][..],
                &*all,
                "serving /srv at http://localhost:80/\n",
                None,
                "http://localhost:80/",
            ),
            (
                &Bind::Everywhere,
                &["0.0.0.0:80", "[::]:80"],
                &all,
                "serving /srv at http://localhost:80/\n  on the network: http://192.168.1.5:80/\n  on the network: http://[fd00::5]:80/\n",
                Some("http://192.168.1.5:80/"),
                "http://localhost:80/",
            ),
            (
                &chosen,
                &["[::]:8000"],
                &all,
                "serving /srv at http://localhost:8000/\n  on the network: http://[fd00::5]:8000/\n",
                Some("http://[fd00::5]:8000/"),
                "http://localhost:8000/",
            ),
            (
                &chosen,
                &["127.0.0.2:80", "10.0.0.1:80"],
                &all,
                "serving /srv at http://127.0.0.2:80/\nserving /srv at http://10.0.0.1:80/\n",
                Some("http://10.0.0.1:80/"),
                "http://127.0.0.2:80/",
            ),
            (&Bind::Everywhere, &["0.0.0.0:80"], &[], "serving /srv at http://localhost:80/\n", None, "http://localhost:80/"),
        ] {
            let listening: Vec<SocketAddr> = listening.iter().map(|address| address.parse().unwrap()).collect();
            let served = Path::new("/srv");
            let banner = Banner {
                served,
                bind,
                listening: &listening,
                sockets: &[],
                lan_addresses: lan,
                scheme: "http",
                fingerprint: None,
                color: Color::Plain,
            };
            assert_eq!(banner.lines(), lines);
            assert_eq!(banner.lan_url().as_deref(), lan_url, "{lines}");
            assert_eq!(banner.local_urls().first().map(String::as_str), Some(local_url), "{lines}");
        }
    }

    #[test]
    fn lan_addresses_can_be_bound_and_ipv4_comes_first() {
        let all = lan_addresses(&[SocketAddr::from(([0, 0, 0, 0], 80))]);
        assert!(all.iter().all(|ip| !ip.is_loopback() && UdpSocket::bind((*ip, 0)).is_ok()), "{all:?}");
        assert!(all.is_sorted_by_key(IpAddr::is_ipv6) && all.len() <= 2, "{all:?}");
    }

    /// Whether each module is dark, read back from what was drawn.
    fn modules(drawn: &str, ink: Color) -> Vec<Vec<bool>> {
        let mut rows = Vec::new();
        for line in drawn.lines() {
            let line = line.trim_start_matches("\x1b[30;107m").trim_end_matches("\x1b[0m");
            let is_set = |set: [char; 2]| line.chars().map(|char| set.contains(&char) == (ink == Color::Coloured)).collect();
            rows.push(is_set(['\u{2588}', '\u{2580}']));
            rows.push(is_set(['\u{2588}', '\u{2584}']));
        }
        rows
    }

    #[test]
    fn qr_code_reads_back_as_its_modules() {
        let text = "http://192.168.1.5:8000/";
        let code = QrCode::encode_text(text, QrCodeEcc::Low).unwrap();
        for ink in [Color::Coloured, Color::Plain] {
            let rows = modules(&qr_code(text, ink).unwrap(), ink);
            let width = usize::try_from(code.size() + 2 * QR_MARGIN).unwrap();
            assert!(rows.len() == width + width % 2 && rows.iter().all(|row| row.len() == width), "a square, or a row more");
            for (y, row) in (-QR_MARGIN..).zip(&rows) {
                for (x, is_dark) in (-QR_MARGIN..).zip(row) {
                    assert_eq!(*is_dark, code.get_module(x, y), "{x} {y} {ink:?}");
                }
            }
        }
        assert_eq!(qr_code(&"x".repeat(3000), Color::Plain), None, "more than a code can hold");
    }
}
