//! The forward pass.

use rayon::prelude::*;

use super::geometry::Layer;
use super::layout::{outputs_to_images, pixels_to_blocks};
use super::tiles::Outputs;
use super::{Pixels, Prepared, SPAN, Tape};
use crate::kernels::Real;

impl<T: Real> Prepared<T> {
    /// Images `[N, C, H, W]` to `[N, count, H', W']`, with what the backward pass needs where `tape` asks for it.
    ///
    /// # Panics
    /// If the extents do not fit.
    pub fn forward(&self, x: Pixels<'_, T>, out: &mut [T], tape: bool) -> Option<Tape<T>> {
        let (images, layers) = (self.count(x), &self.stack.layers);
        let (pixels, width) = (self.stack.input().len(), self.stack.output().len());
        assert_eq!(out.len(), images * width, "room for the output of {images} images");
        let chunk = self.stack.chunk::<T>();
        let span = SPAN.next_multiple_of(chunk);
        let kept_len = |layer: &Layer| if tape { images * layer.blocks_len() } else { 0 };
        let mut kept: Vec<_> = layers[1..].iter().map(|layer| self.pool.lease(kept_len(layer))).collect();

        let mut spans: Vec<Vec<&mut [T]>> = (0..images.div_ceil(span)).map(|_| Vec::new()).collect();
        for (layer, kept) in layers[1..].iter().zip(&mut kept) {
            for (span, kept) in spans.iter_mut().zip(kept.chunks_mut(span * layer.blocks_len())) {
                span.push(kept);
            }
        }
        spans.into_par_iter().zip(out.par_chunks_mut(span * width)).enumerate().for_each(|(index, (mut kept, out))| {
            // What is not kept is needed for one chunk only.
            let here = out.len() / width;
            let room = |layer: &Layer| chunk.min(here) * layer.blocks_len();
            let mut scratch: Vec<_> = layers[..if tape { 1 } else { layers.len() }]
                .iter()
                .map(|layer| self.pool.lease(room(layer)))
                .collect();
            scratch.iter_mut().for_each(|blocks| blocks.fill(T::ZERO));
            let last = &layers[layers.len() - 1];
            let mut outputs = self.pool.lease(chunk.min(here) * last.places() * last.row);

            for (number, out) in out.chunks_mut(chunk * width).enumerate() {
                let (first, count) = (number * chunk, out.len() / width);
                let start = (index * span + first) * pixels;
                let mut inputs: Vec<&mut [T]> = scratch.iter_mut().map(|blocks| &mut blocks[..]).collect();
                for (layer, kept) in layers[1..].iter().zip(&mut kept) {
                    let len = layer.blocks_len();
                    let kept = &mut kept[first * len..(first + count) * len];
                    if layer.has_margin() {
                        kept.fill(T::ZERO);
                    }
                    inputs.push(kept);
                }
                pixels_to_blocks(&layers[0], x.range(start..start + count * pixels), inputs[0]);
                for (index, (layer, weights)) in layers.iter().zip(&self.weights).enumerate() {
                    let (inputs, next) = inputs.split_at_mut(index + 1);
                    let (out, out_len) = match (next.first_mut(), layers.get(index + 1)) {
                        (Some(blocks), Some(next)) => (&mut **blocks, next.blocks_len()),
                        _ => (&mut outputs[..], layer.places() * layer.row),
                    };
                    T::on_lanes(Outputs { layer, weights, images: count, blocks: inputs[index], out, out_len });
                }
                outputs_to_images(last, &outputs, out);
            }
        });
        tape.then_some(Tape { inputs: kept })
    }
}
