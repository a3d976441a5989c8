//! Parts that are stored in another form than the whole: unpacked, widened, counted from another day.
//!
//! Where all files agree nothing is converted here and the packing stays in the attributes. Else each
//! part is brought to one form while it is read, by the rules that a single file is decoded by.

use super::compare::times;
use super::digest::{Digest, Facts, dtype_of};
use crate::io::{AttrValue, Attributes, Convert};
use crate::labelled::cftime::TimeUnits;
use crate::labelled::decode::{PACKING, Packing};
use crate::labelled::index::{Index, Values};
use crate::{DType, Error, Result, Scalar};
use std::collections::HashMap;
use std::sync::Arc;
use tilewise_kernels::{Literal, promote};

/// Times as numbers in other units.
#[derive(Debug)]
struct Rebased {
    stored: DType,
    from: TimeUnits,
    to: TimeUnits,
}

impl Convert for Rebased {
    fn convert(&self, stored: &[u8], out: &mut [u8]) {
        let size = self.stored.size();
        for (x, y) in stored.chunks_exact(size).zip(out.chunks_exact_mut(8)) {
            let scalar = Scalar::from_bytes(self.stored, x);
            let moment = match self.stored {
                DType::I64 => self.from.decode_integer(scalar.bits() as i64),
                _ => self.from.decode(scalar.to_f64()),
            };
            let value = moment.map_or(f64::NAN, |m| self.to.encode(m));
            y.copy_from_slice(&value.to_ne_bytes());
        }
    }
}

/// Packed numbers as what they mean.
#[derive(Debug)]
struct Unpacked {
    stored: DType,
    /// `None` for numbers that mean themselves.
    packing: Option<Packing>,
    dtype: DType,
}

impl Convert for Unpacked {
    fn convert(&self, stored: &[u8], out: &mut [u8]) {
        let own = self.packing.as_ref().map_or(self.stored, |p| p.dtype);
        let elements = stored.chunks_exact(self.stored.size());
        let elements = elements.map(|b| Scalar::from_bytes(self.stored, b));
        for (x, y) in elements.zip(out.chunks_exact_mut(self.dtype.size())) {
            let value = match &self.packing {
                Some(packing) => packing.decode_scalar(x),
                None => x,
            };
            widen(value, own, self.dtype, y);
        }
    }
}

/// Writes an element in a dtype that holds it.
fn widen(value: Scalar, from: DType, to: DType, out: &mut [u8]) {
    if from == to {
        out.copy_from_slice(&value.bytes());
        return;
    }
    let wide = match (to, value.dtype()) {
        (DType::F64, _) => Scalar::new(value.to_f64()),
        (DType::F32, _) => Scalar::new(value.to_f64() as f32),
        (_, DType::U64) => whole(i128::from(value.bits()), to),
        (_, DType::I64) => whole(i128::from(value.bits() as i64), to),
        _ => whole(value.to_f64() as i128, to),
    };
    out.copy_from_slice(&wide.bytes());
}

/// A whole number in a dtype that holds it.
fn whole(value: i128, to: DType) -> Scalar {
    Literal::Int(value)
        .to_scalar(to)
        .unwrap_or_else(|_| Scalar::from_bytes(to, &value.to_le_bytes()))
}

/// How the parts of one variable become one array.
#[derive(Debug)]
pub(super) struct Form {
    /// The dtype of the array.
    pub dtype: DType,
    /// Of each part.
    pub converts: Vec<Option<Arc<dyn Convert>>>,
    /// What becomes of its attributes.
    pub change: Change,
}

/// What becomes of the attributes of the first file.
#[derive(Debug)]
pub(super) enum Change {
    /// They hold for all.
    None,
    /// The parts are unpacked.
    Unpacked,
    /// Times have these units, where the attributes name units.
    Units(TimeUnits),
}

impl Change {
    /// Changes attributes.
    pub fn apply(&self, attributes: &mut Attributes, dtype: DType) {
        match self {
            Change::None => {}
            Change::Unpacked => {
                for name in PACKING {
                    attributes.remove(name);
                }
                // What is missing is NaN, and no number stands for it any more.
                if dtype.has_nan() {
                    let nan = AttrValue::Float(dtype, vec![f64::NAN]);
                    attributes.set("_FillValue", nan);
                }
            }
            Change::Units(units) => {
                if attributes.get("units").is_some() {
                    attributes.set("units", units.to_string());
                }
            }
        }
    }
}

