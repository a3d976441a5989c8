//! Which rows of a table were asked for, by texts that their titles contain.

use crate::{Error, Result};

/// The rows that were asked for.
pub struct Wanted(Vec<String>);

impl Wanted {
    /// Texts separated by commas, each of which one of the titles has; without any, all rows.
    ///
    /// # Errors
    /// A pattern that no row has; the error lists what there is.
    pub fn new(only: Option<&str>, titles: &[String]) -> Result<Wanted> {
        let Some(only) = only else {
            return Ok(Wanted(Vec::new()));
        };
        let patterns: Vec<String> = only
            .split(',')
            .map(|p| p.trim().to_lowercase())
            .filter(|p| !p.is_empty())
            .collect();
        let known = |p: &String| titles.iter().any(|t| t.to_lowercase().contains(p.as_str()));
        match patterns.iter().find(|p| !known(p)) {
            None if patterns.is_empty() => Err(Error::invalid(
                "the pattern is empty; leave it out to measure everything",
            )),
            None => Ok(Wanted(patterns)),
            Some(pattern) => Err(Error::invalid(format!(
                "nothing measured is named like {pattern:?}; there are {}",
                titles.join(" · ")
            ))),
        }
    }

    /// Whether a row of that title was.
    pub fn has(&self, title: &str) -> bool {
        let title = title.to_lowercase();
        self.0.is_empty() || self.0.iter().any(|p| title.contains(p.as_str()))
    }
}
