//! The fused kernel of the STPN family: STPN, STPNf and HebbFF.
//!
//! Forward, the update of one step and the sums of the next are one pass over the fast weights (`update`); what is
//! between two passes is `activity`. Backward, a pass is the gradients of one step and the sums of the one before
//! (`adjoint`), and `sensitivity` is between two. `docs/backward.md` has the equations, in the names used here.

#![allow(clippy::needless_range_loop, reason = "one index walks several rows of lanes in step")]

mod activity;
mod adjoint;
mod backward;
mod coefficients;
mod cohort;
mod form;
mod forward;
mod gradients;
mod packing;
mod plan;
mod presynaptic;
mod recompute;
mod record;
mod segment;
mod sensitivity;
mod spec;
mod state;
#[cfg(test)]
mod tests;
mod update;
mod weights;

use std::sync::Arc;

pub use spec::PlasticSpec;

use super::aligned::Pool;
use super::lanes::Lanes;
use super::layer::{Adjoint, Layer, LayerSpec, Sequence, Step};
use forward::PlasticTape;
use plan::Plan;
use state::PlasticState;
use weights::Weights;

/// The fused kernel of one layer of the STPN family.
pub type PlasticKernel = super::layer::LayerKernel<PlasticSpec>;

impl LayerSpec for PlasticSpec {
    type Layer<L: Lanes> = Weights<L>;

    fn hidden(&self) -> usize {
        self.hidden
    }
}

impl<L: Lanes> Layer<L> for Weights<L> {
    type Spec = PlasticSpec;
    type Tape = PlasticTape<L::Real>;
    type State = PlasticState<L>;

    fn new(lanes: L, spec: &PlasticSpec, parameters: &[L::Real], pool: &Arc<Pool<L::Real>>) -> Self {
        Self::lay_out(lanes, spec, parameters, pool)
    }

    fn spec(&self) -> &PlasticSpec {
        &self.spec
    }

    fn forward(&self, sequence: Sequence<'_, L::Real>, tape: bool) -> Option<Self::Tape> {
        forward::forward(self, &Plan::new(self, sequence.extent), sequence, tape)
    }

    fn backward(&self, tape: &Self::Tape, adjoint: Adjoint<'_, L::Real>, grad_parameters: &mut [L::Real]) {
        backward::backward(self, &Plan::new(self, adjoint.extent), tape, adjoint, grad_parameters);
    }

    fn zero_state(&self, batch: usize) -> Self::State {
        PlasticState::new(self, batch)
    }

    fn load(&self, state: &mut Self::State, packed: &[L::Real]) {
        state.load(self, packed);
    }

    fn settle(&self, state: &mut Self::State) {
        state.settle(self);
    }

    fn store(&self, state: &Self::State, packed: &mut [L::Real]) {
        state.store(self, packed);
    }

    fn step(&self, state: &mut Self::State, step: Step<'_, L::Real>) {
        state.step(self, step);
    }
}
