//! How the cells of a comparison do at other intervals of familiarity detection than the one they were trained at.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::Plan;
use super::statistics::{Mean, NOT_NEGATIVE, SHARE};
use crate::report::chart::{Chart, Line};

/// The curves.
const CURVES: &str = "generalization.csv";
const HEADER: &str = "cell,interval,accuracy,low,high,true_positive_rate,false_positive_rate,seeds";

/// The file with the table in Markdown.
pub const GENERALIZATION_TABLE: &str = "generalization.md";

/// The result of one run at one interval, as its `test.json` holds it.
#[derive(Clone, Debug, Deserialize)]
struct AtInterval {
    interval: usize,
    accuracy: f64,
    true_positive_rate: f64,
    false_positive_rate: f64,
}

#[derive(Debug, Deserialize)]
struct TestFile {
    #[serde(default)]
    generalization: Vec<AtInterval>,
}

/// One cell at one interval, over its seeds.
#[derive(Clone, Debug)]
struct Point {
    interval: usize,
    accuracy: Mean,
    true_positives: Mean,
    false_positives: Mean,
}

/// Generalisation over intervals, a curve a cell.
#[derive(Debug)]
pub struct GeneralizationCurves {
    cells: Vec<(String, Vec<Point>)>,
}

impl GeneralizationCurves {
    /// Of the finished runs of a plan; none where their task has no intervals.
    ///
    /// # Errors
    /// Fails where a run's `test.json` cannot be read.
    pub fn of(plan: &Plan) -> Result<Option<Self>> {
        let mut tests: Vec<(String, Vec<TestFile>)> = Vec::new();
        for run in plan.runs.iter().filter(|run| run.config.agent().is_err()) {
            let path = run.directory.join("test.json");
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let test = serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
            match tests.iter_mut().find(|(cell, _)| *cell == run.cell.as_str()) {
                Some((_, files)) => files.push(test),
                None => tests.push((run.cell.to_string(), vec![test])),
            }
        }
        let cells: Vec<(String, Vec<Point>)> =
            tests.into_iter().map(|(cell, files)| (cell, points(&files))).filter(|(_, p)| !p.is_empty()).collect();
        Ok((!cells.is_empty()).then_some(Self { cells }))
    }

    /// Writes `generalization.csv`, the same as a table in `generalization.md`, and `generalization.svg`.
    ///
    /// # Errors
    /// Fails where a file cannot be written.
    pub fn write(&self, directory: &Path) -> Result<()> {
        let mut csv = format!("{HEADER}\n");
        for (cell, points) in &self.cells {
            for Point { interval, accuracy, true_positives, false_positives } in points {
                let (hits, alarms) = (true_positives.mean, false_positives.mean);
                let ends = accuracy.interval.map_or(",".to_string(), |[low, high]| format!("{low},{high}"));
                // Writing to a string cannot fail.
                let _ = writeln!(csv, "{cell},{interval},{},{ends},{hits},{alarms},{}", accuracy.mean, accuracy.count);
            }
        }
        for (name, contents) in [(CURVES, csv), (GENERALIZATION_TABLE, self.markdown())] {
            let path = directory.join(name);
            fs::write(&path, contents).with_context(|| format!("cannot write {}", path.display()))?;
        }
        self.draw(directory).map(drop)
    }

