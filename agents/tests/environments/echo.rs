//! An environment with the same space of observations and actions, of any kind.

use serde::{Deserialize, Serialize};
use stpn_envs::{Action, Env, Error, ObservationMut, Result, Space, Step, state};
use stpn_random::Stream;

/// Eight times in an episode: shows an element of a space, which is to be repeated as the action. The reward is the
/// share of its choices that are right, or minus the mean distance of its numbers.
pub struct Echo {
    space: Space,
    state: State,
}

#[derive(Serialize, Deserialize)]
struct State {
    stream: Stream,
    shown: Vec<f32>,
    left: u32,
}

impl Echo {
    pub fn boxed(space: &Space) -> Result<Box<dyn Env>> {
        let state = State { stream: Stream::from_seed(0), shown: vec![0.0; space.len()], left: 0 };
        Ok(Box::new(Self { space: space.clone(), state }))
    }

    fn show(&mut self, observation: ObservationMut<'_>) -> Result<()> {
        self.state.shown = numbers(self.space.sample(&mut self.state.stream).get());
        observation.f32(self.space.len())?.copy_from_slice(&self.state.shown);
        Ok(())
    }
}

fn numbers(action: Action<'_>) -> Vec<f32> {
    match action {
        Action::Discrete(choice) => vec![choice as f32],
        Action::Choices(choices) => choices.iter().map(|&choice| choice as f32).collect(),
        Action::Continuous(numbers) => numbers.to_vec(),
    }
}

impl Env for Echo {
    fn name(&self) -> &str {
        "echo"
    }

    fn observation_space(&self) -> &Space {
        &self.space
    }

    fn action_space(&self) -> &Space {
        &self.space
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        if let Some(seed) = seed {
            self.state.stream = Stream::from_seed(seed);
        }
        self.state.left = 8;
        self.show(observation)
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        match &self.space {
            Space::Discrete { n } => action.discrete(*n).map(drop)?,
            Space::MultiDiscrete { counts } => action.choices(counts).map(drop)?,
            Space::MultiBinary { n } => action.switches(*n).map(drop)?,
            Space::Box { low, .. } => action.continuous(low.len()).map(drop)?,
            other => panic!("{other}"),
        }
        if self.state.left == 0 {
            return Err(Error::ResetNeeded { environment: "echo".into() });
        }
        let numbers = numbers(action);
        let pairs = numbers.iter().zip(&self.state.shown);
        let total: f64 = match &self.space {
            Space::Box { .. } => -pairs.map(|(did, shown)| f64::from((did - shown).abs())).sum::<f64>(),
            _ => pairs.filter(|(did, shown)| did == shown).count() as f64,
        };
        let reward = total / self.space.len() as f64;
        self.show(observation)?;
        self.state.left -= 1;
        Ok(Step { reward, terminated: self.state.left == 0, ..Step::default() })
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        state::save("echo", &self.state, bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        self.state = state::restore("echo", bytes)?;
        Ok(())
    }
}
