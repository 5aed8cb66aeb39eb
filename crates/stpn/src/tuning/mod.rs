//! Searching for settings: random trials, of which the better ones are trained on.

mod halving;
mod request;
mod results;
mod search;
mod space;

pub use halving::{Halving, Rung};
pub use request::Request;
pub use results::{Found, TrialResult};
pub use search::Search;
pub use space::{Entry, Scale, Space};
