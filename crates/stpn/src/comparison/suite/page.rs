//! The page of a suite, and the same tables for a terminal.

use std::fmt::Write as _;

use super::learned::Learned;
use super::results::{CellOnTask, SuiteResults, TaskResults};
use crate::comparison::aggregate::{Estimate, METHOD};
use crate::comparison::profiles::PICTURE;
use crate::progress::thousands;
use crate::report::axis::number;
use crate::table;

/// What is not there.
const NONE: &str = "–";

/// A table before it is written.
struct Rows {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Rows {
    fn new(header: impl IntoIterator<Item = String>, rows: impl IntoIterator<Item = Vec<String>>) -> Self {
        Self { header: header.into_iter().collect(), rows: rows.into_iter().collect() }
    }

    fn header(&self) -> Vec<&str> {
        self.header.iter().map(String::as_str).collect()
    }

    fn markdown(&self) -> String {
        table::markdown(&self.header(), &self.rows)
    }

    fn text(&self) -> String {
        let right: Vec<usize> = (1..self.header.len()).collect();
        table::text(&self.header(), &self.rows, &right)
    }
}

impl SuiteResults {
    /// The page in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "# {}\n\nThe suite `{}`, made by `stpn compare`. {}\n\nSeeds: {}. {}.\n",
            self.title,
            self.suite,
            self.statement,
            self.seeds(),
            self.provenance
        );
        let picture = format!("![Performance profiles]({PICTURE})");
        let shaded = if self.last_seed() == 1 { "" } else { "; shaded the interval of each share by itself" };
        let ahead = format!(
            "Over all tasks and seeds: interquartile means, and the probability that a seed of {} has a better final \
             return than one of the cell on a task drawn at random; {}.\n\nBelow, the share of runs whose final \
             return lies above a threshold{shaded}.\n\n{picture}",
            self.reference,
            self.method()
        );
        let parts = [
            ("MMER", self.mmers(true).markdown(), MMER.to_string()),
            ("Final return", self.results(true).markdown(), FINAL.to_string()),
            (
                "At levels never seen",
                self.elsewhere().map_or_else(String::new, |rows| rows.markdown()),
                ELSEWHERE.to_string(),
            ),
            ("Over all tasks", self.aggregates().markdown(), ahead),
            ("What λ and γ became", self.learned().map_or_else(String::new, |rows| rows.markdown()), self.outside()),
            ("Sizes", self.sizes().markdown(), SIZES.to_string()),
        ];
        for (title, table, below) in parts {
            if !table.is_empty() {
                // Here and below: writing to a string cannot fail.
                let _ = write!(text, "\n## {title}\n\n{table}\n{below}\n");
            }
        }
        text += "\n## Learning curves\n";
        for task in &self.tasks {
            let (title, folder) = (title(task), &task.folder);
            let _ = match task.curves {
                true => write!(text, "\n### {title}\n\n![Learning curves of {title}]({folder}/learning-curves.svg)\n"),
                false => write!(text, "\n### {title}\n\nThe runs were too short for a curve.\n"),
            };
        }
        text
    }

    /// The main tables for a terminal.
    pub fn text(&self) -> String {
        let [mmers, results, over] =
            [self.mmers(false), self.results(false), self.aggregates()].map(|rows| rows.text());
        format!("\nMMER\n{mmers}\nfinal return\n{results}\nover all tasks\n{over}\n{}", self.method())
    }

    /// MMER, a row a task and a column a cell, beside the published one.
    fn mmers(&self, links: bool) -> Rows {
        let published = |task: &TaskResults| vec![fixed(task.published_gru)];
        self.by_task(links, &["GRU, published"], published, |cell| cell.mmer.map(|mean| mean.mean))
    }

    /// Final return, a row a task and a column a cell, beside the random policy and the oracle.
    fn results(&self, links: bool) -> Rows {
        let bounds = |task: &TaskResults| vec![fixed(task.random), fixed(task.oracle)];
        self.by_task(links, &["random policy", "oracle"], bounds, |cell| Some(cell.result.mean))
    }

    fn by_task(
        &self,
        links: bool,
        more: &[&str],
        beside: impl Fn(&TaskResults) -> Vec<String>,
        value: impl Fn(&CellOnTask) -> Option<f64>,
    ) -> Rows {
        let row = |task: &TaskResults| {
            let name = match links {
                true => format!("[{}]({}/comparison.md)", title(task), task.folder),
                false => title(task).to_string(),
            };
            let values = self.cells().map(|cell| fixed(task.cell(cell).and_then(&value)));
            [name].into_iter().chain(beside(task)).chain(values).collect()
        };
        let header = ["task"].iter().chain(more).copied().chain(self.cells()).map(String::from);
        Rows::new(header, self.tasks.iter().map(row))
    }

    /// Return at levels that agents were not trained at, a row a task and level; none if there are none.
    fn elsewhere(&self) -> Option<Rows> {
        let mut rows = Vec::new();
        for task in &self.tasks {
            for (at, place) in task.cells.first().into_iter().flat_map(|cell| cell.elsewhere.iter().enumerate()) {
                let of_cell = |cell: &str| Some(task.cell(cell)?.elsewhere.get(at)?.result.mean);
                let name = [format!("{} at {}", title(task), place.level), fixed(place.random)];
                rows.push(name.into_iter().chain(self.cells().map(|cell| fixed(of_cell(cell)))).collect());
            }
        }
        let header = ["task", "random policy"].into_iter().chain(self.cells()).map(String::from);
        (!rows.is_empty()).then(|| Rows::new(header, rows))
    }

    fn aggregates(&self) -> Rows {
        let ahead = format!("{} is ahead", self.reference);
        let header = ["cell", "final return", "MMER", &ahead].map(String::from);
        // Resampling a single seed tells nothing.
        let estimate = |of: Option<Estimate>, decimals: usize| match of {
            None => NONE.into(),
            Some(Estimate { value, .. }) if self.last_seed() == 1 => format!("{value:.decimals$}"),
            Some(estimate) => estimate.display(decimals),
        };
        let rows = self.over_tasks.iter().map(|over| {
            vec![over.cell.clone(), estimate(over.result, 3), estimate(over.mmer, 3), estimate(over.behind, 2)]
        });
        Rows::new(header, rows)
    }

    /// λ and γ, a row a task, two columns a cell that has them; none if no cell does.
    fn learned(&self) -> Option<Rows> {
        let has = |cell: &&str| self.tasks.iter().any(|task| learned(task, cell).is_some());
        let cells: Vec<&str> = self.cells().filter(has).collect();
        let columns = cells.iter().flat_map(|cell| [format!("{cell}: τ (steps)"), format!("{cell}: γ")]);
        let row = |task: &TaskResults| {
            let span = match task.span {
                None => NONE.to_string(),
                Some([least, most]) if least == most => most.to_string(),
                Some([least, most]) => format!("{least} to {most}"),
            };
            let values = cells.iter().flat_map(|cell| match learned(task, cell) {
                None => [NONE.to_string(), NONE.to_string()],
                Some(Learned { time_constants, gamma, .. }) => [
                    time_constants.map(|steps| steps.map_or("∞".into(), number)).join(" / "),
                    gamma.map(number).join(" / "),
                ],
            });
            [title(task).to_string(), span].into_iter().chain(values).collect()
        };
        let header = ["task", "k"].map(String::from).into_iter().chain(columns);
        (!cells.is_empty()).then(|| Rows::new(header, self.tasks.iter().map(row)))
    }

    /// What stands below λ and γ.
    fn outside(&self) -> String {
        let all = self.tasks.iter().flat_map(|task| &task.cells).filter_map(|cell| cell.learned.as_ref());
        let most = all.map(|learned| learned.outside).fold(0.0, f64::max);
        let outside = match most {
            0.0 => "All synapses have λ between 0 and 1.".to_string(),
            most => format!(
                "λ lies outside (0, 1) for at most {:.1} % of a cell's synapses on a task: they count as 0 steps if \
                 λ ≤ 0, and as ∞ if λ ≥ 1.",
                100.0 * most
            ),
        };
        format!("{LEARNED} {outside}")
    }

    /// Units and parameters of the cells, from the task where they are least to where they are most.
    fn sizes(&self) -> Rows {
        let range = |range: Option<[usize; 2]>| match range {
            None => NONE.to_string(),
            Some([least, most]) if least == most => thousands(most as u64),
            Some([least, most]) => format!("{} to {}", thousands(least as u64), thousands(most as u64)),
        };
        let row = |cell: &str| {
            let [units, parameters] =
                [self.range(cell, |cell| cell.units), self.range(cell, |cell| cell.parameters)].map(range);
            vec![cell.to_string(), units, parameters]
        };
        Rows::new(["cell", "units", "parameters"].map(String::from), self.cells().map(row))
    }

    fn seeds(&self) -> String {
        match self.last_seed() {
            1 => "1".into(),
            last => format!("1 to {last}"),
        }
    }

    /// How intervals are made.
    fn method(&self) -> &'static str {
        if self.last_seed() == 1 { "one seed has no intervals" } else { METHOD }
    }

    fn last_seed(&self) -> u64 {
        let runs = self.tasks.iter().flat_map(|task| &task.cells).flat_map(|cell| &cell.runs);
        runs.map(|run| run.seed).max().unwrap_or(1)
    }
}

