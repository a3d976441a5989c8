//! The text of a pass: which points are loaded and stored how, and the stages between.

use super::super::walk::PLACE;
use super::codelet::{Codelet, Real};
use crate::device::gpu::template::fill;
use std::fmt::Write;

/// The kernel around the stages.
const PASS: &str = include_str!("../../../../../shaders/blocks/fft.wgsl");

/// Where points come from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Source {
    /// An array between passes.
    Work,
    /// Complex elements of the operand.
    Complex,
    /// Real elements of the operand.
    Real,
    /// Pairs of neighbouring real elements, as complex numbers.
    Pairs,
    /// The first half of a Hermitian operand, mirrored: an odd number of points.
    Mirrored,
    /// The first half of a Hermitian operand, whose result is pairs of real numbers.
    Merged,
}

/// Where points go.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Sink {
    /// An array between passes.
    Work,
    /// Complex elements of the result.
    Complex,
    /// Their real parts.
    Real,
    /// Their parts as neighbouring real elements.
    Pairs,
    /// The first half of the transform of the real numbers whose pairs were so many points.
    Joined(usize),
}

/// Factors between the passes of a longer transform.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Twiddle {
    None,
    /// Multiplied with what is loaded.
    Before,
    /// Multiplied with what is stored.
    After,
}

/// What decides the text of a pass.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Kernel {
    pub real: Real,
    /// Radices of its stages.
    pub radices: Vec<usize>,
    /// Whether the transform is multiplied with a spectrum and transformed back, by the same stages in
    /// the other order.
    pub again: bool,
    pub source: Source,
    pub sink: Sink,
    pub twiddle: Twiddle,
    /// Whether it reads and writes one array between passes.
    pub in_place: bool,
    /// Whether parts change places: of the operand and the result, which makes a transform an inverse
    /// one, and of what comes from the way back of a product.
    pub inverse: bool,
    pub back: bool,
    /// Whether operand and result are multiplied with a chirp, and shorter than the transform.
    pub chirped: bool,
    /// Whether the result has fewer points than the transform.
    pub cropped: bool,
    /// Invocations of a column, and columns of a workgroup.
    pub lanes: usize,
    pub columns: usize,
    /// Whether neighbouring invocations load, and store, neighbouring columns.
    pub across: [bool; 2],
    /// Points from column to column of workgroup memory; whether there are gaps, and whether both parts
    /// of a point are there at once.
    pub pitch: usize,
    pub gaps: bool,
    pub whole: bool,
}

/// Points of workgroup memory that so many points take with gaps.
pub(super) fn with_gaps(len: usize) -> usize {
    len + len / 8
}

/// The text of a kernel in the making.
struct Body<'k> {
    kernel: &'k Kernel,
    text: String,
    /// Whether workgroup memory may still be read.
    busy: bool,
    /// Names of the invocation's column and lane: those of loading or of storing.
    names: (&'static str, &'static str),
}

impl Kernel {
    /// Points of a column.
    pub fn len(&self) -> usize {
        self.radices.iter().product()
    }

    /// Bytes of workgroup memory.
    pub fn memory(&self) -> usize {
        let parts = if self.whole { 2 } else { 1 };
        self.columns * self.pitch * self.real.size() * parts
    }

