//! Quantiles along an axis, by NumPy's methods.
//!
//! The methods and their names are those of `numpy.quantile`: nine of R. J. Hyndman and Y. Fan,
//! Sample quantiles in statistical packages, The American Statistician 50 (1996) 361, and four
//! others. Arithmetic is done in the result's dtype, step by step as NumPy does it for one number.

use super::lanes::Lanes;
use super::{Ordered, radix};
use crate::{Columns, ColumnsMut, DType, Element};
use half::{bf16, f16};

/// How a quantile that falls between two elements is made of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Method {
    /// Hyndman and Fan 1: the inverse of the distribution function.
    InvertedCdf,
    /// 2: as 1, averaged at jumps.
    AveragedInvertedCdf,
    /// 3: the nearest order statistic, even ones at ties.
    ClosestObservation,
    /// 4: interpolation of 1.
    InterpolatedInvertedCdf,
    /// 5: interpolation at the middle of steps.
    Hazen,
    /// 6: expected ranks of a uniform distribution.
    Weibull,
    /// 7: ranks from the first to the last element; the default.
    Linear,
    /// 8: about the median whatever the distribution.
    MedianUnbiased,
    /// 9: about the mean of a normal distribution.
    NormalUnbiased,
    /// The element below the place of [`Method::Linear`].
    Lower,
    /// The element above it.
    Higher,
    /// The middle of these two.
    Midpoint,
    /// The nearer of these two, even places at ties.
    Nearest,
}

impl Method {
    /// Every method, with NumPy's name.
    pub const ALL: [(Method, &'static str); 13] = [
        (Method::InvertedCdf, "inverted_cdf"),
        (Method::AveragedInvertedCdf, "averaged_inverted_cdf"),
        (Method::ClosestObservation, "closest_observation"),
        (Method::InterpolatedInvertedCdf, "interpolated_inverted_cdf"),
        (Method::Hazen, "hazen"),
        (Method::Weibull, "weibull"),
        (Method::Linear, "linear"),
        (Method::MedianUnbiased, "median_unbiased"),
        (Method::NormalUnbiased, "normal_unbiased"),
        (Method::Lower, "lower"),
        (Method::Higher, "higher"),
        (Method::Midpoint, "midpoint"),
        (Method::Nearest, "nearest"),
    ];

    /// The method of that name.
    pub fn parse(name: &str) -> Option<Method> {
        Method::ALL.iter().find(|(_, n)| *n == name).map(|(m, _)| *m)
    }

    /// Whether its results are elements, so that they have their dtype.
    pub fn picks(self) -> bool {
        use Method::{ClosestObservation, Higher, InvertedCdf, Lower, Nearest};
        matches!(self, InvertedCdf | ClosestObservation | Lower | Higher | Nearest)
    }

    /// Where the quantile `q` of `n` elements in order lies.
    fn place(self, n: usize, q: f64) -> Place {
        let count = n as f64;
        // Parameters of `n q + (alpha + q (1 - alpha - beta)) - 1`, in NumPy's order of rounding.
        let ranked = |alpha: f64, beta: f64| count * q + (alpha + q * (1.0 - alpha - beta)) - 1.0;
        let linear = (count - 1.0) * q;
        // The element below the index where `below` says so of its fraction, else the next one.
        let pick = |index: f64, below: &dyn Fn(f64) -> bool| {
            let floor = index.floor();
            Place::at(if below(index - floor) { floor } else { floor + 1.0 }, n)
        };
        match self {
            Method::InvertedCdf => pick(count * q - 1.0, &|part| part == 0.0),
            Method::ClosestObservation => {
                let index = count * q - 1.0 - 0.5;
                pick(index, &|part| part == 0.0 && index.floor().rem_euclid(2.0) == 1.0)
            }
            Method::Lower => Place::at(linear.floor(), n),
            Method::Higher => Place::at(linear.ceil(), n),
            Method::Nearest => Place::at(linear.round_ties_even(), n),
            Method::AveragedInvertedCdf => {
                Place::between(count * q - 1.0, n, |part, _| if part == 0.0 { 0.5 } else { 1.0 })
            }
            Method::Midpoint => Place::between(0.5 * (linear.floor() + linear.ceil()), n, |_, index| {
                if index.fract() == 0.0 { 0.0 } else { 0.5 }
            }),
            Method::InterpolatedInvertedCdf => Place::between(ranked(0.0, 1.0), n, |part, _| part),
            Method::Hazen => Place::between(ranked(0.5, 0.5), n, |part, _| part),
            Method::Weibull => Place::between(ranked(0.0, 0.0), n, |part, _| part),
            Method::Linear => Place::between(linear, n, |part, _| part),
            Method::MedianUnbiased => Place::between(ranked(1.0 / 3.0, 1.0 / 3.0), n, |part, _| part),
            Method::NormalUnbiased => Place::between(ranked(3.0 / 8.0, 3.0 / 8.0), n, |part, _| part),
        }
    }
}

/// Where a quantile lies: at an element, between two with a weight of the second, or in the middle.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Place {
    /// The place of the element below.
    pub low: usize,
    /// That of the one above.
    pub high: usize,
    /// What is made of both.
    pub blend: Blend,
}

