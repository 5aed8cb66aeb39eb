//! The fused kernel of linear attention and the delta rule.
//!
//! The activity does not feed back, so that all products with weights are over many steps at once. The matrices F go step
//! by step; they are kept every √T steps, and made again from there.

#![allow(clippy::needless_range_loop, reason = "one index walks several rows of lanes in step")]

mod backward;
mod forward;
mod gates;
mod layer;
mod spec;
mod state;
mod sweeps;

use std::sync::Arc;

pub use spec::AssociativeSpec;

use super::aligned::Pool;
use super::lanes::Lanes;
use super::layer::{Adjoint, Layer, LayerSpec, Sequence, Step};
use forward::AssociativeTape;
use layer::AssociativeLayer;
use state::AssociativeState;

/// Added to the square of a norm that is divided by.
pub const NORM_EPSILON: f64 = 1e-6;

/// The fused kernel of linear attention.
pub type AssociativeKernel = super::layer::LayerKernel<AssociativeSpec>;

impl LayerSpec for AssociativeSpec {
    type Layer<L: Lanes> = AssociativeLayer<L>;

    fn hidden(&self) -> usize {
        self.hidden
    }
}

impl<L: Lanes> Layer<L> for AssociativeLayer<L> {
    type Spec = AssociativeSpec;
    type Tape = AssociativeTape<L::Real>;
    type State = AssociativeState<L::Real>;

    fn new(lanes: L, spec: &AssociativeSpec, parameters: &[L::Real], pool: &Arc<Pool<L::Real>>) -> Self {
        Self::lay_out(lanes, spec, parameters, pool)
    }

    fn spec(&self) -> &AssociativeSpec {
        &self.spec
    }

    fn forward(&self, sequence: Sequence<'_, L::Real>, tape: bool) -> Option<Self::Tape> {
        self.run(sequence, tape)
    }

    fn backward(&self, tape: &Self::Tape, adjoint: Adjoint<'_, L::Real>, grad_parameters: &mut [L::Real]) {
        self.run_back(tape, adjoint, grad_parameters);
    }

    fn zero_state(&self, batch: usize) -> Self::State {
        AssociativeState::new(self, batch)
    }

    fn load(&self, state: &mut Self::State, packed: &[L::Real]) {
        self.layout.load(packed, [self.spec.state_len, self.spec.field.start], &mut state.fast);
    }

    fn store(&self, state: &Self::State, packed: &mut [L::Real]) {
        self.layout.store(&state.fast, packed, [self.spec.state_len, self.spec.field.start]);
    }

    fn step(&self, state: &mut Self::State, step: Step<'_, L::Real>) {
        self.infer(state, step);
    }
}
