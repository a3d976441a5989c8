//! The variables that a sample can have, with their CF attributes.
//!
//! The layout describes them in the file and the climate gives them values; neither needs the other
//! for it.

use tilewise::{Error, Result};

/// What stands where there is no value; files declare it as `_FillValue`.
pub const MISSING: f32 = 1e20;

/// A variable of the sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Name {
    /// Near-surface air temperature.
    Tas,
    /// Precipitation flux.
    Pr,
    /// Sea surface temperature, missing on land.
    Tos,
}

impl Name {
    const ALL: [(Name, &'static str); 3] = [(Name::Tas, "tas"), (Name::Pr, "pr"), (Name::Tos, "tos")];

    /// The variable of that name.
    ///
    /// # Errors
    /// Lists the names when it is none.
    pub fn parse(text: &str) -> Result<Name> {
        let found = Name::ALL.iter().find(|(_, n)| *n == text.trim());
        found.map(|(name, _)| *name).ok_or_else(|| {
            Error::invalid(format!(
                "--variables: there is no {text:?}; there is tas, pr and tos"
            ))
        })
    }

    /// Its name in the file.
    pub fn text(self) -> &'static str {
        Name::ALL
            .iter()
            .find(|(n, _)| *n == self)
            .map_or("tas", |(_, t)| t)
    }

    /// Its CF attributes.
    pub fn attributes(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Name::Tas => &[
                ("standard_name", "air_temperature"),
                ("long_name", "Near-Surface Air Temperature"),
                ("units", "K"),
                ("cell_methods", "time: mean"),
            ],
            Name::Pr => &[
                ("standard_name", "precipitation_flux"),
                ("long_name", "Precipitation"),
                ("units", "kg m-2 s-1"),
                ("cell_methods", "time: mean"),
            ],
            Name::Tos => &[
                ("standard_name", "sea_surface_temperature"),
                ("long_name", "Sea Surface Temperature"),
                ("units", "degC"),
                ("cell_methods", "area: mean where sea time: mean"),
            ],
        }
    }
}
