//! The house rules that a machine can check, read from the sources as text.
//!
//! Rooms that import only upward, files short enough to be read whole, heads that say why a file
//! exists, and fences around `unsafe` and `wgpu` hold only as long as something fails when they
//! break. Each rule is a function from one file's text to its violations, with a test beneath that
//! shows it a small offender; `the_tree_is_tidy` applies all of them to the tree and lists every
//! place at once.
//!
//! Rules about code look at a copy in which comments and the contents of strings are blanked, so
//! that a sentence about `unsafe` is not an offence; line numbers stay.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `src/`, in order: a room imports only from rooms before it. `error` is no room but
/// the one type that all of them return, so it stands first.
const ROOMS: [&str; 11] = [
    "error", "geometry", "store", "io", "expr", "plan", "device", "session", "labelled", "measure", "bin",
];

/// Where `unsafe` may stand.
const UNSAFE_ROOMS: [&str; 4] = ["kernels/", "src/store/", "src/io/", "src/device/"];

/// Where `wgpu` may stand.
const WGPU_ROOM: &str = "src/device/gpu";

/// The folders whose sources the rules are about.
const FOLDERS: [&str; 8] = [
    "src", "kernels", "shaders", "tests", "benches", "examples", "tools", "bindings",
];

/// The longest a source file may be.
const MAX_LINES: usize = 600;

