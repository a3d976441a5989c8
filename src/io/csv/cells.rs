//! What a cell of a table says: an integer, a number, nothing, or text.

/// What stands for a missing value, besides an empty cell; those that pandas takes.
const MISSING: [&str; 17] = [
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL", "NaN", "None", "n/a", "null",
];

/// The text of a cell without blanks around it, where it is text.
fn trimmed(cell: &[u8]) -> Option<&str> {
    std::str::from_utf8(cell.trim_ascii()).ok()
}

/// The integer that a cell holds.
pub(super) fn integer_of(cell: &[u8]) -> Option<i64> {
    trimmed(cell)?.parse().ok()
}

/// Whether a cell holds an integer, however large.
pub(super) fn is_integer(cell: &[u8]) -> bool {
    let text = cell.trim_ascii();
    let digits = text
        .strip_prefix(b"-")
        .or(text.strip_prefix(b"+"))
        .unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// Whether a cell holds nothing.
pub(super) fn is_missing(cell: &[u8]) -> bool {
    let is_nan = |text: &str| text.is_empty() || text == "nan" || MISSING.contains(&text);
    trimmed(cell).is_some_and(is_nan)
}

/// The number that a cell holds, NaN where it holds nothing.
pub(super) fn float_of(cell: &[u8]) -> Option<f64> {
    if is_missing(cell) {
        return Some(f64::NAN);
    }
    let text = trimmed(cell)?;
    // Rust also takes other spellings of NaN, which are words here.
    text.parse().ok().filter(|x: &f64| !x.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_numbers_or_not() {
        assert_eq!(integer_of(b" -12 "), Some(-12));
        assert_eq!(integer_of(b"+7"), Some(7));
        assert_eq!(integer_of(b"9223372036854775808"), None);
        assert!(is_integer(b"9223372036854775808") && !is_integer(b"-") && !is_integer(b"1.0"));
        assert_eq!(float_of(b"1e-3"), Some(0.001));
        assert_eq!(float_of(b"-inf"), Some(f64::NEG_INFINITY));
        for cell in ["", " ", "NA", "NaN", "nan", "null"] {
            assert!(float_of(cell.as_bytes()).is_some_and(f64::is_nan), "{cell}");
        }
        for cell in ["nAn", "x", "1,5", "0x10", "1 2", "True"] {
            assert_eq!(float_of(cell.as_bytes()), None, "{cell}");
        }
        assert_eq!(float_of(&[0xff]), None);
    }
}
