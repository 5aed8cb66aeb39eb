//! The one error type of this crate.

use thiserror::Error;

/// What can go wrong in making, resetting, stepping, saving or restoring an environment.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration value is impossible.
    #[error("env.{key} = {value}: {allowed}")]
    Config {
        /// The key below `env`.
        key: &'static str,
        /// The value given.
        value: String,
        /// What is allowed.
        allowed: String,
    },

    /// No environment of that name, or not in this build.
    #[error("no environment named `{name}` in this build; there are: {known}")]
    UnknownEnvironment {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },

    /// An environment that this build leaves out.
    #[error("the environment `{name}` needs the cargo feature `{feature}`, which this build leaves out")]
    NotBuilt {
        /// The name asked for.
        name: String,
        /// The cargo feature.
        feature: &'static str,
    },

    /// An environment of one's own that this process does not know.
    #[error(
        "no environment is registered as `{id}` (env.id); registered are: {registered}. The program that trains or \
         resumes it calls `stpn_envs::custom::register` before"
    )]
    Unregistered {
        /// The name asked for.
        id: String,
        /// The names there are.
        registered: String,
    },

    /// Code that a configuration names and nobody allowed to run.
    #[error("the configuration names code of its own, which is not run unless its author is trusted: {code}")]
    Untrusted {
        /// What would be run.
        code: String,
    },

    /// A pickled state that somebody else wrote.
    #[error(
        "the saved state of {environment} is a pickle that was not written by this user's programs here; reading it runs \
         whatever code its author put there, and is not done unless the author is trusted"
    )]
    Foreign {
        /// Name of the environment.
        environment: String,
    },

    /// An action outside the action space.
    #[error("action {action} is not in the action space {space}")]
    Action {
        /// The action, printed.
        action: String,
        /// The space, printed.
        space: String,
    },

    /// A buffer of the wrong length or dtype.
    #[error("{what}: expected {expected}, got {got}")]
    Buffer {
        /// Which buffer.
        what: &'static str,
        /// What the environment needs.
        expected: String,
        /// What came.
        got: String,
    },

    /// A saved state that this environment cannot take.
    #[error("saved state of `{environment}` refused: {problem}")]
    State {
        /// The environment's name.
        environment: String,
        /// Why.
        problem: String,
    },

    /// A step where no episode is running.
    #[error("{environment}: no episode is running; reset comes first")]
    ResetNeeded {
        /// The environment's name.
        environment: String,
    },

    /// Environments of one vector differ in their spaces.
    #[error("environment {index} has the {space} space {got} where environment {reference} has {expected}")]
    Spaces {
        /// Global index of the environment that differs.
        index: usize,
        /// Global index of the one it is compared with.
        reference: usize,
        /// `observation` or `action`.
        space: &'static str,
        /// The reference's space, printed.
        expected: String,
        /// The differing space, printed.
        got: String,
    },

    /// The simulator underneath failed.
    #[error("{environment}: {problem}")]
    Simulator {
        /// The environment's name.
        environment: String,
        /// What the simulator said, with a remedy where there is one.
        problem: String,
    },

    /// An environment of a vector failed or panicked.
    #[error("environment {index} (`{environment}`, worker {worker}, seed {seed}) failed at its step {step}: {problem}")]
    Worker {
        /// Its name.
        environment: String,
        /// Global index of the environment.
        index: usize,
        /// Number of the group that steps it.
        worker: usize,
        /// Seed of its stream.
        seed: u64,
        /// Steps it had taken.
        step: u64,
        /// The error or panic message.
        problem: String,
    },
}

/// Result with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;
