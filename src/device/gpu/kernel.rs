//! The WGSL of a kernel: parameters, the point of an invocation, offsets, statements, outputs.
//!
//! Extents, offsets and steps are parameters in the first buffer, read in the order in which
//! [`Params`] names them, so that ragged blocks share a kernel with whole ones. Store kernels give
//! each invocation as many points as the narrowest output has elements in a word, so that no
//! two invocations write one word. Reduce kernels give each invocation one cell and a part of
//! its points; the members of a group are read from a list, so cells stay in registers.

use super::digits::{Digit, advance, split};
use super::expression::{Expression, stored, word};
use super::feed::{Feed, Scheme, feed};
use super::library;
use super::walk::Shape;
use crate::plan::program::{Output, Program};
use std::fmt::Write;

/// Invocations of a workgroup.
pub(super) const WORKGROUP: u32 = 64;

/// A parameter: one u32 (signed ones as their bits) in the first buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Param {
    /// Zero, for constants that must not be folded: what is hidden behind `tw_zero` twice is not
    /// hidden at all.
    Zero,
    /// Points of a store kernel, invocations of a reduce kernel.
    Total,
    /// Invocations that share the points of a cell.
    Splits,
    /// 1 where neighbouring invocations read neighbouring points of one cell.
    Interleave,
    /// Number of cells.
    Cells,
    /// Extent of an axis of the kernel; number of groups along the grouped one.
    Extent(usize),
    /// Lower and upper half of the global index of the first point along an axis of the kernel.
    OriginLow(usize),
    /// The upper half.
    OriginHigh(usize),
    /// Element offset of an input.
    Offset(usize),
    /// Step of an input along an axis, or where its table begins in the first buffer.
    Step(usize, usize),
    /// What a step along an axis adds to the element index of a reduction.
    IndexStep(usize, usize),
    /// Where the list of group starts begins in the first buffer.
    GroupStarts,
    /// Where the list of group members begins.
    GroupMembers,
}

/// The parameters of a kernel, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Params(pub Vec<Param>);

impl Params {
    fn name(param: Param) -> String {
        match param {
            Param::Zero => "zero".into(),
            Param::Total => "total".into(),
            Param::Splits => "splits".into(),
            Param::Interleave => "interleave".into(),
            Param::Cells => "cells".into(),
            Param::Extent(d) => format!("n{d}"),
            Param::OriginLow(d) => format!("low{d}"),
            Param::OriginHigh(d) => format!("high{d}"),
            Param::Offset(n) => format!("offset{n}"),
            Param::Step(n, d) => format!("step{n}_{d}"),
            Param::IndexStep(j, d) => format!("jump{j}_{d}"),
            Param::GroupStarts => "starts".into(),
            Param::GroupMembers => "members".into(),
        }
    }

    /// The statements that read them.
    fn read(&self, shape: &Shape) -> String {
        let mut text = String::new();
        for (at, &param) in self.0.iter().enumerate() {
            let signed = match param {
                Param::Offset(_) | Param::IndexStep(..) => true,
                Param::Step(n, d) => !shape.tables[d][n],
                _ => false,
            };
            let name = Params::name(param);
            let _ = if signed {
                writeln!(text, "    let {name} = bitcast<i32>(p[{at}]);")
            } else {
                writeln!(text, "    let {name} = p[{at}];")
            };
        }
        text
    }
}

/// A buffer that a kernel writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Written {
    /// The elements of a store, in words.
    Elements {
        /// Number of the program's output.
        output: usize,
    },
    /// The 32-bit planes of a reduction.
    Words {
        /// Number of the program's output.
        output: usize,
        /// Number of planes.
        planes: usize,
    },
    /// Its 64-bit planes.
    Wide {
        /// Number of the program's output.
        output: usize,
        /// Number of planes.
        planes: usize,
    },
}

/// A kernel's text and what the host must know to run it.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Kernel {
    /// The whole module.
    pub wgsl: String,
    /// What the first buffer holds.
    pub params: Params,
    /// Program inputs in the order of their bindings, which follow the first buffer.
    pub inputs: Vec<usize>,
    /// Buffers written, bound after the inputs.
    pub written: Vec<Written>,
    /// Points of one invocation, for store kernels.
    pub points: u32,
    /// How each output of a reduce kernel is computed, in the order of `outputs`.
    pub schemes: Vec<Scheme>,
}