/// How a quantile is made of two elements.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Blend {
    /// It is the lower one.
    Low,
    /// Between them, with this weight of the upper one.
    Weight(f64),
    /// Their mean.
    Middle,
}

impl Place {
    fn at(index: f64, n: usize) -> Place {
        let low = (index.max(0.0) as usize).min(n - 1);
        Place {
            low,
            high: low,
            blend: Blend::Low,
        }
    }

    /// Beyond the ends both elements are the last one there; the weight then counts from NumPy's
    /// index for it, which is -1 at the upper end, and matters for infinities alone.
    fn between(index: f64, n: usize, weight: impl Fn(f64, f64) -> f64) -> Place {
        let (low, high, from) = if index >= (n - 1) as f64 {
            (n - 1, n - 1, -1.0)
        } else if index < 0.0 {
            (0, 0, 0.0)
        } else {
            let floor = index.floor();
            (floor as usize, floor as usize + 1, floor)
        };
        Place {
            low,
            high,
            blend: Blend::Weight(weight(index - from, index)),
        }
    }
}

/// What is asked of the elements of a column.
#[derive(Clone, PartialEq, Debug)]
pub enum QuantileRule {
    /// Quantiles, each from 0 to 1.
    At(Vec<f64>, Method),
    /// The middle element, or the mean of the two.
    Median,
}

impl QuantileRule {
    /// The number of results.
    pub fn count(&self) -> usize {
        match self {
            QuantileRule::At(qs, _) => qs.len(),
            QuantileRule::Median => 1,
        }
    }

    /// Whether its results are elements.
    pub fn picks(&self) -> bool {
        matches!(self, QuantileRule::At(_, method) if method.picks())
    }

    /// The dtype of the results for elements of `dtype`: theirs for floats and for methods that
    /// pick elements, else f64.
    pub fn result(&self, dtype: DType) -> DType {
        match self.picks() || dtype.is_float() {
            true => dtype,
            false => DType::F64,
        }
    }

    /// Where each result lies among `n` elements in order, of which there must be one.
    pub fn places(&self, n: usize) -> Vec<Place> {
        match self {
            QuantileRule::At(qs, method) => qs.iter().map(|&q| method.place(n, q)).collect(),
            QuantileRule::Median => vec![Place {
                low: (n - 1) / 2,
                high: n / 2,
                blend: Blend::Middle,
            }],
        }
    }
}

/// Elements that quantiles are made of.
pub trait Quantiles: Ordered {
    /// The type of interpolated results.
    type Blended: Element;
    /// `(1 - weight) low + weight high`, rounded where NumPy rounds.
    fn blend(low: Self, high: Self, weight: f64) -> Self::Blended;
    /// The mean of both.
    fn middle(low: Self, high: Self) -> Self::Blended;
    /// What stands where no element is, as an element; never asked for where NaN is none.
    fn missing() -> Self;
}

// Arithmetic of half floats is that of f32, rounded each time.
macro_rules! floats {
    ($($t:ident: $to:expr, $wide:expr, $narrow:expr;)*) => {$(
        impl Quantiles for $t {
            type Blended = $t;
            #[inline]
            fn blend(low: $t, high: $t, weight: f64) -> $t {
                let step = high - low;
                if weight < 0.5 { low + step * $to(weight) } else { high - step * $to(1.0 - weight) }
            }
            #[inline]
            fn middle(low: $t, high: $t) -> $t {
                $narrow(($wide(low) + $wide(high)) / 2.0)
            }
            fn missing() -> $t { $t::NAN }
        }
    )*};
}
floats! {
    f16: f16::from_f64, f16::to_f32, f16::from_f32;
    bf16: bf16::from_f64, bf16::to_f32, bf16::from_f32;
    f32: (|w: f64| w as f32), f32::from, f32::from;
    f64: f64::from, f64::from, f64::from;
}

