//! The common frame of the kernels: instruction sets, tapes and steppers around a [`Layer`].

use std::any::Any;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use super::aligned::Pool;
use super::lanes::{Double, Lanes, Portable, Single};
use super::{Extent, FusedKernel, Instructions, Prepared, SequenceKernel, Stepper, Tape};
use crate::{Error, Result};

/// Options and sizes of a layer, whatever the element type and the instruction set.
pub trait LayerSpec: Clone + Debug + PartialEq + Send + Sync + 'static {
    /// The layer in one element type and instruction set.
    type Layer<L: Lanes>: Layer<L, Spec = Self>;

    /// Units H.
    fn hidden(&self) -> usize;
}

/// A layer with its parameters in place.
///
/// Elements of the batch never meet in an arithmetic operation, and every sum of the forward pass has one order,
/// whatever the number of elements or steps in a call.
pub trait Layer<L: Lanes>: Sized + Debug + Send + Sync + 'static {
    /// Options and sizes.
    type Spec: LayerSpec;
    /// What the backward pass needs of the forward pass.
    type Tape: Send + Sync + 'static;
    /// The state of a block of elements in the layer's own layout.
    type State: Debug + Send;

    /// Lays out packed parameters.
    fn new(lanes: L, spec: &Self::Spec, parameters: &[L::Real], pool: &Arc<Pool<L::Real>>) -> Self;

    /// What it was made of.
    fn spec(&self) -> &Self::Spec;

    /// See [`Prepared::forward`].
    fn forward(&self, sequence: Sequence<'_, L::Real>, tape: bool) -> Option<Self::Tape>;

    /// See [`Prepared::backward`].
    fn backward(&self, tape: &Self::Tape, adjoint: Adjoint<'_, L::Real>, grad_parameters: &mut [L::Real]);

    /// The state of `batch` elements, zero.
    fn zero_state(&self, batch: usize) -> Self::State;

    /// Takes over a packed state.
    fn load(&self, state: &mut Self::State, packed: &[L::Real]);

    /// Finishes what the next step would finish of the last one, with the parameters of the last one. By default, a step leaves
    /// nothing to finish.
    fn settle(&self, _: &mut Self::State) {}

    /// Packs a settled state.
    fn store(&self, state: &Self::State, packed: &mut [L::Real]);

    /// See [`Stepper::step`].
    fn step(&self, state: &mut Self::State, step: Step<'_, L::Real>);
}

/// Operands of a forward pass over a block.
pub struct Sequence<'a, T> {
    pub extent: Extent,
    pub x: &'a [T],
    pub resets: Option<&'a [u8]>,
    pub start: &'a [T],
    pub end: Option<&'a mut [T]>,
    pub hidden: &'a mut [T],
}

/// Operands of a backward pass over a block.
pub struct Adjoint<'a, T> {
    pub extent: Extent,
    pub x: &'a [T],
    pub resets: Option<&'a [u8]>,
    pub hidden: &'a [T],
    pub grad_hidden: &'a [T],
    pub grad_state: Option<&'a mut [T]>,
    pub grad_x: Option<&'a mut [T]>,
}

/// Operands of one step of inference.
pub struct Step<'a, T> {
    pub x: &'a [T],
    pub resets: Option<&'a [u8]>,
    pub hidden: &'a mut [T],
    /// The energies to write, and the factors of the inputs in them.
    pub energy: Option<(&'a mut [T], Option<&'a [T]>)>,
}

/// The elements that `resets` marks.
pub fn marked(resets: Option<&[u8]>) -> impl Iterator<Item = usize> {
    resets.unwrap_or_default().iter().enumerate().filter(|(_, reset)| **reset != 0).map(|(element, _)| element)
}

/// The marks of step t out of `[T, B]`.
pub fn resets_at(resets: Option<&[u8]>, batch: usize, t: usize) -> Option<&[u8]> {
    resets.map(|resets| &resets[t * batch..(t + 1) * batch])
}

/// The kernel of one layer.
#[derive(Debug)]
pub struct LayerKernel<S> {
    spec: S,
    instructions: Instructions,
    single: Arc<Pool<f32>>,
    double: Arc<Pool<f64>>,
}

impl<S> LayerKernel<S> {
    /// A kernel with the best instruction set of this processor.
    pub fn new(spec: S) -> Self {
        Self { spec, instructions: Instructions::best(), single: Arc::default(), double: Arc::default() }
    }
}

impl<S: LayerSpec> FusedKernel for LayerKernel<S> {
    fn with_instructions(&self, instructions: Instructions) -> Arc<dyn FusedKernel> {
        Arc::new(Self { instructions, ..Self::new(self.spec.clone()) })
    }
}

