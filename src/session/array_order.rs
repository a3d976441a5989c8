//! Sorting, selecting, searching and counting of arrays, named as in NumPy and Dask.

use super::array::Array;
use crate::expr::order::{BinSpec, Order};
use crate::{Error, Result};
use tilewise_kernels::DType;
use tilewise_kernels::order::{Method, QuantileRule, Side};

impl Array {
    /// Sorted along `axis`: rising, NaN last. Shape and dtype stay.
    ///
    /// ```
    /// use tilewise::Array;
    /// let x = Array::from_vec(&[2, 3], vec![3.0f32, f32::NAN, 1.0, -0.5, 9.0, 2.0])?;
    /// let sorted = x.sort(-1)?.compute::<f32>()?;
    /// assert_eq!((sorted[[0, 0]], sorted[[1, 2]], sorted[[0, 2]].is_nan()), (1.0, 9.0, true));
    /// assert_eq!(x.argsort(0)?.compute::<i64>()?.into_raw_vec_and_offset().0, [1, 1, 0, 0, 0, 1]);
    /// # Ok::<(), tilewise::Error>(())
    /// ```
    ///
    /// # Errors
    /// An axis out of range.
    pub fn sort(&self, axis: isize) -> Result<Array> {
        self.ordered(Order::Sort, false, axis)
    }

    /// The indices that sort along `axis`, I64; equal elements keep their order.
    ///
    /// # Errors
    /// An axis out of range, or longer than 2^32 - 1.
    pub fn argsort(&self, axis: isize) -> Result<Array> {
        self.ordered(Order::Sort, true, axis)
    }

    /// Partly sorted along `axis`: at each of the places `kth` stands what sorting puts there, with
    /// none larger before it and none smaller behind it.
    ///
    /// # Errors
    /// An axis or a place out of range; negative places count from the end.
    pub fn partition(&self, kth: &[isize], axis: isize) -> Result<Array> {
        self.ordered(Order::Partition(self.places(kth, axis)?), false, axis)
    }

    /// The indices of a [`Array::partition`], I64.
    ///
    /// # Errors
    /// As there.
    pub fn argpartition(&self, kth: &[isize], axis: isize) -> Result<Array> {
        self.ordered(Order::Partition(self.places(kth, axis)?), true, axis)
    }

    /// The `k` largest elements along `axis`, the largest first, or for a negative `k` the `-k`
    /// smallest, rising (Dask's `topk`). NaN counts as largest. A shorter axis gives all it has.
    ///
    /// # Errors
    /// An axis out of range.
    pub fn topk(&self, k: isize, axis: isize) -> Result<Array> {
        self.ordered(top(k), false, axis)
    }

    /// The indices of [`Array::topk`], I64; of equal elements those that come first.
    ///
    /// # Errors
    /// An axis out of range, or longer than 2^32 - 1.
    pub fn argtopk(&self, k: isize, axis: isize) -> Result<Array> {
        self.ordered(top(k), true, axis)
    }

    fn ordered(&self, order: Order, indices: bool, axis: isize) -> Result<Array> {
        self.expr().ordered(order, indices, axis).map(Array::from_expr)
    }

    /// Places along an axis, of which negative ones count from its end.
    fn places(&self, kth: &[isize], axis: isize) -> Result<Vec<usize>> {
        let len = self.shape()[crate::geometry::normalize_axis(axis, self.rank())?] as isize;
        let place = |&k: &isize| match k {
            k if (-len..0).contains(&k) => Ok((k + len) as usize),
            k if (0..len).contains(&k) => Ok(k as usize),
            k => Err(Error::invalid(format!(
                "partition: place {k} of an axis of extent {len}"
            ))),
        };
        kth.iter().map(place).collect()
    }

    /// Quantiles over `axes` (all when `None`) along a new first axis, one for each of `qs` from 0
    /// to 1. Floats keep their dtype, and so does every dtype with a method that picks elements;
    /// other results are F64. Each is what NumPy gives for that one number. NaN makes results NaN
    /// unless `skipna` leaves it out. `keepdims` leaves reduced axes with extent 1.
    ///
    /// ```
    /// use tilewise::Array;
    /// use tilewise::kernels::order::Method;
    /// let x = Array::from_vec(&[2, 4], vec![1.0f32, 2.0, 3.0, 4.0, 8.0, 6.0, f32::NAN, 7.0])?;
    /// let q = x.quantile(&[0.5, 0.9], Some(&[1]), Method::Linear, true, false)?.compute::<f32>()?;
    /// assert_eq!((q.shape(), q[[0, 0]], q[[0, 1]]), (&[2, 2][..], 2.5, 7.0));
    /// let median = x.median(Some(&[1]), false, false)?.compute::<f32>()?;
    /// assert!(median[[0]] == 2.5 && median[[1]].is_nan());
    /// # Ok::<(), tilewise::Error>(())
    /// ```
    ///
    /// # Errors
    /// A number that is not from 0 to 1; an axis out of range, named twice, or without element.
    pub fn quantile(
        &self,
        qs: &[f64],
        axes: Option<&[isize]>,
        method: Method,
        skipna: bool,
        keepdims: bool,
    ) -> Result<Array> {
        let rule = QuantileRule::At(qs.to_vec(), method);
        self.expr()
            .quantiles(rule, axes, skipna, keepdims)
            .map(Array::from_expr)
    }