/// Writes the kernel of some stores of a program; `points` is a multiple of 4.
pub(super) fn store_kernel(
    program: &Program,
    outputs: &[usize],
    shape: &Shape,
    points: usize,
) -> Result<Kernel, String> {
    let expression = Expression::new(program, outputs);
    let inputs = expression.inputs();
    let dims = shape.dims.len();
    let mut params = vec![Param::Zero, Param::Total];
    params.extend((0..dims).map(Param::Extent));
    access_params(&mut params, &expression, &inputs, shape);
    let params = Params(params);
    let mut declare = Declarations::new(program, &inputs);
    let dtypes: Vec<_> = outputs
        .iter()
        .map(|&o| program.insts[program.outputs[o].value()].dtype)
        .collect();
    let (mut words, mut stores) = (String::new(), String::new());
    for (&output, &dtype) in outputs.iter().zip(&dtypes) {
        declare.output(&format!("out{output}"), word(dtype));
        let value = stored(dtype, &expression.name(program.outputs[output].value()));
        let per = 4 / dtype.size().min(4);
        if per == 1 {
            let _ = writeln!(stores, "        out{output}[point] = {value};");
        } else {
            let _ = writeln!(words, "    var word{output} = 0u;");
            let _ = write!(
                stores,
                "        word{output} = word{output} | (({value}) << ((point & {}u) * {}u));\n        \
                 if ((point & {0}u) == {0}u || point + 1u == total) {{\n            \
                 out{output}[point / {per}u] = word{output};\n            word{output} = 0u;\n        }}\n",
                per - 1,
                8 * dtype.size(),
            );
        }
    }
    let all: Vec<usize> = (0..dims).collect();
    let digits: Vec<Digit> = all.iter().map(|&d| Digit::axis(d)).collect();
    let mut body = String::new();
    let _ = write!(
        body,
        "    let first = thread * {points}u;\n    if (first >= total) {{ return; }}\n{words}{}    \
         for (var point = first; point < min(first + {points}u, total); point = point + 1u) {{\n",
        split("first", "var", "", &digits, "    ")
    );
    for &n in &inputs {
        let _ = writeln!(
            body,
            "        let at{n} = u32({});",
            offset(n, &format!("offset{n}"), &all, shape)
        );
    }
    body.push_str(&indices(&expression, shape, &all, "        "));
    body.push_str(&expression.statements("        ")?);
    body.push_str(&stores);
    body.push_str(&advance(&digits, true, "        "));
    body.push_str("    }\n");
    Ok(Kernel {
        wgsl: module(&declare.text, &params.read(shape), &body),
        params,
        inputs,
        written: outputs
            .iter()
            .map(|&output| Written::Elements { output })
            .collect(),
        points: points as u32,
        schemes: vec![],
    })
}

