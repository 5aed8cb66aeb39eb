//! The fused kernel of differentiable plasticity and Backpropamine.
//!
//! Forward, the update of the fast weights after a step and the product of the next step are one pass. Backward, a
//! step is two passes: through the update, and through the product; between them lies the modulator, which needs
//! sums over the whole matrix. Fast weights are kept every √T steps and made again from there.

#![allow(clippy::needless_range_loop, reason = "one index walks several rows of lanes in step")]

mod backward;
mod forward;
mod layer;
mod rule;
mod spec;
mod state;
mod sweeps;

use std::sync::Arc;

pub use spec::ModulatedSpec;

use super::aligned::Pool;
use super::lanes::Lanes;
use super::layer::{Adjoint, Layer, LayerSpec, Sequence, Step};
use forward::ModulatedTape;
use layer::ModulatedLayer;
use state::ModulatedState;

/// The fused kernel of differentiable plasticity and Backpropamine.
pub type ModulatedKernel = super::layer::LayerKernel<ModulatedSpec>;

impl LayerSpec for ModulatedSpec {
    type Layer<L: Lanes> = ModulatedLayer<L>;

    fn hidden(&self) -> usize {
        self.hidden
    }
}

impl<L: Lanes> Layer<L> for ModulatedLayer<L> {
    type Spec = ModulatedSpec;
    type Tape = ModulatedTape<L::Real>;
    type State = ModulatedState<L::Real>;

    fn new(lanes: L, spec: &ModulatedSpec, parameters: &[L::Real], pool: &Arc<Pool<L::Real>>) -> Self {
        Self::lay_out(lanes, spec, parameters, pool)
    }

    fn spec(&self) -> &ModulatedSpec {
        &self.spec
    }

    fn forward(&self, sequence: Sequence<'_, L::Real>, tape: bool) -> Option<Self::Tape> {
        self.run(sequence, tape)
    }

    fn backward(&self, tape: &Self::Tape, adjoint: Adjoint<'_, L::Real>, grad_parameters: &mut [L::Real]) {
        self.run_back(tape, adjoint, grad_parameters);
    }

    fn zero_state(&self, batch: usize) -> Self::State {
        ModulatedState::new(self, batch)
    }

    fn load(&self, state: &mut Self::State, packed: &[L::Real]) {
        state.load(self, packed);
    }

    fn settle(&self, state: &mut Self::State) {
        self.finish(state);
    }

    fn store(&self, state: &Self::State, packed: &mut [L::Real]) {
        state.store(self, packed);
    }

    fn step(&self, state: &mut Self::State, step: Step<'_, L::Real>) {
        self.infer(state, step);
    }
}
