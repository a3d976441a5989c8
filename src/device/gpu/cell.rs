//! What a kernel knows of one cell of a reduction: its fields, and how two cells are merged.
//!
//! Kernels that feed and kernels that merge share this, so that merging is the same between the
//! invocations of a workgroup, between the parts of a cell, and between blocks: what
//! `tilewise_kernels::reduce::State::merge` means, in the numbers that a shader has. A cell lies in
//! memory as *planes*: one word, or one 64-bit word, of every cell after the other.

use super::feed::Scheme;
use crate::{DType, ReduceKind, Reduction};
use std::fmt::Write;

/// One number of a cell.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Field {
    pub name: &'static str,
    /// Its type in WGSL.
    pub of: &'static str,
    /// What it is when nothing was fed.
    start: &'static str,
}

/// The numbers of a cell.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Cell {
    scheme: Scheme,
    kind: ReduceKind,
    dtype: DType,
    pub fields: Vec<Field>,
}

impl Field {
    fn new(name: &'static str, of: &'static str, start: &'static str) -> Field {
        Field { name, of, start }
    }

    /// Whether it lies in a 64-bit plane.
    pub fn wide(&self) -> bool {
        self.of.ends_with("64")
    }

    /// Its bits, as planes hold them.
    fn bits(&self, value: &str) -> String {
        match self.of {
            "u32" | "u64" => value.to_string(),
            _ if self.wide() => format!("bitcast<u64>({value})"),
            _ => format!("bitcast<u32>({value})"),
        }
    }

    /// What the invocation `half` places on has of a value, a field of this kind.
    fn handed(&self, value: &str) -> String {
        let bits = self.bits(value);
        let handed = match self.wide() {
            true => format!(
                "(u64(subgroupShuffleDown(u32({bits}), half)) | \
                 (u64(subgroupShuffleDown(u32({bits} >> 32u), half)) << 32u))"
            ),
            false => format!("subgroupShuffleDown({bits}, half)"),
        };
        self.of_bits(&handed)
    }

    /// The field of those bits.
    fn of_bits(&self, bits: &str) -> String {
        match self.of {
            "u32" | "u64" => bits.to_string(),
            of => format!("bitcast<{of}>({bits})"),
        }
    }
}

/// The type in which a dtype is compared.
pub(super) fn register(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "u32",
        _ => dtype.info().wgsl,
    }
}

/// WGSL that asks whether a value of a dtype is NaN.
pub(super) fn nan(dtype: DType, value: &str) -> String {
    match dtype {
        DType::F64 => format!("tw_is_nan_f64({value})"),
        _ if dtype.is_float() => format!("tw_is_nan({value})"),
        _ => "false".into(),
    }
}

/// WGSL that asks whether value `x` (at `at`) takes the place of `have` (at `have_at`).
pub(super) fn better(
    kind: ReduceKind,
    dtype: DType,
    [x, at]: [&str; 2],
    [have, have_at]: [&str; 2],
) -> String {
    use ReduceKind::{ArgMin, First, Last, Max, Min};
    let sign = match kind {
        Min | ArgMin | First => "<",
        _ => ">",
    };
    let (new, old) = (nan(dtype, x), nan(dtype, have));
    let beats = match dtype.is_float() {
        true => format!("({new} && !{old}) || (!{old} && {x} {sign} {have})"),
        false => format!("{x} {sign} {have}"),
    };
    let equal = match dtype.is_float() {
        true => format!("({x} == {have} || ({new} && {old}))"),
        false => format!("{x} == {have}"),
    };
    match kind {
        First | Last => format!("{at} {sign} {have_at}"),
        Min | Max => beats,
        _ => format!("({beats}) || ({equal} && {at} < {have_at})"),
    }
}

