//! A small environment with a random episode length and every way to fail.

use serde::{Deserialize, Serialize};
use stpn_envs::{Action, Env, Episode, Error, ObservationMut, Result, Space, Step};
use stpn_random::Stream;

/// What goes wrong, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    Panic,
    Error,
    Reward,
    Observation,
}

/// Counts down from a random number of 1 to 5; the observation is `[left, draw]`, the reward the action.
pub struct Countdown {
    pub fault: Fault,
    /// The total number of steps after which the fault shows.
    pub fault_at: u64,
    pub records: bool,
    observation_space: Space,
    action_space: Space,
    state: State,
}

#[derive(Serialize, Deserialize)]
struct State {
    stream: Stream,
    left: u64,
    steps: u64,
    total: f64,
}

impl Countdown {
    pub fn new() -> Self {
        Self {
            fault: Fault::None,
            fault_at: 0,
            records: false,
            observation_space: Space::boxed(0.0, 5.0, [2]),
            action_space: Space::discrete(3),
            state: State { stream: Stream::from_seed(0), left: 0, steps: 0, total: 0.0 },
        }
    }

    pub fn with_actions(mut self, n: usize) -> Self {
        self.action_space = Space::discrete(n);
        self
    }

    fn observe(&mut self, observation: ObservationMut<'_>) -> Result<()> {
        let row = observation.f32(2)?;
        row[0] = self.state.left as f32;
        row[1] = self.state.stream.unit() as f32;
        if self.fault == Fault::Observation && self.state.steps >= self.fault_at {
            row[1] = f32::NAN;
        }
        Ok(())
    }
}

impl Env for Countdown {
    fn name(&self) -> &str {
        "countdown"
    }

    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        if let Some(seed) = seed {
            self.state.stream = Stream::from_seed(seed);
            self.state.steps = 0;
        }
        self.state.left = 1 + self.state.stream.below(5) as u64;
        self.observe(observation)
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        let action = action.discrete(3)?;
        self.state.steps += 1;
        self.state.left -= 1;
        self.state.total += 1.0;
        let due = self.state.steps >= self.fault_at;
        assert!(!(due && self.fault == Fault::Panic), "the wheels came off");
        if due && self.fault == Fault::Error {
            return Err(Error::Simulator { environment: "countdown".into(), problem: "out of fuel".into() });
        }
        self.observe(observation)?;
        let reward = if due && self.fault == Fault::Reward { f64::INFINITY } else { action as f64 };
        let done = self.state.left == 0;
        // As a recorder: only every episode that ends on an odd number of steps counts.
        let episode = (self.records && done && self.state.steps % 2 == 1)
            .then_some(Episode { total_reward: -1.0, length: self.state.steps });
        Ok(Step { reward, terminated: done, truncated: false, episode })
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.extend(postcard::to_allocvec(&self.state).unwrap());
        Ok(())
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        let refused =
            |problem: postcard::Error| Error::State { environment: "countdown".into(), problem: problem.to_string() };
        self.state = postcard::from_bytes(bytes).map_err(refused)?;
        Ok(())
    }

    fn records_episodes(&self) -> bool {
        self.records
    }
}
