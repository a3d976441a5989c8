//! What a driver does with what WGSL leaves open, measured.
//!
//! Each fact is a small program run through the whole device and compared with the CPU. A failed
//! fact about one op sends that op to the CPU, one about 64-bit numbers sends those, one about NaN,
//! exact sums or long loops everything. Verdicts are kept per adapter and driver.

mod functions;

use super::Gpu;
use super::blocks::matrix_unit_facts;
use super::cache;
use super::expression::Abilities;
use super::kernel::Style;
use super::launch::{Launch, Need};
use super::template::fill;
use crate::device::{Binding, OutMut, Task};
use crate::geometry::{Access, AxisStep};
use crate::plan::program::{Action, AxisRole, Inst, Output, Program};
use crate::{DType, Op, ReduceKind, Reduction, Scalar};
use tilewise_kernels::Isa;
use tilewise_kernels::reduce::State;

/// One fact about an adapter and its driver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// What was tested: `loops`, or a dtype and an op, as `float32 exp`.
    pub fact: String,
    /// Whether it holds.
    pub ok: bool,
    /// What was measured.
    pub detail: String,
}

impl Verdict {
    /// What follows where the fact does not hold.
    pub fn consequence(&self) -> &'static str {
        match self.fact.as_str() {
            fact if BASICS.contains(&fact) => "nothing runs on this adapter",
            fact if SUBNORMALS.contains(&fact) => "the CPU keeps them",
            SUBGROUPS | UNITS => "they are not used",
            _ => "it is left to the CPU",
        }
    }
}

/// Facts without which nothing runs on an adapter.
const BASICS: [&str; 3] = ["nan", "exact sums", "loops"];

/// Ops that are checked for 64-bit dtypes; the last for integers only.
const WIDE_OPS: [&str; 6] = ["add", "subtract", "multiply", "less", "maximum", "floor_divide"];

/// The fact that neighbours of a subgroup are neighbours of the workgroup and hand on what they should.
const SUBGROUPS: &str = "subgroups";

/// The fact that matrix units sum as exactly as f32 can.
const UNITS: &str = "matrix units";

/// The facts that numbers below the normal range are kept. WGSL lets an adapter take them for zero
/// and many do, so a failure forbids nothing; it is told.
const SUBNORMALS: [&str; 2] = ["subnormal float32", "subnormal float64"];

/// Workgroups whose subgroups are looked at.
const SUBGROUP_GROUPS: usize = 64;

/// Whether values may be handed on within subgroups.
pub(super) fn has_subgroups(verdicts: &[Verdict]) -> bool {
    verdicts.iter().any(|v| v.fact == SUBGROUPS && v.ok)
}

/// Whether matrix units may be used.
pub(super) fn has_matrix_units(verdicts: &[Verdict]) -> bool {
    verdicts.iter().any(|v| v.fact == UNITS && v.ok)
}

/// What failed facts forbid.
#[derive(Clone, Debug, Default)]
pub(super) struct Denials {
    /// Why nothing runs here.
    all: Option<String>,
    /// Ops that are left to the CPU.
    ops: Vec<String>,
    no_f64: bool,
    no_i64: bool,
}

impl Denials {
    pub fn new(verdicts: &[Verdict]) -> Denials {
        let mut this = Denials::default();
        for verdict in verdicts.iter().filter(|v| !v.ok) {
            match verdict.fact.split_once(' ') {
                _ if BASICS.contains(&verdict.fact.as_str()) => {
                    this.all = Some(format!("self-test: {}: {}", verdict.fact, verdict.detail));
                }
                _ if verdict.fact == UNITS => {}
                _ if SUBNORMALS.contains(&verdict.fact.as_str()) => {}
                Some(("float64", _)) => this.no_f64 = true,
                Some(("int64" | "uint64", _)) => this.no_i64 = true,
                Some((_, op)) => this.ops.push(op.to_string()),
                None => {}
            }
        }
        this
    }

    /// The abilities that are left.
    pub fn limit(&self, can: Abilities) -> Abilities {
        Abilities {
            f64: can.f64 && !self.no_f64 && !self.no_i64,
            i64: can.i64 && !self.no_i64,
        }
    }

    /// Why nothing may run here.
    pub fn everything(&self) -> std::result::Result<(), String> {
        match &self.all {
            Some(why) => Err(why.clone()),
            None => Ok(()),
        }
    }

    /// Why a program with this kernel text is left to the CPU.
    pub fn check(&self, program: &Program, wgsl: &str) -> std::result::Result<(), String> {
        self.everything()?;
        let uses = |name: &String| {
            let named = |inst: &Inst| matches!(inst.action, Action::Op(op) if op.name == name);
            program.insts.iter().any(named) || wgsl.contains(&format!("fn tw_{name}("))
        };
        match self.ops.iter().find(|name| uses(name)) {
            Some(name) => Err(format!("self-test: {name} is inexact on this adapter")),
            None => Ok(()),
        }
    }
}

