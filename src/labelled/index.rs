//! The values along a dimension, in memory: what labels are looked up in and compared with.
//!
//! An index is small beside the arrays it labels, so it is kept whole. Times stay the numbers of
//! the file with their units beside them.

use super::cftime::{Field, Moment, TimeUnits};
use super::pick::Pick;
use crate::{DType, Error, Result};
use std::collections::HashMap;
use std::sync::Arc;
use tilewise_kernels::Literal;

/// The values of an index.
#[derive(Clone, PartialEq, Debug)]
pub enum Values {
    /// Floats.
    Float(Vec<f64>),
    /// Integers (u64 beyond i64 are not indexed).
    Int(Vec<i64>),
    /// Names.
    Text(Vec<String>),
}

/// What a grouped dimension was made from, so that a group's result finds its members again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupKey {
    /// The dimension that was grouped.
    pub dim: String,
    /// The coordinate along it whose values tell the group.
    pub coord: String,
    /// The field of a time coordinate, or `None` for the coordinate's own values.
    pub field: Option<Field>,
}

/// The labels of one dimension, or of one place along it.
#[derive(Clone, PartialEq, Debug)]
pub struct Index {
    /// The labels.
    pub values: Values,
    /// The stored dtype; `None` for text.
    pub dtype: Option<DType>,
    /// Units and calendar where the labels are times.
    pub time: Option<TimeUnits>,
    /// Set on the dimension of a group-by's result.
    pub group: Option<GroupKey>,
}

/// A label as asked for.
#[derive(Clone, PartialEq, Debug)]
pub enum Label {
    /// A number.
    Number(f64),
    /// A name or a date.
    Text(String),
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Label::Number(value) => write!(f, "{value}"),
            Label::Text(text) => write!(f, "{text:?}"),
        }
    }
}

