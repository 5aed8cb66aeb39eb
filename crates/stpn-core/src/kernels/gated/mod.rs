//! The fused kernel of the layers without fast weights: LSTM, GRU, RNN and the memoryless layer.
//!
//! The inputs of many steps are projected by one product; the recurrence then takes one small product and one fused
//! pass over the units a step. Backward, the steps leave the gradients of their pre-activations, from which the
//! gradients of weights and inputs come by products over many steps.

mod backward;
mod forward;
mod pointwise;
mod spec;
mod state;
mod weights;

use std::sync::Arc;

pub use spec::{GatedKind, GatedSpec};

use super::aligned::Pool;
use super::lanes::Lanes;
use super::layer::{Adjoint, Layer, LayerSpec, Sequence, Step};
use forward::GatedTape;
use state::{GatedState, GatedStepping};
use weights::GatedLayer;

/// The fused kernel of LSTM, GRU, RNN and MLP.
pub type GatedKernel = super::layer::LayerKernel<GatedSpec>;

impl LayerSpec for GatedSpec {
    type Layer<L: Lanes> = GatedLayer<L>;

    fn hidden(&self) -> usize {
        self.hidden
    }
}

impl<L: Lanes> Layer<L> for GatedLayer<L> {
    type Spec = GatedSpec;
    type Tape = GatedTape<L::Real>;
    type State = GatedStepping<L::Real>;

    fn new(lanes: L, spec: &GatedSpec, parameters: &[L::Real], pool: &Arc<Pool<L::Real>>) -> Self {
        Self::lay_out(lanes, spec, parameters, pool)
    }

    fn spec(&self) -> &GatedSpec {
        &self.spec
    }

    fn forward(&self, sequence: Sequence<'_, L::Real>, tape: bool) -> Option<Self::Tape> {
        self.run(sequence, tape)
    }

    fn backward(&self, tape: &Self::Tape, adjoint: Adjoint<'_, L::Real>, grad_parameters: &mut [L::Real]) {
        self.run_back(tape, adjoint, grad_parameters);
    }

    fn zero_state(&self, batch: usize) -> Self::State {
        let work = self.pool.zeros(batch * self.width);
        GatedStepping { state: GatedState::new(self, batch), work, squares: Vec::new() }
    }

    fn load(&self, state: &mut Self::State, packed: &[L::Real]) {
        state.state.load(packed);
    }

    fn store(&self, state: &Self::State, packed: &mut [L::Real]) {
        state.state.store(packed);
    }

    fn step(&self, state: &mut Self::State, step: Step<'_, L::Real>) {
        self.infer(state, step);
    }
}
