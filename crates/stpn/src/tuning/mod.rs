//! Searching for settings: random trials, of which the better ones are trained on.
//!
//! Runs are processes of the present program, which must have the command line therefore
//! ([`crate::cli::main_with`]); while they run, interrupts and requests to end are listened to and passed on.

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
