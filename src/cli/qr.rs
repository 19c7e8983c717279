//! How does an address get into a phone?
//!
//! As a QR code in the terminal. A character is about twice as high as it is wide, so each stands for two modules, one above the other.

use qrcodegen::{QrCode, QrCodeEcc};

use crate::telemetry::color::Color;

/// What must be left free on each side, in modules (ISO/IEC 18004 §9.1).
const QUIET: i32 = 4;

/// The code of a text, a line for each two rows; `None` if it is too long for one.
///
/// With colours it is black on white, whatever the terminal's colours are. Without them the light modules are what is drawn, since most
/// terminals are dark; phones read it the other way round, too.
pub fn lines(text: &str, ink: Color) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Low).ok()?;
    let mut out = String::new();
    let places = -QUIET..code.size() + QUIET;
    for y in places.clone().step_by(2) {
        // Beyond the last row there is nothing, which is light.
        let line: String = places.clone().map(|x| half_blocks(code.get_module(x, y), code.get_module(x, y + 1), ink)).collect();
        out.push_str(&ink.style("30;107", &line));
        out.push('\n');
    }
    Some(out)
}

/// Two modules, dark or not, as one character.
fn half_blocks(is_dark_above: bool, is_dark_below: bool, ink: Color) -> char {
    let (above, below) = match ink {
        Color::Coloured => (is_dark_above, is_dark_below),
        Color::Plain => (!is_dark_above, !is_dark_below),
    };
    match (above, below) {
        (true, true) => '\u{2588}',
        (true, false) => '\u{2580}',
        (false, true) => '\u{2584}',
        (false, false) => ' ',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_is_drawn_is_the_code() {
        let text = "http://192.168.1.5:8000/";
        let code = QrCode::encode_text(text, QrCodeEcc::Low).unwrap();
        for ink in [Color::Coloured, Color::Plain] {
            let rows = modules(&lines(text, ink).unwrap(), ink);
            let width = usize::try_from(code.size() + 2 * QUIET).unwrap();
            assert!(rows.len() == width + width % 2 && rows.iter().all(|row| row.len() == width), "a square, or a row more");
            for (y, row) in (-QUIET..).zip(&rows) {
                for (x, is_dark) in (-QUIET..).zip(row) {
                    assert_eq!(*is_dark, code.get_module(x, y), "{x} {y} {ink:?}");
                }
            }
        }
        assert_eq!(lines(&"x".repeat(3000), Color::Plain), None, "more than a code can hold");
    }
}
