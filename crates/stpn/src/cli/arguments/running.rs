//! Training an agent, going on, and what is done with a trained one.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use stpn_agents::config::ComputeDevice;

use crate::cli::EnvCodeArguments;
use crate::cli::count::{count, size, some};
use crate::cli::exit::UsageError;
use crate::training_request::TrainingRequest;
use crate::{Override, cell};

/// Arguments of `stpn train`.
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:
  stpn train maze-small
  stpn train maze-small --cell lstm --seed 2
  stpn train maze-small --algo ppo
  stpn train maze --updates 2000 --set optimizer.learning_rate=3e-4
  stpn train gym Acrobot-v1 --steps 500000
  stpn train popgym count-recall --level hard --cell gru
  stpn train gym FrozenLake-v1 --env-kwargs '{\"is_slippery\": false}'
  stpn train gym --env-make my_env.py:make
  stpn train my-experiment.toml --run-dir runs/first")]
pub struct TrainArguments {
    /// A preset (see `stpn list`) or the path of a TOML file like a run's `config.toml`.
    #[arg(value_name = "PRESET|FILE.toml")]
    pub experiment: String,
    /// The game of the preset `atari`, e.g. `breakout`, the environment of the preset `gym`, e.g. `LunarLander-v3`, or
    /// the task of the preset `popgym`, e.g. `repeat-first`.
    #[arg(value_name = "GAME|ID|TASK")]
    pub game: Option<String>,
    /// How hard the task of the preset `popgym` is: `easy`, `medium` or `hard` [default: easy].
    #[arg(long, value_name = "LEVEL")]
    pub level: Option<String>,
    /// What the environment of Gymnasium is made with, e.g. `{"continuous": true}`.
    #[arg(long, value_name = "JSON")]
    pub env_kwargs: Option<String>,
    /// Code of the user's own.
    #[command(flatten)]
    pub code: EnvCodeArguments,
    /// Learn by `a2c` or `ppo` instead of the experiment's own algorithm. Discounts and entropy bonus stay the
    /// experiment's; the other settings become the usual ones of the algorithm.
    #[arg(long, value_name = "ALGORITHM")]
    pub algo: Option<String>,
    /// The recurrent layer, in the size of the published comparison unless `--hidden` is given.
    #[arg(long, value_name = "CELL")]
    pub cell: Option<String>,
    /// Units of the recurrent layer.
    #[arg(long, value_name = "N", value_parser = size, allow_negative_numbers = true)]
    pub hidden: Option<usize>,
    /// Seed of every random stream.
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Updates to train for; on a supervised task epochs.
    #[arg(long, value_name = "N", conflicts_with = "steps", value_parser = count, allow_negative_numbers = true)]
    pub updates: Option<u64>,
    /// Environment steps to train for, over all ranks, rounded up to whole updates.
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub steps: Option<u64>,
    /// Worker threads; 0 = one per core that this process may use, shared with other ranks on this host. The result
    /// does not depend on it.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Which device computes the network, and plays some environments: `cpu`, `cuda`, or `cuda:1` for the second one.
    /// CUDA needs a program that is built with the feature `cuda`; it is untested on hardware.
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<ComputeDevice>,
    /// `auto` (fused kernels where there are any) or `composed` (candle operations, slow, for comparison).
    #[arg(long, value_name = "KERNEL")]
    pub kernel: Option<String>,
    /// Where the run is written; must not hold one yet, unless --or-resume is given [default: a new folder below
    /// `runs`].
    #[arg(long, value_name = "DIR")]
    pub run_dir: Option<PathBuf>,
    /// If --run-dir holds a run, resume it up to the requested length; if not, start one, so that a batch script can
    /// repeat one command. All other settings must be those of the run.
    #[arg(long, requires = "run_dir")]
    pub or_resume: bool,
    /// How to end early.
    #[command(flatten)]
    pub ending: EndingArguments,
    /// Overrides one key of the configuration, e.g. `--set algorithm.gamma=0.95`; `none` removes an optional key.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub overrides: Vec<Override>,
}

