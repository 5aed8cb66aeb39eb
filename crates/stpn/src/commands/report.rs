//! `stpn report`.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use stpn_agents::{Agent, RunConfig};

use crate::cli::ReportArguments;
use crate::comparison::statistics::METHOD;
use crate::exit::{self, UsageError};
use crate::machine::Provenance;
use crate::progress::thousands;
use crate::references::References;
use crate::report::curves::{self, FINAL, Outcome};
use crate::report::episode;
use crate::report::figure::Figure;
use crate::report::grouping::{Experiment, experiments};
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
    let (runs, mut remarks) = read(&arguments.runs)?;
    let experiments = experiments(&runs);
    let mut sections = Vec::new();
    for experiment in &experiments {
        let levels = levels(experiment)?;
        let mut figures = vec![curves::learning_curves(experiment, &levels)];
        figures.extend(curves::energy(experiment));
        sections.push(Section::Figures { title: experiment.title.clone(), figures });
        sections.push(results(experiment)?);
    }
    // One seed of every series is looked into.
    let groups = experiments.iter().flat_map(|experiment| &experiment.groups);
    let detailed = groups.filter_map(|group| group.runs.iter().find(|run| run.checkpoint.is_some()));
    for run in detailed {
        match inside(run, arguments.episode_seed) {
            Ok(more) => sections.extend(more),
            Err(error) => remarks.push((run.directory.clone(), exit::message(&error))),
        }
    }
    for (directory, remark) in &remarks {
        eprintln!("{}: {remark}", directory.display());
    }
    sections.extend(remarked(&remarks));
    for run in &runs {
        sections.push(Section::Text { title: format!("Configuration of {}", run.name()), text: run.table.to_string() });
    }

    let names: Vec<String> = runs.iter().map(RunData::name).collect();
    let lead = format!("Drawn on {}.", Provenance::here().line());
    tell_apart(&mut sections);
    let page = html(&format!("stpn report: {}", names.join(", ")), &lead, &sections);
    fs::write(&arguments.out, page).with_context(|| format!("cannot write {}", arguments.out.display()))?;
    println!("{}", arguments.out.display());
    if let Some(directory) = &arguments.plots {
        write_plots(directory, &sections)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A run's directory, and what is to be said of it.
type Remark = (PathBuf, String);

/// The runs that can be drawn, and what is to be said of directories that cannot or only in part.
///
/// # Errors
/// Fails with the first reason where there is no run that can be drawn.
fn read(directories: &[PathBuf]) -> Result<(Vec<RunData>, Vec<Remark>)> {
    let (mut runs, mut remarks, mut first) = (Vec::new(), Vec::new(), None);
    for directory in directories {
        match RunData::read(directory) {
            Ok(run) => {
                let why = |problem: &String| match run.checkpoint {
                    Some(_) => format!("drawn from an older checkpoint: {problem}"),
                    None => format!("drawn from its metrics alone: {problem}"),
                };
                remarks.extend(run.problem.as_ref().map(|problem| (directory.clone(), why(problem))));
                runs.push(run);
            }
            Err(error) => {
                remarks.push((directory.clone(), format!("passed over: {}", exit::message(&error))));
                first = first.or(Some(error));
            }
        }
    }
    match first {
        Some(error) if runs.is_empty() => Err(error),
        _ => Ok((runs, remarks)),
    }
}

fn remarked(remarks: &[Remark]) -> Option<Section> {
    let row = |(directory, remark): &Remark| vec![directory.display().to_string(), remark.clone()];
    (!remarks.is_empty()).then(|| Section::Table {
        title: "Not drawn, or not in full".into(),
        caption: String::new(),
        header: ["run", "why"].map(String::from).to_vec(),
        rows: remarks.iter().map(row).collect(),
    })
}

/// What a run's network has learned, and one of its episodes; nothing without a checkpoint.
fn inside(run: &RunData, episode_seed: u64) -> Result<Vec<Section>> {
    let named = |mut figure: Figure| {
        figure.id = format!("{}-{}", run.name(), figure.id);
        figure
    };
    let mut sections = Vec::new();
    let Some(checkpoint) = &run.checkpoint else { return Ok(sections) };
    if let Some(rates) = rates(run)? {
        let figures = plasticity::rates(&rates)?.into_iter().map(named).collect();
        sections
            .push(Section::Figures { title: format!("What plasticity learned: {}", named_with_seed(run)), figures });
    }
    let RunConfig::Agent(config) = &checkpoint.config else { return Ok(sections) };
    let agent = Agent::of_checkpoint(checkpoint)?;
    let recording = episode::record(&config.env, &agent.subject(), episode_seed, false)?;
    let mut figures = match &recording.path {
        Some(path) => path.figures(),
        None => Vec::new(),
    };
    figures.extend(plasticity::fast_weights(&recording)?);
    if !figures.is_empty() {
        let of = format!("episode {episode_seed}, return {:.1}", recording.total_reward);
        let title = format!("One episode of {} ({of})", named_with_seed(run));
        sections.push(Section::Figures { title, figures: figures.into_iter().map(named).collect() });
    }
    Ok(sections)
}

/// A run's folder and seed.
fn named_with_seed(run: &RunData) -> String {
    format!("{}, {} of seed {}", run.name(), run.cell, run.seed)
}

/// Figures of runs whose directories have one name would overwrite each other.
fn tell_apart(sections: &mut [Section]) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for section in sections {
        let Section::Figures { figures, .. } = section else { continue };
        for figure in figures {
            let count = seen.entry(figure.id.clone()).or_default();
            *count += 1;
            if *count > 1 {
                figure.id = format!("{}-{count}", figure.id);
            }
        }
    }
}

