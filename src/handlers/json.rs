//! How is a text written in JSON? (RFC 8259 §7)

use std::fmt::{self, Display, Write};

/// A text whose `Display` is a JSON string.
///
/// ```
/// assert_eq!(threadbare::handlers::json::Json("a \"b\"").to_string(), r#""a \"b\"""#);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Json<'a>(pub &'a str);

impl Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for char in self.0.chars() {
            match char {
                '"' | '\\' => write!(f, "\\{char}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\0'..='\x1f' => write!(f, "\\u{:04x}", u32::from(char))?,
                _ => f.write_char(char)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings() {
        for (input, want) in [("a", "\"a\""), ("\"\\", "\"\\\"\\\\\""), ("\n\u{1}\u{fc}", "\"\\n\\u0001\u{fc}\"")] {
            assert_eq!(Json(input).to_string(), want);
        }
    }
}
