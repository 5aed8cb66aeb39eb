//! The cells, one a file.

use serde::{Deserialize, Serialize};

/// Which cell, with its options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum CellConfig {}
