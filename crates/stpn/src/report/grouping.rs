//! Which runs are drawn together, and which are seeds of one and the same experiment.

use super::runs::RunData;
use crate::settings::{Differences, Settings};

/// Sections that say what is to be learned: results are compared only where they are the same.
const TASK: [&str; 2] = ["env", "task"];

/// What the name of a cell and its size stand for.
const NETWORK: [&str; 2] = ["policy.cell", "policy.hidden"];

/// Runs with one task: a chart.
pub struct Experiment<'a> {
    /// Its name, with what sets it apart from others of that name.
    pub title: String,
    /// The same as part of a file's name.
    pub id: String,
    /// Its series.
    pub groups: Vec<Group<'a>>,
}

/// Runs that differ in nothing but the seed: a line of a chart.
pub struct Group<'a> {
    /// Its name in legends: the cell, with what sets it apart from other series.
    pub name: String,
    /// The runs.
    pub runs: Vec<&'a RunData>,
}

/// The experiments of all runs, in the order in which they were given.
pub fn experiments(runs: &[RunData]) -> Vec<Experiment<'_>> {
    let tasks = partition(runs.iter().collect(), |run| (run.experiment.clone(), run.settings.within(&TASK)));
    let experiments = tasks.iter().map(|((name, task), runs)| {
        let of_name = tasks.iter().filter(|((other, _), _)| other == name);
        let differences = Differences::among(&of_name.map(|((_, task), _)| task).collect::<Vec<_>>());
        let title = titled(name, ": ", &differences.name(task));
        Experiment { id: slug(&title), title, groups: groups(runs.clone()) }
    });
    experiments.collect()
}

/// The series of one task.
fn groups(runs: Vec<&RunData>) -> Vec<Group<'_>> {
    let series = partition(runs, |run| run.settings.clone());
    let others: Vec<Settings> = series.iter().map(|(settings, _)| settings.without(&NETWORK)).collect();
    let beside_the_network = Differences::among(&others.iter().collect::<Vec<_>>());
    let networks: Vec<(&str, Settings)> =
        series.iter().map(|(settings, runs)| (runs[0].cell.as_str(), settings.within(&NETWORK))).collect();
    let names: Vec<String> = networks
        .iter()
        .zip(&others)
        .map(|((cell, network), other)| {
            let of_cell = networks.iter().filter(|(name, _)| name == cell).map(|(_, network)| network);
            let network = Differences::among(&of_cell.collect::<Vec<_>>()).name(network);
            titled(&titled(cell, ", ", &network), ", ", &beside_the_network.name(other))
        })
        .collect();
    series.into_iter().zip(names).map(|((_, runs), name)| Group { name, runs }).collect()
}

fn titled(name: &str, separator: &str, what: &str) -> String {
    if what.is_empty() { name.to_string() } else { format!("{name}{separator}{what}") }
}

fn slug(title: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
    let words: String = title.chars().map(plain).collect();
    words.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// Runs of equal `key` together; keys and runs in the order of their first.
fn partition<K: PartialEq>(runs: Vec<&RunData>, key: impl Fn(&RunData) -> K) -> Vec<(K, Vec<&RunData>)> {
    let mut parts: Vec<(K, Vec<&RunData>)> = Vec::new();
    for run in runs {
        let key = key(run);
        match parts.iter_mut().find(|(known, _)| *known == key) {
            Some((_, runs)) => runs.push(run),
            None => parts.push((key, vec![run])),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of a preset with other settings.
    fn run(preset: &str, seed: u64, overrides: &[&str]) -> RunData {
        let mut table = crate::presets::load(preset).unwrap().0;
        crate::overrides::apply(&mut table, &format!("seed={seed}").parse().unwrap()).unwrap();
        overrides
            .iter()
            .for_each(|assignment| drop(crate::overrides::apply(&mut table, &assignment.parse().unwrap()).unwrap()));
        RunData::of_metrics(&format!("{preset}-{seed}"), table, Vec::new()).unwrap()
    }

    fn names(runs: &[RunData]) -> Vec<(String, Vec<(String, usize)>)> {
        let group = |group: &Group<'_>| (group.name.clone(), group.runs.len());
        let experiments = experiments(runs);
        experiments.iter().map(|e| (e.title.clone(), e.groups.iter().map(group).collect())).collect()
    }

    #[test]
    fn seeds_of_one_cell_are_one_series() {
        let lstm = "policy.cell={kind='lstm'}";
        let runs = [run("maze", 1, &[]), run("maze", 1, &[lstm]), run("maze", 2, &["training.threads=3"])];
        assert_eq!(names(&runs), [("maze".into(), vec![("stpn".into(), 2), ("lstm".into(), 1)])]);
    }

    #[test]
    fn unlike_runs_were_averaged_as_seeds() {
        let rate = "optimizer.learning_rate=0.01";
        let runs = [run("maze", 1, &[]), run("maze", 2, &[rate]), run("maze", 3, &["policy.hidden=7"])];
        let (title, series) = names(&runs).remove(0);
        assert_eq!((title.as_str(), series.len()), ("maze", 3));
        assert!(series[1].0.contains("learning_rate 0.01"), "{series:?}");
        assert!(series[2].0.starts_with("stpn, hidden 7"), "{series:?}");
        assert_eq!(series.iter().map(|(_, runs)| runs).sum::<usize>(), 3);
    }

    #[test]
    fn algorithms_were_averaged_as_seeds() {
        let mut ppo = crate::presets::load("cartpole").unwrap().0;
        let mut a2c = ppo.clone();
        crate::algorithm::replace(&mut a2c, "a2c").unwrap();
        ppo.insert("seed".into(), 2.into());
        let read = |table| RunData::of_metrics("run", table, Vec::new()).unwrap();
        let (_, series) = names(&[read(ppo), read(a2c)]).remove(0);
        assert_eq!(series.len(), 2);
        assert!(series[0].0.contains("algorithm ppo") && series[1].0.contains("algorithm a2c"), "{series:?}");
    }

    #[test]
    fn mazes_of_two_sizes_shared_a_chart() {
        let names = names(&[run("maze", 1, &[]), run("maze-small", 2, &[])]);
        assert_eq!(names.len(), 2);
        assert!(names[0].0.starts_with("maze: ") && names[0].0.contains("size 13"), "{names:?}");
        assert!(names[1].0.contains("size 9"), "{names:?}");
        assert_eq!(slug(&names[1].0).matches(|c: char| c.is_whitespace() || c == ':').count(), 0);
    }
}
