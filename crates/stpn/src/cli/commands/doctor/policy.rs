//! `stpn doctor --policy`: whether an untrained policy can tell states apart.

use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use stpn_agents::spread::{LEAST_RATIO, Spread};

use crate::cli::DoctorArguments;
use crate::progress::thousands;
use crate::report::axis::number;
use crate::task_label::task_label;
use crate::{TrainingRequest, cell, table};

/// What was measured, as `--json` prints it.
#[derive(Serialize)]
struct Measured {
    /// The environment.
    task: String,
    /// One entry a cell.
    cells: Vec<OfCell>,
}

/// One cell.
#[derive(Serialize)]
struct OfCell {
    /// Its name.
    cell: String,
    /// Its units.
    units: usize,
    /// What was measured.
    #[serde(flatten)]
    spread: Spread,
    /// Layers in which too little differs between states.
    flat: Vec<&'static str>,
}

/// Runs the command.
pub fn run(arguments: &DoctorArguments, experiment: &str) -> Result<ExitCode> {
    let named = cell::parse_all(&arguments.cell)?;
    let cells = if named.is_empty() { vec![None] } else { named.into_iter().map(Some).collect() };
    let mut measured = Measured { task: String::new(), cells: Vec::new() };
    for cell in cells {
        let request = TrainingRequest {
            experiment: experiment.to_string(),
            cell,
            overrides: arguments.overrides.clone(),
            ..TrainingRequest::default()
        };
        let config = request.configure(1)?;
        measured.task = task_label(&config);
        let agent = config.agent()?;
        let spread = Spread::of(agent, arguments.steps as usize)?;
        measured.cells.push(OfCell {
            cell: agent.policy.cell.label().to_string(),
            units: agent.policy.hidden,
            flat: spread.flat().map(|layer| layer.layer).collect(),
            spread,
        });
    }
    match arguments.json {
        true => println!("{}", serde_json::to_string(&measured)?),
        false => print!("{}", measured.text()),
    }
    Ok(ExitCode::SUCCESS)
}

impl Measured {
    /// The table, and what follows from it.
    fn text(&self) -> String {
        let mut rows = Vec::new();
        for cell in &self.cells {
            for layer in &cell.spread.layers {
                rows.push(vec![
                    cell.cell.clone(),
                    layer.layer.to_string(),
                    thousands(layer.units as u64),
                    format!("{:.6}", layer.magnitude),
                    format!("{:.6}", layer.deviation),
                    layer.ratio().map_or("–".into(), |ratio| format!("{ratio:.4}")),
                ]);
            }
        }
        let header = ["cell", "layer", "units", "mean absolute activity", "deviation between states", "ratio"];
        let states = self.cells.first().map_or(0, |cell| cell.spread.states);
        let mut text = format!(
            "{}, untrained, {} states\n\n{}",
            self.task,
            thousands(states),
            table::text(&header, &rows, &[2, 3, 4, 5])
        );
        for cell in &self.cells {
            text += &format!("\n{}\n", cell.verdict());
        }
        text
    }
}

impl OfCell {
    /// What is to be said of it.
    fn verdict(&self) -> String {
        let Self { cell, spread, .. } = self;
        let all = thousands(spread.gradient_steps);
        let head = match spread.head_steps {
            Some(steps) => format!(
                "the head's outputs can differ by 1 between states after {} of {all} gradient steps at the earliest",
                number(steps)
            ),
            None => "the cell is the same in every state".into(),
        };
        let verdict = match self.flat[..] {
            [] => "states can be told apart".to_string(),
            _ => format!(
                "flat: {}; less than {LEAST_RATIO} of the activity differs between states, so learning begins late",
                self.flat.join(", ")
            ),
        };
        format!("{cell}: entropy of the policy {:.4}; {head}\n  {verdict}", spread.entropy)
    }
}
