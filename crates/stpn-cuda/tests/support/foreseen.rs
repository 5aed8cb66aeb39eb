//! Environments that are foreseen, and rollouts in them, that the tests share.

use stpn_cuda::rollout::{EnergyOf, Environments, Foreseen, Rollout};
use stpn_cuda::{AnyLayer, Extent};

use super::Numbers;

/// Inputs, the first of those that show the action before, and actions.
pub const INPUT: usize = 9;
pub const ECHO: usize = 3;
pub const CHOICES: usize = 5;

/// What a rollout reads.
pub struct Case<T> {
    pub extent: Extent,
    pub observations: Vec<T>,
    pub later_starts: Vec<u8>,
    pub uniform: Vec<f64>,
    pub parameters: Vec<T>,
    pub heads: Vec<T>,
    pub x: Vec<T>,
    pub starts: Vec<u8>,
    pub state: Vec<T>,
    pub mask: Vec<T>,
}

impl Case<f64> {
    pub fn new(layer: &AnyLayer, extent: Extent) -> Self {
        let mut numbers = Numbers::new(13);
        let Extent { steps, batch } = extent;
        let units = steps * batch;
        Self {
            extent,
            observations: numbers.vec(units * INPUT, 1.0),
            later_starts: (0..units).map(|at| u8::from(at % 7 == 4)).collect(),
            uniform: numbers.vec(units, 0.5).iter().map(|value| value + 0.5).collect(),
            parameters: numbers.vec(layer.parameters(), 0.7),
            heads: numbers.vec((CHOICES + 1) * (layer.hidden() + 1), 1.5),
            x: numbers.vec(batch * INPUT, 1.0),
            // One environment in the middle of an episode, the others at the start of one.
            starts: (0..batch).map(|env| u8::from(env != 1)).collect(),
            state: numbers.vec(batch * layer.state_len(), 0.4),
            mask: (0..INPUT).map(|input| f64::from(u8::from(input != 4))).collect(),
        }
    }

    /// The same in single precision.
    pub fn single(self) -> Case<f32> {
        let single = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
        Case {
            extent: self.extent,
            observations: single(self.observations),
            later_starts: self.later_starts,
            uniform: self.uniform,
            parameters: single(self.parameters),
            heads: single(self.heads),
            x: single(self.x),
            starts: self.starts,
            state: single(self.state),
            mask: single(self.mask),
        }
    }
}

impl<T: Copy> Case<T> {
    pub fn foreseen(&self) -> Foreseen<'_, T> {
        let Self { observations, later_starts, .. } = self;
        Foreseen { choices: CHOICES, echo: ECHO, observations, starts: later_starts }
    }

    pub fn rollout(&self) -> Rollout<'_, T> {
        Rollout {
            extent: self.extent,
            environments: Environments::Foreseen(self.foreseen()),
            uniform: &self.uniform,
            parameters: &self.parameters,
            heads: &self.heads,
            x: &self.x,
            starts: &self.starts,
            state: &self.state,
            watched: true,
            energy: Some(EnergyOf { first: 1, every: 4, batch: 2, mask: Some(&self.mask) }),
        }
    }

    /// What is seen of environment `env` after step `t`, in which `action` was taken, and whether an episode starts.
    pub fn shown(&self, env: usize, t: usize, action: u32, [zero, one]: [T; 2]) -> (Vec<T>, u8) {
        let at = t * self.extent.batch + env;
        let mut seen = self.observations[at * INPUT..(at + 1) * INPUT].to_vec();
        if self.later_starts[at] == 0 {
            seen[ECHO..ECHO + CHOICES].fill(zero);
            seen[ECHO + action as usize] = one;
        }
        (seen, self.later_starts[at])
    }
}
