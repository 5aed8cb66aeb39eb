//! The program itself, this machine, and environments.

use clap::{Args, ValueEnum};
use stpn_agents::config::ComputeDevice;
use stpn_core::kernels::Instructions;

use crate::cli::EnvCodeArguments;
use crate::cli::count::some;
use crate::{Override, threads};

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
With --policy, the untrained network of an experiment sees states that random actions lead to. For every layer, the \
table shows the mean absolute activity, the standard deviation of a unit between states (mean over units), and the \
ratio of the two. For the heads, it shows the same of logits and values. A layer is called flat if its ratio is \
below 0.1. What all states share is then more than ten times as large as what differs, and the policy begins to \
learn late.

The last lines tell after how many gradient steps, at the earliest, the outputs of the policy head can differ by 1 \
between two states: 1 / (initial learning rate × sum of the cell's deviations), if all steps of Adam go in one \
direction.

Examples:
  stpn doctor
  stpn doctor --policy maze --cell stpn,lstm
  stpn doctor --policy pong --cell stpn,lstm --steps 500 --json")]
pub struct DoctorArguments {
    /// Examine the untrained policy of a preset (see `stpn list`) or of a TOML file instead of the program.
    #[arg(long, value_name = "PRESET|FILE.toml")]
    pub policy: Option<String>,
    /// Examine these cells, in the sizes of the published comparison or else matched in parameters [default: the
    /// experiment's].
    #[arg(long, value_name = "CELL,…", value_delimiter = ',', requires = "policy")]
    pub cell: Vec<String>,
    /// With --policy: steps of random actions in every environment.
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

Cases: maze, maze-lstm, maze-gru, art, art-lstm, pong, pong-lstm, pendulum (learning from one rollout of random \
observations at the paper's shapes), maze-update (a whole update of the preset, environments included). Those of \
`envs` are environments, with random actions: steps per second by one thread and by all, and of those around a \
simulator the share of that simulator's own speed. Run it on an idle machine.")]
pub struct BenchArguments {
    /// What to measure.
    #[arg(value_enum, value_name = "WHAT", default_value_t = Suite::All)]
    pub suite: Suite,
    /// Only this case; may be given several times.
    #[arg(long = "case", value_name = "CASE")]
    pub cases: Vec<String>,
    /// Worker threads; 0 = one per core [default: 0].
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Which device computes the network: `cpu`, `cuda`, or `cuda:1` for the second one [default: cpu]. Only for
    /// `updates`.
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<ComputeDevice>,
    /// Updates or calls before those that count [default: 4].
    #[arg(long, value_name = "N")]
    pub warmup: Option<usize>,
    /// Number of measured updates or calls; the median counts. For environments: number of measurements of a tenth of
    /// a second; the best counts.
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = some, allow_negative_numbers = true)]
    pub repeats: usize,
    /// Measure the recurrent layers with this instruction set: `portable`, `avx2`, `avx512` or `neon` [default: the
    /// best that the processor has]. Convolutions always use the best, so they are left out. Only for `kernels`.
    #[arg(long, value_name = "SET", value_parser = instructions)]
    pub instructions: Option<Instructions>,
    /// How many environments are stepped together [default: 1,024, or 32 per thread for Atari and MuJoCo]. Only for
    /// `envs`.
    #[arg(long, value_name = "N", value_parser = environments)]
    pub environments: Option<usize>,
    /// Check memory instead of speed: run 1,000 copies of each environment (or --environments) for this many steps
    /// each, and see whether memory stays the same. CartPole if no case is named. Only for `envs`.
    #[arg(long, value_name = "STEPS", num_args = 0..=1, default_missing_value = "100000",
        conflicts_with_all = ["json", "repeats"])]
    pub soak: Option<u64>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Measure the one case here, as the child process that it is measured in.
    #[arg(long, hide = true, requires = "cases")]
    pub in_process: bool,
}

impl BenchArguments {
    /// Worker threads.
    pub fn threads(&self) -> usize {
        self.threads.filter(|&threads| threads > 0).unwrap_or_else(threads::cores)
    }

    /// Updates or calls before those that count.
    pub fn warmup(&self) -> usize {
        self.warmup.unwrap_or(4)
    }
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
