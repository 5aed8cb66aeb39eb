//! `stpn train`.

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use stpn_agents::collective::{Collective, agree};
use stpn_agents::config::RolloutConfig;
use stpn_agents::lock::LOCK;
use stpn_agents::run::{Outcome, Run, changes, holds_run, saved};
use stpn_agents::{Error, RunConfig, Stop};
use toml::{Table, Value};

use crate::cli::TrainArguments;
use crate::exit::{self, UsageError};
use crate::presets::Sizes;
use crate::progress::{Display, thousands};
use crate::{algorithm, cell, overrides, paths, presets, ranks, say, shutdown, threads};

/// Runs the command.
pub fn run(arguments: &TrainArguments) -> Result<ExitCode> {
    let ranks = ranks::join()?;
    let result = run_on(arguments, &ranks);
    ranks::end(ranks.as_ref(), result)
}

/// The command on this rank.
fn run_on(arguments: &TrainArguments, ranks: &Arc<dyn Collective>) -> Result<ExitCode> {
    let config = configure(arguments, ranks.size())?;
    let stop = shutdown::stop_training(&arguments.ending, ranks.as_ref())?;
    let pool = threads::pool_on_ranks(config.training().threads, ranks.as_ref())?;
    let directory = match &arguments.run_dir {
        Some(directory) => directory.clone(),
        None => default_directory(&arguments.named(), &config, ranks.as_ref())?,
    };
    let result = pool.install(|| {
        // As the first rank sees it: it may begin a run while another looks.
        if arguments.or_resume && ranks.gather_bytes(&[u8::from(holds_run(&directory))])[0] == [1] {
            let change = refuse_unlike(&config, &directory)?;
            return super::resume::resume(&directory, change, ranks, &stop);
        }
        start(&config, &directory, ranks, &stop)
    });
    let unused = arguments.run_dir.is_none() && ranks.is_root() && !holds_run(&directory);
    if result.is_err() && unused {
        // Best effort: a new folder in which nothing was begun is of no use.
        let _ = std::fs::remove_file(directory.join(LOCK));
        let _ = std::fs::remove_dir(&directory);
    }
    result
}

/// Starts a run and trains it.
fn start(config: &RunConfig, directory: &Path, ranks: &Arc<dyn Collective>, stop: &Stop) -> Result<ExitCode> {
    let command_line: Vec<String> =
        std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let run = Run::start_on_ranks(config, directory, &command_line.join(" "), ranks)?;
    if ranks.is_root() {
        let update = match config {
            RunConfig::Agent(config) => {
                let RolloutConfig { environments, steps, .. } = config.rollout;
                format!("{environments} environments × {steps} steps per update")
            }
            RunConfig::Supervised(_) => "one epoch per update".to_string(),
        };
        say::note(format!(
            "training {} on {}: {} parameters, {update}, seed {}\nrun directory: {}",
            config.policy().cell.label(),
            config.experiment(),
            thousands(run.training().layout().len() as u64),
            config.seed(),
            directory.display(),
        ));
    }
    train(run, ranks.as_ref(), stop)
}

/// Trains to the end or until `stop`, and says what came of it.
pub fn train(mut run: Run, ranks: &dyn Collective, stop: &Stop) -> Result<ExitCode> {
    run.stop_by(stop);
    let hint = format!("continue with: stpn resume {}", run.directory().display());
    run.on_hang(move |error| {
        let error = error.into();
        let code = exit::code(&error);
        let message = exit::message(&error);
        say::note(format!("\nerror: {message}\nthe environment cannot be stopped, so this process ends; {hint}"));
        say::flush();
        std::process::exit(code.into());
    });
    let mut display = ranks.is_root().then(|| Display::new(run.config(), run.training().progress().update));
    let outcome = run.train(|training, metrics| {
        if let Some(display) = &mut display {
            display.update(training, metrics);
        }
        ControlFlow::Continue(())
    });
    let Some(display) = display else {
        let interrupted = outcome? == Outcome::Interrupted;
        return Ok(if interrupted { ExitCode::from(exit::INTERRUPTED) } else { ExitCode::SUCCESS });
    };
    display.finish();
    let outcome = outcome?;
    let (progress, directory) = (run.training().progress(), run.directory().display());
    say::result(format!("run           {directory}\nupdates       {}", thousands(progress.update)));
    if progress.env_steps > 0 {
        say::result(format!("env steps     {}", thousands(progress.env_steps)));
    }
    if let Some(mean) = progress.recent_return() {
        say::result(format!("mean return   {mean:.3} (episodes of the last {} updates)", progress.recent.len()));
    }
    if let Some(best) = progress.best_validation {
        say::result(format!("validation    {:.4} at best, after epoch {}", best.accuracy, best.update));
    }
    if let Some(report) = run.test_report() {
        say::result(super::eval::test_text(report).trim_end());
    }
    if outcome == Outcome::Interrupted {
        say::note(format!("interrupted; continue with: stpn resume {directory}"));
        return Ok(ExitCode::from(exit::INTERRUPTED));
    }
    say::note(format!("evaluate with: stpn eval {directory}\nwatch with:    tensorboard --logdir {directory}"));
    Ok(ExitCode::SUCCESS)
}

