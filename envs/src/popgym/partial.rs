//! Classic control of which a part is seen, through noise or not.

use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::Game;
use crate::classic::Dynamics;
use crate::{Action, Dtype, Result, Space, Step};

/// Numbers in the largest observation of [`Dynamics`] here.
const MOST: usize = 4;

/// A task of classic control with two of its numbers observed.
#[derive(Clone, Debug)]
pub struct Partial<D> {
    dynamics: D,
    /// Numbers of the whole observation.
    width: usize,
    /// Which of them are seen after a step.
    shown: [usize; 2],
    /// Which of them are seen at the start.
    shown_first: [usize; 2],
    /// Bounds of what is seen.
    bounds: [(f32, f32); 2],
    /// Standard deviation of the noise; 0 for none.
    noise: f64,
    /// Steps after which an episode is truncated.
    steps: u32,
    /// What becomes of a reward in an episode of so many steps.
    reward: fn(f64, f64) -> f64,
}

/// How far an episode has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State<S> {
    body: S,
    steps: u32,
}

impl<D: Dynamics> Partial<D> {
    /// The task with the numbers `shown` of its observation, so many steps long, and with rewards changed by `reward`.
    pub(super) fn new(dynamics: D, shown: [usize; 2], steps: u32, reward: fn(f64, f64) -> f64) -> Self {
        let space = dynamics.observation_space();
        let bounds = shown.map(|which| match &space {
            Space::Box { low, high, .. } => (low[which], high[which]),
            _ => (f32::NEG_INFINITY, f32::INFINITY),
        });
        Self { dynamics, width: space.len(), shown, shown_first: shown, bounds, noise: 0.0, steps, reward }
    }

    /// The same with noise of that standard deviation on what is seen, which is then clipped to its bounds.
    pub(super) fn noisy(self, noise: f64) -> Self {
        Self { noise, ..self }
    }

    /// The same with other numbers shown at the start.
    pub(super) fn showing_first(self, shown_first: [usize; 2]) -> Self {
        Self { shown_first, ..self }
    }
}

impl<D: Dynamics> Game for Partial<D> {
    /// The start state.
    type Deal = D::State;
    /// Noise of what is observed.
    type Luck = [f32; 2];
    type State = State<D::State>;

    fn observation_space(&self) -> Space {
        let (low, high) = self.bounds.into_iter().unzip();
        Space::Box { low, high, shape: vec![2], dtype: Dtype::F32 }
    }

    fn action_space(&self) -> Space {
        self.dynamics.action_space()
    }

    fn blank(&self) -> D::State {
        self.dynamics.start(&mut Stream::from_seed(0))
    }

    fn deal(&self, start: &mut D::State, stream: &mut Stream) {
        *start = self.dynamics.start(stream);
    }

    fn luck(&self, stream: &mut Stream) -> [f32; 2] {
        if self.noise == 0.0 { [0.0; 2] } else { [(); 2].map(|()| (self.noise * stream.normal()) as f32) }
    }

    fn fresh(&self, start: &D::State) -> State<D::State> {
        State { body: *start, steps: 0 }
    }

    fn step(&self, _: &D::State, state: &mut State<D::State>, action: Action<'_>, _: [f32; 2]) -> Result<Step> {
        let (reward, terminated) = self.dynamics.step(&mut state.body, action)?;
        state.steps += 1;
        let reward = (self.reward)(reward, f64::from(self.steps));
        Ok(Step { reward, terminated, truncated: state.steps == self.steps, ..Step::default() })
    }

    fn observe(&self, _: &D::State, state: &State<D::State>, noise: [f32; 2], observation: &mut [f32]) {
        let mut whole = [0.0; MOST];
        self.dynamics.observe(&state.body, &mut whole[..self.width]);
        let shown = if state.steps == 0 { self.shown_first } else { self.shown };
        for (at, seen) in observation.iter_mut().enumerate() {
            *seen = whole[shown[at]];
            if self.noise != 0.0 {
                let (low, high) = self.bounds[at];
                *seen = (*seen + noise[at]).clamp(low, high);
            }
        }
    }

    fn fits(&self, start: &D::State, state: &State<D::State>) -> bool {
        let finite = |body: &D::State| body.as_ref().iter().all(|number| number.is_finite());
        finite(start) && finite(&state.body) && state.steps <= self.steps
    }
}
