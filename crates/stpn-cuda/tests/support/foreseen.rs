//! Environments that are foreseen, and rollouts in them, that the tests share.

use stpn_cuda::rollout::{Environments, Foreseen, Rollout};
use stpn_cuda::{AnyLayer, Extent};

use super::Numbers;
use super::rollout::{Given, single};

/// Inputs, the first of those that show the action before, and actions.
pub const INPUT: usize = 9;
pub const ECHO: usize = 3;
pub const CHOICES: usize = 5;

/// What a rollout reads.
pub struct Case<T> {
    pub given: Given<T>,
    pub observations: Vec<T>,
    pub later_starts: Vec<u8>,
}

impl Case<f64> {
    pub fn new(layer: &AnyLayer, extent: Extent) -> Self {
        let (mut numbers, units) = (Numbers::new(13), extent.steps * extent.batch);
        let observations = numbers.vec(units * INPUT, 1.0);
        let x = |numbers: &mut Numbers| numbers.vec(extent.batch * INPUT, 1.0);
        let later_starts = (0..units).map(|at| u8::from(at % 7 == 4)).collect();
        Self { given: Given::new(&mut numbers, (layer, extent, CHOICES), x, 4), observations, later_starts }
    }

    /// The same in single precision.
    pub fn single(self) -> Case<f32> {
        let Self { given, observations, later_starts } = self;
        Case { given: given.single(), observations: single(observations), later_starts }
    }
}

impl<T: Copy> Case<T> {
    pub fn foreseen(&self) -> Foreseen<'_, T> {
        let Self { observations, later_starts, .. } = self;
        Foreseen { choices: CHOICES, echo: ECHO, observations, starts: later_starts }
    }

    pub fn rollout(&self) -> Rollout<'_, T> {
        self.given.rollout(Environments::Foreseen(self.foreseen()))
    }

    /// What is seen of environment `env` after step `t`, in which `action` was taken, and whether an episode starts.
    pub fn shown(&self, env: usize, t: usize, action: u32, [zero, one]: [T; 2]) -> (Vec<T>, u8) {
        let at = t * self.given.extent.batch + env;
        let mut seen = self.observations[at * INPUT..(at + 1) * INPUT].to_vec();
        if self.later_starts[at] == 0 {
            seen[ECHO..ECHO + CHOICES].fill(zero);
            seen[ECHO + action as usize] = one;
        }
        (seen, self.later_starts[at])
    }
}
