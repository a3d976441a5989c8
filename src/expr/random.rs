//! Random arrays: every element is a function of its place and a key, so blocks are drawn in any order,
//! on any device, and are never stored.
//!
//! The bits are NumPy's: element number `i` in row-major order takes the words of
//! `numpy.random.Philox(key=key)` that `numpy.random.Generator` would give the `i`-th draw.

use super::Expr;
use super::create::named;
use crate::geometry::{checked_bytes, row_major_strides};
use crate::{Error, Result};
use tilewise_kernels::{DType, Scalar};

impl Expr {
    /// Uniform numbers in `[0, 1)` of that shape, F32 or F64: the values of
    /// `numpy.random.Generator(numpy.random.Philox(key=key)).random(shape, dtype)`, to the bit.
    ///
    /// # Errors
    /// Another dtype; a size that does not fit 64 bits.
    pub fn random(shape: &[usize], key: u64, dtype: DType) -> Result<Expr> {
        let index = element_index(shape)?;
        match dtype {
            DType::F64 => {
                let word = philox(&index, key)?;
                let bits = op("bitwise_right_shift", &[word, word_of(11)])?;
                scaled(bits, DType::F64, 2f64.powi(-53))
            }
            DType::F32 => {
                let bits = op("bitwise_right_shift", &[half_word(&index, key)?, word_of(8)])?;
                scaled(bits, DType::F32, 2f64.powi(-24))
            }
            other => Err(Error::invalid(format!(
                "random numbers of {other}: float32 and float64 are there; use astype on the result"
            ))),
        }
    }

    /// Normal numbers of mean 0 and variance 1, F32 or F64, by the Box–Muller transform of the two
    /// uniform draws that two neighbours share: `sqrt(-2 ln(1 - u))` times the cosine or, for odd
    /// elements, the sine of `2 π v`. F32 numbers are drawn from 32 bits each and reach 6.6.
    ///
    /// # Errors
    /// As [`Expr::random`].
    pub fn standard_normal(shape: &[usize], key: u64, dtype: DType) -> Result<Expr> {
        let index = element_index(shape)?;
        let odd = op("bitwise_and", &[index.clone(), word_of(1)])?;
        let first = op("subtract", &[index, odd.clone()])?;
        let second = op("add", &[first.clone(), word_of(1)])?;
        // `1 - u` is never 0: it is the draw counted from 1.
        let (low, high) = match dtype {
            DType::F64 => {
                let draw = |at: &Expr| op("bitwise_right_shift", &[philox(at, key)?, word_of(11)]);
                let unit = 2f64.powi(-53);
                let from_one = op("add", &[draw(&first)?, word_of(1)])?;
                (
                    scaled(from_one, dtype, unit)?,
                    scaled(draw(&second)?, dtype, unit)?,
                )
            }
            DType::F32 => {
                let unit = 2f64.powi(-32);
                let from_one = op("add", &[half_word(&first, key)?, word_of(1)])?;
                let angle = op("bitwise_right_shift", &[half_word(&second, key)?, word_of(8)])?;
                (
                    scaled(from_one, dtype, unit)?,
                    scaled(angle, dtype, 2f64.powi(-24))?,
                )
            }
            other => {
                return Err(Error::invalid(format!(
                    "normal numbers of {other}: float32 and float64 are there; use astype on the result"
                )));
            }
        };
        let constant = |value: f64| match dtype {
            DType::F32 => Expr::scalar(Scalar::new(value as f32)),
            _ => Expr::scalar(Scalar::new(value)),
        };
        let squares = op("multiply", &[op("log", &[low])?, constant(-2.0)])?;
        let radius = op("sqrt", &[squares])?;
        let angle = op("multiply", &[high, constant(std::f64::consts::TAU)])?;
        let is_odd = op("not_equal", &[odd, word_of(0)])?;
        let wave = op(
            "where",
            &[
                is_odd,
                op("sin", std::slice::from_ref(&angle))?,
                op("cos", std::slice::from_ref(&angle))?,
            ],
        )?;
        op("multiply", &[radius, wave])
    }
}

fn op(name: &str, args: &[Expr]) -> Result<Expr> {
    Expr::op(named(name)?, args)
}

fn word_of(value: u64) -> Expr {
    Expr::scalar(Scalar::new(value))
}

/// The number of each element in row-major order, U64.
fn element_index(shape: &[usize]) -> Result<Expr> {
    checked_bytes(shape, 8)?;
    let mut sum = Expr::full(shape, Scalar::new(0u64))?;
    for (axis, stride) in row_major_strides(shape).into_iter().enumerate() {
        let index = Expr::index(shape, axis)?.cast(DType::U64);
        let part = op("multiply", &[index, word_of(stride as u64)])?;
        sum = op("add", &[sum, part])?;
    }
    Ok(sum)
}

/// The words of the generator at some places.
fn philox(index: &Expr, key: u64) -> Result<Expr> {
    op("philox", &[index.clone(), word_of(key)])
}

/// The lower half of a word for even places, the upper for odd ones, as NumPy draws 32 bits.
fn half_word(index: &Expr, key: u64) -> Result<Expr> {
    let word = philox(&op("bitwise_right_shift", &[index.clone(), word_of(1)])?, key)?;
    let odd = op("bitwise_and", &[index.clone(), word_of(1)])?;
    let shift = op("bitwise_left_shift", &[odd, word_of(5)])?;
    let half = op("bitwise_right_shift", &[word, shift])?;
    op("bitwise_and", &[half, word_of(0xffff_ffff)])
}

/// Whole numbers in `dtype`, times `unit`.
fn scaled(bits: Expr, dtype: DType, unit: f64) -> Result<Expr> {
    let unit = match dtype {
        DType::F32 => Scalar::new(unit as f32),
        _ => Scalar::new(unit),
    };
    op("multiply", &[bits.cast(dtype), Expr::scalar(unit)])
}