    /// Percentiles: [`Array::quantile`] for numbers from 0 to 100.
    ///
    /// # Errors
    /// As there.
    pub fn percentile(
        &self,
        ps: &[f64],
        axes: Option<&[isize]>,
        method: Method,
        skipna: bool,
        keepdims: bool,
    ) -> Result<Array> {
        let qs: Vec<f64> = ps.iter().map(|p| p / 100.0).collect();
        self.quantile(&qs, axes, method, skipna, keepdims)
    }

    /// The middle element over `axes` (all when `None`), or the mean of the two. Floats keep their
    /// dtype, other results are F64. NaN makes it NaN unless `skipna` leaves it out.
    ///
    /// # Errors
    /// An axis out of range, named twice, or without element.
    pub fn median(&self, axes: Option<&[isize]>, skipna: bool, keepdims: bool) -> Result<Array> {
        let rule = QuantileRule::Median;
        self.expr()
            .quantiles(rule, axes, skipna, keepdims)
            .map(Array::from_expr)
    }

    /// For each of `values`, how many elements of this array, which has one axis and rises, stand
    /// before it; with [`Side::Right`] also those equal to it. I64, shaped as `values`.
    ///
    /// # Errors
    /// When the array has not one axis.
    pub fn searchsorted(&self, values: &Array, side: Side) -> Result<Array> {
        self.expr()
            .searchsorted(values.expr(), side)
            .map(Array::from_expr)
    }

    /// For each element the number of its bin between rising or falling `edges`, I64: 0 before the
    /// first, as many as there are edges behind the last. With `right` bins hold their right edge.
    ///
    /// # Errors
    /// When edges neither rise nor fall.
    pub fn digitize(&self, edges: &[f64], right: bool) -> Result<Array> {
        self.expr().digitize(edges, right).map(Array::from_expr)
    }

    /// How many elements fall into each bin (I64), or the sum of their weights (F64), and the edges
    /// of the bins (F64). Bins hold their left edge, the last one both; NaN falls into none.
    ///
    /// ```
    /// use tilewise::Array;
    /// use tilewise::expr::order::BinSpec;
    /// let x = Array::from_vec(&[5], vec![0.0f32, 0.1, 0.25, 0.9, 1.0])?;
    /// let (counts, edges) = x.histogram(&BinSpec::Between(4, 0.0, 1.0), None)?;
    /// assert_eq!(counts.compute::<i64>()?.into_raw_vec_and_offset().0, [2, 1, 0, 2]);
    /// assert_eq!(edges.compute::<f64>()?[[1]], 0.25);
    /// # Ok::<(), tilewise::Error>(())
    /// ```
    ///
    /// # Errors
    /// No bin; edges that do not rise; weights that do not broadcast to the array. When it is
    /// computed: a range that is not finite.
    pub fn histogram(&self, bins: &BinSpec, weights: Option<&Array>) -> Result<(Array, Array)> {
        let (counts, edges) = self.expr().histogram(bins, weights.map(Array::expr))?;
        Ok((Array::from_expr(counts), Array::from_expr(edges)))
    }

    /// The density that a histogram of these `counts` and `edges` stands for: its integral is 1.
    ///
    /// # Errors
    /// When there is not one edge more than counts.
    pub fn density(counts: &Array, edges: &Array) -> Result<Array> {
        use super::array_shape::s;
        let upper = edges.slice(&[s(Some(1), None, None)])?;
        let widths = (&upper - &edges.slice(&[s(None, Some(-1), None)])?)?;
        let counts = counts.astype(DType::F64);
        &(&counts / &widths)? / &counts.sum(&[0])?
    }

    /// How often each number from 0 to below `length` occurs among integers (I64), or the sum of
    /// their weights (F64).
    ///
    /// # Errors
    /// An array of floats; weights that do not broadcast to it. When it is computed: a number that
    /// is negative or not below `length`.
    pub fn bincount(&self, length: usize, weights: Option<&Array>) -> Result<Array> {
        self.expr()
            .bincount(length, weights.map(Array::expr))
            .map(Array::from_expr)
    }
}

/// What `k` asks for, by its sign.
fn top(k: isize) -> Order {
    match k {
        k if k < 0 => Order::Smallest(k.unsigned_abs()),
        k => Order::Largest(k.unsigned_abs()),
    }
}
