//! How much is it wanted? (RFC 9110 §12.4.2)
//!
//! Whoever lists what it would take may weigh each member: `text/html;q=0.8` is wanted, but less than what has no weight, and
//! `br;q=0` is not wanted at all.

use crate::http::grammar::split_unquoted;

/// A weight in thousandths: three digits are all that the grammar allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QValue(u16);

impl QValue {
    /// Not acceptable.
    pub const NONE: QValue = QValue(0);
    /// What stands without a weight.
    pub const FULL: QValue = QValue(1000);

    /// Reads the value of `q`. `None` for what is no weight.
    // qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
    fn parse(value: &[u8]) -> Option<QValue> {
        let (whole, fraction) = match value {
            [whole] => (whole, &[][..]),
            [whole, b'.', fraction @ ..] if fraction.len() <= 3 => (whole, fraction),
            _ => return None,
        };
        let digit = |b: u8| b.is_ascii_digit().then(|| u16::from(b - b'0'));
        let mut thousandths = 0;
        for place in 0..3 {
            thousandths = thousandths * 10 + fraction.get(place).map_or(Some(0), |&b| digit(b))?;
        }
        match (whole, thousandths) {
            (b'0', _) => Some(QValue(thousandths)),
            (b'1', 0) => Some(QValue::FULL),
            _ => None,
        }
    }
}

/// A member of a weighted list: its name, and how much it is wanted. `None` where the weight is none: then nobody knows what the member
/// says, and it says nothing. Parameters other than the weight are left out.
// weight = OWS ";" OWS "q=" qvalue
pub fn parse_weighted(member: &[u8]) -> Option<(&[u8], QValue)> {
    let mut pieces = split_unquoted(member, b';');
    let name = pieces.next()?;
    let weight = pieces.find_map(|piece| match piece {
        [b'q' | b'Q', b'=', value @ ..] => Some(QValue::parse(value)),
        _ => None,
    });
    Some((name, weight.unwrap_or(Some(QValue::FULL))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_their_weights() {
        for (member, want, why) in [
            ("br", Some(("br", 1000)), "no weight"),
            ("br;q=1", Some(("br", 1000)), "the most"),
            ("br;q=1.", Some(("br", 1000)), "a point alone"),
            ("br;q=1.000", Some(("br", 1000)), "three zeros"),
            ("br;q=0.5", Some(("br", 500)), "one digit"),
            ("br;q=0.05", Some(("br", 50)), "two digits"),
            ("br;q=0.001", Some(("br", 1)), "the least that is wanted"),
            ("br;q=0", Some(("br", 0)), "unwanted"),
            ("br;q=0.000", Some(("br", 0)), "unwanted, at length"),
            ("br ;\tQ=0.25", Some(("br", 250)), "white space, and the other case"),
            ("text/html;level=1;q=0.4", Some(("text/html", 400)), "a parameter before it"),
            ("text/html;q=0.4;x=1", Some(("text/html", 400)), "and behind it"),
            ("text/html;x=\"a;q=0\"", Some(("text/html", 1000)), "quoted, it is no weight"),
            ("text/html;qq=0", Some(("text/html", 1000)), "another name"),
            ("", Some(("", 1000)), "nothing at all"),
            ("br;q=", None, "no digit"),
            ("br;q=.5", None, "no digit before the point"),
            ("br;q=2", None, "more than all"),
            ("br;q=1.001", None, "a little more than all"),
            ("br;q=0.0001", None, "four digits"),
            ("br;q=-1", None, "a sign"),
            ("br;q=0,5", None, "a comma"),
            ("br;q=x", None, "a letter"),
            ("br;q=0.5;q=0.1", Some(("br", 500)), "the first of two"),
        ] {
            let want = want.map(|(name, thousandths)| (name.as_bytes(), QValue(thousandths)));
            assert_eq!(parse_weighted(member.as_bytes()), want, "{member:?}: {why}");
        }
        assert!(QValue::NONE < QValue(1) && QValue(999) < QValue::FULL);
    }
}
