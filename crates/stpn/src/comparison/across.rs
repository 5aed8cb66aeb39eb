//! The same methods on several tasks: what is said over all of them.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::Comparison;
use super::aggregate::{Estimate, METHOD, Scores};
use super::files::{SCORES, scores};
use super::profiles::{NUMBERS, PICTURE, Profiles};
use crate::{Result, files, table};

/// Which folders have the comparisons of several tasks.
pub const FOLDERS: &str = "tasks.json";

/// What a score is.
pub const SCORE: &str = "score (0: random policy, 1: oracle)";

/// The same in full.
const SCALE: &str = "On each task, 0 is the random policy's return, and 1 the oracle's or, where it is not known, the \
                      greatest possible one or else the best mean of the cells. An accuracy is a score as it is";

/// The results of methods on one task.
#[derive(Clone, Debug)]
pub struct OnTask {
    /// Its name.
    pub task: String,
    /// Result of the random policy, if it is known.
    pub random: Option<f64>,
    /// Result of the optimal policy, if it is known.
    pub oracle: Option<f64>,
    /// Between which values a result can lie.
    pub possible: RangeInclusive<f64>,
    /// Methods with the results of their seeds.
    pub methods: Vec<(String, Vec<f64>)>,
}

/// Methods over all tasks.
#[derive(Clone, Debug)]
pub struct Across {
    /// The tasks.
    tasks: Vec<String>,
    /// Each method with its scores.
    methods: Vec<(String, Scores)>,
}

impl OnTask {
    /// Of a comparison.
    pub fn of(comparison: &Comparison) -> Self {
        let of_cell =
            |cell: &str| comparison.runs.iter().filter(|run| run.cell == cell).map(|run| run.result).collect();
        Self {
            task: comparison.task.clone(),
            random: comparison.random,
            oracle: comparison.oracle,
            possible: comparison.possible(),
            methods: comparison.cells.iter().map(|cell| (cell.cell.clone(), of_cell(&cell.cell))).collect(),
        }
    }

    /// A method's scores; none if it was not run.
    fn scores(&self, method: &str) -> Option<Vec<f64>> {
        let (_, results) = self.methods.iter().find(|(name, results)| name == method && !results.is_empty())?;
        let [low, high] = self.ends();
        // Where nothing was learned at all there is no scale.
        let score = |result: &f64| if high > low { (result - low) / (high - low) } else { 0.0 };
        Some(results.iter().map(score).collect())
    }

    /// The results that count 0 and 1.
    fn ends(&self) -> [f64; 2] {
        let finite = |end: &f64| Some(*end).filter(|end| end.is_finite());
        let means = self.methods.iter().filter(|(_, results)| !results.is_empty());
        let means: Vec<f64> = means.map(|(_, results)| results.iter().sum::<f64>() / results.len() as f64).collect();
        let (least, best) = (means.iter().copied().reduce(f64::min), means.iter().copied().reduce(f64::max));
        let low = self.random.or(finite(self.possible.start())).or(least);
        let high = self.oracle.or(finite(self.possible.end())).or(best);
        [low.unwrap_or(0.0), high.unwrap_or(0.0)]
    }
}

impl Across {
    /// Of the methods that were run on every task; none of a single task, or if there is no such method.
    pub fn of(tasks: &[OnTask]) -> Option<Self> {
        let first = tasks.first().filter(|_| tasks.len() > 1)?;
        let scores = |name: &String| {
            let scores = tasks.iter().map(|task| task.scores(name)).collect::<Option<_>>()?;
            Some((name.clone(), Scores(scores)))
        };
        let methods: Vec<_> = first.methods.iter().filter_map(|(name, _)| scores(name)).collect();
        let tasks = tasks.iter().map(|task| task.task.clone()).collect();
        (!methods.is_empty()).then_some(Self { tasks, methods })
    }

    /// The methods' profiles.
    pub fn profiles(&self) -> Profiles {
        Profiles::of(self.methods.iter().map(|(name, scores)| (&**name, scores.clone())))
    }

    /// The methods, in order.
    pub fn methods(&self) -> impl Iterator<Item = &str> {
        self.methods.iter().map(|(name, _)| &**name)
    }

    /// Header and rows of the table over all tasks.
    pub fn rows(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let Some((reference, theirs)) = self.methods.first() else { return Default::default() };
        let shown = |estimate: Option<Estimate>, decimals| {
            estimate.map_or("–".to_string(), |estimate| estimate.display(decimals))
        };
        let row = |(name, scores): &(String, Scores)| {
            let ahead = (name != reference).then(|| theirs.probability_of_improvement(scores)).flatten();
            vec![name.clone(), shown(scores.interquartile_mean(), 3), shown(ahead, 2)]
        };
        let header = ["cell".into(), "interquartile mean of scores".into(), format!("{reference} is ahead")];
        (header.to_vec(), self.methods.iter().map(row).collect())
    }

    /// What is to be said of table and profiles.
    pub fn caption(&self) -> String {
        let reference = self.methods.first().map_or("", |(name, _)| name);
        format!(
            "Over {} tasks and all seeds: {}. {SCALE}. Beside the means, the probability that a seed of {reference} is \
             ahead of one of the cell on a task drawn at random. {METHOD}.",
            self.tasks.len(),
            self.tasks.join(", ")
        )
    }

