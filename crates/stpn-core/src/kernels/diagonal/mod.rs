//! The fused kernel of the linear recurrent unit.
//!
//! The activity does not feed back: all products are over many steps at once, and only the turning of the complex
//! numbers goes step by step.

mod backward;
mod forward;
mod layer;
mod spec;
mod state;
mod turning;

use std::sync::Arc;

pub use spec::DiagonalSpec;

use super::aligned::{Lease, Pool};
use super::lanes::Lanes;
use super::layer::{Adjoint, Layer, LayerSpec, Sequence, Step};
use layer::DiagonalLayer;
use state::DiagonalState;

/// The fused kernel of the linear recurrent unit.
pub type DiagonalKernel = super::layer::LayerKernel<DiagonalSpec>;

impl LayerSpec for DiagonalSpec {
    type Layer<L: Lanes> = DiagonalLayer<L>;

    fn hidden(&self) -> usize {
        self.hidden
    }
}

impl<L: Lanes> Layer<L> for DiagonalLayer<L> {
    type Spec = DiagonalSpec;
    /// The state before the first step and after every one, `[T+1, B, 2·row]`.
    type Tape = Lease<L::Real>;
    type State = DiagonalState<L::Real>;

    fn new(lanes: L, spec: &DiagonalSpec, parameters: &[L::Real], pool: &Arc<Pool<L::Real>>) -> Self {
        Self::lay_out(lanes, spec, parameters, pool)
    }

    fn spec(&self) -> &DiagonalSpec {
        &self.spec
    }

    fn forward(&self, sequence: Sequence<'_, L::Real>, tape: bool) -> Option<Self::Tape> {
        self.run(sequence, tape)
    }

    fn backward(&self, tape: &Self::Tape, adjoint: Adjoint<'_, L::Real>, grad_parameters: &mut [L::Real]) {
        self.run_back(tape, adjoint, grad_parameters);
    }

    fn zero_state(&self, batch: usize) -> Self::State {
        DiagonalState::new(self, batch)
    }

    fn load(&self, state: &mut Self::State, packed: &[L::Real]) {
        self.load_numbers(packed, &mut state.numbers);
    }

    fn store(&self, state: &Self::State, packed: &mut [L::Real]) {
        self.store_numbers(&state.numbers, packed);
    }

    fn step(&self, state: &mut Self::State, step: Step<'_, L::Real>) {
        self.infer(state, step);
    }
}
