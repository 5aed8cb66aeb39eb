//! What the preset `popgym` changes for a task.

use serde::Deserialize as _;
use stpn_envs::popgym::Task;
use toml::{Table, Value};

use crate::overrides;

/// Sets γ to 0 if the configured task is a prediction ([`Task::is_prediction`]). Later rewards have nothing to do with
/// the action there: in returns, they are only noise.
pub fn discount(table: &mut Table) {
    let env = overrides::section(table, "env");
    // A name that is no task is refused when the configuration is read.
    let task = env.get("task").and_then(|task| Task::deserialize(task.clone()).ok());
    let is_popgym = env.get("name").and_then(Value::as_str) == Some("popgym");
    if is_popgym && task.is_some_and(Task::is_prediction) {
        overrides::section(table, "algorithm").insert("gamma".into(), Value::Float(0.0));
    }
}