impl Gpu {
    /// Tests the adapter and its driver, however often it was done before.
    pub fn self_test(&self) -> Vec<Verdict> {
        let mut verdicts = vec![
            verdict("nan", self.nan_facts()),
            verdict("exact sums", self.sum_facts()),
            verdict("loops", self.loop_facts()),
        ];
        if self.home.context.subgroup > 1 {
            verdicts.push(verdict(SUBGROUPS, self.subgroup_facts()));
        }
        if self.units.is_some() {
            verdicts.push(verdict(UNITS, matrix_unit_facts(self)));
        }
        let subnormals = verdict(SUBNORMALS[0], self.subnormal_facts(f32::MIN_POSITIVE));
        self.function_facts(!subnormals.ok, &mut verdicts);
        verdicts.push(subnormals);
        if self.abilities.f64 {
            verdicts.push(verdict(SUBNORMALS[1], self.subnormal_facts(f64::MIN_POSITIVE)));
        }
        let mut wide = Vec::new();
        if self.abilities.i64 {
            wide.extend([DType::I64, DType::U64]);
        }
        if self.abilities.f64 {
            wide.push(DType::F64);
        }
        for dtype in wide {
            for name in &WIDE_OPS[..if dtype.is_float() { 5 } else { 6 }] {
                let fact = format!("{dtype} {name}");
                verdicts.push(verdict(&fact, self.wide_fact(name, dtype)));
            }
        }
        verdicts
    }

    /// The verdicts of the last test of this adapter, driver and library, if all facts held that
    /// forbid something, or of a new test.
    pub(super) fn known_verdicts(&self) -> Vec<Verdict> {
        let mode = if self.abilities.f64 { "f64" } else { "pairs" };
        let units = if self.units.is_some() { "-units" } else { "" };
        let name = format!(
            "facts-{mode}{units}-{:016x}.txt",
            cache::adapter_key(&self.home.context.info)
        );
        let known = cache::read(&name).and_then(|data| parse(&String::from_utf8(data).ok()?));
        known.unwrap_or_else(|| {
            let verdicts = self.self_test();
            // A failure may come from elsewhere, such as memory that another process holds.
            if verdicts
                .iter()
                .all(|v| v.ok || SUBNORMALS.contains(&v.fact.as_str()))
            {
                cache::write(&name, print(&verdicts).as_bytes());
            }
            verdicts
        })
    }

    /// Invocations get what those have that lie a power of two further on, as far as both lie in one
    /// run of the smallest subgroup's length.
    fn subgroup_facts(&self) -> Result<(), String> {
        let said = |error: crate::Error| error.to_string();
        let (group, size) = (self.style.workgroup as usize, self.home.context.subgroup);
        let most = (size.min(self.style.workgroup) / 2) as usize;
        let lanes = SUBGROUP_GROUPS * group;
        let rows = most.ilog2() as usize + 1;
        let text = fill(
            include_str!("../../../../shaders/subgroups.wgsl"),
            &[("WORKGROUP", &group.to_string())],
        );
        let mut need = Need::new(self);
        need.upload(8);
        need.read(4 * rows * lanes);
        let mut launch = Launch::new(self, need).map_err(said)?;
        let kernel = launch.compiled(&text).map_err(said)?;
        let words = launch.words(&[most as u32, lanes as u32]).map_err(said)?;
        let out = launch.output(4 * rows * lanes).map_err(said)?;
        let bindings = [&words, &out];
        launch
            .dispatch(&kernel, &bindings, SUBGROUP_GROUPS as u32)
            .map_err(said)?;
        let mut found = vec![0u32; rows * lanes];
        launch
            .finish(vec![(out, OutMut::Store(bytemuck::cast_slice_mut(&mut found)))])
            .map_err(said)?;
        for (row, found) in found.chunks(lanes).enumerate() {
            let half = most >> row;
            let wrong = |&lane: &usize| lane % (2 * half) < half && found[lane] as usize != lane + half;
            if let Some(lane) = (0..lanes).find(wrong) {
                return Err(format!(
                    "invocation {lane} was handed {} for {half} on",
                    found[lane]
                ));
            }
        }
        Ok(())
    }