/// Writes the kernel of some reductions of a program, all with the same roles.
pub(super) fn reduce_kernel(
    program: &Program,
    outputs: &[usize],
    schemes: &[Scheme],
    shape: &Shape,
) -> Result<Kernel, String> {
    let expression = Expression::new(program, outputs);
    let inputs = expression.inputs();
    let dims = shape.dims.len();
    let mut params = vec![
        Param::Zero,
        Param::Total,
        Param::Splits,
        Param::Interleave,
        Param::Cells,
    ];
    params.extend((0..dims).map(Param::Extent));
    access_params(&mut params, &expression, &inputs, shape);
    let kept: Vec<usize> = (0..dims).filter(|&d| shape.dims[d].1 != 1).collect();
    let mut inner: Vec<usize> = (0..dims).filter(|&d| shape.dims[d].1 == 1).collect();
    let fixed: Vec<usize> = (0..dims).filter(|&d| shape.dims[d].1 == 0).collect();
    let group = (0..dims).find(|&d| shape.dims[d].1 == 2);
    if group.is_some() {
        params.extend([Param::GroupStarts, Param::GroupMembers]);
    }
    let mut declare = Declarations::new(program, &inputs);
    let (mut states, mut bodies, mut writes) = (String::new(), String::new(), String::new());
    let mut written = Vec::new();
    for (j, (&output, &scheme)) in outputs.iter().zip(schemes).enumerate() {
        let Output::Reduce { value, reduction, .. } = &program.outputs[output] else {
            return Err(format!("output {output} is not a reduction"));
        };
        let dtype = program.insts[*value].dtype;
        let Feed {
            declare: state,
            body,
            words,
            wide,
        } = feed(scheme, *reduction, dtype, j, &expression.name(*value));
        indent(&mut states, &state, 1);
        if scheme == Scheme::Indexed {
            params.extend((0..dims).map(|d| Param::IndexStep(j, d)));
            let terms: Vec<String> = (0..dims).map(|d| format!("i32(i{d}) * jump{j}_{d}")).collect();
            let _ = writeln!(bodies, "        let place{j} = {};", terms.join(" + "));
        }
        indent(&mut bodies, &body, 2);
        if !words.is_empty() {
            declare.output(&format!("out{output}"), "u32");
            for (plane, value) in words.iter().enumerate() {
                let _ = writeln!(writes, "    out{output}[{plane}u * total + part] = {value};");
            }
            written.push(Written::Words {
                output,
                planes: words.len(),
            });
        }
        if let Some((type_name, planes)) = wide {
            declare.output(&format!("wide{output}"), type_name);
            for (plane, value) in planes.iter().enumerate() {
                let _ = writeln!(writes, "    wide{output}[{plane}u * total + part] = {value};");
            }
            written.push(Written::Wide {
                output,
                planes: planes.len(),
            });
        }
    }
    let params = Params(params);
    let mut body = String::from(
        "    if (thread >= total) { return; }\n    \
         let cell = select(thread % cells, thread / splits, interleave == 1u);\n    \
         let turn = select(thread / cells, thread % splits, interleave == 1u);\n    \
         let part = turn * cells + cell;\n",
    );
    let cell: Vec<Digit> = kept
        .iter()
        .map(|&d| match group == Some(d) {
            true => Digit::new(format!("g{d}"), format!("n{d}")),
            false => Digit::axis(d),
        })
        .collect();
    body.push_str(&split("cell", "let", "", &cell, "    "));
    let mut count: Vec<String> = inner.iter().map(|d| format!("n{d}")).collect();
    if let Some(g) = group {
        let _ = writeln!(
            body,
            "    let member0 = p[starts + g{g}];\n    let size = p[starts + g{g} + 1u] - member0;"
        );
        count.push("size".into());
    }
    let count = if count.is_empty() {
        "1u".into()
    } else {
        count.join(" * ")
    };
    let _ = write!(
        body,
        "    let count = {count};\n    let share = (count + splits - 1u) / splits;\n    \
         let begin = select(turn * share, turn, interleave == 1u);\n    \
         let end = select(select(begin + share, count, begin + share > count), count, interleave == 1u);\n    \
         let stride = select(1u, splits, interleave == 1u);\n"
    );
    for &n in &inputs {
        let _ = writeln!(
            body,
            "    let base{n} = {};",
            offset(n, &format!("offset{n}"), &fixed, shape)
        );
    }
    body.push_str(&states);
    let mut digits: Vec<Digit> = inner.iter().map(|&d| Digit::axis(d)).collect();
    if group.is_some() {
        digits.push(Digit::new("m".into(), "size".into()));
    }
    if digits.len() > 1 {
        body.push_str(&split("begin", "var", "", &digits, "    "));
        body.push_str(&split("stride", "let", "by_", &digits, "    "));
    }
    body.push_str("    for (var k = begin; k < end; k = k + stride) {\n");
    if digits.len() == 1 {
        body.push_str(&split("k", "let", "", &digits, "        "));
    }
    if let Some(g) = group {
        let _ = writeln!(body, "        let i{g} = p[members + member0 + m];");
    }
    inner.extend(group);
    for &n in &inputs {
        let _ = writeln!(
            body,
            "        let at{n} = u32({});",
            offset(n, &format!("base{n}"), &inner, shape)
        );
    }
    let all: Vec<usize> = (0..dims).collect();
    body.push_str(&indices(&expression, shape, &all, "        "));
    body.push_str(&expression.statements("        ")?);
    body.push_str(&bodies);
    if digits.len() > 1 {
        body.push_str(&advance(&digits, false, "        "));
    }
    body.push_str("    }\n");
    body.push_str(&writes);
    Ok(Kernel {
        wgsl: module(&declare.text, &params.read(shape), &body),
        params,
        inputs,
        written,
        points: 1,
        schemes: schemes.to_vec(),
    })
}