/// Below the table of MMERs.
const MMER: &str = "The maximum over a training of the mean return of one iteration, mean over seeds. An iteration is \
                    an entry of the log. Published: Morad et al. 2023, the GRU, with other networks and settings.";

/// Below the table of final returns.
const FINAL: &str = "Mean return on fresh episodes after the training, mean over seeds. Intervals are on each task's \
                     own page.";

/// Below the table of other levels.
const ELSEWHERE: &str = "Mean return on fresh episodes of a harder level of agents that were trained at the easy one, mean \
                         over seeds, for tasks whose levels look the same.";

/// Below the table of what was learned.
const LEARNED: &str = "Quantiles of 10, 50 and 90 % over the synapses of all seeds: time constants τ = −1/ln λ in \
                       steps, and rates γ. k is the number of observations that a memory has to span, the present one \
                       counted.";

/// Below the table of sizes.
const SIZES: &str = "From the task where a cell has the fewest to the one where it has the most, as observations and \
                     actions differ. On each task, the cells are matched in parameters unless units are given.";

/// The task's name without that of the benchmark.
fn title(task: &TaskResults) -> &str {
    task.task.strip_prefix("popgym ").unwrap_or(&task.task)
}

fn learned<'t>(task: &'t TaskResults, cell: &str) -> Option<&'t Learned> {
    task.cell(cell)?.learned.as_ref()
}

