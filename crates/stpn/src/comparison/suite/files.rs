//! The files of a suite: written, and read again for pictures to be drawn anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::figures::{SCORE, profiles};
use super::results::{RunScore, SuiteResults};
use crate::comparison::profiles::NUMBERS;
use crate::{Result, files};

/// The results.
pub const RESULTS: &str = "suite.json";

impl SuiteResults {
    /// Writes `suite.json`, the page `suite.md`, `scores.csv` with final returns, `mmer.csv` in the same layout, which
    /// is that of a comparison's `scores.csv`, and `profiles.csv`; draws `profiles.svg`.
    ///
    /// # Errors
    /// Fails if a file cannot be written.
    pub fn write(&self, directory: &Path) -> Result<()> {
        let profiles = profiles(self);
        let contents = [
            (RESULTS, files::json(self)?),
            ("suite.md", self.markdown()),
            ("scores.csv", self.csv(|run| Some(run.result))),
            ("mmer.csv", self.csv(|run| run.mmer)),
            (NUMBERS, profiles.csv()),
        ];
        for (name, contents) in contents {
            files::write(&directory.join(name), contents)?;
        }
        profiles.draw(SCORE, directory).map(drop)
    }

    /// What [`SuiteResults::write`] wrote.
    ///
    /// # Errors
    /// Fails, naming the file, if it is missing or damaged.
    pub fn read(directory: &Path) -> Result<Self> {
        files::read_json(&directory.join(RESULTS))
    }

    /// Writes the picture alone; returns its path.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn draw(&self, directory: &Path) -> Result<Option<PathBuf>> {
        profiles(self).draw(SCORE, directory)
    }

    /// A score a run, as rliable takes it after a pivot.
    fn csv(&self, score: impl Fn(&RunScore) -> Option<f64>) -> String {
        let mut text = "algorithm,task,seed,score\n".to_string();
        for task in &self.tasks {
            for cell in &task.cells {
                for run in &cell.runs {
                    let Some(score) = score(run) else { continue };
                    // Writing to a string cannot fail.
                    let _ = writeln!(text, "{},{},{},{score}", cell.cell, task.task, run.seed);
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::results::tests::made_up;
    use super::*;
    use crate::comparison::profiles::PICTURE;

    #[test]
    fn scores_of_all_tasks_are_in_one_file_and_pictures_are_drawn_again() {
        let directory = tempfile::tempdir().unwrap();
        let results = made_up(&[&[("stpn", [0.5, 0.25])], &[("stpn", [1.0, -1.0])]]);
        results.write(directory.path()).unwrap();
        let text = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        let expected = "algorithm,task,seed,score\nstpn,popgym task0 easy,1,0.5\nstpn,popgym task0 easy,2,0.25\n\
                        stpn,popgym task1 easy,1,1\nstpn,popgym task1 easy,2,-1\n";
        assert_eq!(text("scores.csv"), expected);
        assert!(text("mmer.csv").contains("stpn,popgym task0 easy,1,0.6\n"), "{}", text("mmer.csv"));
        assert_eq!(text("profiles.csv").lines().count(), 1 + 51);
        let picture = text(PICTURE);
        fs::remove_file(directory.path().join(PICTURE)).unwrap();
        let again = SuiteResults::read(directory.path()).unwrap();
        assert_eq!(again.draw(directory.path()).unwrap(), Some(directory.path().join(PICTURE)));
        assert_eq!(text(PICTURE), picture);
    }
}