impl Cell {
    /// The cell of a reduction of values of a dtype.
    pub fn new(scheme: Scheme, reduction: Reduction, dtype: DType) -> Cell {
        let f = Field::new;
        let zero = match register(dtype) {
            "f32" => "0.0f",
            "f64" => "0.0lf",
            "i32" => "0i",
            "u32" => "0u",
            "i64" => "0li",
            _ => "0lu",
        };
        let value = f("value", register(dtype), zero);
        let count = f("count", "u32", "0u");
        let wide = |name| f(name, "f64", "0.0lf");
        let single = |name| f(name, "f32", "0.0f");
        let odd = f("odd", "u32", "0u");
        let fields = match scheme {
            Scheme::SumWide => vec![wide("sum"), wide("rest")],
            Scheme::MeanWide => vec![wide("sum"), wide("rest"), count],
            Scheme::SumPair => vec![single("sum"), single("rest"), odd],
            Scheme::MeanPair => vec![single("sum"), single("rest"), odd, count],
            Scheme::SumCarry => vec![f("low", "u32", "0u"), f("high", "u32", "0u")],
            Scheme::SumLong => vec![f("sum", "u64", "0lu")],
            Scheme::ProdLong => vec![f("product", "u64", "1lu")],
            Scheme::ProdWide => vec![f("product", "f64", "1.0lf")],
            Scheme::ShiftedWide => vec![count, wide("mean"), wide("rest"), wide("squares")],
            Scheme::ShiftedPair => vec![
                count,
                single("mean"),
                single("rest"),
                single("squares"),
                single("squares_rest"),
                odd,
            ],
            Scheme::Extreme => vec![f("has", "u32", "0u"), value],
            Scheme::Indexed => vec![f("has", "u32", "0u"), f("at", "i32", "0i"), value],
            Scheme::Flag if reduction.kind == ReduceKind::Any => vec![f("flag", "u32", "0u")],
            Scheme::Flag => vec![f("flag", "u32", "1u")],
            Scheme::Count => vec![count],
        };
        Cell {
            scheme,
            kind: reduction.kind,
            dtype,
            fields,
        }
    }

    /// Number of 32-bit planes.
    pub fn words(&self) -> usize {
        self.fields.iter().filter(|f| !f.wide()).count()
    }

    /// Number of 64-bit planes.
    pub fn wide(&self) -> usize {
        self.fields.iter().filter(|f| f.wide()).count()
    }

    /// Bytes of its planes for so many cells: of 32 bits and of 64, as far as there are such.
    pub fn bytes(&self, cells: usize) -> impl Iterator<Item = usize> {
        let planes = [4 * self.words() * cells, 8 * self.wide() * cells];
        planes.into_iter().filter(|&bytes| bytes > 0)
    }

    /// Declares a cell of that name to which nothing was fed.
    pub fn fresh(&self, cell: &str) -> String {
        self.declare(cell, "var", |field| field.start.to_string())
    }

    /// Declares a cell of that name from the value of each field.
    pub fn declare(&self, cell: &str, kind: &str, value: impl Fn(&Field) -> String) -> String {
        let mut text = String::new();
        for field in &self.fields {
            let _ = writeln!(text, "{kind} {cell}_{} = {};", field.name, value(field));
        }
        text
    }

    /// Fields with the number of their plane among those of their width.
    fn planes(&self) -> impl Iterator<Item = (usize, &Field)> {
        let (mut words, mut wide) = (0, 0);
        self.fields.iter().map(move |field| {
            let next = if field.wide() { &mut wide } else { &mut words };
            *next += 1;
            (*next - 1, field)
        })
    }

    /// The value of a field in planes; `at(plane, wide)` names the word.
    fn read(&self, name: &str, at: &dyn Fn(usize, bool) -> String) -> String {
        let found = self.planes().find(|(_, field)| field.name == name);
        found.map_or(String::new(), |(plane, field)| {
            field.of_bits(&at(plane, field.wide()))
        })
    }

    /// Declares a cell (with `let` or `var`) from planes; `at(plane, wide)` names a word of them.
    pub fn load(&self, cell: &str, kind: &str, at: &dyn Fn(usize, bool) -> String) -> String {
        self.declare(cell, kind, |field| self.read(field.name, at))
    }

    /// Writes a cell to planes.
    pub fn store(&self, cell: &str, at: &dyn Fn(usize, bool) -> String) -> String {
        let mut text = String::new();
        for (plane, field) in self.planes() {
            let value = field.bits(&format!("{cell}_{}", field.name));
            let _ = writeln!(text, "{} = {value};", at(plane, field.wide()));
        }
        text
    }

