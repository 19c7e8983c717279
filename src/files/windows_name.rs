//! What would Windows take this name for?
//!
//! The table is tried on every system, and used on Windows only: elsewhere all of these are names like others.

/// Whether Windows would take a segment for something else than a file of that name: a device, a stream, a path of its own, or
/// the same file under a second name, past a rule about the first.
pub fn is_reserved_windows_name(segment: &[u8]) -> bool {
    /// Devices, in every directory and with every extension.
    const DEVICES: &[&str] = &["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    /// Devices that have a number.
    const PORTS: &[&str] = &["COM", "LPT"];
    /// Digits of a port: 1, 2 and 3 may be superscripts.
    const DIGITS: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "\u{b9}", "\u{b2}", "\u{b3}"];

    if segment.iter().any(|&b| b < b' ' || b"\\:<>\"|?*".contains(&b)) || segment.ends_with(b".") || segment.ends_with(b" ") {
        return true;
    }
    let stem = segment.split(|&b| b == b'.').next().unwrap_or_default().trim_ascii_end();
    let is = |name: &str| stem.eq_ignore_ascii_case(name.as_bytes());
    let is_port = |port: &str| {
        let (name, number) = stem.split_at_checked(port.len()).unwrap_or_default();
        name.eq_ignore_ascii_case(port.as_bytes()) && DIGITS.iter().any(|digit| number == digit.as_bytes())
    };
    // The short name of a long one: LONGNA~1.TXT.
    let digits = stem.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let is_short_name = digits > 0 && stem.iter().rev().nth(digits) == Some(&b'~');
    DEVICES.iter().any(|name| is(name)) || PORTS.iter().any(|port| is_port(port)) || is_short_name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_traps() {
        for (segment, want) in [
            ("index.html", false),
            ("a b", false),
            (".well-known", false),
            ("...x", false),
            ("console", false),
            ("com", false),
            ("com10", false),
            ("lpt\u{b4}", false),
            ("a.con", false),
            ("~", false),
            ("a~b", false),
            ("~user", false),
            ("1", false),
            ("\u{fc}ber.txt", false),
            ("a\\b", true),
            ("C:", true),
            ("a.txt::$DATA", true),
            ("a?", true),
            ("a*", true),
            ("<a>", true),
            ("a|b", true),
            ("\"a\"", true),
            ("a\n", true),
            ("a.", true),
            ("a ", true),
            ("con", true),
            ("CON.txt", true),
            ("con .txt", true),
            ("nul.tar.gz", true),
            ("Aux", true),
            ("prn", true),
            ("COM0", true),
            ("com9.log", true),
            ("lpt1", true),
            ("com\u{b9}", true),
            ("LPT\u{b3}.x", true),
            ("CONIN$", true),
            ("conout$", true),
            ("PROGRA~1", true),
            ("longna~12.txt", true),
        ] {
            assert_eq!(is_reserved_windows_name(segment.as_bytes()), want, "{segment:?}");
        }
    }
}