/// The form of a numeric variable that lies in several files, of which `parts` are the numbers with
/// that of the variable in each. `joined` are the units of the labels that the files are joined by,
/// before and after.
///
/// # Errors
/// When the parts have no dtype in common.
pub(super) fn form(
    digests: &[Digest],
    parts: &[(usize, usize)],
    joined: Option<(&TimeUnits, &TimeUnits)>,
) -> Result<Form> {
    let facts = |part: &(usize, usize)| -> (&Facts, DType) {
        let digest = &digests[part.0];
        let dtype = dtype_of(&digest.form.variables[part.1]).unwrap_or(DType::F64);
        (&digest.facts[part.1], dtype)
    };
    let (first, dtype) = facts(&parts[0]);
    let same_dtype = parts.iter().all(|p| facts(p).1 == dtype);
    if let Some(units) = times(first) {
        let to = match joined {
            Some((before, after)) if *before == units => after.clone(),
            _ => units,
        };
        let own = |p: &(usize, usize)| times(facts(p).0).unwrap_or_else(|| to.clone());
        if same_dtype && parts.iter().all(|p| own(p) == to) {
            return Ok(plain(dtype, parts.len()));
        }
        let mut known: HashMap<(String, DType), Arc<dyn Convert>> = HashMap::new();
        let converts = parts.iter().map(|p| {
            let (from, stored) = (own(p), facts(p).1);
            let convert = known.entry((from.to_string(), stored)).or_insert_with(|| {
                Arc::new(Rebased {
                    stored,
                    from,
                    to: to.clone(),
                })
            });
            Some(convert.clone())
        });
        return Ok(Form {
            dtype: DType::F64,
            converts: converts.collect(),
            change: Change::Units(to.clone()),
        });
    }
    let packing = |facts: &Facts| -> Vec<Option<AttrValue>> {
        PACKING.iter().map(|n| facts.meaning.get(n).cloned()).collect()
    };
    let own = packing(first);
    let alike = |p: &(usize, usize)| {
        let (facts, stored) = facts(p);
        stored == dtype && (Arc::ptr_eq(&facts.meaning, &first.meaning) || same(&packing(facts), &own))
    };
    if parts.iter().all(alike) {
        return Ok(plain(dtype, parts.len()));
    }
    if parts.iter().any(|p| facts(p).1.part() != facts(p).1) {
        return Err(Error::invalid(
            "complex numbers of different dtypes are not joined",
        ));
    }
    // One conversion for each pair of packing and dtype, however many files have it.
    let mut known: HashMap<(*const Attributes, DType), Option<Packing>> = HashMap::new();
    for part in parts {
        let (facts, stored) = facts(part);
        let key = (Arc::as_ptr(&facts.meaning), stored);
        known
            .entry(key)
            .or_insert_with(|| Packing::of(stored, &facts.meaning));
    }
    let decoded = known
        .iter()
        .map(|((_, stored), p)| p.as_ref().map_or(*stored, |p| p.dtype));
    let dtype = decoded.reduce(promote).unwrap_or(dtype);
    let mut made: HashMap<(*const Attributes, DType), Arc<dyn Convert>> = HashMap::new();
    for (key, packing) in &known {
        let (stored, packing) = (key.1, packing.clone());
        let convert = Unpacked {
            stored,
            packing,
            dtype,
        };
        made.insert(*key, Arc::new(convert));
    }
    let converts = parts.iter().map(|p| {
        let (facts, stored) = facts(p);
        made.get(&(Arc::as_ptr(&facts.meaning), stored)).cloned()
    });
    Ok(Form {
        dtype,
        converts: converts.collect(),
        change: Change::Unpacked,
    })
}

/// Parts that are stored as they are meant.
fn plain(dtype: DType, parts: usize) -> Form {
    Form {
        dtype,
        converts: vec![None; parts],
        change: Change::None,
    }
}

/// Whether two packings are equal, NaN included.
fn same(a: &[Option<AttrValue>], b: &[Option<AttrValue>]) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

/// Labels of several files one after the other, times in the units of the first where those hold
/// them exactly and else in a finer unit.
///
/// # Errors
/// A label that is no time.
pub(super) fn join_labels(indices: &[&Index]) -> Result<Index> {
    let first = indices[0];
    let dtype = match indices.iter().map(|i| i.dtype).collect::<Option<Vec<DType>>>() {
        Some(all) => all.into_iter().reduce(promote),
        None => None,
    };
    let base = |values, dtype, time| Index {
        values,
        dtype,
        time,
        group: None,
    };
    let texts = indices.iter().map(|i| match &i.values {
        Values::Text(texts) => Some(texts.as_slice()),
        _ => None,
    });
    if let Some(texts) = texts.collect::<Option<Vec<_>>>() {
        return Ok(base(Values::Text(texts.concat()), None, None));
    }
    if indices.iter().all(|i| i.time == first.time) {
        let ints = indices.iter().map(|i| match &i.values {
            Values::Int(values) => Some(values.as_slice()),
            _ => None,
        });
        let values = match ints.collect::<Option<Vec<_>>>() {
            Some(ints) => Values::Int(ints.concat()),
            None => Values::Float(
                indices
                    .iter()
                    .flat_map(|i| (0..i.len()).map(|at| i.number(at)))
                    .collect(),
            ),
        };
        return Ok(base(values, dtype, first.time.clone()));
    }
    let Some(units) = &first.time else {
        return Err(Error::invalid("times and other labels are not joined"));
    };
    let mut moments = Vec::new();
    for index in indices {
        for at in 0..index.len() {
            let moment = index.moment(at);
            moments.push(moment.ok_or_else(|| Error::invalid(format!("{} is no time", index.show(at))))?);
        }
    }
    let whole_in = |units: &TimeUnits| -> Option<Vec<i64>> {
        let numbers = moments.iter().map(|&m| units.encode_integer(m));
        numbers.collect()
    };
    let integers = indices.iter().all(|i| matches!(i.values, Values::Int(_)));
    if integers && let Some(values) = whole_in(units) {
        return Ok(base(Values::Int(values), Some(DType::I64), first.time.clone()));
    }
    let values: Vec<f64> = moments.iter().map(|&m| units.encode(m)).collect();
    let exact = values
        .iter()
        .zip(&moments)
        .all(|(&v, &m)| units.decode(v) == Some(m));
    if exact {
        return Ok(base(Values::Float(values), Some(DType::F64), first.time.clone()));
    }
    for unit in ["hours", "minutes", "seconds", "milliseconds", "microseconds"] {
        let finer = units.in_unit(unit)?;
        if let Some(values) = whole_in(&finer) {
            return Ok(base(Values::Int(values), Some(DType::I64), Some(finer)));
        }
    }
    Err(Error::invalid("times are too far apart to be counted exactly"))
}
