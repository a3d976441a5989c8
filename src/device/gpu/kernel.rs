//! What generated kernels have in common: parameters, buffers, offsets of inputs, the entry point.
//!
//! Extents, offsets and steps are parameters in the first buffer, read in the order in which
//! [`Params`] names them, so that ragged blocks share a kernel with whole ones.

use super::cell::Cell;
use super::expression::Expression;
use super::feed::Scheme;
use super::library;
use super::walk::Shape;
use std::fmt::Write;

/// How kernels are cut for an adapter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Style {
    /// Points of an invocation of a store kernel, a multiple of 4.
    pub points: usize,
    /// Invocations of a workgroup, a power of two.
    pub workgroup: u32,
    /// Points that an invocation of a short reduce kernel loads before it feeds any.
    pub ahead: usize,
    /// Invocations that keep the device busy.
    pub parallel: usize,
    /// Whether neighbouring invocations should read neighbouring elements, even where there are cells
    /// enough for all of them.
    pub coalesce: bool,
    /// So many neighbouring invocations, a power of two, hand each other values without the memory of
    /// their workgroup; 1 where they do not.
    pub subgroup: u32,
}

impl Style {
    /// For a graphics processor: one vector of 16 bytes an invocation, and loads enough on their
    /// way to hide the time that memory takes.
    pub const HARDWARE: Style = Style {
        points: 4,
        workgroup: 256,
        ahead: 4,
        parallel: 1 << 18,
        coalesce: true,
        subgroup: 1,
    };
    /// For a driver that runs on the CPU, where an invocation costs more than a point.
    pub const SOFTWARE: Style = Style {
        points: 16,
        workgroup: 64,
        ahead: 4,
        parallel: 1 << 11,
        coalesce: false,
        subgroup: 1,
    };

    /// For one invocation that does all of a reduction.
    pub const LONE: Style = Style {
        workgroup: 1,
        parallel: 1,
        ..Style::SOFTWARE
    };

    /// For an adapter with these limits.
    pub fn new(software: bool, limits: &wgpu::Limits) -> Style {
        let style = if software {
            Style::SOFTWARE
        } else {
            Style::HARDWARE
        };
        let most = limits
            .max_compute_invocations_per_workgroup
            .min(limits.max_compute_workgroup_size_x);
        let mut workgroup = style.workgroup;
        while workgroup > most {
            workgroup /= 2;
        }
        Style { workgroup, ..style }
    }
}

/// A parameter: one u32 (signed ones as their bits) in the first buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Param {
    /// Zero, for constants that must not be folded: what is hidden behind `tw_zero` twice is not
    /// hidden at all.
    Zero,
    /// Points of a store kernel, parts of a reduce kernel: cells times splits.
    Total,
    /// Parts into which the points of a cell are cut.
    Splits,
    /// Invocations that share a part, a power of two.
    Team,
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
            Param::Team => "team".into(),
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
    pub fn read(&self, shape: &Shape) -> String {
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
    /// The elements of a store: whole vectors of four.
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
    /// Points of one invocation of a store kernel; 1 for others.
    pub points: usize,
    /// Invocations of a workgroup.
    pub workgroup: u32,
    /// How each output of a reduce kernel is computed, in the order of `outputs`.
    pub schemes: Vec<Scheme>,
}

/// Adds the parameters by which inputs and indices are found.
pub(super) fn access_params(
    params: &mut Vec<Param>,
    expression: &Expression<'_>,
    inputs: &[usize],
    shape: &Shape,
) {
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

/// The element offset of an input: a start and what the indices along some axes add. `index` names
/// the index along an axis.
pub(super) fn offset(
    n: usize,
    start: &str,
    axes: &[usize],
    shape: &Shape,
    index: &dyn Fn(usize) -> String,
) -> String {
    let mut text = start.to_string();
    for &d in axes {
        let i = index(d);
        let _ = if shape.tables[d][n] {
            write!(text, " + bitcast<i32>(p[step{n}_{d} + {i}])")
        } else {
            write!(text, " + i32({i}) * step{n}_{d}")
        };
    }
    text
}

/// The global indices that the program asks for.
pub(super) fn indices(
    expression: &Expression<'_>,
    shape: &Shape,
    pad: &str,
    index: &dyn Fn(usize) -> String,
) -> String {
    let mut text = String::new();
    for (d, (axis, _)) in shape.dims.iter().enumerate() {
        if let Some(axis) = axis.filter(|&axis| expression.indexed(axis)) {
            let i = index(d);
            let _ = writeln!(
                text,
                "{pad}let index{axis} = bitcast<i64>((u64(high{d}) << 32u) | u64(low{d})) + i64({i});"
            );
        }
    }
    text
}

/// Appends lines with an indent of `depth` levels, deeper inside braces.
pub(super) fn indent(text: &mut String, lines: &str, depth: usize) {
    let mut level = depth;
    for line in lines.lines() {
        if line.starts_with('}') {
            level -= 1;
        }
        let _ = writeln!(text, "{}{line}", "    ".repeat(level));
        if line.ends_with('{') {
            level += 1;
        }
    }
}

/// The buffer declarations of a kernel; the first holds its parameters.
pub(super) struct Declarations {
    text: String,
    next: usize,
}

impl Declarations {
    pub fn new() -> Declarations {
        let mut this = Declarations {
            text: String::new(),
            next: 0,
        };
        this.push("p", "u32", "read");
        this
    }

    pub fn input(&mut self, name: &str, element: &str) {
        self.push(name, element, "read");
    }

    pub fn output(&mut self, name: &str, element: &str) {
        self.push(name, element, "read_write");
    }

    /// Arrays of a workgroup, through which invocations hand their cells to each other.
    pub fn shared_planes(&mut self, cells: &[Cell], workgroup: u32) {
        let most = |planes: fn(&Cell) -> usize| cells.iter().map(planes).max().unwrap_or(0);
        for plane in 0..most(Cell::words) {
            let _ = writeln!(
                self.text,
                "var<workgroup> shared{plane}: array<u32, {workgroup}>;"
            );
        }
        for plane in 0..most(Cell::wide) {
            let _ = writeln!(
                self.text,
                "var<workgroup> shared_wide{plane}: array<u64, {workgroup}>;"
            );
        }
    }

    /// An array of a workgroup.
    pub fn shared(&mut self, name: &str, element: &str, len: usize) {
        let _ = writeln!(self.text, "var<workgroup> {name}: array<{element}, {len}>;");
    }

    fn push(&mut self, name: &str, element: &str, access: &str) {
        let _ = writeln!(
            self.text,
            "@group(0) @binding({}) var<storage, {access}> {name}: array<{element}>;",
            self.next
        );
        self.next += 1;
    }

    /// The whole module: what the body uses of the library, buffers, entry point.
    pub fn module(&self, workgroup: u32, params: &str, body: &str) -> String {
        let main = format!(
            "{}\n@compute @workgroup_size({workgroup})\nfn main(\n    \
             @builtin(workgroup_id) group: vec3<u32>,\n    @builtin(local_invocation_index) lane: u32,\n    \
             @builtin(num_workgroups) groups: vec3<u32>,\n) {{\n    tw_zero = groups.z - 1u;\n{params}    \
             let thread = (group.y * groups.x + group.x) * {workgroup}u + lane;\n{body}}}\n",
            self.text
        );
        format!("{}\n{main}", library::needed_by(&main))
    }
}
