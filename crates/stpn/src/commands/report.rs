//! `stpn report`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use stpn_agents::evaluation::{EvaluationOptions, evaluate};
use stpn_agents::{Agent, RunConfig};

use crate::cli::ReportArguments;
use crate::exit::UsageError;
use crate::machine::Provenance;
use crate::progress::thousands;
use crate::report::curves::{self, Group};
use crate::report::episode;
use crate::report::figure::Figure;
use crate::report::page::{Section, html};
use crate::report::plasticity::{self, Rates};
use crate::report::runs::RunData;

/// Episodes that the random policy's level is measured by.
const RANDOM_EPISODES: usize = 500;

/// Runs the command.
pub fn run(arguments: &ReportArguments) -> Result<ExitCode> {
    if arguments.runs.is_empty() {
        return Err(UsageError("name at least one run directory".into()).into());
    }
    let runs = arguments.runs.iter().map(|run| RunData::read(run)).collect::<Result<Vec<_>>>()?;
    let mut sections = Vec::new();
    for (experiment, groups) in curves::groups(&runs) {
        let levels = levels(&groups)?;
        let mut figures = vec![curves::learning_curves(&experiment, &groups, &levels)?];
        figures.extend(curves::energy(&experiment, &groups)?);
        sections.push(Section::Figures { title: experiment, figures });
        sections.push(results(&groups)?);
    }
    for run in detailed(&runs) {
        let named = |mut figure: Figure| {
            figure.id = format!("{}-{}", run.name(), figure.id);
            figure
        };
        if let Some(rates) = rates(run)? {
            let figures = plasticity::rates(&rates)?.into_iter().map(named).collect();
            sections.push(Section::Figures { title: format!("What plasticity learned: {}", run.name()), figures });
        }
        let RunConfig::Agent(config) = &run.checkpoint.config else { continue };
        let agent = Agent::of_checkpoint(&run.checkpoint)?;
        let recording = episode::record(&config.env, &agent.subject(), arguments.episode_seed, false)?;
        let mut figures = match &recording.path {
            Some(path) => path.figures()?,
            None => Vec::new(),
        };
        figures.extend(plasticity::fast_weights(&recording)?);
        if !figures.is_empty() {
            let title = format!("One episode of {} (return {:.1})", run.name(), recording.total_reward);
            sections.push(Section::Figures { title, figures: figures.into_iter().map(named).collect() });
        }
    }
    for run in &runs {
        sections.push(Section::Text { title: format!("Configuration of {}", run.name()), text: run.config.clone() });
    }

    let names: Vec<String> = runs.iter().map(RunData::name).collect();
    let lead = format!("Drawn on {}.", Provenance::here().line());
    let page = html(&format!("stpn report: {}", names.join(", ")), &lead, &sections);
    fs::write(&arguments.out, page).with_context(|| format!("cannot write {}", arguments.out.display()))?;
    println!("{}", arguments.out.display());
    if let Some(directory) = &arguments.plots {
        write_plots(directory, &sections)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The random policy and the oracle, where the environment has one.
fn levels(groups: &[Group<'_>]) -> Result<Vec<(String, f64)>> {
    let Some(run) = groups.iter().find_map(|group| group.runs.first()) else { return Ok(Vec::new()) };
    let RunConfig::Agent(config) = &run.checkpoint.config else { return Ok(Vec::new()) };
    let options =
        EvaluationOptions { episodes: RANDOM_EPISODES, seed: 0, deterministic: false, energy_skip_inputs: Vec::new() };
    let random = evaluate(&|_| config.env.make(), None, &options)?;
    let mut levels = vec![("random policy".to_string(), random.mean_return())];
    levels.extend(random.oracle_return.map(|oracle| ("oracle".to_string(), oracle)));
    Ok(levels)
}

/// The table of a group's final results.
fn results(groups: &[Group<'_>]) -> Result<Section> {
    let result = groups.iter().find_map(|group| group.runs.first()).map_or("", |run| run.result().1);
    let header = ["cell", "units", "parameters", "seeds", result, "energy"].map(String::from).to_vec();
    let mut rows = Vec::new();
    for group in groups {
        let Some(run) = group.runs.first() else { continue };
        let outcome = group.outcome();
        let parameters = run.parameters()?.iter().map(|parameter| parameter.values.len()).sum::<usize>();
        rows.push(vec![
            group.name.clone(),
            run.hidden.to_string(),
            thousands(parameters as u64),
            group.runs.iter().map(|run| run.seed.to_string()).collect::<Vec<_>>().join(", "),
            curves::shown(outcome.result),
            curves::shown(outcome.energy),
        ]);
    }
    Ok(Section::Table {
        title: "Results".into(),
        caption: "Means over the last 50 logged updates and over seeds, with their 95 % interval (Student's t).".into(),
        header,
        rows,
    })
}

/// The runs that are looked into: the first seed of every cell.
fn detailed(runs: &[RunData]) -> Vec<&RunData> {
    let mut seen = Vec::new();
    runs.iter()
        .filter(|run| {
            let key = (&run.experiment, &run.cell, run.hidden);
            let new = !seen.contains(&key);
            seen.push(key);
            new
        })
        .collect()
}

/// λ and γ of a run whose cell has them.
fn rates(run: &RunData) -> Result<Option<Rates>> {
    let mut parameters = run.parameters()?;
    let mut take = |wanted: &str| {
        let place = parameters.iter().position(|parameter| parameter.name == wanted)?;
        Some(parameters.swap_remove(place))
    };
    let (Some(lambda), Some(gamma)) = (take("cell.lambda"), take("cell.gamma")) else { return Ok(None) };
    let columns = if lambda.shape.len() == 2 { lambda.shape[1] } else { lambda.values.len() };
    Ok(Some(Rates { lambda: lambda.values, gamma: gamma.values, columns }))
}

/// Every figure as an SVG file of its own.
fn write_plots(directory: &Path, sections: &[Section]) -> Result<()> {
    if directory.is_file() {
        bail!("{} is a file; --plots needs a directory", directory.display());
    }
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    for section in sections {
        let Section::Figures { figures, .. } = section else { continue };
        for figure in figures {
            let path = directory.join(format!("{}.svg", figure.id));
            fs::write(&path, &figure.svg).with_context(|| format!("cannot write {}", path.display()))?;
            println!("{}", path.display());
        }
    }
    Ok(())
}
