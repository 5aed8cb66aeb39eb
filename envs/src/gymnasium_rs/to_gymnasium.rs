//! One of our environments as one of `gymnasium-rs`.

use std::collections::HashMap;
use std::marker::PhantomData;

use gymnasium_rs::core;
use ndarray::{Array1, Array3};

use super::ActionType;
use crate::{Dtype, Env, ObservationMut, Space};

/// One of our environments as one of `gymnasium-rs`, with actions `A`: `i32` for discrete ones, `Array1<f32>` for
/// continuous ones. Observations are flat, bytes become floats.
///
/// Theirs has no errors: what fails in ours panics here, with our message. Options of `reset` are ignored, `info` is
/// empty and nothing is rendered.
#[derive(Debug)]
pub struct ToGymnasium<E, A> {
    env: E,
    bytes: Vec<u8>,
    action: PhantomData<fn() -> A>,
}

impl<E: Env, A: ActionType> ToGymnasium<E, A> {
    /// Theirs from ours.
    pub fn new(env: E) -> Self {
        let space = env.observation_space();
        let bytes = if space.dtype() == Dtype::U8 { space.len() } else { 0 };
        Self { env, bytes: vec![0; bytes], action: PhantomData }
    }

    /// The environment inside.
    pub fn inner(&self) -> &E {
        &self.env
    }

    /// Calls `act` with a buffer and returns what it wrote there.
    fn observe<R>(&mut self, act: impl FnOnce(&mut E, ObservationMut<'_>) -> crate::Result<R>) -> (Array1<f32>, R) {
        let mut floats = vec![0.0; self.env.observation_space().len()];
        let result = match self.env.observation_space().dtype() {
            Dtype::F32 => act(&mut self.env, ObservationMut::F32(&mut floats)),
            Dtype::U8 => {
                let result = act(&mut self.env, ObservationMut::U8(&mut self.bytes));
                floats.iter_mut().zip(&self.bytes).for_each(|(float, &byte)| *float = byte.into());
                result
            }
        };
        match result {
            Ok(value) => (floats.into(), value),
            Err(error) => panic!("{error}"),
        }
    }
}

fn space(ours: &Space) -> core::Space {
    match ours {
        Space::Discrete { n } => core::Space::Discrete(i32::try_from(*n).unwrap_or(i32::MAX)),
        Space::Box { low, high, .. } => core::Space::Box { low: low.clone().into(), high: high.clone().into() },
        other => panic!("gymnasium-rs has no space like {other}"),
    }
}

impl<E: Env, A: ActionType> core::Env<Array1<f32>, A> for ToGymnasium<E, A> {
    fn observation_space(&self) -> core::Space {
        space(self.env.observation_space())
    }

    fn action_space(&self) -> core::Space {
        space(self.env.action_space())
    }

    fn reset(&mut self, seed: Option<i32>, _: core::Options) -> (Array1<f32>, core::Info) {
        // Negative seeds stay apart from positive ones.
        let seed = seed.map(|seed| u64::from(seed.cast_unsigned()));
        let (seen, ()) = self.observe(|env, buffer| env.reset(seed, buffer));
        (seen, HashMap::new())
    }

    fn step(&mut self, action: A) -> (Array1<f32>, core::Reward, bool, bool, core::Info) {
        let (seen, step) = action.with_ours(|action| self.observe(|env, buffer| env.step(action, buffer)));
        (seen, step.reward as f32, step.terminated, step.truncated, HashMap::new())
    }

    fn render(&self) -> Option<Array3<u8>> {
        None
    }

    fn close(&mut self) {}
}