impl TrainArguments {
    /// Which training.
    ///
    /// # Errors
    /// Fails for a cell that there is not; a usage error for JSON that is no object.
    pub fn request(&self) -> Result<TrainingRequest> {
        let kwargs = |json: &String| {
            serde_json::from_str(json).map_err(|error| {
                UsageError(format!("--env-kwargs {json}: is no JSON object, such as {{\"continuous\": true}}: {error}"))
            })
        };
        Ok(TrainingRequest {
            experiment: self.experiment.clone(),
            environment: self.game.clone(),
            level: self.level.clone(),
            env_make: self.code.env_make.clone(),
            env_import: self.code.env_import.clone(),
            env_kwargs: self.env_kwargs.as_ref().map(kwargs).transpose()?,
            algorithm: self.algo.clone(),
            cell: self.cell.as_deref().map(cell::parse).transpose()?,
            hidden: self.hidden,
            seed: self.seed,
            updates: self.updates,
            steps: self.steps,
            threads: self.threads,
            device: self.device,
            kernel: self.kernel.clone(),
            overrides: self.overrides.clone(),
        })
    }
}

impl TrainArguments {
    /// What the experiment is called in the name of a run's directory.
    pub fn named(&self) -> String {
        match (self.experiment.as_str(), &self.game) {
            ("gym", Some(id)) => id.replace(['/', ':'], "-"),
            ("gym", None) => self.code.named().unwrap_or_else(|| self.experiment.clone()),
            ("atari", Some(game)) => format!("atari-{}", game.replace(['/', '.'], "-").trim_start_matches('-')),
            ("popgym", task) => {
                let parts = [Some("popgym"), task.as_deref(), self.level.as_deref()];
                parts.into_iter().flatten().collect::<Vec<_>>().join("-")
            }
            _ => self.experiment.clone(),
        }
    }
}

/// How `train` and `resume` end early.
#[derive(Debug, Default, Args)]
pub struct EndingArguments {
    /// Seconds that the update in progress may still take once the program is asked to end; then it is dropped, and the
    /// state before it is kept [default: 5; on several ranks 0, since `mpirun` kills them after one second; at least 30
    /// after USR1, USR2 and XCPU].
    #[arg(long, value_name = "SECONDS")]
    pub grace: Option<f64>,
    /// End, as if asked to, when stdin ends.
    #[arg(long, hide = true)]
    pub with_parent: bool,
}

/// Arguments of `stpn resume`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stpn resume runs/maze-small-stpn-seed1
  stpn resume runs/maze-small-stpn-seed1 --updates 4000
  stpn resume runs/maze-small-stpn-seed1 --set optimizer.learning_rate=1e-4

A rate or coefficient that ends with the run, `{ initial, last }` without a `horizon`, ends later if there are more \
updates: from here on it is what it would be in a run of the new length.")]
pub struct ResumeArguments {
    /// The run's directory.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Code of the user's own.
    #[command(flatten)]
    pub code: EnvCodeArguments,
    /// Updates of the whole run, including those already done. Fewer than those change nothing [default: as
    /// configured].
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub updates: Option<u64>,
    /// How to end early.
    #[command(flatten)]
    pub ending: EndingArguments,
    /// Worker threads; 0 = one per core that this process may use, shared with other ranks on this host. The result
    /// does not depend on it.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Which device computes the network, and plays some environments: `cpu`, `cuda`, or `cuda:1` for the second one.
    /// CUDA needs a program that is built with the feature `cuda`; it is untested on hardware.
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<ComputeDevice>,
    /// Changes one key from here on: rates, coefficients, lengths, evaluation, checkpoints, logging. What the
    /// checkpoint was made with (environment, network, seed, …) stays.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub overrides: Vec<Override>,
}

/// Arguments of `stpn export`.
#[derive(Debug, Args)]
#[command(
    after_help = "The result holds configuration, metrics and parameters; `stpn eval`, `play` and `report` take it. \
`resume` takes it only with --resumable, which adds optimiser, environments and random streams.

