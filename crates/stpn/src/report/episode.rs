//! An evaluation episode of a run, recorded for its pictures.

use stpn_agents::ActorCritic;
use stpn_agents::actor::Subject;
use stpn_agents::episode::{Moment, live};
use stpn_envs::maze::Maze;
use stpn_envs::{Env, EnvConfig};

use super::maze::Path;
use super::pictures::Pictures;
use crate::Result;
use crate::film::{FastMap, Scene, Use};

/// Most snapshots of F that are kept; beyond that every other one goes.
const SNAPSHOTS: usize = 64;

/// What an episode showed.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// Sum of rewards.
    pub total_reward: f64,
    /// Mean size of the fast weights after each step; empty for cells without any.
    pub fast_size: Vec<f64>,
    /// Fast weights `[H, D]` after some steps (counted from 1), evenly spaced.
    pub snapshots: Vec<(usize, Vec<f32>)>,
    /// Columns D of a snapshot.
    pub fast_columns: usize,
    /// The way through a maze.
    pub path: Option<Path>,
    /// Pictures of the episode, where the environment can be drawn and is no maze.
    pub strip: Pictures,
}

/// Plays the episode of `seed` and records it.
///
/// # Errors
/// Fails if the environment or the policy does.
pub fn record(env: &EnvConfig, subject: &Subject<'_>, seed: u64, deterministic: bool) -> Result<Recording> {
    match env {
        EnvConfig::Maze(config) => {
            let mut maze = Maze::new(config.clone())?;
            let mut path = Path {
                grid: maze.grid().clone(),
                goal: maze.goal(),
                positions: vec![maze.grid().centre()],
                reached: Vec::new(),
            };
            let mut recording = watch(&mut maze, subject, seed, deterministic, |moment| {
                path.goal = moment.env.goal();
                path.positions.push(moment.env.agent());
                path.reached.push(moment.reward > 0.0);
            })?;
            recording.path = Some(path);
            Ok(recording)
        }
        other => {
            let mut env = other.drawing(true).make()?;
            let (scene, mut strip) = (Scene::of(other, env.as_ref()), Pictures::default());
            let recording = watch(&mut env, subject, seed, deterministic, |moment| {
                scene.iter().for_each(|scene| strip.look(moment.step as usize, || scene.draw(moment, None, Use::Film)));
            })?;
            Ok(Recording { strip, ..recording })
        }
    }
}

fn watch<E: Env>(
    env: &mut E,
    subject: &Subject<'_>,
    seed: u64,
    deterministic: bool,
    mut look: impl FnMut(&Moment<'_, E>),
) -> Result<Recording> {
    let fast = FastWeights::of(subject.policy.policy());
    let mut recording = Recording { fast_columns: fast.columns, ..Recording::default() };
    let mut every = 1;
    let episode = live(env, subject, seed, deterministic, |moment| {
        let values = &moment.state[fast.range.clone()];
        if !values.is_empty() {
            recording.fast_size.push(fast.size(moment.state));
            let step = moment.step as usize;
            if step.is_multiple_of(every) {
                recording.snapshots.push((step, values.to_vec()));
            }
            if recording.snapshots.len() > SNAPSHOTS {
                every *= 2;
                recording.snapshots.retain(|(step, _)| step.is_multiple_of(every));
            }
        }
        look(&moment);
        Ok(())
    })?;
    recording.total_reward = episode.total_reward;
    Ok(recording)
}

/// Where the fast weights lie in a packed state.
#[derive(Clone, Debug)]
pub struct FastWeights {
    /// Their range; empty for cells without any.
    pub range: std::ops::Range<usize>,
    /// Columns D.
    pub columns: usize,
}

impl FastWeights {
    /// Those of a policy's cell.
    pub fn of(policy: &ActorCritic) -> Self {
        let mut start = 0;
        for field in policy.cell().state_layout() {
            let range = start..start + field.len();
            // Of a cell of one's own it may be anything.
            if field.name == "F" && field.shape.len() == 2 && !field.is_empty() {
                return Self { range, columns: field.shape.last().copied().unwrap_or(1) };
            }
            start = range.end;
        }
        Self { range: 0..0, columns: 1 }
    }

    /// Those of a state as a picture shows them, with the largest so far; none for cells without fast weights.
    pub fn map<'a>(&self, state: &'a [f32], largest: &mut f32) -> Option<FastMap<'a>> {
        let values = &state[self.range.clone()];
        *largest = values.iter().fold(*largest, |largest, f| largest.max(f.abs()));
        (!values.is_empty()).then_some(FastMap { values, columns: self.columns, largest: *largest })
    }

    /// Mean absolute value; 0 for cells without fast weights.
    pub fn size(&self, state: &[f32]) -> f64 {
        let values = &state[self.range.clone()];
        values.iter().map(|f| f64::from(f.abs())).sum::<f64>() / values.len().max(1) as f64
    }
}
