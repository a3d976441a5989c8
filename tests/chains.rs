//! Sums and products in random trees give the bits of their ops, however they are joined in loops.

#![allow(clippy::unwrap_used)]

use tilewise::Array;
use tilewise::session::{Config, DeviceChoice, Session, s};

/// One value of a tree: of earlier values.
#[derive(Clone, Copy, Debug)]
enum Value {
    Input(usize),
    Add(usize, usize),
    Subtract(usize, usize),
    Scaled(usize, f32),
}

/// A generator of equally likely numbers below `n`.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// A tree of so many ops over `inputs`; most values are used once and soon.
fn tree(draw: &mut Draw, inputs: usize, ops: usize) -> Vec<Value> {
    let mut values: Vec<Value> = (0..inputs).map(Value::Input).collect();
    for _ in 0..ops {
        let last = values.len() - 1;
        let other = draw.below(values.len());
        values.push(match draw.below(7) {
            0 | 1 => Value::Add(last, other),
            2 => Value::Add(other, last),
            3 => Value::Subtract(last, other),
            4 => Value::Subtract(other, last),
            5 => Value::Scaled(last, [4.0, -0.1, 0.5][draw.below(3)]),
            _ => Value::Scaled(other, [-6.0, 0.3, 1.0][draw.below(3)]),
        });
    }
    values
}

fn input(seed: u32, len: usize) -> Vec<f32> {
    let edges = [0.0, -0.0, f32::INFINITY, f32::NAN, f32::MAX, 1e-45, -1.0, 3.5];
    let drawn = move |i: u32| (i ^ seed.wrapping_mul(77)).wrapping_mul(2_654_435_761) as f32 / 1e9 - 2.0;
    (0..len as u32)
        .map(|i| {
            if i % 3 == 0 {
                edges[((i / 3 * seed) % 8) as usize]
            } else {
                drawn(i)
            }
        })
        .collect()
}

fn by_hand(values: &[Value], inputs: &[Vec<f32>], at: usize) -> Vec<f32> {
    let mut found: Vec<f32> = Vec::new();
    for value in values {
        found.push(match *value {
            Value::Input(i) => inputs[i][at],
            Value::Add(a, b) => found[a] + found[b],
            Value::Subtract(a, b) => found[a] - found[b],
            Value::Scaled(a, f) => found[a] * f,
        });
    }
    found
}

fn arrays(values: &[Value], inputs: &[Array]) -> Vec<Array> {
    let mut found: Vec<Array> = Vec::new();
    for value in values {
        found.push(match *value {
            Value::Input(i) => inputs[i].clone(),
            Value::Add(a, b) => (&found[a] + &found[b]).unwrap(),
            Value::Subtract(a, b) => (&found[a] - &found[b]).unwrap(),
            Value::Scaled(a, f) => (&found[a] * f64::from(f)).unwrap(),
        });
    }
    found
}

#[test]
fn random_sums_give_the_bits_of_their_ops() {
    let session = Session::new(Config {
        device: DeviceChoice::Cpu,
        threads: Some(1),
        ..Config::default()
    })
    .unwrap();
    let mut draw = Draw(5);
    for case in 0..400 {
        // Rows that are long and such as are not take other ways.
        let shape = [[1, 900], [45, 20]][case % 2];
        let count = 2 + draw.below(4);
        let inputs: Vec<Vec<f32>> = (1..=count as u32).map(|seed| input(seed, 900)).collect();
        let ops = 3 + draw.below(14);
        let values = tree(&mut draw, count, ops);
        let given: Vec<Array> = inputs
            .iter()
            .map(|values| Array::from_vec(&shape, values.clone()).unwrap())
            .collect();
        let made = arrays(&values, &given);
        let outputs = [values.len() - 1, values.len() - 2];
        // Alone, and beside another output that may need what is inside.
        let mut got = session.compute_many::<f32>(&outputs.map(|o| &made[o])).unwrap();
        got.push(session.compute::<f32>(&made[outputs[0]]).unwrap());
        let of = [outputs[0], outputs[1], outputs[0]];
        for at in 0..900 {
            let want = by_hand(&values, &inputs, at);
            for (got, &output) in got.iter().zip(&of) {
                let (got, want) = (got.iter().nth(at).copied().unwrap(), want[output]);
                let equal = got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan());
                assert!(
                    equal,
                    "{values:?}: value {output} at {at} is {got:e}, not {want:e}"
                );
            }
        }
    }
}

/// Planes of so many long rows that they are taken some at a time.
#[test]
fn a_stencil_over_planes_gives_every_row() {
    let shape = [5, 203, 300];
    let values = input(11, shape.iter().product());
    let session = Session::new(Config {
        device: DeviceChoice::Cpu,
        threads: Some(1),
        ..Config::default()
    })
    .unwrap();
    let x = Array::from_vec(&shape, values.clone()).unwrap();
    let part = |shifts: [isize; 3]| {
        let inner: Vec<_> = (0..3)
            .map(|axis| {
                let (from, to) = (1 + shifts[axis], shape[axis] as isize - 1 + shifts[axis]);
                s(Some(from), Some(to), None)
            })
            .collect();
        x.slice(&inner).unwrap()
    };
    let sides = [
        [-1, 0, 0],
        [1, 0, 0],
        [0, -1, 0],
        [0, 1, 0],
        [0, 0, -1],
        [0, 0, 1],
    ];
    let mut sum = part(sides[0]);
    for side in &sides[1..] {
        sum = (&sum + &part(*side)).unwrap();
    }
    let laplacian = (&sum - &(&part([0, 0, 0]) * 6.0).unwrap()).unwrap();
    let got = session.compute::<f32>(&laplacian).unwrap();
    let at = |i: [usize; 3], shift: [isize; 3]| {
        let place = |axis: usize| i[axis].wrapping_add_signed(1 + shift[axis]);
        values[(place(0) * shape[1] + place(1)) * shape[2] + place(2)]
    };
    for (i, &got) in got.indexed_iter() {
        let i = [i[0], i[1], i[2]];
        let sum = sides[1..]
            .iter()
            .fold(at(i, sides[0]), |sum, &side| sum + at(i, side));
        let want = sum - 6.0 * at(i, [0; 3]);
        assert!(
            got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan()),
            "{i:?}"
        );
    }
}