/// One source file: its path from the root with `/`, its text, and its text without comments and
/// without what stands inside strings.
struct Source {
    path: String,
    text: String,
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        let code = if path.ends_with(".rs") {
            blank(text)
        } else {
            String::new()
        };
        Source {
            path: path.to_string(),
            text: text.to_string(),
            code,
        }
    }

    /// The room of `src/` that the file belongs to; `None` outside of `src/` and for `src/lib.rs`.
    fn room(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("src/")?;
        let name = rest.split('/').next().unwrap_or(rest);
        (name != "lib.rs").then(|| name.strip_suffix(".rs").unwrap_or(name))
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// `(line, message)`, the line counted from 1.
type Violations = Vec<(usize, String)>;

/// A rule and its name.
type Rule = (&'static str, fn(&Source) -> Violations);

const RULES: [Rule; 7] = [
    ("head", head),
    ("length", length),
    ("rooms", rooms),
    ("unsafe", unsafe_fence),
    ("wgpu", wgpu_fence),
    ("leftovers", leftovers),
    ("unwrap", unwraps),
];

/// A Rust file opens by saying what it is and why.
fn head(source: &Source) -> Violations {
    if source.is_rust() && !source.text.starts_with("//!") {
        return vec![(
            1,
            "line 1 must be `//!` and say what the file is and why it exists".into(),
        )];
    }
    Vec::new()
}

/// A file is short enough to be read whole.
fn length(source: &Source) -> Violations {
    let lines = source.text.lines().count();
    if lines > MAX_LINES {
        return vec![(
            lines,
            format!("{lines} lines; the most is {MAX_LINES}: split it by concept"),
        )];
    }
    Vec::new()
}

/// A room imports only from rooms above it.
fn rooms(source: &Source) -> Violations {
    let Some(room) = source.room() else {
        return Vec::new();
    };
    let Some(rank) = ROOMS.iter().position(|r| *r == room) else {
        return vec![(
            1,
            format!("`src/{room}` is no room; the rooms are {}", ROOMS.join(", ")),
        )];
    };
    crate_paths(&source.code)
        .into_iter()
        .filter(|(_, name)| {
            ROOMS
                .iter()
                .position(|r| r == name)
                .is_some_and(|other| other > rank)
        })
        .map(|(at, name)| {
            (
                line_of(&source.code, at),
                format!("room `{room}` imports `{name}`, which stands below it"),
            )
        })
        .collect()
}

/// `unsafe` stands only in the rooms that prove it.
fn unsafe_fence(source: &Source) -> Violations {
    if UNSAFE_ROOMS.iter().any(|room| source.path.starts_with(room)) {
        return Vec::new();
    }
    let message = format!("`unsafe` outside of {}", UNSAFE_ROOMS.join(", "));
    words(&source.code, "unsafe")
        .map(|at| (line_of(&source.code, at), message.clone()))
        .collect()
}

/// `wgpu` stands only in the GPU device.
fn wgpu_fence(source: &Source) -> Violations {
    if source.path.starts_with(WGPU_ROOM) {
        return Vec::new();
    }
    let message = format!("`wgpu` outside of {WGPU_ROOM}");
    words(&source.code, "wgpu")
        .map(|at| (line_of(&source.code, at), message.clone()))
        .collect()
}

/// Nothing is left unfinished.
fn leftovers(source: &Source) -> Violations {
    let mut found = Violations::new();
    for name in ["todo", "unimplemented", "dbg"] {
        for at in words(&source.code, name) {
            if source.code[at + name.len()..].starts_with("!(") {
                found.push((line_of(&source.code, at), format!("`{name}!` left in the code")));
            }
        }
    }
    let mark = concat!("FIX", "ME"); // also in comments, so this file must not spell it
    found.extend(words(&source.text, mark).map(|at| (line_of(&source.text, at), format!("`{mark}` left"))));
    found
}

/// Library code returns errors; tests may unwrap.
fn unwraps(source: &Source) -> Violations {
    let library = source.path.starts_with("src/") || source.path.starts_with("kernels/src/");
    if !library || source.path.ends_with("/tests.rs") || source.path.contains("/tests/") {
        return Vec::new();
    }
    let code = without_tests(&source.code);
    words(&code, "unwrap")
        .filter(|at| code[at + "unwrap".len()..].trim_start().starts_with("()"))
        .map(|at| {
            (
                line_of(&code, at),
                "`unwrap()` outside of tests: return an error".into(),
            )
        })
        .collect()
}

/// The first names of all paths that begin at the crate's root, with their places: `plan` of
/// `crate::plan::Stage`, and both names of `use crate::{plan, expr::Expr}`.
fn crate_paths(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for at in words(code, "crate") {
        let Some(rest) = code[at + "crate".len()..].trim_start().strip_prefix("::") else {
            continue;
        };
        let rest = rest.trim_start();
        let start = code.len() - rest.len();
        if let Some(group) = rest.strip_prefix('{') {
            let (mut depth, mut fresh) = (1usize, true);
            for (i, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 1 => fresh = true,
                    c if is_word(c) && fresh => {
                        found.push((start + 1 + i, leading_word(&group[i..])));
                        fresh = false;
                    }
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
        } else {
            found.push((start, leading_word(rest)));
        }
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn leading_word(text: &str) -> &str {
    text.split(|c| !is_word(c)).next().unwrap_or("")
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The places where `word` stands as a whole word.
fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| !text[..at].ends_with(is_word) && !text[at + word.len()..].starts_with(is_word))
}

/// The code with every `#[cfg(test)]` item blanked, lines kept.
fn without_tests(code: &str) -> String {
    let mut out = code.to_string();
    while let Some(start) = out.find("#[cfg(test)]") {
        let body = out[start..].find(['{', ';']).map_or(out.len(), |i| start + i);
        let mut end = (body + 1).min(out.len());
        if out[body..].starts_with('{') {
            let mut depth = 0usize;
            for (i, c) in out[body..].char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                end = body + i + 1;
                if depth == 0 {
                    break;
                }
            }
        }
        let blanked: String = out[start..end]
            .chars()
            .map(|c| if c == '\n' { c } else { ' ' })
            .collect();
        out.replace_range(start..end, &blanked);
    }
    out
}

/// The text with comments, string contents and character literals replaced by spaces, lines kept.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let end = skippable(&chars, i);
        if end > i {
            out.extend(chars[i..end].iter().map(|&c| if c == '\n' { c } else { ' ' }));
            i = end;
        } else {
            out.push(chars[i]);
            i += 1;
        }
    }
    out
}

/// The end of the comment, string or character literal that begins at `i`; `i` where none does.
fn skippable(chars: &[char], i: usize) -> usize {
    let at = |k: usize| chars.get(k).copied().unwrap_or('\0');
    let until = |from: usize, stop: &dyn Fn(usize) -> bool| {
        (from..chars.len()).find(|&k| stop(k)).unwrap_or(chars.len())
    };
    let after_word = i > 0 && is_word(chars[i - 1]);
    match at(i) {
        '/' if at(i + 1) == '/' => until(i, &|k| chars[k] == '\n'),
        '/' if at(i + 1) == '*' => {
            let (mut depth, mut k) = (0usize, i);
            while k < chars.len() {
                match (at(k), at(k + 1)) {
                    ('/', '*') => (depth, k) = (depth + 1, k + 2),
                    ('*', '/') => (depth, k) = (depth - 1, k + 2),
                    _ => k += 1,
                }
                if depth == 0 {
                    return k;
                }
            }
            chars.len()
        }
        'r' if (!after_word || at(i.wrapping_sub(1)) == 'b' || at(i.wrapping_sub(1)) == 'c')
            && matches!(at(i + 1), '"' | '#') =>
        {
            let hashes = (i + 1..chars.len()).take_while(|&k| chars[k] == '#').count();
            if at(i + 1 + hashes) != '"' {
                return i; // a raw identifier
            }
            let close = |k: usize| chars[k] == '"' && (1..=hashes).all(|h| at(k + h) == '#');
            (until(i + 2 + hashes, &close) + 1 + hashes).min(chars.len())
        }
        '"' => {
            let mut k = i + 1;
            while k < chars.len() && chars[k] != '"' {
                k += if chars[k] == '\\' { 2 } else { 1 };
            }
            (k + 1).min(chars.len())
        }
        '\'' if at(i + 1) == '\\' => (until(i + 3, &|k| chars[k] == '\'') + 1).min(chars.len()),
        '\'' if at(i + 2) == '\'' => i + 3,
        _ => i,
    }
}

/// Every source file below `folder`, links not followed.
fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        if path.is_symlink() || name.starts_with('.') || name == "target" || name == "__pycache__" {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, found);
        } else if [".rs", ".wgsl", ".py"]
            .iter()
            .any(|ending| name.ends_with(ending))
        {
            let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let relative = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .to_string_lossy()
                .replace('\\', "/");
            found.push(Source::new(&relative, &text));
        }
    }
}

