//! Charts again from what was recorded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::chart::Chart;
use super::curves::averaged;
use crate::comparison::files::RESULTS;
use crate::comparison::statistics::{ANY, NOT_NEGATIVE};
use crate::comparison::suite::{self, SuiteResults};
use crate::comparison::{Comparison, across, generalization};
use crate::{Error, Result, files};

/// Learning curves as a file keeps them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    /// Name and unit of x.
    x: String,
    /// Name and unit of y.
    y: String,
    /// The least and the greatest possible y, if there are some.
    #[serde(default)]
    possible: [Option<f64>; 2],
    /// Baselines with their values.
    #[serde(default)]
    levels: BTreeMap<String, f64>,
    series: Vec<Series>,
    /// Where the curves come from; not drawn.
    #[serde(default, rename = "source")]
    _source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Series {
    name: String,
    /// The curve of every seed.
    curves: Vec<Vec<(f64, f64)>>,
}

/// Draws what a source holds, the folder of a comparison, of several or of a suite, or a file of curves; returns the files written.
///
/// # Errors
/// Fails, naming the file, if one cannot be read or written, holds something else, or has no curve.
pub fn draw(source: &Path) -> Result<Vec<PathBuf>> {
    if source.join(suite::RESULTS).exists() {
        let results = SuiteResults::read(source)?;
        let mut pictures: Vec<PathBuf> = results.draw(source)?.into_iter().collect();
        for task in &results.tasks {
            let folder = source.join(&task.folder);
            pictures.extend(Comparison::read(&folder)?.draw(&folder)?);
        }
        return Ok(pictures);
    }
    if source.join(across::FOLDERS).exists() {
        return across::draw(source);
    }
    if source.is_dir() {
        let mut pictures = Comparison::read(source)?.draw(source)?;
        pictures.extend(generalization::redraw(source)?);
        return Ok(pictures);
    }
    let recorded: Recorded = files::read_json(source)?;
    let chart = recorded.chart().ok_or_else(|| Error::damaged(source, "it has no curve"))?;
    let path = source.with_extension("svg");
    files::write(&path, chart.svg())?;
    Ok(vec![path])
}

/// Makes the table of a comparison's folder again from its runs.
///
/// # Errors
/// [`Error::Unfit`] if the folder is not that of one comparison; fails, naming the file, if one cannot be read or
/// written.
pub fn tabulate(folder: &Path) -> Result<()> {
    if !folder.join(RESULTS).exists() {
        let problem = "has no comparison.json, so there is no table to make: leave out --tables";
        return Err(Error::Unfit(format!("{}: {problem}", folder.display())));
    }
    Comparison::read(folder)?.tabulated_again().write(folder)
}

impl Recorded {
    /// The chart; none if there is no curve.
    fn chart(self) -> Option<Chart> {
        let [low, high] = self.possible;
        let possible = low.unwrap_or(*ANY.start())..=high.unwrap_or(*ANY.end());
        if self.series.iter().all(|series| series.curves.iter().all(Vec::is_empty)) {
            return None;
        }
        let line = |(i, series): (usize, &Series)| averaged(&series.name, &series.curves, &possible, i);
        Some(Chart {
            lines: self.series.iter().enumerate().map(line).collect(),
            x_label: self.x,
            y_label: self.y,
            possible_x: NOT_NEGATIVE,
            possible_y: possible.clone(),
            levels: self.levels.into_iter().collect(),
            dots: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn drawn(json: &str) -> Result<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("curves.json");
        fs::write(&path, json).unwrap();
        let pictures = draw(&path)?;
        Ok(fs::read_to_string(&pictures[0]).unwrap())
    }

    #[test]
    fn recorded_curves_are_drawn_again() {
        let series = |name: &str| format!(r#"{{"name": "{name}", "curves": [[[0, 1], [9, 2]], [[0, 2], [9, 3]]]}}"#);
        let json = format!(
            r#"{{"x": "epochs", "y": "reward", "levels": {{"random policy": 1.5}}, "series": [{}, {}]}}"#,
            series("stpn"),
            series("lstm")
        );
        let svg = drawn(&json).unwrap();
        for text in [">epochs<", ">reward<", ">stpn<", ">lstm<", ">random policy 1.5<"] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
        assert_eq!(svg.matches("stroke-width=\"1\"").count(), 4, "every seed");
    }

    #[test]
    fn a_file_without_curves_is_refused_by_its_name() {
        let refused = drawn(r#"{"x": "", "y": "", "series": []}"#).unwrap_err();
        assert!(refused.to_string().contains("curves.json: it has no curve"), "{refused}");
        let refused = drawn(r#"{"x": "", "y": "", "sereis": []}"#).unwrap_err();
        assert!(refused.to_string().contains("sereis"), "{refused}");
    }
}
