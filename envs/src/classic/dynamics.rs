//! Rules that are equations of motion.

use serde::Serialize;
use serde::de::DeserializeOwned;
use stpn_random::Stream;

use crate::{Action, Result, Rules, Space, Step};

/// A task given by its equations of motion: chance draws its start and nothing else, and its state is numbers.
pub trait Dynamics: Send {
    /// The state's numbers, `[f64; N]`.
    type State: Copy + AsRef<[f64]> + Serialize + DeserializeOwned + Send;

    /// The registered name.
    const NAME: &'static str;

    /// What is observed of the state.
    fn observation_space(&self) -> Space;

    /// What can be done.
    fn action_space(&self) -> Space;

    /// Draws the state in which an episode starts.
    fn start(&self, stream: &mut Stream) -> Self::State;

    /// Moves the state on by one step and returns the reward and whether the task ended.
    ///
    /// # Errors
    /// [`crate::Error::Action`] for an action outside the space; the state is then as before.
    fn step(&self, state: &mut Self::State, action: Action<'_>) -> Result<(f64, bool)>;

    /// Writes the observation of a state; the slice has the space's length.
    fn observe(&self, state: &Self::State, observation: &mut [f32]);
}

impl<D: Dynamics> Rules for D {
    type State = <D as Dynamics>::State;

    const NAME: &'static str = <D as Dynamics>::NAME;

    fn observation_space(&self) -> Space {
        Dynamics::observation_space(self)
    }

    fn action_space(&self) -> Space {
        Dynamics::action_space(self)
    }

    fn start(&self, stream: &mut Stream) -> Self::State {
        Dynamics::start(self, stream)
    }

    fn step(&self, state: &mut Self::State, action: Action<'_>, _: &mut Stream) -> Result<Step> {
        let (reward, terminated) = Dynamics::step(self, state, action)?;
        Ok(Step { reward, terminated, ..Step::default() })
    }

    fn observe(&self, state: &Self::State, observation: &mut [f32]) {
        Dynamics::observe(self, state, observation);
    }

    fn fits(&self, state: &Self::State) -> bool {
        state.as_ref().iter().all(|number| number.is_finite())
    }
}