#[test]
fn the_tree_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in FOLDERS {
        collect(root, &root.join(folder), &mut sources);
    }
    assert!(
        sources.iter().any(|s| s.path == "src/lib.rs"),
        "no sources found below {}",
        root.display()
    );

    let mut report = Vec::new();
    for source in &sources {
        for (rule, check) in RULES {
            for (line, message) in check(source) {
                report.push(format!("{}:{line}: {message} [{rule}]", source.path));
            }
        }
    }
    assert!(
        report.is_empty(),
        "{} house rules broken:\n{}",
        report.len(),
        report.join("\n")
    );
}

/// The lines on which `check` objects to `text` at `path`.
fn lines(check: fn(&Source) -> Violations, path: &str, text: &str) -> Vec<usize> {
    check(&Source::new(path, text))
        .into_iter()
        .map(|(line, _)| line)
        .collect()
}

#[test]
fn a_file_without_a_head_is_caught() {
    assert_eq!(lines(head, "src/plan/a.rs", "use std::fs;\n"), [1]);
    assert_eq!(lines(head, "src/plan/a.rs", "\n//! Late.\n"), [1]);
    assert_eq!(lines(head, "src/plan/a.rs", "//! Why.\n"), [0usize; 0]);
    assert_eq!(lines(head, "tools/a.py", "import sys\n"), [0usize; 0]);
}

#[test]
fn a_long_file_is_caught() {
    assert_eq!(lines(length, "shaders/a.wgsl", &"x\n".repeat(601)), [601]);
    assert_eq!(lines(length, "shaders/a.wgsl", &"x\n".repeat(600)), [0usize; 0]);
}

