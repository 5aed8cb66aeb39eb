//! Searching for settings: random trials, of which the better ones are trained on.

mod halving;
mod results;
mod search;
mod space;

pub use halving::{Halving, Rung};
pub use results::{Found, TrialResult};
pub use search::{Request, Search};
pub use space::{Entry, Scale, Space};
