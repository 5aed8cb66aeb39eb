//! The environments of one's own that this process knows, and how a configuration names one of them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Env, Error, Result};

/// A registered environment with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomConfig {
    /// The name under which it was registered.
    pub id: String,
    /// What its constructor takes; an empty table if it is left out.
    #[serde(default = "empty", skip_serializing_if = "is_empty")]
    pub options: Value,
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

fn is_empty(options: &Value) -> bool {
    options.as_object().is_some_and(serde_json::Map::is_empty)
}

type Maker = dyn Fn(&Value) -> Result<Box<dyn Env>> + Send + Sync;

static REGISTERED: RwLock<BTreeMap<String, Arc<Maker>>> = RwLock::new(BTreeMap::new());

/// Adds an environment; see [`crate::custom::register`].
pub(crate) fn insert<C, E>(id: &str, make: impl Fn(C) -> Result<E> + Send + Sync + 'static) -> Result<()>
where
    C: DeserializeOwned,
    E: Env + 'static,
{
    let maker = move |options: &Value| -> Result<Box<dyn Env>> {
        let settings = C::deserialize(options).map_err(|error| Error::Config {
            key: "options",
            value: options.to_string(),
            allowed: error.to_string(),
        })?;
        Ok(Box::new(make(settings)?))
    };
    let mut registered = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
    if registered.contains_key(id) {
        return Err(taken(id, "an environment registered before"));
    }
    registered.insert(id.into(), Arc::new(maker));
    Ok(())
}

/// The refusal of a name that there is.
pub(crate) fn taken(id: &str, by: &str) -> Error {
    Error::Config { key: "id", value: id.into(), allowed: format!("is the name of {by}") }
}

/// Names of the environments registered so far, sorted.
pub fn registered() -> Vec<String> {
    REGISTERED.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
}

impl CustomConfig {
    /// The environment registered under that name, with an empty table of options.
    pub fn new(id: &str) -> Self {
        Self { id: id.into(), options: empty() }
    }

    /// Makes one such environment.
    ///
    /// # Errors
    /// [`Error::Unregistered`] if this process has registered none of that name, [`Error::Config`] if its
    /// settings cannot be read from the options, and what else its constructor says.
    pub fn make(&self) -> Result<Box<dyn Env>> {
        let maker = REGISTERED.read().unwrap_or_else(PoisonError::into_inner).get(&self.id).cloned();
        let unregistered = || Error::Unregistered { id: self.id.clone(), registered: registered().join(", ") };
        maker.ok_or_else(unregistered)?(&self.options)
    }
}