    /// NaN is told from numbers, and survives arithmetic that optimisers like to fold.
    fn nan_facts(&self) -> Result<(), String> {
        let x = [f32::NAN, f32::INFINITY, 1.0, -0.0];
        let mut probe = Probe::new(&[DType::F32]);
        let zero = probe.push(Action::Const(Scalar::new(0.0f32)), vec![], DType::F32);
        probe.store("isnan", vec![0])?;
        probe.store("not_equal", vec![0, 0])?;
        probe.store("multiply", vec![0, zero])?;
        probe.store("subtract", vec![0, 0])?;
        let found = probe.run(self, &[bytemuck::cast_slice(&x)], x.len())?;
        let want_bools: [u8; 4] = [1, 0, 0, 0];
        for (what, bools) in [("isnan(x)", &found[0]), ("x != x", &found[1])] {
            if bools[..] != want_bools {
                return Err(format!("{what} of {x:?} is {bools:?}"));
            }
        }
        for (what, bytes) in [("x * 0", &found[2]), ("x - x", &found[3])] {
            let got: Vec<f32> = bytemuck::pod_collect_to_vec(bytes);
            let nan: Vec<bool> = got.iter().map(|v| v.is_nan()).collect();
            if nan != [true, true, false, false] {
                return Err(format!("{what} of {x:?} is {got:?}"));
            }
        }
        Ok(())
    }

    /// Sums keep what their roundings lose.
    fn sum_facts(&self) -> Result<(), String> {
        // Four of each, which are summed before the rest of a sum is kept; rounded sums would lose the
        // small ones.
        let large = if self.abilities.f64 { 1e17f32 } else { 1e8 };
        let once = [large, 1.0, -large, 0.25].map(|value| [value; 4]).concat();
        let x = once.repeat(64);
        let got = self.reduced(ReduceKind::Sum, bytemuck::cast_slice(&x), x.len(), 1)?;
        (got == 320.0)
            .then_some(())
            .ok_or_else(|| format!("256 times {large:e} + 1 - {large:e} + 0.25 is {got}, not 320"))
    }

    /// Loops run to their end.
    fn loop_facts(&self) -> Result<(), String> {
        let rounds = 600_000;
        let got = self.reduced(ReduceKind::Sum, bytemuck::bytes_of(&1.0f32), rounds, 0)?;
        (got == rounds as f64)
            .then_some(())
            .ok_or_else(|| format!("{rounds} rounds ended after {got}"))
    }

    /// A reduction of f32 by one invocation.
    fn reduced(&self, kind: ReduceKind, data: &[u8], len: usize, step: isize) -> Result<f64, String> {
        let reduction = Reduction::new(kind);
        let mut probe = Probe::new(&[DType::F32]);
        probe.program.outputs.push(Output::Reduce {
            value: 0,
            reduction,
            roles: vec![AxisRole::Reduce],
            index_steps: vec![1],
        });
        let mut state = State::new(reduction, DType::F32, 1)?;
        let task = Task {
            program: &probe.program,
            shape: &[len],
            origin: &[0],
            buffers: &[data],
            bindings: &[line(0, step)],
            labels: None,
        };
        self.run_task(&task, &[], &mut [OutMut::Reduce(&mut state)], Style::LONE)
            .map_err(|error| error.to_string())?;
        let mut bytes = [0; 4];
        state.finish(&mut bytes, 0..1);
        Ok(f64::from(f32::from_le_bytes(bytes)))
    }

    /// One op of a 64-bit dtype against the CPU's loop.
    fn wide_fact(&self, name: &str, dtype: DType) -> Result<(), String> {
        let len = 128;
        let word = |k: u64| k.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(k as u32 % 61);
        let (a, b): (Vec<u64>, Vec<u64>) = (1..=len as u64)
            .map(|k| match dtype {
                DType::F64 => ((k as f64 * 1.1).to_bits(), (1e9 / k as f64 - 3e7).to_bits()),
                _ => (word(k), word(3 * k) >> (k % 50)),
            })
            .unzip();
        let mut probe = Probe::new(&[dtype; 2]);
        probe.store(name, vec![0, 1])?;
        let found = probe.run(self, &[bytemuck::cast_slice(&a), bytemuck::cast_slice(&b)], len)?;
        let op = Op::find(name).ok_or("no such op")?;
        let kernel = (op.kernel)(&[dtype; 2], Isa::Baseline).ok_or("no loop")?;
        let mut words = vec![0u64; len];
        let want = &mut bytemuck::cast_slice_mut(&mut words)[..found[0].len()];
        kernel(&[bytemuck::cast_slice(&a), bytemuck::cast_slice(&b)], want);
        let size = want.len() / len;
        let wrong = (0..len).find(|i| want[i * size..][..size] != found[0][i * size..][..size]);
        wrong.map_or(Ok(()), |i| {
            Err(format!(
                "wrong for {} and {}",
                show(dtype, a[i]),
                show(dtype, b[i])
            ))
        })
    }
}

fn show(dtype: DType, bits: u64) -> String {
    Scalar::from_bytes(dtype, &bits.to_le_bytes()).to_string()
}

fn verdict(fact: &str, outcome: Result<(), String>) -> Verdict {
    Verdict {
        fact: fact.to_string(),
        ok: outcome.is_ok(),
        detail: outcome.err().unwrap_or_else(|| "right".into()),
    }
}

