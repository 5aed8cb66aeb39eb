//! The kernel as the rest of the crate sees it.

use std::fmt::Debug;
use std::sync::Arc;

use super::backward::{Adjoint, backward};
use super::forward::{PlasticTape, Sequence, forward};
use super::plan::Plan;
use super::spec::PlasticSpec;
use super::stepper::PlasticStepper;
use super::weights::Weights;
use crate::kernels::aligned::Pool;
use crate::kernels::lanes::{Double, Lanes, Portable, Single};
use crate::kernels::{Extent, Instructions, Prepared, SequenceKernel, Stepper, Tape};

/// The fused kernel of one layer of the STPN family.
#[derive(Debug)]
pub struct PlasticKernel {
    spec: PlasticSpec,
    instructions: Instructions,
    single: Arc<Pool<f32>>,
    double: Arc<Pool<f64>>,
}

impl PlasticKernel {
    /// A kernel with the best instruction set of this processor.
    pub fn new(spec: PlasticSpec) -> Self {
        Self::with_instructions(spec, Instructions::best())
    }

    /// A kernel with a given instruction set; with the portable one where the processor has not got it.
    pub fn with_instructions(spec: PlasticSpec, instructions: Instructions) -> Self {
        Self { spec, instructions, single: Arc::default(), double: Arc::default() }
    }
}

macro_rules! sequence_kernel {
    ($real:ty, $simd:ident, $pool:ident) => {
        impl SequenceKernel<$real> for PlasticKernel {
            fn prepare(&self, parameters: &[$real]) -> Arc<dyn Prepared<$real>> {
                let (spec, pool) = (&self.spec, &self.$pool);
                match self.instructions {
                    #[cfg(target_arch = "x86_64")]
                    Instructions::Avx512 => {
                        if let Some(lanes) = pulp::x86::V4::try_new() {
                            return PlasticLayer::shared($simd(lanes), spec, parameters, pool);
                        }
                    }
                    #[cfg(target_arch = "x86_64")]
                    Instructions::Avx2 => {
                        if let Some(lanes) = pulp::x86::V3::try_new() {
                            return PlasticLayer::shared($simd(lanes), spec, parameters, pool);
                        }
                    }
                    #[cfg(target_arch = "aarch64")]
                    Instructions::Neon => {
                        if let Some(lanes) = pulp::aarch64::Neon::try_new() {
                            return PlasticLayer::shared($simd(lanes), spec, parameters, pool);
                        }
                    }
                    _ => {}
                }
                PlasticLayer::shared(Portable::<$real>::new(), spec, parameters, pool)
            }

            fn hidden_size(&self) -> usize {
                self.spec.hidden
            }
        }
    };
}

sequence_kernel!(f32, Single, single);
sequence_kernel!(f64, Double, double);

/// A layer with its parameters in place.
#[derive(Debug)]
pub struct PlasticLayer<L: Lanes> {
    pub weights: Arc<Weights<L>>,
}

impl<L: Lanes> PlasticLayer<L> {
    fn shared(
        lanes: L,
        spec: &PlasticSpec,
        parameters: &[L::Real],
        pool: &Arc<Pool<L::Real>>,
    ) -> Arc<dyn Prepared<L::Real>> {
        Arc::new(Self { weights: Arc::new(Weights::new(lanes, spec, parameters, pool)) })
    }
}

impl<L: Lanes> Prepared<L::Real> for PlasticLayer<L> {
    fn forward(
        &self,
        extent: Extent,
        x: &[L::Real],
        resets: Option<&[u8]>,
        start: &[L::Real],
        end: Option<&mut [L::Real]>,
        hidden: &mut [L::Real],
        tape: bool,
    ) -> Option<Tape> {
        let plan = Plan::new(&self.weights, extent);
        let tape = forward(&self.weights, &plan, Sequence { extent, x, resets, start, end, hidden }, tape)?;
        Some(Box::new(tape))
    }

    fn backward(
        &self,
        extent: Extent,
        x: &[L::Real],
        resets: Option<&[u8]>,
        hidden: &[L::Real],
        tape: &Tape,
        grad_hidden: &[L::Real],
        grad_state: Option<&mut [L::Real]>,
        grad_x: Option<&mut [L::Real]>,
        grad_parameters: &mut [L::Real],
    ) {
        let tape = tape.downcast_ref::<PlasticTape<L::Real>>();
        assert!(tape.is_some(), "the tape of another kernel");
        let adjoint = Adjoint { extent, x, resets, hidden, grad_hidden, grad_state, grad_x };
        if let Some(tape) = tape {
            backward(&self.weights, &Plan::new(&self.weights, extent), tape, adjoint, grad_parameters);
        }
    }

    fn stepper(self: Arc<Self>, batch: usize) -> Box<dyn Stepper<L::Real>> {
        Box::new(PlasticStepper::new(Arc::clone(&self.weights), batch))
    }
}
