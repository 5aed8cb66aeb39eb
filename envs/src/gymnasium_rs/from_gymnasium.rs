//! An environment of `gymnasium-rs` as one of ours.

use std::collections::HashMap;
use std::marker::PhantomData;

use gymnasium_rs::core;
use ndarray::Array1;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::ActionType;
use crate::{Action, Dtype, Env, Error, ObservationMut, Result, Space, Step, state};

/// An environment of `gymnasium-rs` as one of ours.
///
/// Theirs cannot save its state. So every episode is started with a seed drawn from a stream of our own, and what is
/// saved is that stream, the episode's seed and its actions: restoring plays them again. That is exact for an
/// environment that is deterministic given its seed, and takes as long as the episode took.
#[derive(Debug)]
pub struct FromGymnasium<G, A> {
    env: G,
    name: String,
    observation_space: Space,
    action_space: Space,
    state: State,
    action: PhantomData<fn() -> A>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    stream: Stream,
    episode_seed: i32,
    taken: Vec<Taken>,
    running: bool,
}

/// An action of this episode.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Taken {
    Discrete(usize),
    Continuous(Vec<f32>),
}

impl Taken {
    fn action(&self) -> Action<'_> {
        match self {
            Self::Discrete(choice) => Action::Discrete(*choice),
            Self::Continuous(values) => Action::Continuous(values),
        }
    }
}

/// Their spaces are of `i32` and of vectors.
fn space(theirs: core::Space) -> Space {
    match theirs {
        core::Space::Discrete(n) => Space::discrete(usize::try_from(n).unwrap_or(0)),
        core::Space::Box { low, high } => {
            let shape = vec![low.len()];
            Space::Box { low: low.to_vec(), high: high.to_vec(), shape, dtype: Dtype::F32 }
        }
    }
}

impl<G, A> FromGymnasium<G, A>
where
    G: core::Env<Array1<f32>, A> + Send,
    A: ActionType,
{
    /// Ours from theirs, under a name.
    pub fn new(env: G, name: impl Into<String>) -> Self {
        let (observation_space, action_space) = (space(env.observation_space()), space(env.action_space()));
        let state = State { stream: Stream::from_seed(0), episode_seed: 0, taken: Vec::new(), running: false };
        Self { env, name: name.into(), observation_space, action_space, state, action: PhantomData }
    }

    fn write(&self, seen: &Array1<f32>, into: &mut [f32]) -> Result<()> {
        if seen.len() != into.len() {
            let problem = format!("an observation of {} numbers where its space has {}", seen.len(), into.len());
            return Err(Error::Simulator { environment: self.name.clone(), problem });
        }
        into.iter_mut().zip(seen).for_each(|(into, seen)| *into = *seen);
        Ok(())
    }

    /// The action if the space has it.
    fn allowed(&self, action: Action<'_>) -> Result<Taken> {
        match &self.action_space {
            Space::Discrete { n } => action.discrete(*n).map(Taken::Discrete),
            Space::Box { low, .. } => action.continuous(low.len()).map(|values| Taken::Continuous(values.to_vec())),
            other => unreachable!("theirs has no {other}"),
        }
    }
}

impl<G, A> Env for FromGymnasium<G, A>
where
    G: core::Env<Array1<f32>, A> + Send,
    A: ActionType,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        let into = observation.f32(self.observation_space.len())?;
        if let Some(seed) = seed {
            self.state.stream = Stream::from_seed(seed);
        }
        // Their seeds are of 32 bits; 31 keep them positive.
        self.state.episode_seed = (self.state.stream.next_u64() >> 33) as i32;
        self.state.taken.clear();
        self.state.running = true;
        let (seen, _) = self.env.reset(Some(self.state.episode_seed), HashMap::new());
        self.write(&seen, into)
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        let into = observation.f32(self.observation_space.len())?;
        let taken = self.allowed(action)?;
        if !self.state.running {
            return Err(Error::ResetNeeded { environment: self.name.clone() });
        }
        let (seen, reward, terminated, truncated, _) = self.env.step(A::from_ours(action)?);
        self.state.taken.push(taken);
        self.state.running = !(terminated || truncated);
        self.write(&seen, into)?;
        Ok(Step { reward: reward.into(), terminated, truncated, episode: None })
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        state::save(&self.name, &self.state, bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        let saved: State = state::restore(&self.name, bytes)?;
        for taken in &saved.taken {
            self.allowed(taken.action()).map_err(|error| state::refused(&self.name, error))?;
        }
        self.env.reset(Some(saved.episode_seed), HashMap::new());
        for taken in &saved.taken {
            self.env.step(A::from_ours(taken.action())?);
        }
        self.state = saved;
        Ok(())
    }
}
