//! One experiment that ships, or that a program has added.

use stpn_agents::config::normal::normal;
use stpn_core::CellConfig;
use stpn_core::cells::CellName;
use toml::Table;

use crate::Result;

/// An experiment with its settings.
#[derive(Debug)]
pub struct Preset {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// The cargo feature that its environment needs, if any.
    pub feature: Option<&'static str>,
    pub(super) cells: &'static Cells,
    pub(super) text: &'static str,
}

/// The cells that are compared.
#[derive(Debug)]
pub(super) struct Cells {
    /// Each with its published units; if none are, it is matched in parameters to the preset's network.
    pub(super) cells: &'static [(CellName, Option<usize>)],
    /// What the comparison changes in a cell's defaults.
    pub(super) adapt: fn(&mut CellConfig),
}

impl Preset {
    /// Its configuration, in normal form.
    ///
    /// # Errors
    /// [`stpn_agents::Error::Config`] if its text is no TOML.
    pub fn table(&self) -> Result<Table> {
        let refuse =
            |error: toml::de::Error| stpn_agents::Error::config(format!("preset {}", self.name), error.to_string());
        let mut table = self.text.parse().map_err(refuse)?;
        normal(&mut table);
        Ok(table)
    }

    /// The feature that it needs and this program has not got.
    pub fn missing_feature(&self) -> Option<&'static str> {
        self.feature.filter(|feature| match *feature {
            "mujoco" => !cfg!(feature = "mujoco"),
            "atari" => !cfg!(feature = "atari"),
            _ => true,
        })
    }

    /// Its version of a cell.
    pub fn cell(&self, name: CellName) -> CellConfig {
        let mut config = name.config();
        (self.cells.adapt)(&mut config);
        config
    }

    /// The cells of its comparison.
    pub fn compared_cells(&self) -> impl Iterator<Item = CellName> {
        self.cells.cells.iter().map(|(cell, _)| *cell)
    }

    /// Its published size of a cell; none if the paper has none.
    pub fn published_size(&self, name: CellName) -> Option<usize> {
        self.cells.cells.iter().find(|(known, _)| *known == name).and_then(|(_, size)| *size)
    }
}
