//! Filling in hand-written shaders.
//!
//! A kernel over several dtypes or tile sizes is one text with placeholders like `{{ELEMENT}}`, so
//! that it can be read as WGSL and is written once.

/// The text with each `{{NAME}}` replaced by its value, in one pass: values are not filled in again.
///
/// # Panics
/// In debug builds, when a placeholder has no value: a defect of the caller.
pub(super) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        out.push_str(&rest[..start]);
        let after = &rest[start + 2..];
        let Some(end) = after.find("}}") else {
            out.push_str(&rest[start..]);
            return out;
        };
        let name = &after[..end];
        match values.iter().find(|(n, _)| *n == name) {
            Some((_, value)) => out.push_str(value),
            None => debug_assert!(false, "no value for {{{{{name}}}}}"),
        }
        rest = &after[end + 2..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_once() {
        let text = "var x: array<{{T}}, {{N}}u>; // {{T}}";
        let filled = fill(text, &[("T", "f32"), ("N", "64"), ("f32", "no")]);
        assert_eq!(filled, "var x: array<f32, 64u>; // f32");
        assert_eq!(
            fill("fn f() { if (a) { b(); } }", &[]),
            "fn f() { if (a) { b(); } }"
        );
    }
}
