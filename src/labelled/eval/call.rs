//! The arguments of a call: by place or by keyword, each taken once, none left over.

use super::super::data_array::DataArray;
use super::value::Value;
use crate::{Error, Result};

/// A call with its arguments; the object of a method comes first.
pub(super) struct Call {
    /// The function's name.
    pub name: String,
    /// Whether it was written as a method.
    pub method: bool,
    positional: std::vec::IntoIter<Value>,
    keywords: Vec<(String, Value)>,
}

impl Call {
    pub(super) fn new(
        name: &str,
        method: bool,
        positional: Vec<Value>,
        keywords: Vec<(String, Value)>,
    ) -> Call {
        Call {
            name: name.to_string(),
            method,
            positional: positional.into_iter(),
            keywords,
        }
    }

    /// How many arguments stand by place.
    pub(super) fn places(&self) -> usize {
        self.positional.len()
    }

    /// The next argument by place, else the keyword.
    pub(super) fn optional(&mut self, keyword: &str) -> Option<Value> {
        self.positional.next().or_else(|| self.keyword(keyword))
    }

    /// An argument by keyword only.
    pub(super) fn keyword(&mut self, keyword: &str) -> Option<Value> {
        let at = self.keywords.iter().position(|(k, _)| k == keyword)?;
        Some(self.keywords.remove(at).1)
    }

    /// The next argument by place, else the keyword.
    pub(super) fn required(&mut self, keyword: &str) -> Result<Value> {
        self.optional(keyword)
            .ok_or_else(|| Error::invalid(format!("{} needs {keyword}", self.name)))
    }

    /// The next argument, which is an array.
    pub(super) fn array(&mut self) -> Result<DataArray> {
        let value = self.required("an array")?;
        value.array(&self.name)
    }

    /// All arguments that are left by place.
    pub(super) fn rest(&mut self) -> Vec<Value> {
        self.positional.by_ref().collect()
    }

    /// All keywords that are left, each a dimension with its value.
    pub(super) fn by_dim(&mut self) -> Result<Vec<(String, Value)>> {
        let all = std::mem::take(&mut self.keywords);
        if all.is_empty() {
            return Err(Error::invalid(format!(
                "{} takes dimensions as keywords, as in {}(time=…)",
                self.name, self.name
            )));
        }
        Ok(all)
    }

    /// A keyword that is true or false.
    pub(super) fn flag(&mut self, keyword: &str) -> Result<Option<bool>> {
        self.keyword(keyword).map(|v| v.bool(keyword)).transpose()
    }

    /// Checks that nothing is left over.
    pub(super) fn finish(&self, accepts: &str) -> Result<()> {
        if let Some((keyword, _)) = self.keywords.first() {
            return Err(Error::invalid(format!(
                "{} has no argument {keyword}; it takes {accepts}",
                self.name
            )));
        }
        match self.positional.len() {
            0 => Ok(()),
            n => Err(Error::invalid(format!(
                "{} has {n} argument{} too many; it takes {accepts}",
                self.name,
                if n == 1 { "" } else { "s" }
            ))),
        }
    }
}