fn line(buffer: usize, step: isize) -> Binding {
    Binding {
        buffer,
        access: Access {
            offset: 0,
            steps: vec![AxisStep::Step(step)],
        },
    }
}

/// A program of one axis that stores ops of its inputs.
struct Probe {
    program: Program,
}

impl Probe {
    fn new(inputs: &[DType]) -> Probe {
        let load = |(n, &dtype): (usize, &DType)| Inst {
            action: Action::Load(n),
            args: vec![],
            dtype,
        };
        Probe {
            program: Program {
                rank: 1,
                inputs: inputs.to_vec(),
                insts: inputs.iter().enumerate().map(load).collect(),
                outputs: vec![],
            },
        }
    }

    fn push(&mut self, action: Action, args: Vec<usize>, dtype: DType) -> usize {
        self.program.insts.push(Inst { action, args, dtype });
        self.program.insts.len() - 1
    }

    /// Adds an op of instructions whose dtypes are those of its signature.
    fn store(&mut self, name: &str, args: Vec<usize>) -> Result<(), String> {
        let op = Op::find(name).ok_or_else(|| format!("no op {name}"))?;
        let dtypes: Vec<DType> = args.iter().map(|&a| self.program.insts[a].dtype).collect();
        let signature = op.infer(&dtypes)?;
        if (op.wgsl)(&signature.args).is_none() || signature.args != dtypes {
            return Err(format!("{name} has no shader"));
        }
        let value = self.push(Action::Op(op), args, signature.result);
        self.program.outputs.push(Output::Store(value));
        Ok(())
    }

    /// The bytes of every output over inputs of `len` elements.
    fn run(&self, gpu: &Gpu, buffers: &[&[u8]], len: usize) -> Result<Vec<Vec<u8>>, String> {
        let bindings: Vec<Binding> = (0..buffers.len()).map(|b| line(b, 1)).collect();
        let mut found: Vec<Vec<u8>> = self
            .program
            .outputs
            .iter()
            .map(|o| vec![0; len * self.program.insts[o.value()].dtype.size()])
            .collect();
        let mut outputs: Vec<OutMut<'_>> = found.iter_mut().map(|f| OutMut::Store(f)).collect();
        let task = Task {
            program: &self.program,
            shape: &[len],
            origin: &[0],
            buffers,
            bindings: &bindings,
            labels: None,
        };
        gpu.run_task(&task, &[], &mut outputs, Style::LONE)
            .map_err(|error| error.to_string())?;
        Ok(found)
    }
}

/// Verdicts as lines of `ok` or `no`, fact, detail.
fn print(verdicts: &[Verdict]) -> String {
    verdicts
        .iter()
        .map(|v| {
            let detail = v.detail.replace(['\n', '\t'], " ");
            format!("{}\t{}\t{detail}\n", if v.ok { "ok" } else { "no" }, v.fact)
        })
        .collect()
}

fn parse(text: &str) -> Option<Vec<Verdict>> {
    text.lines()
        .map(|line| {
            let mut parts = line.split('\t');
            Some(Verdict {
                ok: parts.next()? == "ok",
                fact: parts.next()?.to_string(),
                detail: parts.next()?.to_string(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no(fact: &str) -> Verdict {
        Verdict {
            fact: fact.into(),
            ok: false,
            detail: "off by\n9".into(),
        }
    }

    #[test]
    fn verdicts_are_read_as_written() {
        let verdicts = [no("float32 exp"), verdict("loops", Ok(()))];
        let back = parse(&print(&verdicts)).unwrap_or_default();
        assert_eq!(back[0].detail, "off by 9");
        assert_eq!(back[1], verdicts[1]);
        assert_eq!(parse("ok only"), None);
    }

    #[test]
    fn a_failure_says_what_follows() {
        assert_eq!(no("float32 exp").consequence(), "it is left to the CPU");
        assert_eq!(no("exact sums").consequence(), "nothing runs on this adapter");
        // Told, and nothing is forbidden.
        let denials = Denials::new(&[no(SUBNORMALS[0])]);
        assert!(denials.ops.is_empty() && denials.everything().is_ok());
    }

    #[test]
    fn failed_facts_forbid_what_needs_them() {
        let program = Probe::new(&[DType::F32]).program;
        let denials = Denials::new(&[no("float32 exp"), no("float64 add")]);
        let can = Abilities { f64: true, i64: true };
        assert_eq!(
            denials.limit(can),
            Abilities {
                f64: false,
                i64: true
            }
        );
        assert!(denials.check(&program, "fn tw_log(x: f32)").is_ok());
        assert!(denials.check(&program, "fn tw_exp(x: f32)").is_err());
        let all = Denials::new(&[no("loops")]);
        let why = all.check(&program, "").err().unwrap_or_default();
        assert!(why.contains("loops"), "{why}");
    }
}
