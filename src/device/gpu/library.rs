//! The hand-written WGSL of `shaders/`, handed out function by function.
//!
//! A generated kernel gets the declarations that it uses, directly or through others, and no
//! more: drivers compile everything they are given, and short kernels can be read.

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;
use xxhash_rust::xxh3::xxh3_64;

/// The files, in the order of their declarations in a kernel.
const SOURCES: &[&str] = &[
    include_str!("../../../shaders/prelude.wgsl"),
    include_str!("../../../shaders/math.wgsl"),
    include_str!("../../../shaders/ops.wgsl"),
    include_str!("../../../shaders/ops_i64.wgsl"),
    include_str!("../../../shaders/ops_f64.wgsl"),
    include_str!("../../../shaders/ops_c64.wgsl"),
    include_str!("../../../shaders/ops_c128.wgsl"),
    include_str!("../../../shaders/kernel/narrow.wgsl"),
    include_str!("../../../shaders/kernel/pairs.wgsl"),
    include_str!("../../../shaders/kernel/order.wgsl"),
    include_str!("../../../shaders/kernel/wide.wgsl"),
];

/// A top-level declaration.
struct Item {
    text: String,
    /// Numbers of the items that it names.
    uses: Vec<usize>,
}

/// Every declaration, in order, and the number of each name.
struct Library {
    items: Vec<Item>,
    numbers: HashMap<String, usize>,
}

/// The declarations that a text needs, in an order in which they may stand.
pub(super) fn needed_by(text: &str) -> String {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| {
        let constants = tilewise_kernels::math::wgsl_constants();
        Library::new(std::iter::once(constants.as_str()).chain(SOURCES.iter().copied()))
    });
    library.needed_by(text)
}

/// A number that changes with any of the files.
pub(super) fn fingerprint() -> u64 {
    let constants = xxh3_64(tilewise_kernels::math::wgsl_constants().as_bytes());
    SOURCES.iter().fold(constants, |sum, text| {
        sum.rotate_left(7) ^ xxh3_64(text.as_bytes())
    })
}

impl Library {
    fn new<'a>(sources: impl Iterator<Item = &'a str>) -> Library {
        let parts: Vec<(String, String)> = sources.flat_map(declarations).collect();
        let numbers: HashMap<String, usize> = parts
            .iter()
            .enumerate()
            .map(|(number, (name, _))| (name.clone(), number))
            .collect();
        let items = parts
            .into_iter()
            .map(|(_, text)| Item {
                uses: words(&text).filter_map(|w| numbers.get(w).copied()).collect(),
                text,
            })
            .collect();
        Library { items, numbers }
    }

    fn needed_by(&self, text: &str) -> String {
        let mut open: Vec<usize> = words(text).filter_map(|w| self.numbers.get(w).copied()).collect();
        let mut needed = BTreeSet::new();
        while let Some(number) = open.pop() {
            if needed.insert(number) {
                open.extend(&self.items[number].uses);
            }
        }
        needed
            .iter()
            .map(|&number| format!("{}\n", self.items[number].text))
            .collect()
    }
}

/// The identifiers and keywords of a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|w| w.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
}

/// Cuts a file into its top-level declarations: name and text, without comments.
fn declarations(source: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut text, mut depth) = (String::new(), 0usize);
    for line in source.lines() {
        let code = line.split("//").next().unwrap_or_default().trim_end();
        if code.is_empty() {
            continue;
        }
        text.push_str(code);
        text.push('\n');
        for c in code.chars() {
            match c {
                '{' | '(' => depth += 1,
                '}' | ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        if depth == 0 && code.ends_with(['}', ';']) {
            let name = text
                .split(['(', ':', '=', '{'])
                .next()
                .and_then(|head| head.split_whitespace().last());
            found.push((name.unwrap_or_default().to_string(), std::mem::take(&mut text)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_used_is_handed_out() {
        let source = "// head\nvar<private> z: u32;\nconst A: array<f32, 2> = array<f32, 2>(\n  1.0, 2.0);\n\
                      struct P { x: f32 }\nfn f(x: f32) -> f32 {\n  return x; // g\n}\nfn g() -> u32 { return z; }\n\
                      fn h(p: P) -> f32 { return f(p.x) + A[0]; }\n";
        let library = Library::new(std::iter::once(source));
        assert_eq!(library.items.len(), 6);
        let needed = library.needed_by("let q = h(w);");
        assert!(needed.contains("fn f(") && needed.contains("const A") && needed.contains("struct P"));
        assert!(!needed.contains("fn g(") && !needed.contains("var<private>"));
        assert!(library.needed_by("g()").contains("var<private> z"));
        assert_eq!(library.needed_by("nothing"), "");
    }
}
