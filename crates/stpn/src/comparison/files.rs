//! The files of a comparison: written, and read again to be tabulated and drawn anew without its runs.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::figures;
use super::measure::CurvePoint;
use super::results::Comparison;

/// The results.
const RESULTS: &str = "comparison.json";
/// The learning curves.
const CURVES: &str = "curves.csv";
const HEADER: &str = "cell,seed,update,env_steps,value";
/// One score a run: what rliable reads after a pivot by `algorithm`, `seed` and `task`.
const SCORES: &str = "scores.csv";

impl Comparison {
    /// Writes `comparison.json`, `comparison.md`, `curves.csv`, `scores.csv` and the pictures drawn from them: `learning-curves.svg`
    /// and, where there are energies, `energy.svg`.
    ///
    /// # Errors
    /// Fails if a file cannot be written.
    pub fn write(&self, directory: &Path) -> Result<()> {
        let mut curves = format!("{HEADER}\n");
        for run in &self.runs {
            for CurvePoint { update, env_steps, value } in &run.curve {
                // Writing to a string cannot fail.
                let _ = writeln!(curves, "{},{},{update},{env_steps},{value}", run.cell, run.seed);
            }
        }
        let mut scores = "algorithm,task,seed,score\n".to_string();
        for run in &self.runs {
            let _ = writeln!(scores, "{},{},{},{}", run.cell, self.task, run.seed, run.result);
        }
        let files = [
            (SCORES, scores),
            (RESULTS, serde_json::to_string_pretty(self)? + "\n"),
            ("comparison.md", format!("{}\n{}.\n", self.markdown(), self.provenance)),
            (CURVES, curves),
        ];
        for (name, contents) in files {
            let path = directory.join(name);
            fs::write(&path, contents).with_context(|| format!("cannot write {}", path.display()))?;
        }
        self.draw(directory).map(drop)
    }

    /// Writes the pictures alone; returns their paths.
    ///
    /// # Errors
    /// Fails if a file cannot be written.
    pub fn draw(&self, directory: &Path) -> Result<Vec<PathBuf>> {
        let pictures = [("learning-curves.svg", figures::learning_curves(self)), ("energy.svg", figures::energy(self))];
        let mut written = Vec::new();
        for (name, svg) in pictures {
            let Some(svg) = svg else { continue };
            let path = directory.join(name);
            fs::write(&path, svg).with_context(|| format!("cannot write {}", path.display()))?;
            written.push(path);
        }
        Ok(written)
    }

    /// What [`Comparison::write`] wrote.
    ///
    /// # Errors
    /// Fails, naming the file, where one is missing or damaged.
    pub fn read(directory: &Path) -> Result<Self> {
        let [(results, text), (curves, lines)] = [RESULTS, CURVES].map(|name| {
            let path = directory.join(name);
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()));
            (path, text)
        });
        let mut comparison: Self =
            serde_json::from_str(&text?).with_context(|| format!("{} is damaged", results.display()))?;
        for (number, line) in lines?.lines().enumerate().skip(1) {
            let problem = || format!("{} line {}", curves.display(), number + 1);
            let fields: [&str; 5] = line.split(',').collect::<Vec<_>>().try_into().ok().with_context(problem)?;
            let [cell, seed, update, env_steps, value] = fields;
            let seed: u64 = seed.parse().with_context(problem)?;
            let update = update.parse().with_context(problem)?;
            let env_steps = env_steps.parse().with_context(problem)?;
            let value = value.parse().with_context(problem)?;
            let mut runs = comparison.runs.iter_mut();
            let run = runs.find(|run| run.cell == cell && run.seed == seed);
            run.with_context(|| format!("{}: no such run", problem()))?.curve.push(CurvePoint {
                update,
                env_steps,
                value,
            });
        }
        Ok(comparison)
    }
}
