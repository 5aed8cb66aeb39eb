//! One step at a time, for rollouts.

use std::any::Any;
use std::sync::Arc;

use super::cohort::Cohort;
use super::prepared::PlasticLayer;
use super::presynaptic::Span;
use super::weights::Weights;
use crate::kernels::lanes::Lanes;
use crate::kernels::{Prepared, Stepper};
use crate::{Error, Result};

/// Steps a block: its full groups as one cohort, what is left over as another.
#[derive(Debug)]
pub struct PlasticStepper<L: Lanes> {
    weights: Arc<Weights<L>>,
    four: Option<Cohort<L, 4>>,
    two: Option<Cohort<L, 2>>,
    one: Option<Cohort<L, 1>>,
    energy_mask: Option<Vec<L::Real>>,
}

/// Runs an expression on every cohort there is.
macro_rules! each {
    ($stepper:ident, $weights:ident, $cohort:ident => $run:expr) => {{
        let $weights = &$stepper.weights;
        // A match on the constant alone: the other groups are then not even compiled.
        match L::GROUP {
            4 => {
                if let Some($cohort) = &mut $stepper.four {
                    $run;
                }
            }
            _ => {
                if let Some($cohort) = &mut $stepper.two {
                    $run;
                }
            }
        }
        if let Some($cohort) = &mut $stepper.one {
            $run;
        }
    }};
}

impl<L: Lanes> PlasticStepper<L> {
    /// A stepper of `batch` elements, all zero.
    pub fn new(weights: Arc<Weights<L>>, batch: usize) -> Self {
        let groups = batch / L::GROUP;
        let full = (groups > 0).then_some(Span { first: 0, groups });
        let rest = Span { first: groups * L::GROUP, groups: batch - groups * L::GROUP };
        let of_width = |width: usize| full.filter(|_| L::GROUP == width);
        let one = of_width(1).or((rest.groups > 0).then_some(rest));
        Self {
            four: of_width(4).map(|span| Cohort::new(&weights, span)),
            two: of_width(2).map(|span| Cohort::new(&weights, span)),
            one: one.map(|span| Cohort::new(&weights, span)),
            weights,
            energy_mask: None,
        }
    }
}

impl<L: Lanes> Stepper<L::Real> for PlasticStepper<L> {
    fn load(&mut self, state: &[L::Real]) {
        each!(self, weights, cohort => cohort.load(weights, state, None));
    }

    fn store(&mut self, state: &mut [L::Real]) {
        each!(self, weights, cohort => {
            cohort.settle(weights);
            cohort.store(weights, state);
        });
    }

    fn step(&mut self, x: &[L::Real], resets: Option<&[u8]>, hidden: &mut [L::Real], energy: Option<&mut [L::Real]>) {
        each!(self, weights, cohort => {
            cohort.approach(weights, x, resets);
            cohort.emit(weights, hidden, None);
        });
        if let Some(energy) = energy {
            let mask = self.energy_mask.as_deref();
            each!(self, weights, cohort => cohort.energy(weights, mask, energy));
        }
    }

    fn mask_energy(&mut self, mask: Option<&[L::Real]>) {
        self.energy_mask = mask.map(<[_]>::to_vec);
    }

    fn replace(&mut self, prepared: Arc<dyn Prepared<L::Real>>) -> Result<()> {
        let prepared: Arc<dyn Any + Send + Sync> = prepared;
        let layer = prepared.downcast::<PlasticLayer<L>>().ok().filter(|layer| self.weights.spec == layer.weights.spec);
        let Some(layer) = layer else {
            let problem = "the prepared parameters belong to another kind of layer than the stepper's".into();
            return Err(Error::Config { key: "kernel", problem });
        };
        each!(self, weights, cohort => cohort.settle(weights));
        self.weights = Arc::clone(&layer.weights);
        Ok(())
    }
}