/// The random policy and the oracle, where the environment is in this build and has one.
fn levels(experiment: &Experiment<'_>) -> Result<Vec<(String, f64)>> {
    let mut runs = experiment.groups.iter().flat_map(|group| &group.runs);
    let Some(RunConfig::Agent(config)) = runs.find_map(|run| run.config.as_ref()) else { return Ok(Vec::new()) };
    let references = References::measure(config, RANDOM_EPISODES)?;
    let mut levels = vec![("random policy".to_string(), references.random)];
    levels.extend(references.oracle.map(|oracle| ("oracle".to_string(), oracle)));
    Ok(levels)
}

/// The table of an experiment's final results.
fn results(experiment: &Experiment<'_>) -> Result<Section> {
    let first = experiment.groups.iter().find_map(|group| group.runs.first());
    let result = first.map_or("", |run| run.result().1);
    let header = ["series", "units", "parameters", "seeds", "updates", result, "energy"].map(String::from).to_vec();
    let mut rows = Vec::new();
    for group in &experiment.groups {
        let Some(run) = group.runs.first() else { continue };
        let outcome = Outcome::of(group);
        let with_network = group.runs.iter().find(|run| run.checkpoint.is_some());
        let parameters = with_network.map(|run| run.parameters()).transpose()?;
        let parameters = parameters.map(|all| all.iter().map(|parameter| parameter.values.len()).sum::<usize>());
        let mut updates: Vec<u64> = group.runs.iter().map(|run| run.updates()).collect();
        updates.dedup();
        rows.push(vec![
            group.name.clone(),
            run.hidden.to_string(),
            parameters.map_or("–".into(), |count| thousands(count as u64)),
            group.runs.iter().map(|run| run.seed.to_string()).collect::<Vec<_>>().join(", "),
            updates.into_iter().map(thousands).collect::<Vec<_>>().join(", "),
            curves::shown(outcome.result),
            curves::shown(outcome.energy),
        ]);
    }
    Ok(Section::Table {
        title: "Results".into(),
        caption: format!(
            "Means over the last {FINAL} updates (of returns: over their episodes) and over seeds {METHOD}. Where \
             seeds have come unequally far, all are taken where the last one is."
        ),
        header,
        rows,
    })
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
