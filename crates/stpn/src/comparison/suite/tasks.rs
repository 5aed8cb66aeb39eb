//! Which tasks and which cells a suite has.

use stpn_core::cells::CellName;
use stpn_envs::popgym::{Level, Task};

use crate::error::Kind;
use crate::{Error, Result};

/// Tasks of one preset on which cells are compared.
#[derive(Debug)]
pub struct Suite {
    /// Its name.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// The preset whose tasks these are.
    pub preset: &'static str,
    /// The tasks, in order.
    pub tasks: &'static [SuiteTask],
    /// The cells, if nobody names others.
    pub cells: &'static [CellName],
}

/// One task of a suite.
#[derive(Debug, PartialEq)]
pub struct SuiteTask {
    /// The task.
    pub task: Task,
    /// Its level.
    pub level: Level,
    /// How many observations a memory has to span, the present one counted: at least and at most, where the task says
    /// so by itself. RepeatPrevious calls it k.
    pub span: Option<[u32; 2]>,
    /// The MMER that was published for the GRU, where it is known.
    pub published_gru: Option<f64>,
}

/// Every suite.
pub const SUITES: &[Suite] =
    &[Suite { name: "core", title: "Seventeen tasks of POPGym", preset: "popgym", tasks: CORE, cells: CELLS }];

/// The cells of the suite `core`.
const CELLS: &[CellName] = &[
    CellName::Stpn,
    CellName::Stpnf,
    CellName::Lstm,
    CellName::Gru,
    CellName::FastWeights,
    CellName::LinearRecurrent,
    CellName::DeltaRule,
    CellName::Mlp,
];

/// The tasks of the suite `core`. Published: Morad et al. 2023.
///
/// Of n cards, 52 a deck, RepeatFirst asks for the first one until n − 1 are shown. Autoencode shows all n, asks for
/// the last one at once, and for the first one n − 1 steps later, when it is the (2n − 1)th last observation.
const CORE: &[SuiteTask] = &[
    task(Task::RepeatPrevious, Level::Easy, Some([4, 4]), Some(1.0)),
    task(Task::RepeatPrevious, Level::Medium, Some([32, 32]), Some(-0.315)),
    task(Task::RepeatPrevious, Level::Hard, Some([64, 64]), Some(-0.428)),
    task(Task::RepeatFirst, Level::Easy, Some([1, 51]), Some(1.0)),
    task(Task::RepeatFirst, Level::Medium, Some([1, 415]), Some(1.0)),
    task(Task::RepeatFirst, Level::Hard, Some([1, 831]), Some(0.94)),
    task(Task::Autoencode, Level::Easy, Some([1, 103]), Some(-0.283)),
    task(Task::Autoencode, Level::Medium, Some([1, 207]), Some(-0.425)),
    task(Task::CountRecall, Level::Easy, None, Some(0.177)),
    task(Task::CountRecall, Level::Medium, None, Some(-0.528)),
    task(Task::Concentration, Level::Easy, None, None),
    task(Task::Concentration, Level::Medium, None, None),
    task(Task::HigherLower, Level::Easy, None, Some(0.529)),
    task(Task::MultiarmedBandit, Level::Easy, None, Some(0.619)),
    task(Task::PositionOnlyCartpole, Level::Hard, None, Some(1.0)),
    task(Task::PositionOnlyPendulum, Level::Hard, None, None),
    task(Task::Battleship, Level::Easy, None, None),
];

const fn task(task: Task, level: Level, span: Option<[u32; 2]>, published_gru: Option<f64>) -> SuiteTask {
    SuiteTask { task, level, span, published_gru }
}

impl Suite {
    /// The suite of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        SUITES.iter().find(|suite| suite.name == name)
    }

    /// The tasks of these names ([`SuiteTask::folder`]), in the suite's order; all if none is named.
    ///
    /// # Errors
    /// [`Error::Unknown`], with all names.
    pub fn chosen(&self, names: &[String]) -> Result<Vec<&'static SuiteTask>> {
        let known = || self.tasks.iter().map(SuiteTask::folder);
        if let Some(name) = names.iter().find(|name| known().all(|folder| folder != **name)) {
            let hint = format!("`{}` has: {}", self.name, known().collect::<Vec<_>>().join(", "));
            return Err(Error::Unknown { kind: Kind::Task, name: name.clone(), hint });
        }
        Ok(self.tasks.iter().filter(|task| names.is_empty() || names.contains(&task.folder())).collect())
    }
}

impl SuiteTask {
    /// The name of its folder, `repeat-previous-easy`.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.task.name(), self.level.name())
    }

    /// Its name, `repeat-previous easy`.
    pub fn title(&self) -> String {
        format!("{} {}", self.task.name(), self.level.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use stpn_envs::popgym::PopgymConfig;
    use stpn_envs::{Action, ObservationMut, Space};

    use super::*;
    use crate::{TrainingRequest, presets};

    #[test]
    fn every_task_of_every_suite_is_one_of_its_preset_and_can_be_made() {
        for suite in SUITES {
            assert!(presets::find(suite.preset).is_some(), "{}", suite.preset);
            for task in suite.tasks {
                let request = TrainingRequest {
                    experiment: suite.preset.into(),
                    environment: Some(task.task.name().into()),
                    level: Some(task.level.name().into()),
                    ..TrainingRequest::default()
                };
                let config = request.configure(1).unwrap();
                config.agent().unwrap().env.make().unwrap();
            }
            let folders: BTreeSet<String> = suite.tasks.iter().map(SuiteTask::folder).collect();
            assert_eq!(folders.len(), suite.tasks.len(), "a task is named twice");
        }
        assert_eq!(Suite::find("core").unwrap().tasks.len(), 17);
        assert!(Suite::find("all").is_none());
    }

    /// Steps of an episode.
    fn steps(task: &SuiteTask) -> u32 {
        let mut env = PopgymConfig::published(task.task, task.level).make().unwrap();
        let mut observation = vec![0.0; env.observation_space().len()];
        env.reset(Some(1), ObservationMut::F32(&mut observation)).unwrap();
        assert!(matches!(env.action_space(), Space::Discrete { .. }));
        (1..).find(|_| env.step(Action::Discrete(0), ObservationMut::F32(&mut observation)).unwrap().done()).unwrap()
    }

    #[test]
    fn spans_reach_over_the_episodes_of_their_tasks() {
        for task in CORE {
            let most = task.span.map(|[_, most]| most);
            match task.task {
                // Both ask for the very first observation at the last step.
                Task::RepeatFirst | Task::Autoencode => assert_eq!(most, Some(steps(task)), "{}", task.title()),
                Task::RepeatPrevious => assert_eq!(most, Some(task.level.of([4, 32, 64])), "{}", task.title()),
                _ => assert_eq!(most, None, "{}", task.title()),
            }
        }
    }

    #[test]
    fn tasks_are_chosen_by_name_in_the_suites_order() {
        let suite = Suite::find("core").unwrap();
        let chosen = |names: &[&str]| suite.chosen(&names.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(chosen(&[]).unwrap().len(), suite.tasks.len());
        let titles: Vec<String> =
            chosen(&["battleship-easy", "repeat-first-hard"]).unwrap().iter().map(|task| task.title()).collect();
        assert_eq!(titles, ["repeat-first hard", "battleship easy"]);
        let error = chosen(&["repeat-first"]).unwrap_err().to_string();
        assert!(
            error.contains("no task of the suite `repeat-first`") && error.contains("repeat-first-easy"),
            "{error}"
        );
    }
}
