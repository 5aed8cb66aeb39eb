//! Does an environment keep the rules that everything else relies on?
//!
//! ```
//! use stpn_envs::{EnvConfig, check_env::check_env};
//!
//! let config = EnvConfig::from_name("cartpole")?;
//! let report = check_env(|| config.make())?;
//! assert!(report.passed(), "{report}");
//! # Ok::<(), stpn_envs::Error>(())
//! ```

mod contract;
mod foresight;
mod options;
mod play;
mod replay;
mod report;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use options::CheckOptions;
use play::Subject;
pub use report::{Check, Report};

use crate::{Env, Result, panic};

/// A check: its name, what it claims, and how it looks.
type Rule = (&'static str, &'static str, fn(&Subject<'_>) -> std::result::Result<(), String>);

/// In order; each makes its own environments, so that one failure does not hide another.
const RULES: &[Rule] = &[
    ("spaces", "both spaces are well formed, and the same for every instance", contract::spaces),
    ("episodes", "an episode of random actions ends, and another can follow", contract::episodes),
    ("finite", "rewards and observations are finite", contract::finite),
    ("bounds", "observations lie in the observation space", contract::bounds),
    ("whole", "reset and step write every element of the observation", replay::whole),
    ("determinism", "same seed and actions, same episodes, whatever other instances do", replay::determinism),
    ("seeding", "a seed restarts the random stream, no seed continues it", replay::seeding),
    (
        "foresight",
        "if it ignores actions, or shows them alone, the rest is the same whatever they are",
        foresight::foresight,
    ),
    ("save-restore", "a restored state continues as the saved one does, also in a new instance", replay::save_restore),
    ("bad-states", "bytes that are no saved state are refused", contract::bad_states),
    ("order", "a step is refused before the first reset and after the end of an episode", contract::order),
    ("actions", "actions outside the space are refused and change nothing", contract::actions),
    ("buffers", "observation buffers that do not fit are refused", contract::buffers),
    ("auto-reset", "in a vector, episodes follow each other as by hand", replay::auto_reset),
];

/// Checks the environments that `make` makes. What they do wrong is in the report.
///
/// # Errors
/// Fails if no environment can be made at all.
pub fn check_env(make: impl Fn() -> Result<Box<dyn Env>> + Sync) -> Result<Report> {
    check_env_with(make, CheckOptions::default())
}

/// [`check_env`] with another seed or length.
///
/// # Errors
/// Fails if no environment can be made at all.
pub fn check_env_with(make: impl Fn() -> Result<Box<dyn Env>> + Sync, options: CheckOptions) -> Result<Report> {
    let environment = make()?.name().to_string();
    let subject = Subject::new(&make, options);
    let checks = RULES
        .iter()
        .map(|&(name, claim, check)| {
            let result = catch_unwind(AssertUnwindSafe(|| check(&subject)));
            let result = result.unwrap_or_else(|panic| Err(format!("panicked: {}", panic::message(panic.as_ref()))));
            Check { name, claim, problem: result.err() }
        })
        .collect();
    Ok(Report { environment, checks })
}
