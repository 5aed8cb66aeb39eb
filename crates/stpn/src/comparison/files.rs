//! The files of a comparison: written, and read again to be tabulated and drawn anew without its runs.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::figures;
use super::measure::CurvePoint;
use super::results::Comparison;
use crate::{Error, Result, files};

/// The results.
pub const RESULTS: &str = "comparison.json";
/// The learning curves.
const CURVES: &str = "curves.csv";
const HEADER: &str = "cell,seed,update,env_steps,value";
/// One score a run: what rliable reads after a pivot by `algorithm`, `seed` and `task`.
pub const SCORES: &str = "scores.csv";

/// The scores of all runs of comparisons, in that layout.
pub fn scores<'a>(comparisons: impl IntoIterator<Item = &'a Comparison>) -> String {
    let mut text = "algorithm,task,seed,score\n".to_string();
    for comparison in comparisons {
        for run in &comparison.runs {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{},{},{},{}", run.cell, comparison.task, run.seed, run.result);
        }
    }
    text
}

impl Comparison {
    /// Writes `comparison.json`, `comparison.md`, `curves.csv`, `scores.csv` and the pictures drawn from them:
    /// `learning-curves.svg` and, if there are energies, `energy.svg`.
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
        let contents = [
            (SCORES, scores([self])),
            (RESULTS, files::json(self)?),
            ("comparison.md", format!("{}\n{}.\n", self.markdown(), self.provenance)),
            (CURVES, curves),
        ];
        for (name, contents) in contents {
            files::write(&directory.join(name), contents)?;
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
            files::write(&path, svg)?;
            written.push(path);
        }
        Ok(written)
    }

    /// What [`Comparison::write`] wrote.
    ///
    /// # Errors
    /// Fails, naming the file, if one is missing or damaged.
    pub fn read(directory: &Path) -> Result<Self> {
        let mut comparison: Self = files::read_json(&directory.join(RESULTS))?;
        let path = directory.join(CURVES);
        for (number, line) in files::read(&path)?.lines().enumerate().skip(1) {
            let damaged = |problem: String| Error::damaged(&path, format!("line {}: {problem}", number + 1));
            let (cell, seed, point) = point(line).map_err(damaged)?;
            let run = comparison.runs.iter_mut().find(|run| run.cell == cell && run.seed == seed);
            run.ok_or_else(|| damaged("no such run".into()))?.curve.push(point);
        }
        Ok(comparison)
    }
}

/// A line of the curves: cell, seed and point.
fn point(line: &str) -> std::result::Result<(&str, u64, CurvePoint), String> {
    let fields: Vec<&str> = line.split(',').collect();
    let Ok([cell, seed, update, env_steps, value]) = <[&str; 5]>::try_from(fields) else {
        return Err(format!("needs five fields, {HEADER}"));
    };
    let whole = |text: &str| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
    let value = value.parse().map_err(|error| format!("{value}: {error}"))?;
    Ok((cell, whole(seed)?, CurvePoint { update: whole(update)?, env_steps: whole(env_steps)?, value }))
}