    /// Statements that let what was fed to cell `b` join cell `a`, as if it came after.
    pub fn merge(&self, a: &str, b: &str) -> String {
        let count = format!("{a}_count = {a}_count + {b}_count;\n");
        match self.scheme {
            Scheme::SumWide | Scheme::MeanWide => format!(
                "let {a}_both = tw_wide_add(TwWidePair({a}_sum, {a}_rest), TwWidePair({b}_sum, {b}_rest));\n\
                 {a}_sum = {a}_both.sum;\n{a}_rest = {a}_both.rest;\n{}",
                if self.scheme == Scheme::MeanWide {
                    &count
                } else {
                    ""
                }
            ),
            Scheme::SumPair | Scheme::MeanPair => format!(
                "let {a}_both = tw_pair_add(vec2<f32>({a}_sum, {a}_rest), vec2<f32>({b}_sum, {b}_rest));\n\
                 {a}_sum = {a}_both.x;\n{a}_rest = {a}_both.y;\n{a}_odd = {a}_odd | {b}_odd;\n{}",
                if self.scheme == Scheme::MeanPair {
                    &count
                } else {
                    ""
                }
            ),
            Scheme::SumCarry => format!(
                "let {a}_both = {a}_low + {b}_low;\n\
                 {a}_high = {a}_high + {b}_high + select(0u, 1u, {a}_both < {a}_low);\n{a}_low = {a}_both;\n"
            ),
            Scheme::SumLong => format!("{a}_sum = {a}_sum + {b}_sum;\n"),
            Scheme::ProdLong | Scheme::ProdWide => format!("{a}_product = {a}_product * {b}_product;\n"),
            Scheme::ShiftedWide => format!(
                "let {a}_both = tw_wide_moments_add(TwWideMoments({a}_count, {a}_mean, {a}_rest, {a}_squares), \
                 TwWideMoments({b}_count, {b}_mean, {b}_rest, {b}_squares));\n\
                 {a}_count = {a}_both.count;\n{a}_mean = {a}_both.mean;\n{a}_rest = {a}_both.rest;\n\
                 {a}_squares = {a}_both.squares;\n"
            ),
            Scheme::ShiftedPair => format!(
                "let {a}_both = tw_pair_moments_add({}, {});\n{a}_odd = {a}_odd | {b}_odd | {a}_both.odd;\n\
                 {a}_count = {a}_both.count;\n{a}_mean = {a}_both.mean.x;\n{a}_rest = {a}_both.mean.y;\n\
                 {a}_squares = {a}_both.squares.x;\n{a}_squares_rest = {a}_both.squares.y;\n",
                pair_moments(a),
                pair_moments(b)
            ),
            Scheme::Extreme => format!(
                "if ({b}_has != 0u && ({a}_has == 0u || {})) {{\n{a}_has = 1u;\n{a}_value = {b}_value;\n}}\n",
                self.better(a, b)
            ),
            Scheme::Indexed => format!(
                "if ({b}_has != 0u && ({a}_has == 0u || {})) {{\n{a}_has = 1u;\n{a}_at = {b}_at;\n\
                 {a}_value = {b}_value;\n}}\n",
                self.better(a, b)
            ),
            Scheme::Flag if self.kind == ReduceKind::Any => format!("{a}_flag = {a}_flag | {b}_flag;\n"),
            Scheme::Flag => format!("{a}_flag = {a}_flag & {b}_flag;\n"),
            Scheme::Count => count,
        }
    }

    fn better(&self, a: &str, b: &str) -> String {
        let [x, at] = [format!("{b}_value"), format!("{b}_at")];
        let [have, have_at] = [format!("{a}_value"), format!("{a}_at")];
        better(self.kind, self.dtype, [&x, &at], [&have, &have_at])
    }

    /// Statements by which the `team` (a power of two) neighbouring invocations of a workgroup bring
    /// their cells together: in a fixed tree, so that the bits are the same on every run. The first of
    /// the team has the result; every invocation of the workgroup must come here. Of subgroups of at
    /// least `subgroup` the last steps hand values over without the workgroup's memory, in the same tree.
    pub fn tree(&self, cell: &str, subgroup: u32) -> String {
        let slot = |index: &'static str| {
            move |plane: usize, wide: bool| match wide {
                true => format!("shared_wide{plane}[{index}]"),
                false => format!("shared{plane}[{index}]"),
            }
        };
        let mut text = String::new();
        if subgroup > 1 {
            let _ = writeln!(text, "if (team > {subgroup}u) {{");
        }
        text.push_str(&self.store(cell, &slot("lane")));
        let _ = writeln!(
            text,
            "for (var half = team >> 1u; half > {}u; half = half >> 1u) {{\nworkgroupBarrier();\n\
             if ((lane & (team - 1u)) < half) {{",
            subgroup / 2
        );
        text.push_str(&self.load("more", "let", &slot("lane + half")));
        text.push_str(&self.merge(cell, "more"));
        text.push_str(&self.store(cell, &slot("lane")));
        text.push_str("}\n}\nworkgroupBarrier();\n");
        if subgroup > 1 {
            let _ = writeln!(
                text,
                "}}\nfor (var half = min(team, {subgroup}u) >> 1u; half > 0u; half = half >> 1u) {{"
            );
            let own = |field: &Field| field.handed(&format!("{cell}_{}", field.name));
            text.push_str(&self.declare("next", "let", own));
            text.push_str("if ((lane & (team - 1u)) < half) {\n");
            text.push_str(&self.merge(cell, "next"));
            text.push_str("}\n}\n");
        }
        text
    }
}

fn pair_moments(cell: &str) -> String {
    format!(
        "TwPairMoments({cell}_count, vec2<f32>({cell}_mean, {cell}_rest), \
         vec2<f32>({cell}_squares, {cell}_squares_rest), 0u)"
    )
}
