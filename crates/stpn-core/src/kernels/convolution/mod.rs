//! Stacks of convolutions over images, each followed by ReLU, on plain slices: forward, and exact backward.
//!
//! A layer of k×k filters, s pixels apart, sees its input in blocks of s×s pixels: its filters then cover r×r blocks,
//! r = ⌈k/s⌉, and lie one block apart. With the scalars of a block together, what a filter covers of one row of blocks,
//! its window, is contiguous. The sums of some windows and some filters stay in registers from the first of their r
//! rows to the last, and go with bias and ReLU to where the next layer has its blocks: patches are never copied.
//! Backward the same windows are read for the gradient of the filters, and written for that of the input.
//!
//! Images are worked on a few at a time, so that what one layer writes is still in the second-level cache when the
//! next one reads it. An output is one chain of multiply-adds that depends on its image alone; the division of the
//! gradients' sums into chunks and spans depends on sizes alone. So results are the same, bit for bit, for any number
//! of threads.

mod backward;
mod forward;
mod geometry;
mod layout;
mod operator;
mod tiles;
mod weights;

use std::any::Any;
use std::sync::Arc;

pub use geometry::{Filters, Image};
pub use operator::features;

use super::Real;
use super::aligned::{Lease, Pool};
use crate::{Error, Result};
use geometry::Layer;
use weights::{LayOut, LayerWeights};

/// Bytes of a chunk's buffers that fit into the second-level cache beside the weights.
const CHUNK_BYTES: usize = 5 << 17;

/// Images whose gradients are summed by one thread, rounded up to whole chunks.
const SPAN: usize = 32;

/// A stack of convolutions over images of a fixed size.
///
/// Its packed parameters are those of each layer in turn, as in PyTorch: weights `[out, in, k, k]`, then biases
/// `[out]`.
#[derive(Debug)]
pub struct Stack {
    layers: Vec<Layer>,
    single: Arc<Pool<f32>>,
    double: Arc<Pool<f64>>,
}

impl Stack {
    /// Layers of filters over `input`.
    ///
    /// # Errors
    /// [`Error::Config`] without layers and where filters are empty or do not fit into their input.
    pub fn new(input: Image, filters: &[Filters]) -> Result<Self> {
        let refuse = |problem: String| Error::Config { key: "filters", problem };
        if filters.is_empty() {
            return Err(refuse("there are none".into()));
        }
        let layers = Layer::stack(input, filters).map_err(|(index, Image { height, width, .. })| {
            let (layer, Filters { count, size, stride }) = (index + 1, filters[index]);
            refuse(format!(
                "layer {layer} has {count} filters of {size}×{size}, stride {stride}, over {height}×{width} pixels"
            ))
        })?;
        Ok(Self { layers, single: Arc::default(), double: Arc::default() })
    }

    /// What goes into the first layer.
    pub fn input(&self) -> Image {
        self.layers[0].input
    }

    /// What comes out of the last layer.
    pub fn output(&self) -> Image {
        self.layers[self.layers.len() - 1].output
    }

    /// Input and filters of each layer, first to last.
    pub fn layers(&self) -> impl ExactSizeIterator<Item = (Image, Filters)> {
        self.layers.iter().map(|layer| (layer.input, layer.filters))
    }

    /// Scalars of all parameters.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(Layer::parameters).sum()
    }

    fn pool<T: Real>(&self) -> Arc<Pool<T>> {
        let pools: [Arc<dyn Any + Send + Sync>; 2] =
            [Arc::clone(&self.single) as Arc<dyn Any + Send + Sync>, Arc::clone(&self.double) as _];
        pools.into_iter().find_map(|pool| pool.downcast::<Pool<T>>().ok()).unwrap_or_default()
    }

    /// Images of a chunk, in element type T.
    fn chunk<T>(&self) -> usize {
        let scalars: usize = self.layers.iter().map(|layer| layer.blocks_len() + layer.places() * layer.row).sum();
        (CHUNK_BYTES / (scalars * size_of::<T>())).clamp(1, SPAN)
    }
}

/// Images `[N, C, H, W]`.
#[derive(Clone, Copy, Debug)]
pub enum Pixels<'a, T> {
    /// Numbers.
    Values(&'a [T]),
    /// Bytes, of which the network sees `byte · factor + summand`.
    Bytes {
        /// `[N, C, H, W]`
        bytes: &'a [u8],
        /// What a byte is multiplied by.
        factor: T,
        /// What is added to that.
        summand: T,
    },
}

impl<'a, T: Real> Pixels<'a, T> {
    fn len(self) -> usize {
        match self {
            Self::Values(values) => values.len(),
            Self::Bytes { bytes, .. } => bytes.len(),
        }
    }

    fn range(self, range: std::ops::Range<usize>) -> Self {
        match self {
            Self::Values(values) => Self::Values(&values[range]),
            Self::Bytes { bytes, factor, summand } => Self::Bytes { bytes: &bytes[range], factor, summand },
        }
    }
}

/// What a forward pass keeps for its backward pass: every layer's input but the first's, which is made again.
#[derive(Debug)]
pub struct Tape<T: Real> {
    inputs: Vec<Lease<T>>,
}

/// A stack with its parameters in place.
#[derive(Debug)]
pub struct Prepared<T: Real> {
    stack: Arc<Stack>,
    weights: Vec<LayerWeights<T>>,
    pool: Arc<Pool<T>>,
}

impl<T: Real> Prepared<T> {
    /// Lays out packed parameters.
    ///
    /// # Panics
    /// If there are not as many as the stack has.
    pub fn new(stack: &Arc<Stack>, parameters: &[T]) -> Self {
        assert_eq!(parameters.len(), stack.parameters(), "packed parameters");
        let mut rest = parameters;
        let mut weights = Vec::with_capacity(stack.layers.len());
        for layer in &stack.layers {
            let (own, others) = rest.split_at(layer.parameters());
            weights.push(T::on_lanes(LayOut { layer, parameters: own }));
            rest = others;
        }
        Self { stack: Arc::clone(stack), weights, pool: stack.pool() }
    }

    /// Number of images in `x`.
    fn count(&self, x: Pixels<'_, T>) -> usize {
        let len = self.stack.input().len();
        assert_eq!(x.len() % len, 0, "pixels of whole images");
        x.len() / len
    }
}
