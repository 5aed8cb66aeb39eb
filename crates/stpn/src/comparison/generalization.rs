//! How the cells of a comparison do at other intervals of familiarity detection than the one they were trained at.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Plan;
use super::statistics::{Mean, NOT_NEGATIVE, SHARE};
use crate::report::chart::{Chart, Line};
use crate::{Error, Result, files};

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
    /// Of the finished runs of a plan; none if their task has no intervals.
    ///
    /// # Errors
    /// Fails if a run's `test.json` cannot be read.
    pub fn of(plan: &Plan) -> Result<Option<Self>> {
        let mut tests: Vec<(String, Vec<TestFile>)> = Vec::new();
        for run in plan.runs.iter().filter(|run| run.config.agent().is_err()) {
            let path = run.directory.join("test.json");
            let test = files::read_json(&path)?;
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
    /// Fails if a file cannot be written.
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
            files::write(&directory.join(name), contents)?;
        }
        let accuracies = |points: &[Point]| points.iter().map(|point| (point.interval, point.accuracy)).collect();
        let curves = self.cells.iter().map(|(cell, points)| (cell.clone(), accuracies(points)));
        write_picture(directory, &curves.collect::<Vec<_>>()).map(drop)
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

/// A cell, and its accuracy at every interval.
type Curve = (String, Vec<(usize, Mean)>);

/// Draws `generalization.svg` again from `generalization.csv`; returns its path, none if there are no such curves.
///
/// # Errors
/// Fails, naming the line, if the file is damaged.
pub fn redraw(directory: &Path) -> Result<Option<PathBuf>> {
    let path = directory.join(CURVES);
    if !path.exists() {
        return Ok(None);
    }
    let text = files::read(&path)?;
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let mut curves: Vec<Curve> = Vec::new();
    for (number, line) in lines.enumerate() {
        let damaged = |problem| Error::damaged(&path, format!("line {}: {problem}", number + 2));
        let (cell, point) = parsed(&header, line).map_err(damaged)?;
        match curves.iter_mut().find(|(known, _)| *known == cell) {
            Some((_, points)) => points.push(point),
            None => curves.push((cell, vec![point])),
        }
    }
    write_picture(directory, &curves).map(Some)
}

/// A line of the file: a cell, an interval and its accuracy. Earlier files have fewer columns.
fn parsed(header: &[&str], line: &str) -> std::result::Result<(String, (usize, Mean)), String> {
    let fields: Vec<&str> = line.split(',').collect();
    if fields.len() != header.len() {
        return Err(format!("{} fields in place of {}", fields.len(), header.len()));
    }
    let field = |name: &str| {
        let place = header.iter().position(|column| *column == name);
        place.map(|place| fields[place]).ok_or_else(|| format!("there is no column `{name}`"))
    };
    let number = |text: &str| text.parse::<f64>().map_err(|error| format!("{text}: {error}"));
    let whole = |text: &str| text.parse::<usize>().map_err(|error| format!("{text}: {error}"));
    let interval = match (field("low"), field("high")) {
        (Ok(low), Ok(high)) if !low.is_empty() => Some([number(low)?, number(high)?]),
        _ => None,
    };
    let accuracy = Mean { mean: number(field("accuracy")?)?, interval, count: whole(field("seeds")?)? };
    Ok((field("cell")?.to_string(), (whole(field("interval")?)?, accuracy)))
}

fn write_picture(directory: &Path, curves: &[Curve]) -> Result<PathBuf> {
    let path = directory.join("generalization.svg");
    files::write(&path, chart(curves).svg())?;
    Ok(path)
}

fn chart(curves: &[Curve]) -> Chart {
    let lines = curves.iter().enumerate().map(|(i, (cell, points))| Line {
        name: cell.clone(),
        style: i,
        points: points.iter().map(|(interval, accuracy)| (*interval as f64, accuracy.mean)).collect(),
        band: points
            .iter()
            .filter_map(|(interval, accuracy)| accuracy.interval.map(|[low, high]| (*interval as f64, low, high)))
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
    use std::fs;

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
    }

    #[test]
    fn written_curves_are_drawn_again() {
        let directory = tempfile::tempdir().unwrap();
        assert!(redraw(directory.path()).unwrap().is_none());
        let points = points(&[file([0.75, 0.5]), file([1.0, 0.5])]);
        GeneralizationCurves { cells: vec![("stpn".into(), points)] }.write(directory.path()).unwrap();
        let picture = || fs::read_to_string(directory.path().join("generalization.svg")).unwrap();
        let first = picture();
        assert!(first.contains("test interval R"));
        assert!(redraw(directory.path()).unwrap().is_some());
        assert_eq!(picture(), first);
        // As published first, without rates.
        let write = |text: &str| fs::write(directory.path().join(CURVES), text).unwrap();
        write("cell,interval,accuracy,seeds\nstpn,3,0.875,2\n");
        assert!(redraw(directory.path()).unwrap().is_some());
        write(&format!("{HEADER}\nstpn,3\n"));
        let damaged = redraw(directory.path()).unwrap_err();
        assert!(damaged.to_string().contains("generalization.csv: line 2: "), "{damaged}");
    }

    #[test]
    fn tasks_without_intervals_have_no_curves() {
        assert!(points(&[TestFile { generalization: Vec::new() }]).is_empty());
    }
}
