//! `stpn eval`.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use stpn_agents::checkpoint::{self, Checkpoint};
use stpn_agents::evaluation::{Evaluation, EvaluationOptions, evaluate};
use stpn_agents::supervised::test::{Generalization, TestScores};
use stpn_agents::supervised::{self, SupervisedConfig, TestReport};
use stpn_agents::{Agent, AgentConfig, RunConfig, Stop};

use crate::cli::EvalArguments;
use crate::cli::exit::UsageError;
use crate::comparison::statistics::{METHOD, Mean};
use crate::progress::thousands;
use crate::variant::variant;
use crate::{table, threads};

/// Episodes that are measured if nothing else is said.
const EPISODES: usize = 100;

/// Runs the command.
pub fn run(arguments: &EvalArguments) -> Result<ExitCode> {
    let checkpoint =
        if arguments.best { checkpoint::best_of_run(&arguments.run)? } else { checkpoint::find(&arguments.run)? };
    let config = match &checkpoint.config {
        RunConfig::Agent(config) => config,
        RunConfig::Supervised(config) => return supervised(config, &checkpoint, arguments),
    };
    let config = &AgentConfig { env: variant(config, &arguments.overrides)?, ..config.clone() };
    let device = arguments.device.unwrap_or_default();
    let agent = if arguments.random { None } else { Some(Agent::of_checkpoint(&checkpoint)?.on(device)?) };
    let options = EvaluationOptions {
        episodes: arguments.episodes.unwrap_or(EPISODES),
        seed: arguments.seed.unwrap_or(0),
        deterministic: arguments.deterministic,
        energy_skip_inputs: config.log.energy_skip_inputs.clone(),
    };
    let subject = agent.as_ref().map(Agent::subject);
    let pool = threads::pool(arguments.threads)?;
    let evaluation = pool.install(|| evaluate(&|_| config.env.make(), subject.as_ref(), &options))?;
    if arguments.json {
        println!("{}", json(config, &evaluation));
    } else {
        print(&checkpoint, config, arguments, &evaluation);
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures a checkpoint of a supervised task on its test data.
fn supervised(config: &SupervisedConfig, checkpoint: &Checkpoint, arguments: &EvalArguments) -> Result<ExitCode> {
    let of_agents = arguments.random || arguments.deterministic;
    if of_agents || arguments.episodes.is_some() || !arguments.overrides.is_empty() {
        let problem =
            "--episodes, --random, --deterministic and --set are for agents; this is a run on a supervised task";
        return Err(UsageError(problem.into()).into());
    }
    let mut config = config.clone();
    config.training.device = arguments.device.unwrap_or_default();
    let pool = threads::pool(arguments.threads)?;
    let report = pool.install(|| supervised::test(&config, checkpoint, arguments.seed, &Stop::default()))?;
    if arguments.json {
        println!("{}", serde_json::to_value(&report)?);
    } else {
        println!("network       {}", checkpoint.path.display());
        print!("{}", test_text(&report));
    }
    Ok(ExitCode::SUCCESS)
}

/// A result on test data, in lines.
pub fn test_text(report: &TestReport) -> String {
    let TestScores { accuracy, loss, energy_per_step, true_positive_rate, false_positive_rate } = &report.scores;
    let sequences = thousands(report.sequences as u64);
    let mut text = format!("test accuracy {accuracy:.4} (after epoch {}, sequences: {sequences})\n", report.update);
    // Here and below: writing to a string cannot fail.
    let _ = writeln!(text, "test loss     {loss:.5}");
    if let Some(energy) = energy_per_step {
        let _ = writeln!(text, "energy        {energy:.5} per step, summed over units");
    }
    if let (Some(hits), Some(alarms)) = (true_positive_rate, false_positive_rate) {
        let _ = writeln!(text, "repeats       {:.1} % recognised, {:.1} % false alarms", 100.0 * hits, 100.0 * alarms);
    }
    if report.generalization.is_empty() {
        return text;
    }
    let rate = |rate: Option<f64>| rate.map_or("-".to_string(), |rate| format!("{rate:.4}"));
    let rows: Vec<Vec<String>> = (report.generalization.iter())
        .map(|Generalization { interval, scores }| {
            let rates = [Some(scores.accuracy), scores.true_positive_rate, scores.false_positive_rate].map(rate);
            [vec![interval.to_string()], rates.to_vec()].concat()
        })
        .collect();
    let header = ["R", "accuracy", "true positives", "false positives"];
    text + "\nAt other intervals\n" + &table::text(&header, &rows, &[0, 1, 2, 3])
}

/// The mean return with its interval: of few episodes too, and within what the environment can give.
fn mean_return(config: &AgentConfig, evaluation: &Evaluation) -> Option<Mean> {
    Mean::of(&evaluation.returns, &config.env.return_bounds())
}

fn json(config: &AgentConfig, evaluation: &Evaluation) -> serde_json::Value {
    serde_json::json!({
        "mean_return": evaluation.mean_return(),
        "std_return": evaluation.std_return(),
        "ci95": mean_return(config, evaluation).and_then(|mean| mean.interval),
        "statistics": format!("mean over episodes {METHOD}"),
        "episodes": evaluation.returns.len(),
        "mean_length": evaluation.mean_length(),
        "energy_per_unit_step": evaluation.energy_per_unit_step,
        "oracle_share": evaluation.oracle_share(),
        "oracle_return": evaluation.oracle_return,
    })
}

fn print(checkpoint: &Checkpoint, config: &AgentConfig, arguments: &EvalArguments, evaluation: &Evaluation) {
    let who = if arguments.random { "the random policy".into() } else { checkpoint.path.display().to_string() };
    let sureness = match mean_return(config, evaluation).and_then(|mean| mean.interval) {
        Some([low, high]) => format!("95 % interval {low:.3} to {high:.3}"),
        None => "one episode: no interval".to_string(),
    };
    println!("agent         {who}");
    if !arguments.overrides.is_empty() {
        let changes: Vec<String> = arguments.overrides.iter().map(ToString::to_string).collect();
        println!("environment   its own with {}", changes.join(", "));
    }
    println!("episodes      {}", evaluation.returns.len());
    println!("mean return   {:.3} ({sureness})", evaluation.mean_return());
    if let Some(deviation) = evaluation.std_return() {
        println!("std return    {deviation:.3}");
    }
    println!("mean length   {:.1}", evaluation.mean_length());
    if let Some(energy) = evaluation.energy_per_unit_step {
        println!("energy        {energy:.5} per unit and step");
    }
    if let (Some(share), Some(oracle)) = (evaluation.oracle_share(), evaluation.oracle_return) {
        println!("oracle share  {:.1} % of {oracle:.2}", share * 100.0);
    }
    if evaluation.returns.len() > 1 {
        println!("\nmean over episodes {METHOD}");
    }
}