    /// What changes hands at once: a point, or one part of it after the other.
    fn turns(&self) -> &'static [&'static str] {
        if self.whole { &[""] } else { &[".x", ".y"] }
    }

    /// Invocations of a workgroup.
    pub fn threads(&self) -> usize {
        self.lanes * self.columns
    }

    /// The WGSL.
    pub fn text(&self) -> String {
        let real = self.real.name();
        let pairs = "Complex".to_string();
        let given = match self.source {
            Source::Real | Source::Pairs => real.to_string(),
            _ => pairs.clone(),
        };
        let made = match self.sink {
            Sink::Real | Sink::Pairs => real.to_string(),
            _ => pairs,
        };
        let given = match self.in_place {
            true => String::new(),
            false => format!("@group(0) @binding(3) var<storage, read> given: array<{given}>;\n"),
        };
        let number = |n: usize| n.to_string();
        let gaps = if self.gaps { "at + (at >> 3u)" } else { "at" };
        fill(
            PASS,
            &[
                ("R", real),
                ("MADE", &made),
                ("GIVEN", &given),
                ("PART", if self.whole { "Complex" } else { real }),
                ("EXCHANGED", &number((self.columns * self.pitch).max(1))),
                ("PITCH", &number(self.pitch)),
                ("GAPS", gaps),
                ("PLACE", PLACE),
                ("LOAD", &self.load()),
                ("STORE", &self.store()),
                ("THREADS", &number(self.threads())),
                ("COLUMNS", &number(self.columns)),
                ("BODY", &self.body()),
            ],
        )
    }

    /// The function that loads a point.
    fn load(&self) -> String {
        let source = if self.in_place { "made" } else { "given" };
        let value = match self.source {
            Source::Work => format!("    var v = {source}[base + at * p[24]];\n"),
            Source::Complex => "    var v = given[base + place_of * p[7]];\n".into(),
            Source::Real => "    var v = Complex(given[base + place_of * p[7]], 0);\n".into(),
            Source::Pairs => "    let pair = base + 2u * place_of * p[7];\n    \
                 var v = Complex(given[pair], given[pair + p[7]]);\n"
                .into(),
            Source::Mirrored => "    let mirrored = place_of > p[10] / 2u;\n    \
                 var v = given[base + select(place_of, p[10] - place_of, mirrored) * p[7]];\n    \
                 v = select(v, conjugate(v), mirrored);\n    \
                 if (place_of == 0u) { v.y = 0; }\n"
                .into(),
            Source::Merged => "    var low = given[base + place_of * p[7]];\n    \
                 var high = given[base + (p[10] - place_of) * p[7]];\n    \
                 if (place_of == 0u) { low.y = 0; high.y = 0; }\n    \
                 let odd = times(Complex(low.x - high.x, low.y + high.y), conjugate(root(place_of, 19u)));\n    \
                 var v = Complex(low.x + high.x - odd.y, low.y - high.y + odd.x);\n"
                .into(),
        };
        let mut text = "fn load(base: u32, part: u32, at: u32) -> Complex {\n".to_string();
        if self.source != Source::Work {
            text.push_str("    let place_of = at * p[2] + part;\n");
            if self.chirped {
                text.push_str("    if (place_of >= p[10]) { return Complex(); }\n");
            }
        }
        text.push_str(&value);
        if self.source != Source::Work {
            if self.inverse {
                text.push_str("    v = v.yx;\n");
            }
            if self.chirped {
                text.push_str("    v = times(v, tables[p[17] + place_of]);\n");
            }
        }
        if self.twiddle == Twiddle::Before {
            text.push_str("    v = times(v, root(at * part, 14u));\n");
        }
        text.push_str("    return v;\n}\n");
        text
    }

    /// The functions that finish and store a point.
    fn store(&self) -> String {
        let mut finish = String::new();
        if self.back {
            finish.push_str("    v = v.yx;\n");
        }
        if self.chirped && self.sink != Sink::Work {
            let within = "min(place_of, p[10] - 1u)";
            let _ = writeln!(finish, "    v = times(v, tables[p[17] + {within}]);");
        }
        if self.inverse && self.sink != Sink::Work {
            finish.push_str("    v = v.yx;\n");
        }
        if self.cropped {
            // The sum of real numbers is real, which roundings would hide.
            finish.push_str("    if (place_of == 0u) { v.y = 0; }\n");
        }
        let bound = match self.chirped || self.cropped {
            true => "    if (place_of >= p[11]) { return; }\n",
            false => "",
        };
        let written = match self.sink {
            Sink::Work if self.twiddle == Twiddle::After => {
                "    made[base + at * p[24]] = times(v, root(at * part, 14u));\n".to_string()
            }
            Sink::Work => "    made[base + at * p[24]] = v;\n".into(),
            Sink::Complex => "    made[base + place_of * p[8]] = v * tables[0].x;\n".into(),
            Sink::Real => "    made[base + place_of * p[8]] = v.x * tables[0].x;\n".into(),
            Sink::Pairs => "    let pair = base + 2u * place_of * p[8];\n    \
                 made[pair] = v.x * tables[0].x;\n    made[pair + p[8]] = v.y * tables[0].x;\n"
                .into(),
            Sink::Joined(_) => "    made[base + at * p[8]] = v * tables[0].x;\n".into(),
        };
        let head = "(base: u32, part: u32, at: u32, value: Complex) {\n    var v = value;\n";
        let place = "    let place_of = at * p[2] + part;\n";
        match self.sink {
            Sink::Work => format!("fn store{head}{finish}{written}}}\n"),
            Sink::Joined(_) => format!(
                "fn finished(part: u32, at: u32, value: Complex) -> Complex {{\n    var v = value;\n{place}{finish}    \
                 return v;\n}}\n\nfn store{head}{written}}}\n"
            ),
            _ => format!("fn store{head}{place}{bound}{finish}{written}}}\n"),
        }
    }

    fn body(&self) -> String {
        let mut body = Body {
            kernel: self,
            text: String::new(),
            busy: false,
            names: ("column", "lane"),
        };
        body.names_of(0);
        body.load();
        let list = self.radices.clone();
        body.stages(&list, 12);
        if self.again {
            body.multiply();
            let list: Vec<usize> = list.iter().rev().copied().collect();
            body.stages(&list, 13);
        }
        match self.sink {
            Sink::Joined(points) => body.join(points),
            _ => body.store(),
        }
        body.text
    }

    /// The radix of the last stage that was run before storing.
    fn last(&self) -> usize {
        let list = &self.radices;
        if self.again { list[0] } else { list[list.len() - 1] }
    }
}