macro_rules! sequence_kernel {
    ($real:ty, $simd:ident, $pool:ident) => {
        impl<S: LayerSpec> SequenceKernel<$real> for LayerKernel<S> {
            fn prepare(&self, parameters: &[$real]) -> Arc<dyn Prepared<$real>> {
                let (spec, pool) = (&self.spec, &self.$pool);
                match self.instructions {
                    #[cfg(target_arch = "x86_64")]
                    Instructions::Avx512 => {
                        if let Some(lanes) = pulp::x86::V4::try_new() {
                            return shared($simd(lanes), spec, parameters, pool);
                        }
                    }
                    #[cfg(target_arch = "x86_64")]
                    Instructions::Avx2 => {
                        if let Some(lanes) = pulp::x86::V3::try_new() {
                            return shared($simd(lanes), spec, parameters, pool);
                        }
                    }
                    #[cfg(target_arch = "aarch64")]
                    Instructions::Neon => {
                        if let Some(lanes) = pulp::aarch64::Neon::try_new() {
                            return shared($simd(lanes), spec, parameters, pool);
                        }
                    }
                    _ => {}
                }
                shared(Portable::<$real>::new(), spec, parameters, pool)
            }

            fn hidden_size(&self) -> usize {
                self.spec.hidden()
            }
        }
    };
}

sequence_kernel!(f32, Single, single);
sequence_kernel!(f64, Double, double);

fn shared<S: LayerSpec, L: Lanes>(
    lanes: L,
    spec: &S,
    parameters: &[L::Real],
    pool: &Arc<Pool<L::Real>>,
) -> Arc<dyn Prepared<L::Real>> {
    let layer = Arc::new(S::Layer::<L>::new(lanes, spec, parameters, pool));
    Arc::new(PreparedLayer { layer, lanes: PhantomData::<L> })
}

/// A [`Layer`] as [`Prepared`].
#[derive(Debug)]
struct PreparedLayer<L, Y> {
    layer: Arc<Y>,
    lanes: PhantomData<L>,
}

impl<L: Lanes, Y: Layer<L>> Prepared<L::Real> for PreparedLayer<L, Y> {
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
        let tape = self.layer.forward(Sequence { extent, x, resets, start, end, hidden }, tape)?;
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
        let tape = tape.downcast_ref::<Y::Tape>();
        assert!(tape.is_some(), "the tape of another kernel");
        let adjoint = Adjoint { extent, x, resets, hidden, grad_hidden, grad_state, grad_x };
        if let Some(tape) = tape {
            self.layer.backward(tape, adjoint, grad_parameters);
        }
    }

    fn stepper(self: Arc<Self>, batch: usize) -> Box<dyn Stepper<L::Real>> {
        let state = self.layer.zero_state(batch);
        let layer = Arc::clone(&self.layer);
        Box::new(LayerStepper { layer, state, energy_mask: None, lanes: PhantomData::<L> })
    }
}

/// A [`Layer`] and its state as [`Stepper`].
#[derive(Debug)]
struct LayerStepper<L: Lanes, Y: Layer<L>> {
    layer: Arc<Y>,
    state: Y::State,
    energy_mask: Option<Vec<L::Real>>,
    lanes: PhantomData<L>,
}

impl<L: Lanes, Y: Layer<L>> Stepper<L::Real> for LayerStepper<L, Y> {
    fn load(&mut self, state: &[L::Real]) {
        self.layer.load(&mut self.state, state);
    }

    fn store(&mut self, state: &mut [L::Real]) {
        self.layer.settle(&mut self.state);
        self.layer.store(&self.state, state);
    }

    fn step(&mut self, x: &[L::Real], resets: Option<&[u8]>, hidden: &mut [L::Real], energy: Option<&mut [L::Real]>) {
        let energy = energy.map(|energy| (energy, self.energy_mask.as_deref()));
        self.layer.step(&mut self.state, Step { x, resets, hidden, energy });
    }

    fn mask_energy(&mut self, mask: Option<&[L::Real]>) {
        self.energy_mask = mask.map(<[_]>::to_vec);
    }

    fn replace(&mut self, prepared: Arc<dyn Prepared<L::Real>>) -> Result<()> {
        let prepared: Arc<dyn Any + Send + Sync> = prepared;
        let prepared = prepared.downcast::<PreparedLayer<L, Y>>().ok();
        let Some(prepared) = prepared.filter(|prepared| prepared.layer.spec() == self.layer.spec()) else {
            let problem = "the prepared parameters belong to another kind of layer than the stepper's".into();
            return Err(Error::Config { key: "kernel", problem });
        };
        self.layer.settle(&mut self.state);
        self.layer = Arc::clone(&prepared.layer);
        Ok(())
    }
}
