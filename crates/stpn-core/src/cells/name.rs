//! The names of cells, for command lines.

use std::fmt::{self, Display};
use std::str::FromStr;

use super::CellName;
use crate::Error;
use crate::registered;

impl CellName {
    /// All names: those of this crate, then those that this process has registered.
    pub fn all() -> Vec<Self> {
        let registered = registered::registered().into_iter().map(|cell| Self::Custom(cell.name));
        Self::ALL.into_iter().chain(registered).collect()
    }
}

impl Display for CellName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for CellName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::all().into_iter().find(|known| known.as_str() == name).ok_or_else(|| Error::Unknown {
            kind: "cell",
            name: name.to_string(),
            known: Self::all().into_iter().map(Self::as_str).collect::<Vec<_>>().join(", "),
        })
    }
}
