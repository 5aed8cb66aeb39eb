//! Saved states of environments: one postcard value each, refused if cut short or too long.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Appends `state` to `bytes`.
///
/// # Errors
/// [`Error::State`] if the value cannot be serialised.
pub fn save(environment: &str, state: &impl Serialize, bytes: &mut Vec<u8>) -> Result<()> {
    let saved = postcard::to_allocvec(state).map_err(|error| refused(environment, error))?;
    bytes.extend(saved);
    Ok(())
}

/// Reads what [`save`] wrote, all of it and nothing else.
///
/// # Errors
/// [`Error::State`] on bytes that are not exactly one such value.
pub fn restore<T: DeserializeOwned>(environment: &str, bytes: &[u8]) -> Result<T> {
    let (state, rest) = split(environment, bytes)?;
    if !rest.is_empty() {
        return Err(refused(environment, format_args!("{} bytes too many", rest.len())));
    }
    Ok(state)
}

/// Reads what [`save`] wrote at the front, as a wrapper does before it hands the rest to the environment inside.
///
/// # Errors
/// [`Error::State`] if the bytes do not begin with such a value.
pub fn split<'a, T: DeserializeOwned>(environment: &str, bytes: &'a [u8]) -> Result<(T, &'a [u8])> {
    postcard::take_from_bytes(bytes).map_err(|error| refused(environment, error))
}

/// The error of a saved state that does not fit.
pub fn refused(environment: &str, problem: impl ToString) -> Error {
    Error::State { environment: environment.into(), problem: problem.to_string() }
}
