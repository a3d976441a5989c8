//! Arrays of strings: labels beside the numbers, never computed with.

/// Strings in row-major order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextArray {
    /// Extents; for character arrays without the axis of the characters.
    pub shape: Vec<usize>,
    /// One string per element.
    pub values: Vec<String>,
}