impl Body<'_> {
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.text, "    {text}");
    }

    /// Names the invocation's column and lane for loading (0) or storing (1), and what belongs to them.
    fn names_of(&mut self, phase: usize) {
        let k = self.kernel;
        let (column, lane, suffix) = match phase {
            0 => ("column", "lane", ""),
            _ => ("column_out", "lane_out", "_out"),
        };
        let by = if k.across[phase] { k.columns } else { k.lanes };
        let (slow, fast) = (format!("local / {by}u"), format!("local % {by}u"));
        let (of_column, of_lane) = match k.across[phase] {
            true => (fast, slow),
            false => (slow, fast),
        };
        self.line(&format!("let {column} = {of_column};"));
        self.line(&format!("let {lane} = {of_lane};"));
        self.line(&format!("let number{suffix} = first + {column};"));
        self.line(&format!("let here{suffix} = number{suffix} < p[0];"));
        self.line(&format!("let part{suffix} = part_of(number{suffix});"));
        let base = match (phase, k.source, k.sink) {
            (0, Source::Work, _) | (1, _, Sink::Work) => format!("place(number{suffix}, p[23])"),
            (0, ..) => "operand_at(number)".into(),
            _ => "result_at(number_out)".into(),
        };
        self.line(&format!("let base{suffix} = {base};"));
        self.names = (column, lane);
    }

    /// Butterflies of a stage that each invocation has, and whether the last ones may be none.
    fn share(&self, radix: usize) -> (usize, bool) {
        let butterflies = self.kernel.len() / radix;
        let each = butterflies.div_ceil(self.kernel.lanes);
        (each, each * self.kernel.lanes != butterflies)
    }

    /// Opens the block of a butterfly: `b` is its number.
    fn open(&mut self, turn: usize, radix: usize, condition: Option<&str>) {
        let (each, ragged) = self.share(radix);
        let apart = self.kernel.len() / radix;
        let lane = self.names.1;
        let number = match turn {
            0 => lane.to_string(),
            _ => format!("{lane} + {}u", turn * self.kernel.lanes),
        };
        self.line("{");
        self.line(&format!("    let b = {number};"));
        let within = (ragged && turn + 1 == each).then(|| format!("b < {apart}u"));
        let all: Vec<&str> = condition.into_iter().chain(within.as_deref()).collect();
        match all.is_empty() {
            true => self.line("    {"),
            false => {
                let test = all.join(" && ");
                self.line(&format!("    if ({test}) {{"));
            }
        }
    }

    fn close(&mut self) {
        self.line("    }");
        self.line("}");
    }

    /// Loads what the first stage takes.
    fn load(&mut self) {
        let radix = self.kernel.radices[0];
        let apart = self.kernel.len() / radix;
        let names = self.kernel.radices.iter().map(|&r| self.share(r).0 * r).max();
        for n in 0..names.unwrap_or(1) {
            self.line(&format!("var v{n} = Complex();"));
        }
        for turn in 0..self.share(radix).0 {
            self.open(turn, radix, Some("here"));
            for q in 0..radix {
                let at = place(q * apart);
                self.line(&format!(
                    "        v{} = load(base, part, b{at});",
                    turn * radix + q
                ));
            }
            self.close();
        }
    }

    /// The stages of a transform whose first points are in registers. Their factors begin where the
    /// parameter `table` says.
    fn stages(&mut self, list: &[usize], table: usize) {
        let mut before = 1;
        let mut offset = 0;
        for (number, &radix) in list.iter().enumerate() {
            if number > 0 {
                self.exchange(list[number - 1], before / list[number - 1], radix);
            }
            for turn in 0..self.share(radix).0 {
                self.open(turn, radix, None);
                let names: Vec<String> = (0..radix).map(|q| format!("v{}", turn * radix + q)).collect();
                let mut codelet = Codelet::new(self.kernel.real, "            ");
                if before > 1 {
                    self.line(&format!("        let at = p[{table}] + b % {before}u;"));
                    for (q, name) in names.iter().enumerate().skip(1) {
                        let from = place(offset + (q - 1) * before);
                        self.line(&format!("        {name} = times({name}, tables[at{from}]);"));
                    }
                }
                let made = codelet.transform(&names);
                self.text.push_str(&codelet.text);
                for (name, value) in names.iter().zip(made).filter(|(name, value)| *name != value) {
                    self.line(&format!("        {name} = {value};"));
                }
                self.close();
            }
            if before > 1 {
                offset += (radix - 1) * before;
            }
            before *= radix;
        }
    }

    /// Hands on what a stage of radix `from` gave, `before` the product of the radices before it, to
    /// one of radix `to`.
    fn exchange(&mut self, from: usize, before: usize, to: usize) {
        let turns_out = self.names.0 == "column";
        let source = self.names;
        for part in self.kernel.turns() {
            if self.busy {
                self.line("workgroupBarrier();");
            }
            self.names = source;
            for turn in 0..self.share(from).0 {
                self.open(turn, from, None);
                let column = self.names.0;
                let base = match before {
                    1 => format!("b * {from}u"),
                    _ => format!("b / {before}u * {}u + b % {before}u", before * from),
                };
                self.line(&format!("        let at = {base};"));
                for q in 0..from {
                    let at = place(q * before);
                    let name = turn * from + q;
                    self.line(&format!(
                        "        exchanged[slot({column}, at{at})] = v{name}{part};"
                    ));
                }
                self.close();
            }
            self.line("workgroupBarrier();");
            if turns_out && *part != ".y" {
                self.names_of(1);
            } else if turns_out {
                self.names = ("column_out", "lane_out");
            }
            let apart = self.kernel.len() / to;
            for turn in 0..self.share(to).0 {
                self.open(turn, to, None);
                let column = self.names.0;
                for q in 0..to {
                    let at = place(q * apart);
                    let name = turn * to + q;
                    self.line(&format!(
                        "        v{name}{part} = exchanged[slot({column}, b{at})];"
                    ));
                }
                self.close();
            }
            self.busy = true;
        }
    }

    /// Multiplies with the spectrum and turns back.
    fn multiply(&mut self) {
        let list = &self.kernel.radices;
        let (radix, len) = (list[list.len() - 1], self.kernel.len());
        let part = match self.names.0 {
            "column" => "part",
            _ => "part_out",
        };
        for turn in 0..self.share(radix).0 {
            self.open(turn, radix, None);
            self.line(&format!("        let at = p[18] + {part} * {len}u + b;"));
            for q in 0..radix {
                let (name, at) = (turn * radix + q, place(q * (len / radix)));
                self.line(&format!("        v{name} = times(v{name}, tables[at{at}]).yx;"));
            }
            self.close();
        }
    }

    /// Names for storing where no exchange has named them.
    fn name_for_storing(&mut self) {
        if self.names.0 == "column" {
            self.names_of(1);
        }
    }

    fn store(&mut self) {
        self.name_for_storing();
        let radix = self.kernel.last();
        let apart = self.kernel.len() / radix;
        for turn in 0..self.share(radix).0 {
            self.open(turn, radix, Some("here_out"));
            for q in 0..radix {
                let (name, at) = (turn * radix + q, place(q * apart));
                self.line(&format!("        store(base_out, part_out, b{at}, v{name});"));
            }
            self.close();
        }
    }

    /// Joins the transform of `points` pairs to the transform of as many real numbers again, of which
    /// the first half is stored.
    fn join(&mut self, points: usize) {
        self.name_for_storing();
        let (radix, lanes) = (self.kernel.last(), self.kernel.lanes);
        let apart = self.kernel.len() / radix;
        for turn in 0..self.share(radix).0 {
            self.open(turn, radix, None);
            for q in 0..radix {
                let (name, at) = (turn * radix + q, place(q * apart));
                self.line(&format!("        v{name} = finished(part_out, b{at}, v{name});"));
            }
            self.close();
        }
        let pairs = points / 2 + 1;
        let turns = pairs.div_ceil(lanes);
        for turn in 0..turns {
            self.line(&format!("let k{turn} = lane_out + {}u;", turn * lanes));
            self.line(&format!("var low{turn} = Complex();"));
            self.line(&format!("var high{turn} = Complex();"));
        }
        for part in self.kernel.turns() {
            if self.busy {
                self.line("workgroupBarrier();");
            }
            for turn in 0..self.share(radix).0 {
                self.open(turn, radix, None);
                for q in 0..radix {
                    let (name, at) = (turn * radix + q, place(q * apart));
                    self.line(&format!(
                        "        exchanged[slot(column_out, b{at})] = v{name}{part};"
                    ));
                }
                self.close();
            }
            self.line("workgroupBarrier();");
            for turn in 0..turns {
                self.line(&format!("if (k{turn} < {pairs}u) {{"));
                self.line(&format!(
                    "    low{turn}{part} = exchanged[slot(column_out, k{turn} % {points}u)];"
                ));
                let other = format!("({points}u - k{turn}) % {points}u");
                self.line(&format!(
                    "    high{turn}{part} = exchanged[slot(column_out, {other})];"
                ));
                self.line("}");
            }
            self.busy = true;
        }
        for turn in 0..turns {
            let (k, low, high) = (format!("k{turn}"), format!("low{turn}"), format!("high{turn}"));
            self.line(&format!("if (here_out && {k} < {pairs}u) {{"));
            self.line(&format!(
                "    let even = 0.5 * Complex({low}.x + {high}.x, {low}.y - {high}.y);"
            ));
            self.line(&format!(
                "    let odd = 0.5 * Complex({low}.y + {high}.y, {high}.x - {low}.x);"
            ));
            self.line(&format!("    let turned = times(odd, root({k}, 19u));"));
            self.line(&format!("    store(base_out, part_out, {k}, even + turned);"));
            self.line(&format!(
                "    store(base_out, part_out, {points}u - {k}, conjugate(even - turned));"
            ));
            self.line("}");
        }
    }
}

/// What is added to an index.
fn place(at: usize) -> String {
    match at {
        0 => String::new(),
        _ => format!(" + {at}u"),
    }
}
