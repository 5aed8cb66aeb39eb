//! Encoders within a rollout: dense layers between what environments show and the recurrent layer.

use crate::dense::Dense;
use crate::lengths::{Length, expect};
use crate::runner::int;
use crate::{Error, Result};

/// The most layers of an encoder within a rollout.
pub const ENCODER_LAYERS: usize = 4;

/// A layer of an encoder, with its packed parameters `A`.
#[derive(Debug)]
pub struct EncoderLayer<'a, A: ?Sized> {
    /// The layer.
    pub dense: Dense,
    /// Its parameters.
    pub parameters: &'a A,
}

impl<A: ?Sized> Clone for EncoderLayer<'_, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: ?Sized> Copy for EncoderLayer<'_, A> {}

/// `EncoderLayerOperands` of `kernels/encoder_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct EncoderLayerOperands {
    input: i32,
    output: i32,
    nonlinearity: i32,
    scale: f64,
    parameters: u64,
}

/// `EncoderOperands`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncoderOperands {
    layers: i32,
    shown: i32,
    widest: i32,
    of: [EncoderLayerOperands; ENCODER_LAYERS],
}

impl EncoderOperands {
    /// Those of layers with their parameters at these addresses.
    pub fn new(layers: &[(Dense, u64)]) -> Self {
        let mut of = [EncoderLayerOperands::default(); ENCODER_LAYERS];
        for (to, &(Dense { input, output, nonlinearity, scale }, parameters)) in of.iter_mut().zip(layers) {
            let (input, output, nonlinearity) = (int(input), int(output), nonlinearity as i32);
            *to = EncoderLayerOperands { input, output, nonlinearity, scale, parameters };
        }
        let shown = layers.first().map_or(0, |(layer, _)| layer.input);
        let widest = widest(layers.iter().map(|(layer, _)| layer));
        Self { layers: int(layers.len()), shown: int(shown), widest: int(widest), of }
    }
}

/// The most numbers that go into a layer.
fn widest<'l>(layers: impl IntoIterator<Item = &'l Dense>) -> usize {
    layers.into_iter().map(|layer| layer.input).max().unwrap_or(0)
}

/// Elements of shared memory that an environment needs for an encoder.
pub(crate) fn shared_len<'l>(layers: impl IntoIterator<Item = &'l Dense>) -> usize {
    2 * widest(layers)
}

/// Refuses layers that do not follow one another, or do not end where the recurrent layer of `input` inputs begins.
/// Returns how many numbers an environment shows.
pub(crate) fn check<A: Length + ?Sized>(layers: &[EncoderLayer<'_, A>], input: usize) -> Result<usize> {
    if layers.len() > ENCODER_LAYERS {
        let problem = format!("an encoder has {} layers, and {ENCODER_LAYERS} at most are possible", layers.len());
        return Err(Error::Rollout { problem });
    }
    for (at, layer) in layers.iter().enumerate() {
        let next = layers.get(at + 1).map_or(input, |next| next.dense.input);
        expect("outputs of the encoder", layer.dense.output, next)?;
        expect("parameters of the encoder", layer.parameters.length(), layer.dense.parameters())?;
    }
    Ok(layers.first().map_or(input, |first| first.dense.input))
}
