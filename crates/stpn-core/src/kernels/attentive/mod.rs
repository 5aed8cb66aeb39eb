//! The fused kernel of fast weights with inner steps.
//!
//! The first inner step's product and the update of the fast weights before it are one pass; so are, backward, their
//! derivatives. Fast weights are kept every √T steps and made again from there.

#![allow(clippy::needless_range_loop, reason = "one index walks several rows of lanes in step")]

mod backward;
mod forward;
mod layer;
mod spec;
mod state;
mod sweeps;

use std::sync::Arc;

pub use spec::AttentiveSpec;

use super::aligned::Pool;
use super::lanes::Lanes;
use super::layer::{Adjoint, Layer, LayerSpec, Sequence, Step};
use forward::AttentiveTape;
use layer::AttentiveLayer;
use state::AttentiveState;

/// The fused kernel of fast weights.
pub type AttentiveKernel = super::layer::LayerKernel<AttentiveSpec>;

impl LayerSpec for AttentiveSpec {
    type Layer<L: Lanes> = AttentiveLayer<L>;

    fn hidden(&self) -> usize {
        self.hidden
    }
}

impl<L: Lanes> Layer<L> for AttentiveLayer<L> {
    type Spec = AttentiveSpec;
    type Tape = AttentiveTape<L::Real>;
    type State = AttentiveState<L::Real>;

    fn new(lanes: L, spec: &AttentiveSpec, parameters: &[L::Real], pool: &Arc<Pool<L::Real>>) -> Self {
        Self::lay_out(lanes, spec, parameters, pool)
    }

    fn spec(&self) -> &AttentiveSpec {
        &self.spec
    }

    fn forward(&self, sequence: Sequence<'_, L::Real>, tape: bool) -> Option<Self::Tape> {
        self.run(sequence, tape)
    }

    fn backward(&self, tape: &Self::Tape, adjoint: Adjoint<'_, L::Real>, grad_parameters: &mut [L::Real]) {
        self.run_back(tape, adjoint, grad_parameters);
    }

    fn zero_state(&self, batch: usize) -> Self::State {
        AttentiveState::new(self, batch)
    }

    fn load(&self, state: &mut Self::State, packed: &[L::Real]) {
        state.load(self, packed);
    }

    fn store(&self, state: &Self::State, packed: &mut [L::Real]) {
        state.store(self, packed);
    }

    fn step(&self, state: &mut Self::State, step: Step<'_, L::Real>) {
        self.infer(state, step);
    }
}
