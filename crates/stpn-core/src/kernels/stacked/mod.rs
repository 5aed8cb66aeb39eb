//! The fused kernel of the stack of frames: a dense layer over rows that are gathered from several steps.

mod backward;
mod forward;
mod frames;
mod layer;
mod spec;

use std::sync::Arc;

pub use spec::StackedSpec;

use super::aligned::{Lease, Pool};
use super::lanes::Lanes;
use super::layer::{Adjoint, Layer, LayerSpec, Sequence, Step};
use forward::StackedState;
use layer::StackedLayer;

/// The fused kernel of the stack of frames.
pub type StackedKernel = super::layer::LayerKernel<StackedSpec>;

impl LayerSpec for StackedSpec {
    type Layer<L: Lanes> = StackedLayer<L>;

    fn hidden(&self) -> usize {
        self.hidden
    }
}

impl<L: Lanes> Layer<L> for StackedLayer<L> {
    type Spec = StackedSpec;
    /// What the layer saw in every step, `[T, B, width]`.
    type Tape = Lease<L::Real>;
    type State = StackedState<L::Real>;

    fn new(lanes: L, spec: &StackedSpec, parameters: &[L::Real], pool: &Arc<Pool<L::Real>>) -> Self {
        Self::lay_out(lanes, spec, parameters, pool)
    }

    fn spec(&self) -> &StackedSpec {
        &self.spec
    }

    fn forward(&self, sequence: Sequence<'_, L::Real>, tape: bool) -> Option<Self::Tape> {
        self.run(sequence, tape)
    }

    fn backward(&self, tape: &Self::Tape, adjoint: Adjoint<'_, L::Real>, grad_parameters: &mut [L::Real]) {
        self.run_back(tape, adjoint, grad_parameters);
    }

    fn zero_state(&self, batch: usize) -> Self::State {
        StackedState::new(self, batch)
    }

    fn load(&self, state: &mut Self::State, packed: &[L::Real]) {
        state.packed.copy_from_slice(packed);
    }

    fn store(&self, state: &Self::State, packed: &mut [L::Real]) {
        packed.copy_from_slice(&state.packed);
    }

    fn step(&self, state: &mut Self::State, step: Step<'_, L::Real>) {
        self.infer(state, step);
    }
}
