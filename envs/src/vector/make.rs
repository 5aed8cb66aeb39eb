//! How environments are made.

use std::sync::Arc;

use crate::{Env, Result};

/// Makes environment number `index`; called once per environment.
pub type MakeEnv<'a> = dyn Fn(usize) -> Result<Box<dyn Env>> + Sync + 'a;

/// Makes environment number `index`, whenever it is needed.
pub type Maker = Arc<dyn Fn(usize) -> Result<Box<dyn Env>> + Send + Sync>;
