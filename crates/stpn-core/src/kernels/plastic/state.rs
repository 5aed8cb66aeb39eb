//! The state of a block between steps of inference: its full groups as one cohort, what is left over as another.

use super::cohort::Cohort;
use super::presynaptic::Span;
use super::weights::Weights;
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::Step;

/// The cohorts of a block.
#[derive(Debug)]
pub struct PlasticState<L: Lanes> {
    four: Option<Cohort<L, 4>>,
    two: Option<Cohort<L, 2>>,
    one: Option<Cohort<L, 1>>,
}

/// Runs an expression on every cohort there is.
macro_rules! each {
    ($state:ident, $cohort:ident => $run:expr) => {{
        // A match on the constant alone: the other groups are then not even compiled.
        match L::GROUP {
            4 => {
                if let Some($cohort) = &mut $state.four {
                    $run;
                }
            }
            _ => {
                if let Some($cohort) = &mut $state.two {
                    $run;
                }
            }
        }
        if let Some($cohort) = &mut $state.one {
            $run;
        }
    }};
}

impl<L: Lanes> PlasticState<L> {
    /// That of `batch` elements, all zero.
    pub fn new(weights: &Weights<L>, batch: usize) -> Self {
        let groups = batch / L::GROUP;
        let full = (groups > 0).then_some(Span { first: 0, groups });
        let rest = Span { first: groups * L::GROUP, groups: batch - groups * L::GROUP };
        let of_width = |width: usize| full.filter(|_| L::GROUP == width);
        let one = of_width(1).or((rest.groups > 0).then_some(rest));
        Self {
            four: of_width(4).map(|span| Cohort::new(weights, span)),
            two: of_width(2).map(|span| Cohort::new(weights, span)),
            one: one.map(|span| Cohort::new(weights, span)),
        }
    }

    /// Takes over packed `[B, S]`.
    pub fn load(&mut self, weights: &Weights<L>, packed: &[L::Real]) {
        each!(self, cohort => cohort.load(weights, packed, None));
    }

    /// Applies pending updates.
    pub fn settle(&mut self, weights: &Weights<L>) {
        each!(self, cohort => cohort.settle(weights));
    }

    /// Packs a settled state into `[B, S]`.
    pub fn store(&self, weights: &Weights<L>, packed: &mut [L::Real]) {
        if let Some(cohort) = &self.four {
            cohort.store(weights, packed);
        }
        if let Some(cohort) = &self.two {
            cohort.store(weights, packed);
        }
        if let Some(cohort) = &self.one {
            cohort.store(weights, packed);
        }
    }

    /// One step of inference.
    pub fn step(&mut self, weights: &Weights<L>, step: Step<'_, L::Real>) {
        let Step { x, resets, hidden, energy } = step;
        each!(self, cohort => {
            cohort.approach(weights, x, resets);
            cohort.emit(weights, hidden, None);
        });
        if let Some((energy, mask)) = energy {
            each!(self, cohort => cohort.energy(weights, mask, energy));
        }
    }
}