/// Refuses to go on with the run in `directory` under other settings than its own; what may differ is returned as a
/// change of it.
fn refuse_unlike(config: &RunConfig, directory: &Path) -> Result<impl FnOnce(&mut RunConfig) + Send + use<>> {
    let training = config.training();
    let mut saved = saved(directory)?;
    // Fewer updates than are done change nothing.
    let updates = if training.updates < saved.update { saved.config.training().updates } else { training.updates };
    let threads = training.threads;
    let change = move |saved: &mut RunConfig| {
        saved.training_mut().updates = updates;
        saved.training_mut().threads = threads;
    };
    change(&mut saved.config);
    let mut asked = config.clone();
    asked.training_mut().updates = updates;
    let differing: Vec<String> =
        changes::between(&saved.config, &asked)?.into_iter().map(|change| change.key).collect();
    if differing.is_empty() {
        return Ok(change);
    }
    let problem = format!(
        "holds a run with other settings ({}): resume that one with `stpn resume`, or start this one elsewhere",
        differing.join(", ")
    );
    Err(Error::RunDirectory { path: directory.to_path_buf(), problem }.into())
}

/// The resolved configuration of a run on so many ranks: preset or file, then `--cell`, then `--set`, then the other
/// flags.
pub fn configure(arguments: &TrainArguments, ranks: usize) -> Result<RunConfig> {
    let (mut table, preset) = presets::load(&arguments.experiment)?;
    if let Some(game) = &arguments.game {
        let key = match arguments.experiment.as_str() {
            "atari" => "game",
            "gym" => "id",
            _ => {
                let problem = "only the preset `atari` takes a game, and `gym` an environment";
                return Err(UsageError(format!("`{game}`: {problem}")).into());
            }
        };
        overrides::section(&mut table, "env").insert(key.into(), Value::String(game.clone()));
    }
    if let Some(json) = &arguments.env_kwargs {
        let usage = |problem: &dyn std::fmt::Display| UsageError(format!("--env-kwargs {json}: {problem}"));
        let kwargs: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(json).map_err(|error| usage(&error))?;
        let kwargs = Value::try_from(kwargs).map_err(|error| usage(&error))?;
        overrides::section(&mut table, "env").insert("kwargs".into(), kwargs);
    }
    let reference = table.clone();
    if let Some(name) = &arguments.algo {
        algorithm::replace(&mut table, name)?;
    }
    let cell = arguments.cell.as_deref().map(cell::parse).transpose()?;
    if let Some(name) = cell {
        let dropped = cell::replace(&mut table, name, preset)?;
        if !dropped.is_empty() {
            let (file, dropped) = (&arguments.experiment, dropped.join(", "));
            tracing::warn!("--cell {name}: the cell of {file} is of another kind; its options are dropped: {dropped}");
        }
    }
    overrides::apply_all(&mut table, &arguments.overrides)?;
    paths::make_absolute(&mut table, Path::new(""))?;
    if let Some(seed) = arguments.seed {
        let seed = i64::try_from(seed).map_err(|_| UsageError(format!("--seed {seed}: at most {}", i64::MAX)))?;
        table.insert("seed".into(), Value::Integer(seed));
    }
    if let Some(kernel) = &arguments.kernel {
        overrides::section(&mut table, "policy").insert("kernel".into(), Value::String(kernel.clone()));
    }
    let placed = |error| presets::placed(error, &arguments.experiment, &arguments.overrides);
    let mut config = RunConfig::from_table(table).map_err(placed)?;
    if let Some(hidden) = arguments.hidden {
        config.policy_mut().hidden = hidden;
    } else if let (Some(name), false) = (cell, sets_hidden(arguments)) {
        config.policy_mut().hidden = match preset.and_then(|preset| preset.published_size(name)) {
            Some(size) => size,
            None => matched(&reference, &config)?,
        };
    }
    if let Some(updates) = arguments.updates {
        config.training_mut().updates = updates;
    }
    if let Some(steps) = arguments.steps {
        let RunConfig::Agent(config) = &mut config else {
            return Err(UsageError("--steps counts environment steps; a supervised task takes --updates".into()).into());
        };
        let per_update = ranks as u64 * config.rollout.environments as u64 * config.rollout.steps as u64;
        config.training.updates = steps.div_ceil(per_update);
    }
    if let Some(threads) = arguments.threads {
        config.training_mut().threads = threads;
    }
    config.check()?;
    Ok(config)
}

