//! What a device keeps.

use std::any::Any;
use std::sync::Arc;

/// What is on a device: parameters, a gradient, or what it has left of a rollout. It is of use for the policy alone
/// that made it.
#[derive(Clone, Debug)]
pub struct Kept(Arc<dyn Any + Send + Sync>);

impl Kept {
    /// Hides what a device keeps.
    pub fn new(kept: impl Any + Send + Sync) -> Self {
        Self(Arc::new(kept))
    }

    /// What [`Kept::new`] hid, if it was of that type.
    pub fn get<K: Any>(&self) -> Option<&K> {
        self.0.downcast_ref()
    }
}
