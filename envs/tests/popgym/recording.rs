//! Episodes of the Python package, as `envs/tests/python/popgym_recordings.py` writes them.

use std::path::PathBuf;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use stpn_envs::popgym::{Level, Task};
use stpn_envs::{Action, Space};

#[derive(Deserialize)]
pub struct Recording {
    pub task: Task,
    pub episodes: Vec<Recorded>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    pub level: Level,
    deal: Value,
    /// What chance decided at the start and at every step.
    #[serde(default)]
    luck: Vec<Value>,
    actions: Numbers,
    observations: Numbers,
    rewards: Rewards,
    pub terminated: bool,
    pub truncated: bool,
    /// What the published wrappers show of the first two moments.
    pub interface: Option<[Vec<f32>; 2]>,
}

/// Digits in base 36, or a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Numbers {
    Digits(String),
    List(Vec<f32>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Rewards {
    Coded { values: Vec<f64>, codes: String },
    List(Vec<f64>),
}

fn digits(text: &str) -> impl Iterator<Item = u32> {
    text.chars().map(|digit| digit.to_digit(36).unwrap())
}

impl Numbers {
    fn list(&self) -> Vec<f32> {
        match self {
            Self::Digits(text) => digits(text).map(|digit| digit as f32).collect(),
            Self::List(list) => list.clone(),
        }
    }
}

impl Recorded {
    pub fn deal<D: DeserializeOwned>(&self) -> D {
        serde_json::from_value(self.deal.clone()).unwrap()
    }

    pub fn luck<L: Default + DeserializeOwned>(&self, moment: usize) -> L {
        self.luck.get(moment).map_or_else(L::default, |luck| serde_json::from_value(luck.clone()).unwrap())
    }

    pub fn rewards(&self) -> Vec<f64> {
        match &self.rewards {
            Rewards::Coded { values, codes } => digits(codes).map(|code| values[code as usize]).collect(),
            Rewards::List(list) => list.clone(),
        }
    }

    /// The observation of the start and of every step.
    pub fn observations(&self, width: usize) -> Vec<Vec<f32>> {
        self.observations.list().chunks(width).map(<[f32]>::to_vec).collect()
    }

    /// Calls `take` with every action.
    pub fn each_action(&self, space: &Space, mut take: impl FnMut(Action<'_>)) {
        for numbers in self.actions.list().chunks(space.len()) {
            let choices: Vec<u32> = numbers.iter().map(|&number| number as u32).collect();
            take(match space {
                Space::Discrete { .. } => Action::Discrete(choices[0] as usize),
                Space::Box { .. } => Action::Continuous(numbers),
                _ => Action::Choices(&choices),
            });
        }
    }
}

/// The episodes of a task: the committed ones, or those in the folder that STPN_POPGYM_RECORDINGS names.
pub fn recording(task: Task) -> Recording {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/trajectories/popgym");
    let directory = std::env::var_os("STPN_POPGYM_RECORDINGS").map_or_else(|| committed.into(), PathBuf::from);
    let path = directory.join(format!("{}.json", task.name()));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let recording: Recording = serde_json::from_str(&text).unwrap();
    assert_eq!(recording.task, task);
    recording
}
