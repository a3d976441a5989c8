//! Quantiles, sorting and histograms over dimensions named.

use super::attributes::{after_counting, after_quantile};
use super::coord::{Coord, CoordData};
use super::data_array::DataArray;
use super::index::{Index, Values};
use super::pick::Pick;
use crate::expr::order::{BinSpec, Order};
use crate::{Error, Result};
use tilewise_kernels::order::{Method, QuantileRule};

/// What is asked of a quantile or median beside the numbers.
#[derive(Clone, Debug, Default)]
pub struct QuantileOptions {
    /// Dimensions to choose along; all of them when `None`.
    pub dims: Option<Vec<String>>,
    /// Whether NaN is left out; `None` means for floats, as xarray.
    pub skipna: Option<bool>,
    /// Whether these dimensions stay with size 1.
    pub keepdims: bool,
}

/// The numbers of a quantile.
#[derive(Clone, PartialEq, Debug)]
pub enum Probability {
    /// One, which becomes a coordinate without dimension.
    One(f64),
    /// Several, along the new first dimension `quantile`.
    Several(Vec<f64>),
}

/// The name of the dimension and coordinate of quantiles.
const QUANTILE: &str = "quantile";

impl DataArray {
    /// Quantiles over dimensions, with a coordinate `quantile`.
    ///
    /// # Errors
    /// A dimension that is not there or named twice, no element to choose from, or a number that is
    /// not from 0 to 1.
    pub fn quantile(&self, q: &Probability, method: Method, options: &QuantileOptions) -> Result<DataArray> {
        if self.dims().iter().any(|d| d == QUANTILE) {
            return Err(Error::invalid(format!(
                "{} has a dimension {QUANTILE} already; rename it first",
                self.describe()
            )));
        }
        let (qs, dims) = match q {
            Probability::One(q) => (vec![*q], vec![]),
            Probability::Several(qs) => (qs.clone(), vec![QUANTILE.to_string()]),
        };
        let out = self.chosen(QuantileRule::At(qs.clone(), method), options)?;
        let single = dims.is_empty();
        let coord = Coord::new(
            dims.clone(),
            CoordData::Index(Index::floats(qs).shared()),
            Default::default(),
        );
        let expr = match single {
            true => out.expr().squeeze(Some(&[0]))?,
            false => out.expr().clone(),
        };
        let mut coords = out.coords().clone();
        coords.retain(|(name, _)| name != QUANTILE);
        coords.push((QUANTILE.to_string(), coord));
        let names = dims.into_iter().chain(out.dims()[1..].iter().cloned()).collect();
        DataArray::new(self.name(), expr, names, coords, out.attrs().clone())
    }

    /// The median over dimensions.
    ///
    /// # Errors
    /// A dimension that is not there or named twice, or no element to choose from.
    pub fn median(&self, options: &QuantileOptions) -> Result<DataArray> {
        self.chosen(QuantileRule::Median, options)
    }

    /// The array of a rule; several quantiles lie along a first dimension.
    fn chosen(&self, rule: QuantileRule, options: &QuantileOptions) -> Result<DataArray> {
        let dims: Vec<String> = options.dims.clone().unwrap_or_else(|| self.dims().to_vec());
        let axes: Vec<isize> = dims
            .iter()
            .map(|d| Ok(self.axis(d)? as isize))
            .collect::<Result<_>>()?;
        let skipna = options.skipna.unwrap_or(true) && self.dtype().is_float();
        let median = rule == QuantileRule::Median;
        let expr = self
            .expr()
            .quantiles(rule, Some(&axes), skipna, options.keepdims)?;
        let kept = self
            .dims()
            .iter()
            .filter(|d| options.keepdims || !dims.contains(d));
        let first = (!median).then(|| QUANTILE.to_string());
        let names = first.into_iter().chain(kept.cloned()).collect();
        let attrs = after_quantile(self.attrs(), median, &dims);
        DataArray::new(self.name(), expr, names, self.coords_without(&dims), attrs)
    }

    /// Elements along a dimension in an order, or their places; coordinates along it go.
    ///
    /// # Errors
    /// A dimension that is not there.
    pub fn ordered(&self, order: Order, indices: bool, dim: &str) -> Result<DataArray> {
        let expr = self.expr().ordered(order, indices, self.axis(dim)? as isize)?;
        let coords = self.coords_without(&[dim.to_string()]);
        let attrs = if indices {
            Default::default()
        } else {
            self.attrs().clone()
        };
        DataArray::new(self.name(), expr, self.dims().to_vec(), coords, attrs)
    }

    /// The array with a dimension in the order of its labels; equal ones keep theirs.
    ///
    /// # Errors
    /// When there is no such dimension, or it has no coordinate.
    pub fn sortby(&self, dim: &str, ascending: bool) -> Result<DataArray> {
        let index = self.labels(dim)?;
        let mut places: Vec<usize> = (0..index.len()).collect();
        match &index.values {
            Values::Text(texts) => places.sort_by(|&a, &b| texts[a].cmp(&texts[b])),
            Values::Int(ints) => places.sort_by_key(|&a| ints[a]),
            Values::Float(floats) => places.sort_by(|&a, &b| {
                let (x, y) = (floats[a], floats[b]);
                x.partial_cmp(&y).unwrap_or_else(|| x.is_nan().cmp(&y.is_nan()))
            }),
        }
        if !ascending {
            places.reverse();
        }
        self.pick(dim, &Pick::List(places.into()))
    }

    /// How many elements fall into each bin, along the one dimension `bin`, whose coordinate holds
    /// the middles of the bins.
    ///
    /// # Errors
    /// Bins that are not known before the array is computed; see [`crate::Array::histogram`].
    pub fn histogram(&self, bins: &BinSpec, weights: Option<&DataArray>) -> Result<DataArray> {
        let edges = bins.edges(self.dtype())?.ok_or_else(|| {
            Error::invalid("histogram needs the range of its bins, as in histogram(x, bins=20, range=[0, 1])")
        })?;
        let weights = match weights {
            Some(weights) if weights.dims() == self.dims() => Some(weights.expr()),
            Some(weights) => {
                return Err(Error::invalid(format!(
                    "histogram: weights {} must have the dimensions of {}",
                    weights.describe(),
                    self.describe()
                )));
            }
            None => None,
        };
        let (counts, _) = self.expr().histogram(&BinSpec::Edges(edges.clone()), weights)?;
        let middles = edges.windows(2).map(|w| w[0] + (w[1] - w[0]) / 2.0).collect();
        let coord = Coord::along("bin", Index::floats(middles), after_counting(self.attrs()));
        let coords = vec![("bin".to_string(), coord)];
        DataArray::new(
            self.name(),
            counts,
            vec!["bin".into()],
            coords,
            Default::default(),
        )
    }
}