Examples:
  stpn export runs/maze-small-stpn-seed1 my-agent
  stpn export --best runs/cartpole-stpn-seed1 my-agent
  stpn export --resumable runs/maze-stpn-seed1 to-the-cluster"
)]
pub struct ExportArguments {
    /// The run's directory.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Where the agent is written; must not contain checkpoints yet.
    #[arg(value_name = "DIR")]
    pub out: PathBuf,
    /// The best checkpoint in place of the newest.
    #[arg(long)]
    pub best: bool,
    /// The whole checkpoint, so that `stpn resume DIR` continues the run from there.
    #[arg(long)]
    pub resumable: bool,
}

/// Arguments of `stpn eval`.
#[derive(Debug, Args)]
pub struct EvalArguments {
    /// A run's directory (its newest checkpoint is measured; of a supervised task the best in validation) or one
    /// checkpoint's.
    #[arg(value_name = "RUN|CHECKPOINT")]
    pub run: PathBuf,
    /// Code of the user's own.
    #[command(flatten)]
    pub code: EnvCodeArguments,
    /// The best checkpoint in place of the newest.
    #[arg(long)]
    pub best: bool,
    /// Episodes to measure [default: 100]; for agents.
    #[arg(long, value_name = "N", value_parser = some, allow_negative_numbers = true)]
    pub episodes: Option<usize>,
    /// Seed of the episodes, which always differ from those of training [default: 0]. For a supervised task: seed of
    /// the test data [default: the run's].
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Take the most probable action in place of a sample.
    #[arg(long)]
    pub deterministic: bool,
    /// Measure the uniformly random policy in the run's environment instead, as a baseline.
    #[arg(long, conflicts_with = "deterministic")]
    pub random: bool,
    /// Measure in the run's environment with this key changed, e.g. `--set env.level=hard`. Its observation and action
    /// spaces must stay the same.
    #[arg(long = "set", value_name = "env.KEY=VALUE")]
    pub overrides: Vec<Override>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Worker threads; 0 = one per core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// Which device computes the network, whichever trained it: `cpu`, `cuda`, or `cuda:1` for the second one [default:
    /// cpu]. CUDA needs a program that is built with the feature `cuda`; it is untested on hardware.
    #[arg(long, value_name = "DEVICE", conflicts_with = "random")]
    pub device: Option<ComputeDevice>,
}

/// Arguments of `stpn play`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stpn play runs/maze-small-stpn-seed1
  stpn play runs/cartpole-stpn-seed1 --gif cartpole.gif")]
pub struct PlayArguments {
    /// A run's directory or one checkpoint's.
    #[arg(value_name = "RUN|CHECKPOINT")]
    pub run: PathBuf,
    /// Code of the user's own.
    #[command(flatten)]
    pub code: EnvCodeArguments,
    /// The best checkpoint in place of the newest.
    #[arg(long)]
    pub best: bool,
    /// Which episode: the same seed plays the same episode.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub episode_seed: u64,
    /// Take the most probable action in place of a sample.
    #[arg(long)]
    pub deterministic: bool,
    /// Milliseconds between steps on a terminal.
    #[arg(long, value_name = "MS", default_value_t = 120)]
    pub delay: u64,
    /// Write an animated GIF to this file in place of showing the episode. An environment of Gymnasium needs a
    /// `render()` that returns `rgb_array` frames.
    #[arg(long, value_name = "FILE.gif")]
    pub gif: Option<PathBuf>,
    /// Maximum number of frames of the GIF.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = some)]
    pub frames: usize,
}

/// Arguments of `stpn report`.
#[derive(Debug, Args)]
#[command(after_help = "Runs in one environment are drawn together; those that differ in nothing but the seed are \
averaged, others are lines of their own, named by what differs. A run without a checkpoint that can be used is drawn \
from its metrics.

Examples:
  stpn report runs/maze-small-*
  stpn report runs/maze-small-stpn-seed1 --out maze.html --plots figures")]
pub struct ReportArguments {
    /// Directories of runs.
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Code of the user's own.
    #[command(flatten)]
    pub code: EnvCodeArguments,
    /// Where the page is written.
    #[arg(long, value_name = "FILE.html", default_value = "report.html")]
    pub out: PathBuf,
    /// Also write every figure as an SVG file into this directory.
    #[arg(long, value_name = "DIR")]
    pub plots: Option<PathBuf>,
    /// Which episode is drawn.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub episode_seed: u64,
}