fn fixed(value: Option<f64>) -> String {
    value.map_or(NONE.into(), |value| format!("{value:.3}"))
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::made_up;

    #[test]
    fn the_page_has_every_table_with_what_stands_beside() {
        let page =
            made_up(&[&[("stpn", [0.25, 0.75]), ("mlp", [-0.5, -0.5])], &[("stpn", [1.0, 1.0]), ("mlp", [-1.0, 0.5])]]);
        let text = page.markdown();
        for expected in [
            "| task | GRU, published | stpn | mlp |",
            "| [task0 easy](task0-easy/comparison.md) | -0.283 | 0.600 | -0.400 |",
            "| [task1 easy](task1-easy/comparison.md) | – | 1.100 | -0.150 |",
            "| [task0 easy](task0-easy/comparison.md) | -0.500 | – | 0.500 | -0.500 |",
            "| task | random policy | stpn | mlp |",
            "| task0 easy at hard | -0.250 | 0.500 | -0.500 |",
            "| cell | final return | MMER | stpn is ahead |",
            "| stpn | 0.875 [",
            "| mlp | -0.500 [",
            "1.00 [1.00, 1.00] |",
            "![Performance profiles](profiles.svg)",
            "| task | k | stpn: τ (steps) | stpn: γ |",
            "| task0 easy | 1 to 51 | 0.5 / 3 / ∞ | -0.5 / 0 / 0.25 |",
            "| task1 easy | – | 0.5 / 3 / ∞ |",
            "at most 12.5 %",
            "| mlp | 9 | 1,000 |",
            "Seeds: 1 to 2. a machine.",
            "](task1-easy/learning-curves.svg)",
        ] {
            assert!(text.contains(expected), "{expected} in\n{text}");
        }
        let plain = page.text();
        assert!(plain.contains("task0 easy") && !plain.contains("]("), "{plain}");
        let mut one = page.clone();
        one.tasks.iter_mut().flat_map(|task| &mut task.cells).for_each(|cell| cell.runs.truncate(1));
        assert!(one.markdown().contains("| stpn | 0.875 | 0.975 | – |"), "an interval of one seed had no width");
        assert!(one.text().ends_with("one seed has no intervals"), "{}", one.text());
        let none = made_up(&[&[("mlp", [0.0, 0.0])]]).markdown();
        assert!(!none.contains('λ') && !none.contains("∞"), "{none}");
    }
}