#[test]
fn a_downward_import_is_caught() {
    let text = "//! H.\nuse crate::geometry::Shape;\nfn f() { crate::session::run() }\n";
    assert_eq!(lines(rooms, "src/plan/a.rs", text), [3]);
    let grouped = "//! H.\nuse crate::{\n    geometry::{Shape, plan},\n    expr,\n    store::Tile,\n};\n";
    assert_eq!(lines(rooms, "src/io/a.rs", grouped), [4]);
    assert_eq!(lines(rooms, "src/expr/a.rs", grouped), [0usize; 0]);
    assert_eq!(
        lines(rooms, "src/lib.rs", "pub use crate::session::Session;"),
        [0usize; 0]
    );
    assert_eq!(
        lines(rooms, "src/geometry.rs", "//! crate::plan\nuse crate::io;"),
        [2]
    );
    assert_eq!(lines(rooms, "src/helpers/a.rs", "//! H.\n"), [1]);
}

#[test]
fn unsafe_outside_its_rooms_is_caught() {
    let text = "//! H.\n// unsafe in a comment\nlet a = \"unsafe\";\nunsafe { f() }\n";
    assert_eq!(lines(unsafe_fence, "src/plan/a.rs", text), [4]);
    assert_eq!(lines(unsafe_fence, "tests/a.rs", text), [4]);
    assert_eq!(lines(unsafe_fence, "src/io/a.rs", text), [0usize; 0]);
    assert_eq!(
        lines(unsafe_fence, "src/lib.rs", "#![deny(unsafe_op_in_unsafe_fn)]"),
        [0usize; 0]
    );
}

#[test]
fn wgpu_outside_the_gpu_is_caught() {
    let text = "//! wgpu\nuse wgpu::Device;\n";
    assert_eq!(lines(wgpu_fence, "src/device/cpu/mod.rs", text), [2]);
    assert_eq!(lines(wgpu_fence, "src/device/gpu/context.rs", text), [0usize; 0]);
    assert_eq!(lines(wgpu_fence, "src/device/gpu.rs", text), [0usize; 0]);
}

#[test]
fn leftovers_are_caught() {
    let text = format!(
        "//! H.\nfn f() {{ todo!() }}\n// {}: later\nlet todo = dbg!(x);\n",
        concat!("FIX", "ME")
    );
    assert_eq!(lines(leftovers, "src/plan/a.rs", &text), [2, 4, 3]);
    assert_eq!(
        lines(
            leftovers,
            "src/plan/a.rs",
            "// todo!() in a comment\nlet todo = 1;"
        ),
        [0usize; 0]
    );
}

#[test]
fn unwrap_in_library_code_is_caught() {
    let text = "//! H.\nfn f() { a.unwrap() }\n#[cfg(test)]\nmod tests {\n    fn g() { if b { c.unwrap() } }\n}\nfn h() { d.unwrap() }\n";
    assert_eq!(lines(unwraps, "src/plan/a.rs", text), [2, 7]);
    assert_eq!(
        lines(unwraps, "kernels/src/a.rs", "fn f() { a.unwrap_or(1) }"),
        [0usize; 0]
    );
    assert_eq!(lines(unwraps, "src/plan/tests.rs", text), [0usize; 0]);
    assert_eq!(lines(unwraps, "tests/a.rs", text), [0usize; 0]);
}

#[test]
fn comments_and_strings_are_blanked() {
    let kept = |text: &str| blank(text).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(kept("a /* x /* y */ z */ b // c"), "a b");
    assert_eq!(kept(r##"a("x\"y", r#"p"q"#, b"z") b"##), "a( , , b ) b");
    assert_eq!(
        kept("f('\"', '\\'', '\\u{1F}') 'a: loop &'b str"),
        "f( , , ) 'a: loop &'b str"
    );
    assert_eq!(kept("let r#type = \"//\"; c"), "let r#type = ; c");
    assert_eq!(blank("\"a\nb\"\nc").matches('\n').count(), 2);
}
