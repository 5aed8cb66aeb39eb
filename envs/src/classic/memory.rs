//! Delayed recall: a cue at the start, distractors, then the question what the cue was.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use crate::{Action, Env, Error, ObservationMut, Result, Space, Step, state};

/// Settings of `memory`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryConfig {
    /// Number of symbols, 2 to 1000.
    pub cues: usize,
    /// Distractors between the cue and the question, 0 or more.
    pub delay: u32,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self { cues: 4, delay: 10 }
    }
}

impl MemoryConfig {
    /// Refuses impossible settings.
    ///
    /// # Errors
    /// [`Error::Config`] with the key, its value and what is allowed.
    pub fn validate(&self) -> Result<()> {
        let refuse = |key, value: String, allowed: &str| Err(Error::Config { key, value, allowed: allowed.into() });
        if !(2..=1000).contains(&self.cues) {
            return refuse("cues", self.cues.to_string(), "2 to 1000");
        }
        if self.delay > 1_000_000 {
            return refuse("delay", self.delay.to_string(), "at most 1000000");
        }
        Ok(())
    }

    /// The task with these settings.
    ///
    /// # Errors
    /// [`Error::Config`] for impossible settings.
    pub fn make(&self) -> Result<Memory> {
        Memory::new(self.clone())
    }

    /// Steps of every episode: the cue, the distractors and the question, one each.
    pub fn episode_length(&self) -> u32 {
        self.delay + 2
    }
}

/// Delayed recall.
///
/// An episode shows a cue, one of k symbols drawn uniformly; then `delay` distractors, each drawn from the same
/// symbols; then the question. The action on the question names the cue: reward 1 if it is right, −1 if not, and the
/// episode terminates. Actions before it do nothing and give 0. Without memory the expected return is (2 − k)/k, with
/// memory 1.
///
/// Observation, k + 3 numbers: the symbol, one-hot, all 0 at the question; then whether it is a cue, a distractor or
/// the question, one-hot. All 0 after the answer.
#[derive(Debug)]
pub struct Memory {
    config: MemoryConfig,
    observation_space: Space,
    action_space: Space,
    state: State,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    stream: Stream,
    cue: usize,
    /// The symbol shown.
    symbol: usize,
    step: u32,
    running: bool,
}

impl Memory {
    /// A task of those settings.
    ///
    /// # Errors
    /// [`Error::Config`] for impossible settings.
    pub fn new(config: MemoryConfig) -> Result<Self> {
        config.validate()?;
        let observation_space = Space::boxed(0.0, 1.0, [config.cues + 3]);
        let action_space = Space::discrete(config.cues);
        let state = State { stream: Stream::from_seed(0), cue: 0, symbol: 0, step: 0, running: false };
        Ok(Self { config, observation_space, action_space, state })
    }

    /// The symbol to be named.
    pub fn cue(&self) -> usize {
        self.state.cue
    }

    fn observe(&self, observation: ObservationMut<'_>) -> Result<()> {
        let cues = self.config.cues;
        let values = observation.f32(cues + 3)?;
        values.fill(0.0);
        let (step, question) = (self.state.step, self.config.delay + 1);
        if step < question {
            values[self.state.symbol] = 1.0;
        }
        if step <= question {
            let phase = if step == 0 {
                0
            } else if step < question {
                1
            } else {
                2
            };
            values[cues + phase] = 1.0;
        }
        Ok(())
    }
}

impl Env for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        let state = &mut self.state;
        if let Some(seed) = seed {
            state.stream = Stream::from_seed(seed);
        }
        state.cue = state.stream.below(self.config.cues);
        (state.symbol, state.step, state.running) = (state.cue, 0, true);
        self.observe(observation)
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        let action = action.discrete(self.config.cues)?;
        if !self.state.running {
            return Err(Error::ResetNeeded { environment: self.name().into() });
        }
        self.state.step += 1;
        let terminated = self.state.step == self.config.episode_length();
        if self.state.step <= self.config.delay {
            self.state.symbol = self.state.stream.below(self.config.cues);
        }
        self.state.running = !terminated;
        self.observe(observation)?;
        let reward = match terminated {
            true if action == self.state.cue => 1.0,
            true => -1.0,
            false => 0.0,
        };
        Ok(Step { reward, terminated, ..Step::default() })
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        state::save(self.name(), &self.state, bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        let saved: State = state::restore(self.name(), bytes)?;
        let MemoryConfig { cues, .. } = self.config;
        if saved.cue >= cues || saved.symbol >= cues || saved.step > self.config.episode_length() {
            return Err(state::refused(self.name(), "it is of a task with other settings"));
        }
        self.state = saved;
        Ok(())
    }

    fn oracle_return(&self) -> Option<f64> {
        Some(1.0)
    }
}
