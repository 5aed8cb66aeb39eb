//! `stpn train`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use stpn_agents::collective::Collective;
use stpn_agents::config::RolloutConfig;
use stpn_agents::run::{Outcome, Run};
use stpn_agents::{AgentConfig, RunConfig};
use stpn_core::cells::CellName;
use stpn_envs::EnvConfig;
use toml::{Table, Value};

use crate::cli::TrainArguments;
use crate::exit::{self, UsageError};
use crate::presets::Sizes;
use crate::progress::{Display, thousands};
use crate::{algorithm, overrides, presets, ranks};

/// Runs the command.
pub fn run(arguments: &TrainArguments) -> Result<ExitCode> {
    let config = configure(arguments)?;
    let ranks = ranks::join()?;
    let directory = match &arguments.run_dir {
        Some(directory) => directory.clone(),
        None => default_directory(&arguments.named(), &config, ranks.as_ref()),
    };
    let command_line = std::env::args().collect::<Vec<_>>().join(" ");
    let result = super::thread_pool(config.training().threads)?.install(|| {
        let run = Run::start_on_ranks(&config, &directory, &command_line, &ranks)?;
        if !ranks.is_root() {
            return train(run, ranks.as_ref());
        }
        let update = match &config {
            RunConfig::Agent(config) => {
                let RolloutConfig { environments, steps, .. } = config.rollout;
                format!("{environments} environments × {steps} steps per update")
            }
            RunConfig::Supervised(_) => "one epoch per update".to_string(),
        };
        eprintln!(
            "training {} on {}: {} parameters, {update}, seed {}\nrun directory: {}",
            config.policy().cell.label(),
            config.experiment(),
            thousands(run.training().layout().len() as u64),
            config.seed(),
            directory.display(),
        );
        train(run, ranks.as_ref())
    });
    ranks::end(ranks.as_ref(), result)
}

/// Trains to the end or to Ctrl-C, and says what came of it.
pub fn train(mut run: Run, ranks: &dyn Collective) -> Result<ExitCode> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(exit::INTERRUPTED));
        }
        eprintln!("\nfinishing this update, then writing a checkpoint (Ctrl-C again: stop at once)");
    })
    .context("cannot catch Ctrl-C")?;
    let hint = format!("continue with: stpn resume {}", run.directory().display());
    run.on_hang(move |error| {
        let error = error.into();
        let code = exit::code(&error);
        let message = exit::message(&error);
        eprintln!("\nerror: {message}\nthe environment cannot be stopped, so this process ends; {hint}");
        std::process::exit(code.into());
    });
    let mut display = ranks.is_root().then(|| Display::new(run.config(), run.training().progress().update));
    let outcome = run.train(|training, metrics| {
        if let Some(display) = &mut display {
            display.update(training, metrics);
        }
        if stop.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let Some(display) = display else {
        let interrupted = outcome? == Outcome::Interrupted;
        return Ok(if interrupted { ExitCode::from(exit::INTERRUPTED) } else { ExitCode::SUCCESS });
    };
    display.finish();
    let outcome = outcome?;
    let (progress, directory) = (run.training().progress(), run.directory().display());
    println!("run           {directory}");
    println!("updates       {}", thousands(progress.update));
    if progress.env_steps > 0 {
        println!("env steps     {}", thousands(progress.env_steps));
    }
    if let Some(mean) = progress.recent_return() {
        println!("mean return   {mean:.3} (last {} updates)", progress.recent_returns.len());
    }
    if let Some(best) = progress.best_validation {
        println!("validation    {:.4} at best, after epoch {}", best.accuracy, best.update);
    }
    if let Some(report) = run.test_report() {
        super::eval::print_test(report);
    }
    if outcome == Outcome::Interrupted {
        eprintln!("interrupted; continue with: stpn resume {directory}");
        return Ok(ExitCode::from(exit::INTERRUPTED));
    }
    eprintln!("evaluate with: stpn eval {directory}\nwatch with:    tensorboard --logdir {directory}");
    Ok(ExitCode::SUCCESS)
}

/// The resolved configuration: preset or file, then `--cell`, then `--set`, then the other flags.
pub fn configure(arguments: &TrainArguments) -> Result<RunConfig> {
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
        section(&mut table, "env").insert(key.into(), Value::String(game.clone()));
    }
    if let Some(json) = &arguments.env_kwargs {
        let usage = |problem: &dyn std::fmt::Display| UsageError(format!("--env-kwargs {json}: {problem}"));
        let kwargs: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(json).map_err(|error| usage(&error))?;
        let kwargs = Value::try_from(kwargs).map_err(|error| usage(&error))?;
        section(&mut table, "env").insert("kwargs".into(), kwargs);
    }
    let reference = table.clone();
    if let Some(name) = &arguments.algo {
        algorithm::replace(&mut table, name)?;
    }
    let cell = arguments.cell.as_deref().map(parse_cell).transpose()?;
    if let Some(name) = cell {
        let config = preset.map_or_else(|| name.config(), |preset| preset.cell(name));
        let config = Value::try_from(config).context("the cell's options")?;
        overrides::apply(&mut table, "policy.cell=none")?;
        section(&mut table, "policy").insert("cell".into(), config);
    }
    for assignment in &arguments.overrides {
        overrides::apply(&mut table, assignment)?;
    }
    if let Some(seed) = arguments.seed {
        let seed = i64::try_from(seed).map_err(|_| UsageError(format!("--seed {seed}: at most {}", i64::MAX)))?;
        table.insert("seed".into(), Value::Integer(seed));
    }
    if let Some(kernel) = &arguments.kernel {
        section(&mut table, "policy").insert("kernel".into(), Value::String(kernel.clone()));
    }
    let mut config = RunConfig::from_table(table)?;
    #[cfg(unix)]
    if let RunConfig::Agent(AgentConfig { env: EnvConfig::Gymnasium(env), .. }) = &mut config {
        env.settle().map_err(stpn_agents::Error::from)?;
    }
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
        let per_update = (config.rollout.environments * config.rollout.steps) as u64;
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

/// A cell by its name on the command line.
pub fn parse_cell(name: &str) -> Result<CellName> {
    name.parse().map_err(|error: stpn_core::Error| UsageError(format!("--cell {name}: {error}")).into())
}

/// The table at `key`, made where there is none.
fn section<'t>(table: &'t mut Table, key: &str) -> &'t mut Table {
    let entry = table.entry(key).or_insert_with(|| Value::Table(Table::new()));
    if !entry.is_table() {
        *entry = Value::Table(Table::new());
    }
    entry.as_table_mut().expect("made a table just above")
}

/// The first of `runs/NAME-CELL-seedN`, `…-2`, `…-3` that does not exist: for all ranks the one that the first finds.
fn default_directory(experiment: &str, config: &RunConfig, ranks: &dyn Collective) -> PathBuf {
    let name = Path::new(experiment).file_stem().and_then(|stem| stem.to_str()).unwrap_or("run");
    let base = format!("{name}-{}-seed{}", config.policy().cell.label(), config.seed());
    let runs = Path::new("runs");
    let numbered = (2..).map(|n| runs.join(format!("{base}-{n}")));
    let free = std::iter::once(runs.join(&base)).chain(numbered).find(|path| !path.exists());
    let found = free.unwrap_or_else(|| runs.join(base)).to_string_lossy().into_owned();
    let first = ranks.gather_bytes(found.as_bytes()).into_iter().next();
    PathBuf::from(first.map_or(found, |first| String::from_utf8_lossy(&first).into_owned()))
}
