//! The program itself, this machine, and environments.

use clap::{Args, ValueEnum};
use stpn_core::kernels::Instructions;

use crate::Override;
use crate::cli::EnvCodeArguments;

/// Arguments of `stpn check-env`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stpn check-env cartpole
  stpn check-env gym LunarLander-v3
  stpn check-env maze --set env.size=9 --seed 3")]
pub struct CheckEnvArguments {
    /// An environment (see `stpn list`), or `gym` for one of Python's Gymnasium.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// With `gym`: the environment's name there.
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Code of the user's own.
    #[command(flatten)]
    pub code: EnvCodeArguments,
    /// Overrides one of its settings, e.g. `--set env.size=9`.
    #[arg(long = "set", value_name = "env.KEY=VALUE")]
    pub overrides: Vec<Override>,
    /// Steps within which an episode of random actions has to end.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub steps: usize,
    /// Seed of the environment and of the random actions.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Arguments of `stpn doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
With --policy, the untrained network of an experiment sees the states of random actions. Of every layer are shown its mean \
|activity|, the standard deviation of a unit between states (mean over units), and their ratio; of the policy's head and \
the value head, these are the spreads of logits and values. A layer is called flat if the ratio is below 0.1: what all \
states have in common is then more than ten times what differs, a first gradient teaches mostly that, and the policy \
begins to learn late. Of the presets, only Pong's are flat (0.03 to 0.09); others have 0.48 and more. The head can make \
its outputs differ by 1 between two states after 1 / (rate · Σ deviations of the cell) gradient steps at the earliest, \
with the initial learning rate and steps of Adam that all go one way.

Examples:
  stpn doctor
  stpn doctor --policy maze --cell stpn,lstm
  stpn doctor --policy pong --cell stpn,lstm --steps 500 --json")]
pub struct DoctorArguments {
    /// Look into the untrained policy of a preset (see `stpn list`) or of a TOML file, in place of the program.
    #[arg(long, value_name = "PRESET|FILE.toml")]
    pub policy: Option<String>,
    /// With these cells, one beside the other, in the sizes of the published comparison or else matched in parameters
    /// [default: the experiment's].
    #[arg(long, value_name = "CELL,…", value_delimiter = ',', requires = "policy")]
    pub cell: Vec<String>,
    /// Steps of random actions in every environment.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000),
        requires = "policy")]
    pub steps: u32,
    /// Overrides one key of the configuration.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE", requires = "policy")]
    pub overrides: Vec<Override>,
    /// Print one JSON object.
    #[arg(long, requires = "policy")]
    pub json: bool,
}

/// Arguments of `stpn completions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stpn completions bash > ~/.local/share/bash-completion/completions/stpn
  stpn completions zsh > ~/.zfunc/_stpn
  stpn completions fish > ~/.config/fish/completions/stpn.fish")]
pub struct CompletionsArguments {
    /// Which shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Arguments of `stpn bench`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stpn bench
  stpn bench updates --case maze --case maze-lstm
  stpn bench kernels --threads 2 --json
  stpn bench envs --case maze --case cartpole

Cases: maze, maze-lstm, maze-gru, art, art-lstm, pong, pong-lstm, pendulum (learning from one rollout of random
observations at the paper's shapes), maze-update (a whole update of the preset, environments included). Those of `envs` are
environments, with random actions: steps per second by one thread and by all, and of those around a simulator the share
of that simulator's own speed. Run it on an idle machine.")]
pub struct BenchArguments {
    /// What to measure.
    #[arg(value_enum, value_name = "WHAT", default_value_t = Suite::All)]
    pub suite: Suite,
    /// Only this case; may be given several times.
    #[arg(long = "case", value_name = "CASE")]
    pub cases: Vec<String>,
    /// Worker threads; 0 = one per core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// Updates or calls before those that count.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub warmup: usize,
    /// Updates or calls to measure, of which the median counts; of environments, measurements of a tenth of a second
    /// each, of which the best counts.
    #[arg(long, value_name = "N", default_value_t = 9)]
    pub repeats: usize,
    /// Of kernels: the recurrent layers with these instructions, `portable`, `avx2`, `avx512` or `neon`, in place of the
    /// best that the processor has. The convolutions are left out.
    #[arg(long, value_name = "SET", value_parser = instructions)]
    pub instructions: Option<Instructions>,
    /// Environments that are stepped together [default: 1,024; around a simulator 32 a thread].
    #[arg(long, value_name = "N", value_parser = environments)]
    pub environments: Option<usize>,
    /// Check memory instead of speed: run 1,000 copies of each environment (or --environments) for this many steps each,
    /// and see whether memory stays the same. CartPole if no case is named.
    #[arg(long, value_name = "STEPS", num_args = 0..=1, default_missing_value = "100000")]
    pub soak: Option<u64>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Measure the one case here, as the child process that it is measured in.
    #[arg(long, hide = true, requires = "cases")]
    pub in_process: bool,
}

/// What `stpn bench` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// Whole updates, each in a process of its own.
    Updates,
    /// The recurrent layers and the convolutions by themselves.
    Kernels,
    /// The environments, without an agent.
    Envs,
    /// Sums over the ranks of an MPI job: `mpirun -n 2 stpn bench exchange`.
    Exchange,
    /// Updates and kernels.
    All,
}

/// A number of environments that memory can hold.
fn environments(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=1_000_000) => Ok(number),
        _ => Err("must be a number of 1 to 1,000,000".into()),
    }
}

/// An instruction set that this processor has.
fn instructions(text: &str) -> Result<Instructions, String> {
    let available = Instructions::available();
    available.iter().copied().find(|set| set.as_str() == text).ok_or_else(|| {
        let names: Vec<&str> = available.into_iter().map(Instructions::as_str).collect();
        format!("this processor has {}", names.join(", "))
    })
}
