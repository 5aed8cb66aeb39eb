//! What can be configured.

use clap::Args;

use crate::Override;

/// Arguments of `stpn config`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stpn config cartpole > my-experiment.toml
  stpn config my-experiment.toml
  stpn config --schema > stpn.schema.json

Without a name: an agent that learns cartpole by PPO with every default.")]
pub struct ConfigArguments {
    /// A preset (see `stpn list`) or the path of a TOML file.
    #[arg(value_name = "PRESET|FILE.toml")]
    pub experiment: Option<String>,
    /// Overrides one key of the configuration.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub overrides: Vec<Override>,
    /// Write the JSON Schema of configurations. An editor with Taplo (Even Better TOML) takes it from a file's first
    /// line, `#:schema ./stpn.schema.json`.
    #[arg(long, conflicts_with_all = ["experiment", "overrides"])]
    pub schema: bool,
}

/// Arguments of `stpn explain`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stpn explain rollout.steps
  stpn explain algorithm
  stpn explain n_steps")]
pub struct ExplainArguments {
    /// A key or a section, dotted or its last part alone, or what Stable-Baselines3 or CleanRL call it.
    #[arg(value_name = "KEY")]
    pub key: String,
}