/// Adds the parameters by which inputs and indices are found.
fn access_params(params: &mut Vec<Param>, expression: &Expression<'_>, inputs: &[usize], shape: &Shape) {
    for (d, (axis, _)) in shape.dims.iter().enumerate() {
        if axis.is_some_and(|axis| expression.indexed(axis)) {
            params.extend([Param::OriginLow(d), Param::OriginHigh(d)]);
        }
    }
    for &n in inputs {
        params.push(Param::Offset(n));
        params.extend((0..shape.dims.len()).map(|d| Param::Step(n, d)));
    }
}

/// The element offset of an input: a start and what the indices along some axes add.
fn offset(n: usize, start: &str, axes: &[usize], shape: &Shape) -> String {
    let mut text = start.to_string();
    for &d in axes {
        let _ = if shape.tables[d][n] {
            write!(text, " + bitcast<i32>(p[step{n}_{d} + i{d}])")
        } else {
            write!(text, " + i32(i{d}) * step{n}_{d}")
        };
    }
    text
}

/// The global indices that the program asks for.
fn indices(expression: &Expression<'_>, shape: &Shape, axes: &[usize], pad: &str) -> String {
    let mut text = String::new();
    for &d in axes {
        if let Some(axis) = shape.dims[d].0.filter(|&axis| expression.indexed(axis)) {
            let _ = writeln!(
                text,
                "{pad}let index{axis} = bitcast<i64>((u64(high{d}) << 32u) | u64(low{d})) + i64(i{d});"
            );
        }
    }
    text
}

/// Appends lines with an indent of `depth` levels, deeper inside braces.
fn indent(text: &mut String, lines: &str, depth: usize) {
    let mut level = depth;
    for line in lines.lines() {
        if line == "}" {
            level -= 1;
        }
        let _ = writeln!(text, "{}{line}", "    ".repeat(level));
        if line.ends_with('{') {
            level += 1;
        }
    }
}

/// The buffer declarations of a kernel.
struct Declarations {
    text: String,
    next: usize,
}

impl Declarations {
    fn new(program: &Program, inputs: &[usize]) -> Declarations {
        let mut this = Declarations {
            text: String::new(),
            next: 0,
        };
        this.push("p", "u32", "read");
        for &n in inputs {
            this.push(&format!("in{n}"), word(program.inputs[n]), "read");
        }
        this
    }

    fn output(&mut self, name: &str, element: &str) {
        self.push(name, element, "read_write");
    }

    fn push(&mut self, name: &str, element: &str, access: &str) {
        let _ = writeln!(
            self.text,
            "@group(0) @binding({}) var<storage, {access}> {name}: array<{element}>;",
            self.next
        );
        self.next += 1;
    }
}

/// The whole module: what the body uses of the library, buffers, entry point.
fn module(declarations: &str, params: &str, body: &str) -> String {
    let main = format!(
        "{declarations}\n@compute @workgroup_size({WORKGROUP})\nfn main(\n    \
         @builtin(workgroup_id) group: vec3<u32>,\n    @builtin(local_invocation_index) lane: u32,\n    \
         @builtin(num_workgroups) groups: vec3<u32>,\n) {{\n    tw_zero = groups.z - 1u;\n{params}    \
         let thread = (group.y * groups.x + group.x) * {WORKGROUP}u + lane;\n{body}}}\n"
    );
    format!("{}\n{main}", library::needed_by(&main))
}