    /// Writes `generalization.svg`; returns its path.
    ///
    /// # Errors
    /// Fails where it cannot be written.
    pub fn draw(&self, directory: &Path) -> Result<PathBuf> {
        let path = directory.join("generalization.svg");
        fs::write(&path, self.chart().svg()).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// What [`GeneralizationCurves::write`] wrote; none where there are no such curves.
    ///
    /// # Errors
    /// Fails, naming the line, if the file is damaged.
    pub fn read(directory: &Path) -> Result<Option<Self>> {
        let path = directory.join(CURVES);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut cells: Vec<(String, Vec<Point>)> = Vec::new();
        for (number, line) in text.lines().enumerate().skip(1) {
            let (cell, point) = parsed(line).with_context(|| format!("{} line {}", path.display(), number + 1))?;
            match cells.iter_mut().find(|(known, _)| *known == cell) {
                Some((_, points)) => points.push(point),
                None => cells.push((cell, vec![point])),
            }
        }
        Ok(Some(Self { cells }))
    }

    fn chart(&self) -> Chart {
        let lines = self.cells.iter().enumerate().map(|(i, (cell, points))| Line {
            name: cell.clone(),
            style: i,
            points: points.iter().map(|point| (point.interval as f64, point.accuracy.mean)).collect(),
            band: points
                .iter()
                .filter_map(|point| point.accuracy.interval.map(|[low, high]| (point.interval as f64, low, high)))
                .collect(),
            ..Line::default()
        });
        Chart {
            x_label: "test interval R (symbols)".into(),
            y_label: "test accuracy (share)".into(),
            possible_x: NOT_NEGATIVE,
            possible_y: SHARE,
            lines: lines.collect(),
            ..Chart::default()
        }
    }

    /// Accuracy with true and false positive rates, a row a cell and a column an interval, in Markdown.
    pub fn markdown(&self) -> String {
        let intervals: Vec<usize> =
            self.cells.first().map_or_else(Vec::new, |(_, points)| points.iter().map(|p| p.interval).collect());
        let mut text = String::from("| cell |");
        for interval in &intervals {
            // Writing to a string cannot fail.
            let _ = write!(text, " R = {interval} |");
        }
        let _ = writeln!(text, "\n|---|{}", "---|".repeat(intervals.len()));
        for (cell, points) in &self.cells {
            let _ = write!(text, "| {cell} |");
            for Point { accuracy, true_positives, false_positives, .. } in points {
                let [accuracy, hits, alarms] = [accuracy, true_positives, false_positives].map(|m| 100.0 * m.mean);
                let _ = write!(text, " **{accuracy:.1}** {hits:.0} / {alarms:.0} |");
            }
            text.push('\n');
        }
        text + "\n**Accuracy**, true positives / false positives in per cent, at each interval R of the test data, means \
                over seeds.\n"
    }
}

/// A line of the file.
fn parsed(line: &str) -> Result<(String, Point)> {
    let fields: Vec<&str> = line.split(',').collect();
    let &[cell, interval, accuracy, low, high, hits, alarms, seeds] = &fields[..] else {
        bail!("{} fields in place of {}", fields.len(), HEADER.split(',').count());
    };
    let ends = if low.is_empty() { None } else { Some([low.parse()?, high.parse()?]) };
    let count = seeds.parse()?;
    let mean = |text: &str, interval| Ok::<_, std::num::ParseFloatError>(Mean { mean: text.parse()?, interval, count });
    let point = Point {
        interval: interval.parse()?,
        accuracy: mean(accuracy, ends)?,
        true_positives: mean(hits, None)?,
        false_positives: mean(alarms, None)?,
    };
    Ok((cell.to_string(), point))
}

/// Means over seeds at every interval.
fn points(files: &[TestFile]) -> Vec<Point> {
    let Some(first) = files.first() else { return Vec::new() };
    let at = |interval| files.iter().filter_map(move |f| f.generalization.iter().find(|g| g.interval == interval));
    let point = |interval| {
        let over = |value: fn(&AtInterval) -> f64| Mean::of(&at(interval).map(value).collect::<Vec<_>>(), &SHARE);
        Some(Point {
            interval,
            accuracy: over(|g| g.accuracy)?,
            true_positives: over(|g| g.true_positive_rate)?,
            false_positives: over(|g| g.false_positive_rate)?,
        })
    };
    first.generalization.iter().filter_map(|g| point(g.interval)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(accuracies: [f64; 2]) -> TestFile {
        let at = |(interval, accuracy)| AtInterval {
            interval,
            accuracy,
            true_positive_rate: accuracy / 2.0,
            false_positive_rate: 0.25,
        };
        TestFile { generalization: [3, 5].into_iter().zip(accuracies).map(at).collect() }
    }

    #[test]
    fn seeds_are_averaged_at_every_interval() {
        let points = points(&[file([0.75, 0.5]), file([1.0, 0.5])]);
        let curves = GeneralizationCurves { cells: vec![("stpn".into(), points)] };
        let text = curves.markdown();
        assert!(text.contains("| cell | R = 3 | R = 5 |"), "{text}");
        assert!(text.contains("| stpn | **87.5** 44 / 25 | **50.0** 25 / 25 |"), "{text}");
        assert!(curves.chart().svg().contains("test interval R"));
    }

    #[test]
    fn written_curves_are_read_and_drawn_again() {
        let directory = tempfile::tempdir().unwrap();
        assert!(GeneralizationCurves::read(directory.path()).unwrap().is_none());
        let points = points(&[file([0.75, 0.5]), file([1.0, 0.5])]);
        let curves = GeneralizationCurves { cells: vec![("stpn".into(), points)] };
        curves.write(directory.path()).unwrap();
        let again = GeneralizationCurves::read(directory.path()).unwrap().unwrap();
        assert_eq!((again.markdown(), again.chart().svg()), (curves.markdown(), curves.chart().svg()));
        fs::write(directory.path().join(CURVES), format!("{HEADER}\nstpn,3\n")).unwrap();
        let damaged = GeneralizationCurves::read(directory.path()).unwrap_err();
        assert!(format!("{damaged:#}").contains("generalization.csv line 2"), "{damaged:#}");
    }

    #[test]
    fn tasks_without_intervals_have_no_curves() {
        assert!(points(&[TestFile { generalization: Vec::new() }]).is_empty());
    }
}