impl Values {
    /// Number of labels.
    pub fn len(&self) -> usize {
        match self {
            Values::Float(v) => v.len(),
            Values::Int(v) => v.len(),
            Values::Text(v) => v.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labels at these places.
    fn at(&self, places: &[usize]) -> Values {
        match self {
            Values::Float(v) => Values::Float(places.iter().map(|&i| v[i]).collect()),
            Values::Int(v) => Values::Int(places.iter().map(|&i| v[i]).collect()),
            Values::Text(v) => Values::Text(places.iter().map(|&i| v[i].clone()).collect()),
        }
    }
}

impl Index {
    /// Integer labels.
    pub fn ints(values: Vec<i64>) -> Index {
        Index {
            values: Values::Int(values),
            dtype: Some(DType::I64),
            time: None,
            group: None,
        }
    }

    /// Names.
    pub fn texts(values: Vec<String>) -> Index {
        Index {
            values: Values::Text(values),
            dtype: None,
            time: None,
            group: None,
        }
    }

    /// Floats.
    pub fn floats(values: Vec<f64>) -> Index {
        Index {
            values: Values::Float(values),
            dtype: Some(DType::F64),
            time: None,
            group: None,
        }
    }

    /// Number of labels.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The index of picked places.
    pub fn pick(&self, pick: &Pick) -> Index {
        Index {
            values: self.values.at(&pick.places()),
            ..self.clone()
        }
    }

    /// Label number `at` as a number; NaN for text.
    pub fn number(&self, at: usize) -> f64 {
        match &self.values {
            Values::Float(v) => v[at],
            Values::Int(v) => v[at] as f64,
            Values::Text(_) => f64::NAN,
        }
    }

    /// Label number `at` as a moment, where labels are times.
    pub fn moment(&self, at: usize) -> Option<Moment> {
        let units = self.time.as_ref()?;
        match &self.values {
            Values::Float(v) => units.decode(v[at]),
            Values::Int(v) => units.decode_integer(v[at]),
            Values::Text(_) => None,
        }
    }

    /// Label number `at` for messages: a date for times.
    pub fn show(&self, at: usize) -> String {
        match (self.moment(at), &self.values) {
            (Some(moment), _) => moment.to_string(),
            (None, Values::Float(v)) => match self.dtype {
                Some(DType::F32) => format!("{}", v[at] as f32),
                _ => format!("{}", v[at]),
            },
            (None, Values::Int(v)) => format!("{}", v[at]),
            (None, Values::Text(v)) => v[at].clone(),
        }
    }

    /// The field of every time.
    ///
    /// # Errors
    /// When the labels are no times, or one of them is missing.
    pub fn fields(&self, name: &str, field: Field) -> Result<Vec<i64>> {
        if self.time.is_none() {
            return Err(Error::invalid(format!(
                "{name} is no time axis: it has no units of the form \"days since 1850-01-01\""
            )));
        }
        (0..self.len())
            .map(|at| {
                let moment = self.moment(at).ok_or_else(|| {
                    Error::invalid(format!("{name}[{at}] is {}, which is no time", self.number(at)))
                })?;
                Ok(moment.field(field))
            })
            .collect()
    }

    /// What a label means here in numbers: first and last value; equal for one value.
    fn range(&self, name: &str, label: &Label) -> Result<(f64, f64, bool)> {
        match (label, &self.time) {
            (Label::Number(value), _) => {
                // A label like 20.1 means the f32 nearest to it in an f32 coordinate.
                let value = match self.dtype {
                    Some(DType::F32) => f64::from(*value as f32),
                    _ => *value,
                };
                Ok((value, value, true))
            }
            (Label::Text(text), Some(units)) => {
                let calendar = units.calendar();
                let (first, last) = Moment::parse_range(text, calendar)?;
                let number = |micros| units.encode(Moment { micros, calendar });
                let instant = text.contains(':');
                Ok((number(first), number(last), instant))
            }
            (Label::Text(text), None) => Err(Error::invalid(format!(
                "{name} holds numbers, {text:?} is text{}",
                if name.to_lowercase().contains("time") {
                    "; it has no units of the form \"days since 1850-01-01\", so dates are not known"
                } else {
                    ""
                }
            ))),
        }
    }

    /// Places of one label: one place, or all within a partial date.
    ///
    /// # Errors
    /// When no place has it; shows the nearest or the first labels.
    pub fn find(&self, name: &str, label: &Label) -> Result<Pick> {
        if let Values::Text(names) = &self.values {
            let Label::Text(text) = label else {
                return Err(Error::invalid(format!("{name} holds text, {label} is a number")));
            };
            return names.iter().position(|n| n == text).map(Pick::At).ok_or_else(|| {
                let known: Vec<&str> = names.iter().take(12).map(String::as_str).collect();
                Error::invalid(format!("{name} has no {text:?}; it has {}", known.join(", ")))
            });
        }
        let (first, last, single) = self.range(name, label)?;
        let inside: Vec<usize> = (0..self.len())
            .filter(|&at| (first..=last).contains(&self.number(at)))
            .collect();
        match inside.as_slice() {
            [] => {
                let near = self.nearest_place(first);
                let hint = match near {
                    Some(at) => format!(
                        "; the nearest is {} (method=\"nearest\" takes it), the range {} to {}",
                        self.show(at),
                        self.show(0),
                        self.show(self.len() - 1)
                    ),
                    None => "; it is empty".into(),
                };
                Err(Error::invalid(format!("{name} has no {label}{hint}")))
            }
            [only] if single => Ok(Pick::At(*only)),
            [first, ..] if inside.windows(2).all(|w| w[1] == w[0] + 1) => Ok(Pick::Range {
                start: *first,
                step: 1,
                count: inside.len(),
            }),
            _ => Ok(Pick::List(inside.into())),
        }
    }

    /// The place nearest to a label; of two at equal distance the larger value, as pandas.
    ///
    /// # Errors
    /// For text, and when there is none.
    pub fn nearest(&self, name: &str, label: &Label) -> Result<usize> {
        if matches!(self.values, Values::Text(_)) {
            return Err(Error::invalid(format!("{name} holds text, which has no nearest")));
        }
        let (first, ..) = self.range(name, label)?;
        Some(first)
            .filter(|f| !f.is_nan())
            .and_then(|f| self.nearest_place(f))
            .ok_or_else(|| Error::invalid(format!("{name} has no value near {label}")))
    }

    fn nearest_place(&self, value: f64) -> Option<usize> {
        (0..self.len())
            .filter(|&at| !self.number(at).is_nan())
            .min_by(|&a, &b| {
                let far = |at: usize| (self.number(at) - value).abs();
                far(a)
                    .total_cmp(&far(b))
                    .then(self.number(b).total_cmp(&self.number(a)))
            })
    }

    /// The places from one label to another, both included, in the direction of the index.
    ///
    /// # Errors
    /// When the index is not sorted, or nothing lies between; shows the range there is.
    pub fn between(&self, name: &str, from: Option<&Label>, to: Option<&Label>, step: usize) -> Result<Pick> {
        if let Values::Text(_) = &self.values {
            let bound = |label: Option<&Label>, otherwise: usize| match label {
                None => Ok(otherwise),
                Some(label) => match self.find(name, label)? {
                    Pick::At(at) => Ok(at),
                    _ => Ok(otherwise),
                },
            };
            let (first, last) = (bound(from, 0)?, bound(to, self.len().saturating_sub(1))?);
            return Ok(Pick::range(first, (last + 1).saturating_sub(first), step));
        }
        let rises = (1..self.len()).all(|at| self.number(at - 1) <= self.number(at));
        let falls = (1..self.len()).all(|at| self.number(at - 1) >= self.number(at));
        if !rises && !falls {
            return Err(Error::invalid(format!(
                "{name} is not sorted, so a slice of labels has no meaning; use isel"
            )));
        }
        let low = from.map(|label| self.range(name, label)).transpose()?;
        let high = to.map(|label| self.range(name, label)).transpose()?;
        let inside: Vec<usize> = (0..self.len())
            .filter(|&at| {
                let value = self.number(at);
                if rises {
                    low.is_none_or(|(first, ..)| value >= first)
                        && high.is_none_or(|(_, last, _)| value <= last)
                } else {
                    low.is_none_or(|(_, last, _)| value <= last)
                        && high.is_none_or(|(first, ..)| value >= first)
                }
            })
            .collect();
        let (Some(&first), Some(&last)) = (inside.first(), inside.last()) else {
            let show = |label: Option<&Label>| label.map_or("None".into(), Label::to_string);
            let (a, b) = (show(from), show(to));
            let hint = match self.len() {
                0 => "it is empty".to_string(),
                n => format!("it runs from {} to {}", self.show(0), self.show(n - 1)),
            };
            let turn = if rises {
                ""
            } else {
                ", so the larger bound comes first"
            };
            return Err(Error::invalid(format!(
                "slice({a}, {b}) selects nothing of {name}: {hint}{turn}"
            )));
        };
        Ok(Pick::range(first, last - first + 1, step))
    }

    /// The first place where two indices of one dimension differ, in words; `None` when equal.
    pub fn difference(&self, other: &Index) -> Option<String> {
        if self.len() != other.len() {
            return Some(format!("{} values against {}", self.len(), other.len()));
        }
        if self.values == other.values && self.time == other.time {
            return None;
        }
        if let (Some(a), Some(b)) = (&self.time, &other.time)
            && a.calendar() != b.calendar()
        {
            return Some(format!(
                "calendar {} against {}",
                a.calendar().name(),
                b.calendar().name()
            ));
        }
        let same = |at: usize| match (self.moment(at), other.moment(at)) {
            (Some(a), Some(b)) => a == b,
            _ => match (&self.values, &other.values) {
                (Values::Text(a), Values::Text(b)) => a[at] == b[at],
                (Values::Text(_), _) | (_, Values::Text(_)) => false,
                _ => {
                    self.number(at) == other.number(at)
                        || (self.number(at).is_nan() && other.number(at).is_nan())
                }
            },
        };
        let at = (0..self.len()).find(|&at| !same(at))?;
        Some(format!(
            "at index {at}: {} against {}",
            self.show(at),
            other.show(at)
        ))
    }

    /// Where this index has each label of `other`; `None` when it lacks one.
    pub fn places_of(&self, other: &Index) -> Option<Vec<usize>> {
        if self.time.is_some() != other.time.is_some() {
            return None;
        }
        // Labels as text that is equal exactly when they are: names, instants, or the bits of numbers.
        let key = |index: &Index, at: usize| match (index.moment(at), &index.values) {
            (Some(moment), _) => format!("{:?} {}", moment.calendar, moment.micros),
            (None, Values::Text(names)) => names[at].clone(),
            (None, _) => format!("{:x}", (index.number(at) + 0.0).to_bits()),
        };
        let own: HashMap<String, usize> = (0..self.len()).rev().map(|at| (key(self, at), at)).collect();
        (0..other.len())
            .map(|at| own.get(&key(other, at)).copied())
            .collect()
    }

    /// The bytes of its numbers in their stored dtype; `None` for text.
    pub fn bytes(&self) -> Option<(DType, Vec<u8>)> {
        let dtype = self.dtype?;
        let mut bytes = Vec::with_capacity(self.len() * dtype.size());
        for at in 0..self.len() {
            let literal = match &self.values {
                Values::Float(v) => Literal::Float(v[at]),
                Values::Int(v) => Literal::Int(i128::from(v[at])),
                Values::Text(_) => return None,
            };
            bytes.extend(literal.to_scalar(dtype).ok()?.bytes());
        }
        Some((dtype, bytes))
    }

    /// Shared, as coordinates hold it.
    pub fn shared(self) -> Arc<Index> {
        Arc::new(self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::cftime::Calendar;
    use super::*;

    fn times(values: Vec<f64>) -> Index {
        let time = TimeUnits::parse("days since 1990-01-01", Calendar::NoLeap).unwrap();
        Index {
            time,
            ..Index::floats(values)
        }
    }

    fn text(label: &str) -> Label {
        Label::Text(label.into())
    }

    fn range(start: usize, count: usize) -> Pick {
        Pick::range(start, count, 1)
    }

    #[test]
    fn labels_are_found_or_explained() {
        let lat = Index::floats(vec![-90.0, -45.0, 0.0, 45.0, 90.0]);
        assert_eq!(lat.find("lat", &Label::Number(45.0)).unwrap(), Pick::At(3));
        let message = lat.find("lat", &Label::Number(40.0)).unwrap_err().to_string();
        assert!(
            message.starts_with("lat has no 40; the nearest is 45"),
            "{message}"
        );
        assert_eq!(lat.nearest("lat", &Label::Number(22.5)).unwrap(), 3);
        let falling = Index::floats(vec![90.0, 45.0, 0.0]);
        assert_eq!(falling.nearest("lat", &Label::Number(22.5)).unwrap(), 1);
        let season = Index::texts(vec!["DJF".into(), "JJA".into()]);
        assert_eq!(season.find("season", &text("JJA")).unwrap(), Pick::At(1));
        assert!(season.find("season", &text("XYZ")).is_err());
        assert!(lat.find("lat", &text("1990")).is_err());
        let single = Index {
            dtype: Some(DType::F32),
            ..Index::floats(vec![f64::from(20.1f32)])
        };
        assert_eq!(single.find("lat", &Label::Number(20.1)).unwrap(), Pick::At(0));
    }

    #[test]
    fn slices_include_both_ends() {
        let lat = Index::floats(vec![-90.0, -45.0, 0.0, 45.0, 90.0]);
        let between = |index: &Index, a: f64, b: f64| {
            index.between("lat", Some(&Label::Number(a)), Some(&Label::Number(b)), 1)
        };
        assert_eq!(between(&lat, -45.0, 45.0).unwrap(), range(1, 3));
        assert_eq!(between(&lat, -50.0, 50.0).unwrap(), range(1, 3));
        assert!(between(&lat, 1.0, 2.0).is_err());
        let falling = Index::floats(vec![90.0, 45.0, 0.0, -45.0]);
        assert_eq!(between(&falling, 45.0, 0.0).unwrap(), range(1, 2));
        let message = between(&falling, 0.0, 45.0).unwrap_err().to_string();
        assert!(message.contains("larger bound comes first"), "{message}");
        assert!(between(&Index::floats(vec![1.0, 3.0, 2.0]), 1.0, 2.0).is_err());
    }

    #[test]
    fn dates_select_what_they_name() {
        let time = times((0..730).map(f64::from).collect());
        assert_eq!(time.find("time", &text("1991")).unwrap(), range(365, 365));
        assert_eq!(time.find("time", &text("1990-02")).unwrap(), range(31, 28));
        assert_eq!(time.find("time", &text("1990-01-02T00:00")).unwrap(), Pick::At(1));
        let pick = time
            .between("time", Some(&text("1990-12")), Some(&text("1991-01")), 1)
            .unwrap();
        assert_eq!(pick, range(334, 62));
        assert!(time.find("time", &text("1850")).is_err());
        assert_eq!(time.fields("time", Field::Month).unwrap()[31], 2);
        assert!(Index::floats(vec![0.0]).fields("time", Field::Month).is_err());
    }

    #[test]
    fn the_first_difference_is_told() {
        let a = times(vec![0.0, 1.0, 2.0]);
        let hours = TimeUnits::parse("hours since 1990-01-01", Calendar::NoLeap).unwrap();
        let b = Index {
            time: hours,
            ..Index::ints(vec![0, 24, 48])
        };
        assert_eq!(a.difference(&b), None);
        let c = times(vec![0.0, 1.5, 2.0]);
        assert_eq!(
            a.difference(&c).unwrap(),
            "at index 1: 1990-01-02 00:00:00 against 1990-01-02 12:00:00"
        );
        assert_eq!(a.difference(&times(vec![0.0])).unwrap(), "3 values against 1");
    }
}
