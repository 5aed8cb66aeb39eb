//! An environment from the rules of a task.

use std::path::Path;

use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::model::Model;
use super::{Simulation, View};
use crate::wrappers::TimeLimit;
use crate::{Action, Env, Error, ObservationMut, Result, Screen, Space, Step, state};

/// The rules of a task about a simulated body.
pub trait Task: Send {
    /// The registered name.
    const NAME: &'static str;

    /// Whether the first observation or reward of an episode needs more than positions and velocities.
    const DERIVES_AT_START: bool;

    /// Whether observations or rewards need the contact forces on every body.
    const CONTACT_FORCES: bool = false;

    /// From where a picture shows it.
    const VIEW: View = View::Side;

    /// Number of elements of an observation.
    fn observation_len(&self, simulation: &Simulation) -> usize;

    /// Draws an episode's start: positions and velocities come as those of the default pose at rest.
    fn start(&self, stream: &mut Stream, positions: &mut [f64], velocities: &mut [f64]);

    /// Writes the observation; the slice has the length asked for.
    fn observe(&self, simulation: &Simulation, observation: &mut [f64]);

    /// The coordinate whose change is rewarded, where there is one.
    fn progress(&self, _simulation: &Simulation) -> f64 {
        0.0
    }

    /// Reward of the step that `simulation` has just made, and whether it ended the task. `speed` is the change of
    /// [`Task::progress`] per second.
    fn outcome(&self, simulation: &Simulation, action: &[f32], speed: f64, observation: &[f64]) -> (f64, bool);
}

/// The environment of a [`Task`], without a limit on the steps of an episode.
pub struct MujocoEnv<T> {
    task: T,
    simulation: Simulation,
    observation_space: Space,
    action_space: Space,
    stream: Stream,
    /// [`Task::progress`] after the last step. Not to be had from a restored simulation: body positions lag behind the
    /// generalised ones, by a part of a step.
    progress: f64,
    running: bool,
    observation: Vec<f64>,
    start_positions: Vec<f64>,
    start_velocities: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    stream: Stream,
    simulation: Box<[f64]>,
    progress: f64,
    running: bool,
}

/// What the settings of every task have in common.
pub(super) struct Setup<'a> {
    pub model: &'a Model,
    pub xml_file: Option<&'a Path>,
    pub frame_skip: u32,
    pub max_episode_steps: u32,
}

impl Setup<'_> {
    /// The environment with its time limit; `task` makes the rules for the loaded model.
    pub fn make<T: Task>(&self, task: impl FnOnce(&Simulation) -> Result<T>) -> Result<TimeLimit<MujocoEnv<T>>> {
        let simulation = Simulation::new(T::NAME, self.model.load(T::NAME, self.xml_file)?, self.frame_skip)?;
        let task = task(&simulation)?;
        TimeLimit::new(MujocoEnv::new(task, simulation), self.max_episode_steps)
    }
}

impl<T: Task> MujocoEnv<T> {
    /// An environment that has not been reset.
    fn new(task: T, simulation: Simulation) -> Self {
        let observation = vec![0.0; task.observation_len(&simulation)];
        Self {
            observation_space: Space::boxed(f32::NEG_INFINITY, f32::INFINITY, [observation.len()]),
            action_space: simulation.action_space(),
            stream: Stream::from_seed(0),
            progress: 0.0,
            running: false,
            start_positions: simulation.default_positions().to_vec(),
            start_velocities: vec![0.0; simulation.velocities().len()],
            observation,
            task,
            simulation,
        }
    }

    /// The simulation, to look at.
    pub fn simulation(&self) -> &Simulation {
        &self.simulation
    }

    /// The last observation, before it was rounded to 32 bits.
    pub fn observation(&self) -> &[f64] {
        &self.observation
    }

    /// Starts an episode in a given state, without a draw.
    ///
    /// # Errors
    /// [`Error::State`] if the numbers of positions and velocities are not the model's.
    pub fn start_at(&mut self, positions: &[f64], velocities: &[f64]) -> Result<()> {
        let (expected, got) =
            ((self.start_positions.len(), self.start_velocities.len()), (positions.len(), velocities.len()));
        if got != expected {
            let problem = format!("{got:?} positions and velocities in place of {expected:?}");
            return Err(state::refused(T::NAME, problem));
        }
        self.start_positions.copy_from_slice(positions);
        self.start_velocities.copy_from_slice(velocities);
        self.begin()
    }

    fn begin(&mut self) -> Result<()> {
        self.running = false;
        self.simulation.start(&self.start_positions, &self.start_velocities);
        if T::DERIVES_AT_START {
            self.simulation.derive();
        }
        self.simulation.sound(T::NAME)?;
        self.progress = self.task.progress(&self.simulation);
        self.running = true;
        self.task.observe(&self.simulation, &mut self.observation);
        Ok(())
    }
}

fn round(observation: &[f64], into: &mut [f32]) {
    into.iter_mut().zip(observation).for_each(|(into, &number)| *into = number as f32);
}

impl<T: Task> Env for MujocoEnv<T> {
    fn name(&self) -> &str {
        T::NAME
    }

    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        let observation = observation.f32(self.observation.len())?;
        if let Some(seed) = seed {
            self.stream = Stream::from_seed(seed);
        }
        self.start_positions.copy_from_slice(self.simulation.default_positions());
        self.start_velocities.fill(0.0);
        self.task.start(&mut self.stream, &mut self.start_positions, &mut self.start_velocities);
        self.begin()?;
        round(&self.observation, observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        if !self.running {
            return Err(Error::ResetNeeded { environment: T::NAME.into() });
        }
        let action = action.continuous(self.action_space.len())?;
        let observation = observation.f32(self.observation.len())?;
        self.simulation.advance(action);
        if T::CONTACT_FORCES {
            self.simulation.derive_contact_forces();
        }
        if let Err(error) = self.simulation.sound(T::NAME) {
            self.running = false;
            return Err(error);
        }
        let before = std::mem::replace(&mut self.progress, self.task.progress(&self.simulation));
        let speed = (self.progress - before) / self.simulation.seconds();
        self.task.observe(&self.simulation, &mut self.observation);
        let (reward, terminated) = self.task.outcome(&self.simulation, action, speed, &self.observation);
        self.running = !terminated;
        round(&self.observation, observation);
        Ok(Step { reward, terminated, ..Step::default() })
    }

    fn screen(&self) -> Option<Screen> {
        Some(T::VIEW.of(&self.simulation))
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        let saved = Saved {
            stream: self.stream.clone(),
            simulation: self.simulation.save(),
            progress: self.progress,
            running: self.running,
        };
        state::save(T::NAME, &saved, bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        let saved: Saved = state::restore(T::NAME, bytes)?;
        if !saved.progress.is_finite() {
            return Err(state::refused(T::NAME, "a number of the state is not finite"));
        }
        self.simulation.restore(T::NAME, &saved.simulation)?;
        (self.stream, self.progress, self.running) = (saved.stream, saved.progress, saved.running);
        Ok(())
    }
}