macro_rules! integers {
    ($($t:ident)*) => {$(
        impl Quantiles for $t {
            type Blended = f64;
            #[inline]
            fn blend(low: $t, high: $t, weight: f64) -> f64 {
                let step = (i128::from(high) - i128::from(low)) as f64;
                if weight < 0.5 { low as f64 + step * weight } else { high as f64 - step * (1.0 - weight) }
            }
            #[inline]
            fn middle(low: $t, high: $t) -> f64 {
                (low as f64 + high as f64) / 2.0
            }
            fn missing() -> $t { 0 }
        }
    )*};
}
integers! { i8 i16 i32 i64 u8 u16 u32 u64 }

impl Quantiles for bool {
    type Blended = f64;
    fn blend(low: bool, high: bool, weight: f64) -> f64 {
        u8::blend(low.into(), high.into(), weight)
    }
    fn middle(low: bool, high: bool) -> f64 {
        u8::middle(low.into(), high.into())
    }
    fn missing() -> bool {
        false
    }
}

/// Beyond so many places a lane is sorted instead.
const MANY: usize = 24;

/// Room for the lanes of elements and results.
pub type QuantileRoom<T, U> = Lanes<<T as Ordered>::Key, <U as Element>::Stored>;

/// Quantiles of each column by a rule that interpolates, as many as `to` is long. A NaN makes all
/// of them NaN, or with `skipna` is left out; then a column of nothing else gives NaN.
///
/// # Panics
/// When columns have no element.
pub fn quantile<T: Quantiles>(
    from: Columns<'_, T::Stored>,
    to: ColumnsMut<'_, <T::Blended as Element>::Stored>,
    rule: &QuantileRule,
    skipna: bool,
    room: &mut QuantileRoom<T, T::Blended>,
) {
    let make = |low: T, high: T, blend| match blend {
        Blend::Weight(weight) => T::blend(low, high, weight),
        Blend::Low | Blend::Middle => T::middle(low, high),
    };
    each_column::<T, T::Blended>(from, to, rule, skipna, room, make);
}

/// Quantiles of each column by a rule that picks elements, otherwise as [`quantile`].
///
/// # Panics
/// When columns have no element.
pub fn pick<T: Quantiles>(
    from: Columns<'_, T::Stored>,
    to: ColumnsMut<'_, T::Stored>,
    rule: &QuantileRule,
    skipna: bool,
    room: &mut QuantileRoom<T, T>,
) {
    each_column::<T, T>(from, to, rule, skipna, room, |low, _, _| low);
}

fn each_column<T: Quantiles, U: Element>(
    from: Columns<'_, T::Stored>,
    mut to: ColumnsMut<'_, U::Stored>,
    rule: &QuantileRule,
    skipna: bool,
    room: &mut QuantileRoom<T, U>,
    make: impl Fn(T, T, Blend) -> U,
) {
    assert!(from.len() > 0, "quantiles of nothing");
    let (mut places, mut wanted) = (Vec::new(), Vec::new());
    let mut known = None;
    let load = |value, _| T::key(value);
    room.each(from, &mut to, load, |lane, spare, out| {
        let missing: usize = match T::DTYPE.is_float() {
            true => lane.iter().map(|&key| usize::from(T::nan_key(key))).sum(),
            false => 0,
        };
        let n = lane.len() - missing;
        if n == 0 || (missing > 0 && !skipna) {
            return out.fill(make(T::missing(), T::missing(), Blend::Middle).store());
        }
        if known != Some(n) {
            places = rule.places(n);
            wanted = places.iter().flat_map(|p| [p.low, p.high]).collect();
            wanted.sort_unstable();
            wanted.dedup();
            known = Some(n);
        }
        if wanted.len() < MANY {
            radix::select(lane, &wanted);
        } else {
            radix::sort(lane, spare);
        }
        let element = |at: usize| T::load(T::from_key(lane[at]));
        for (slot, place) in out.iter_mut().zip(&places) {
            *slot = make(element(place.low), element(place.high), place.blend).store();
        }
    });
}