    /// The table for a terminal.
    pub fn text(&self) -> String {
        let (header, rows) = self.rows();
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        format!("\n{}\n{}", table::text(&header, &rows, &[1, 2]), self.caption())
    }

    /// The page in Markdown.
    fn markdown(&self) -> String {
        let (header, rows) = self.rows();
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        format!(
            "# Over all tasks\n\n{}\n{}\n\nBelow, the share of runs whose score lies above a threshold; shaded the \
             interval of each share by itself.\n\n![Performance profiles]({PICTURE})\n",
            table::markdown(&header, &rows),
            self.caption()
        )
    }
}

/// Writes what is said over the comparisons that lie in these folders of a directory: `tasks.json`, `tasks.md`,
/// `scores.csv`, `profiles.csv` and `profiles.svg`. None if they have no method in common.
///
/// # Errors
/// Fails, naming the file, if one is missing, damaged, or cannot be written.
pub fn write(directory: &Path, folders: &[String]) -> Result<Option<Across>> {
    let comparisons = folders.iter().map(|folder| Comparison::read(&directory.join(folder)));
    let comparisons = comparisons.collect::<Result<Vec<_>>>()?;
    files::write(&directory.join(FOLDERS), files::json(&folders)?)?;
    files::write(&directory.join(SCORES), scores(&comparisons))?;
    let Some(across) = Across::of(&comparisons.iter().map(OnTask::of).collect::<Vec<_>>()) else { return Ok(None) };
    let profiles = across.profiles();
    files::write(&directory.join("tasks.md"), across.markdown())?;
    files::write(&directory.join(NUMBERS), profiles.csv())?;
    profiles.draw(SCORE, directory)?;
    Ok(Some(across))
}

/// Draws the pictures of a directory that [`write()`] has written to again, those of its comparisons too.
///
/// # Errors
/// Fails, naming the file, if one is missing, damaged, or cannot be written.
pub fn draw(directory: &Path) -> Result<Vec<PathBuf>> {
    let folders: Vec<String> = files::read_json(&directory.join(FOLDERS))?;
    let (mut pictures, mut tasks) = (Vec::new(), Vec::new());
    for folder in folders.iter().map(|folder| directory.join(folder)) {
        let comparison = Comparison::read(&folder)?;
        pictures.extend(comparison.draw(&folder)?);
        tasks.push(OnTask::of(&comparison));
    }
    if let Some(across) = Across::of(&tasks) {
        pictures.extend(across.profiles().draw(SCORE, directory)?);
    }
    Ok(pictures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::statistics::{ANY, SHARE};

    fn task(random: Option<f64>, oracle: Option<f64>, possible: RangeInclusive<f64>) -> OnTask {
        let methods = [("stpn", vec![6.0, 8.0]), ("lstm", vec![3.0, 5.0])];
        let methods = methods.map(|(name, results)| (name.to_string(), results)).to_vec();
        OnTask { task: "maze".into(), random, oracle, possible, methods }
    }

    #[test]
    fn scores_lie_between_random_policy_and_oracle_or_what_is_possible_or_was_reached() {
        let scores = |task: OnTask| task.scores("stpn").unwrap();
        assert_eq!(scores(task(Some(2.0), Some(10.0), 0.0..=20.0)), [0.5, 0.75]);
        assert_eq!(scores(task(Some(2.0), None, 0.0..=18.0)), [0.25, 0.375]);
        assert_eq!(scores(task(Some(2.0), None, ANY)), [0.8, 1.2], "the best mean is 7");
        assert_eq!(scores(task(None, None, ANY)), [2.0 / 3.0, 4.0 / 3.0], "the worst is 4");
        assert_eq!(scores(task(Some(9.0), None, ANY)), [0.0, 0.0], "nothing was learned");
        assert_eq!(task(None, None, SHARE).ends(), [0.0, 1.0]);
        assert_eq!(task(None, None, SHARE).scores("gru"), None);
    }

    #[test]
    fn methods_of_every_task_are_told_over_all_of_them() {
        let mut tasks = [task(Some(2.0), Some(10.0), ANY), task(Some(3.0), Some(8.0), ANY)];
        assert!(Across::of(&tasks[..1]).is_none());
        tasks[1].methods.push(("gru".into(), vec![1.0, 1.0]));
        let across = Across::of(&tasks).unwrap();
        assert_eq!(across.methods().collect::<Vec<_>>(), ["stpn", "lstm"], "the GRU was run on one task alone");
        let (header, rows) = across.rows();
        assert_eq!(header[2], "stpn is ahead");
        // Of 0.5, 0.75, 0.6 and 1 the middle half.
        assert!(rows[0][1].starts_with("0.675 [") && rows[0][2] == "–", "{rows:?}");
        assert_eq!(rows[1][2], "1.00 [1.00, 1.00]");
        let page = across.markdown();
        assert!(page.contains("| lstm | ") && page.contains("Over 2 tasks and all seeds: maze, maze."), "{page}");
        tasks[1].methods.clear();
        assert!(Across::of(&tasks).is_none());
    }
}