/// The size of the configured cell that matches the experiment's own network in parameters.
fn matched(reference: &Table, config: &RunConfig) -> Result<usize> {
    let reference = RunConfig::from_table(reference.clone())?;
    let target = Sizes::new(&reference)?.configured()?;
    Sizes::new(config)?.matched(&config.policy().cell, target)
}

fn sets_hidden(arguments: &TrainArguments) -> bool {
    arguments.overrides.iter().any(|assignment| assignment.trim_start().starts_with("policy.hidden"))
}

/// Makes the first of `runs/NAME-CELL-seedN`, `…-2`, `…-3` that does not exist: for all ranks the one that the first
/// makes. Making it is what claims it, so that runs that are started at once get one each.
fn default_directory(experiment: &str, config: &RunConfig, ranks: &dyn Collective) -> Result<PathBuf> {
    let name = Path::new(experiment).file_stem().and_then(|stem| stem.to_str()).unwrap_or("run");
    let base = format!("{name}-{}-seed{}", config.policy().cell.label(), config.seed());
    let made = agree(ranks, ranks.is_root().then(|| claim(Path::new("runs"), &base)).transpose())?;
    let made = made.unwrap_or_default();
    let first = ranks.gather_bytes(made.as_bytes()).into_iter().next().unwrap_or_default();
    Ok(Path::new("runs").join(String::from_utf8_lossy(&first).into_owned()))
}

/// Makes a new folder named `base`, or `base` with the first free number, in `parent`; its name.
fn claim(parent: &Path, base: &str) -> Result<String, Error> {
    let failed = |path: &Path, source| Error::Io { action: "cannot create", path: path.to_path_buf(), source };
    std::fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
    let mut name = base.to_string();
    for number in 2.. {
        let path = parent.join(&name);
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => name = format!("{base}-{number}"),
            made => return made.map(|()| name).map_err(|error| failed(&path, error)),
        }
    }
    unreachable!("a folder has fewer entries than there are numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_starts_at_once_were_refused_in_a_race() {
        let directory = tempfile::tempdir().unwrap();
        let claims = || claim(directory.path(), "maze-stpn-seed1").unwrap();
        let mut names: Vec<String> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..16).map(|_| scope.spawn(claims)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 16);
        assert_eq!(names[0], "maze-stpn-seed1");
    }

    fn arguments(experiment: &str, steps: u64) -> TrainArguments {
        TrainArguments { experiment: experiment.into(), steps: Some(steps), ..TrainArguments::default() }
    }

    #[test]
    fn steps_were_counted_for_each_rank() {
        // 8 environments × 128 steps an update, on each rank.
        for (ranks, updates) in [(1, 20), (2, 10), (3, 7)] {
            let config = configure(&arguments("cartpole", 20_480), ranks).unwrap();
            assert_eq!(config.training().updates, updates, "{ranks} ranks");
        }
    }

    #[test]
    fn presets_anneal_over_whatever_length_is_asked_for() {
        for (experiment, scheduled) in [("cartpole", true), ("cartpole-masked", true), ("maze", false)] {
            let config = configure(&arguments(experiment, 1_000_000), 1).unwrap();
            let expected: &[&str] = if scheduled { &["optimizer.learning_rate"] } else { &[] };
            assert_eq!(config.schedules_of_its_length(), expected, "{experiment}");
        }
    }
}
