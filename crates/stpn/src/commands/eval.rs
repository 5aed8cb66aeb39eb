//! `stpn eval`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use candle_core::{DType, Device};
use stpn_agents::checkpoint::{self, Checkpoint};
use stpn_agents::evaluation::{Evaluation, EvaluationOptions, evaluate};
use stpn_agents::optimizer::FlatLayout;
use stpn_agents::{ActorCritic, Error};

use crate::cli::EvalArguments;

/// Runs the command.
pub fn run(arguments: &EvalArguments) -> Result<ExitCode> {
    let checkpoint = find(&arguments.run)?;
    let config = &checkpoint.config;
    let policy = if arguments.random { None } else { Some(policy(&checkpoint)?) };
    let options = EvaluationOptions {
        episodes: arguments.episodes,
        seed: arguments.seed,
        deterministic: arguments.deterministic,
        energy_skip_inputs: config.log.energy_skip_inputs.clone(),
    };
    let pool = super::thread_pool(arguments.threads)?;
    let evaluation = pool.install(|| evaluate(&config.env, policy.as_ref(), &options))?;
    if arguments.json {
        println!("{}", json(&evaluation));
    } else {
        print(&checkpoint, arguments, &evaluation);
    }
    Ok(ExitCode::SUCCESS)
}

/// The newest checkpoint of a run, or the checkpoint itself. A damaged one is refused: a measurement must be of what
/// was asked for.
pub(super) fn find(run: &Path) -> Result<Checkpoint> {
    let checkpoints = run.join("checkpoints");
    if !checkpoints.is_dir() {
        return Ok(checkpoint::read(run)?);
    }
    let (checkpoint, damaged) = checkpoint::newest(&checkpoints)?;
    match damaged.into_iter().next() {
        Some(error) => Err(error.into()),
        None => Ok(checkpoint),
    }
}

/// The policy of a checkpoint.
pub(super) fn policy(checkpoint: &Checkpoint) -> Result<ActorCritic> {
    let config = &checkpoint.config;
    let env = config.env.make().map_err(Error::from)?;
    let (observations, actions) = (env.observation_space(), env.action_space());
    let policy = ActorCritic::new(&config.policy, observations, actions, config.seed, DType::F32, &Device::Cpu)?;
    let layout = FlatLayout::new(policy.parameters());
    layout.assign(&checkpoint.parameters(&layout)?)?;
    Ok(policy)
}

fn json(evaluation: &Evaluation) -> serde_json::Value {
    serde_json::json!({
        "mean_return": evaluation.mean_return(),
        "std_return": evaluation.std_return(),
        "ci95": evaluation.ci95(),
        "episodes": evaluation.returns.len(),
        "mean_length": evaluation.mean_length(),
        "energy_per_unit_step": evaluation.energy_per_unit_step,
        "oracle_share": evaluation.oracle_share(),
    })
}

fn print(checkpoint: &Checkpoint, arguments: &EvalArguments, evaluation: &Evaluation) {
    let who = if arguments.random { "the random policy".into() } else { checkpoint.path.display().to_string() };
    let [low, high] = evaluation.ci95();
    println!("agent         {who}");
    println!("episodes      {}", evaluation.returns.len());
    println!("mean return   {:.3} (95 % interval {low:.3} to {high:.3})", evaluation.mean_return());
    println!("std return    {:.3}", evaluation.std_return());
    println!("mean length   {:.1}", evaluation.mean_length());
    if let Some(energy) = evaluation.energy_per_unit_step {
        println!("energy        {energy:.5} per unit and step");
    }
    if let (Some(share), Some(oracle)) = (evaluation.oracle_share(), evaluation.oracle_return) {
        println!("oracle share  {:.1} % of {oracle:.2}", share * 100.0);
    }
}
