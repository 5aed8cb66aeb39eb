//! Configurations between here and Python: as JSON.

use stpn::RunConfig;
use toml::{Table, Value};

use pyo3::PyResult;

use crate::errors::{StpnError, raised, wrong};

/// The table in a JSON text.
pub fn table(json: &str) -> PyResult<Table> {
    let value: serde_json::Value =
        serde_json::from_str(json).map_err(|error| wrong(format!("a configuration is no JSON: {error}")))?;
    match Value::try_from(value) {
        Ok(Value::Table(table)) => Ok(table),
        Ok(other) => Err(wrong(format!("a configuration is a table, not {other}"))),
        Err(error) => Err(wrong(format!("a configuration has no form in TOML: {error}"))),
    }
}

/// A configuration as JSON.
pub fn json(config: &RunConfig) -> PyResult<String> {
    let table = config.table().map_err(raised)?;
    serde_json::to_string(&table).map_err(|error| StpnError::new_err(error.to_string()))
}
