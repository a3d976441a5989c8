//! Arrays of strings: labels beside the numbers, never computed with.

/// Strings in row-major order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextArray {
    /// Extents; for character arrays without the axis of the characters.
    pub shape: Vec<usize>,
    /// One string per element.
    pub values: Vec<String>,
}

/// The text of characters in a fixed room: up to the first NUL, odd bytes replaced.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
