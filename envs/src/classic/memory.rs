//! Delayed recall: a cue at the start, distractors, then the question what the cue was.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use crate::{Action, Error, Result, Rules, RulesEnv, Space, Step};

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
    pub fn make(&self) -> Result<RulesEnv<Memory>> {
        self.validate()?;
        Ok(RulesEnv::new(Memory { config: self.clone() }))
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
#[derive(Clone, Debug)]
pub struct Memory {
    config: MemoryConfig,
}

/// How far an episode has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// The symbol to be named.
    pub cue: usize,
    /// The symbol shown.
    symbol: usize,
    step: u32,
}

impl Rules for Memory {
    type State = State;

    const NAME: &'static str = "memory";
    const IGNORES_ACTIONS: bool = true;

    fn observation_space(&self) -> Space {
        Space::boxed(0.0, 1.0, [self.config.cues + 3])
    }

    fn action_space(&self) -> Space {
        Space::discrete(self.config.cues)
    }

    fn start(&self, stream: &mut Stream) -> State {
        let cue = stream.below(self.config.cues);
        State { cue, symbol: cue, step: 0 }
    }

    fn step(&self, state: &mut State, action: Action<'_>, stream: &mut Stream) -> Result<Step> {
        let action = action.discrete(self.config.cues)?;
        state.step += 1;
        if state.step <= self.config.delay {
            state.symbol = stream.below(self.config.cues);
        }
        let terminated = state.step == self.config.episode_length();
        let reward = match terminated {
            true if action == state.cue => 1.0,
            true => -1.0,
            false => 0.0,
        };
        Ok(Step { reward, terminated, ..Step::default() })
    }

    fn observe(&self, state: &State, observation: &mut [f32]) {
        let MemoryConfig { cues, delay } = self.config;
        let question = delay + 1;
        observation.fill(0.0);
        if state.step < question {
            observation[state.symbol] = 1.0;
        }
        if state.step <= question {
            let phase = match state.step {
                0 => 0,
                step if step < question => 1,
                _ => 2,
            };
            observation[cues + phase] = 1.0;
        }
    }

    fn fits(&self, state: &State) -> bool {
        state.cue < self.config.cues && state.symbol < self.config.cues && state.step <= self.config.episode_length()
    }

    fn oracle_return(&self) -> Option<f64> {
        Some(1.0)
    }
}
