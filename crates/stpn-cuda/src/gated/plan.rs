//! How a sequence of LSTM, GRU or RNN is divided.

use super::layer::{Gated, GatedKind};
use crate::plan::WARP;
use crate::played_sizes::{ENCODED, SHARED};
use crate::product::part_len;
use crate::{Error, Extent, FAN, Result};

/// Threads of a block at most.
const MOST_THREADS: usize = 512;

/// Environments of a block, if all of the recurrent matrix lies in shared memory: each weight that is read is used so
/// often, and 512 environments still occupy all multiprocessors of a device.
const TILE: usize = 4;

/// Environments of a block, if not: what comes from global memory should be used more often.
const WIDE_TILE: usize = 8;

/// Division of a sequence. Kernels are compiled for its first three fields; those depend on the layer, the element size
/// and the shared memory of the device alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatedPlan {
    /// Threads of a block, a multiple of 32.
    pub threads: usize,
    /// Environments of a block.
    pub tile: usize,
    /// Rows `[gates H]` of the recurrent matrix, of H, that lie in shared memory.
    pub resident: usize,
    /// Steps times environments whose gradients of the weights one block adds up.
    pub part: usize,
}

impl GatedPlan {
    /// Elements of shared memory of a block that has mazes and an encoder, for which there is room if they fit at all.
    fn rollout_len(&self, layer: &Gated) -> usize {
        self.shared_len(layer, false) + self.tile * (SHARED + layer.input + 2 * layer.input.max(ENCODED))
    }

    /// The plan for a sequence, for elements of `size` bytes and `shared` bytes of shared memory.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if a step does not fit into that.
    pub fn new(layer: &Gated, extent: Extent, size: usize, shared: usize) -> Result<Self> {
        let threads = layer.rows().next_multiple_of(WARP).min(MOST_THREADS);
        let part = part_len(extent.steps * extent.batch);
        let of_tile = |tile: usize| {
            let mut plan = Self { threads, tile, resident: 0, part };
            let (forward, backward) = (plan.shared_len(layer, false), plan.shared_len(layer, true));
            let rollout = plan.rollout_len(layer);
            let needed = if rollout <= shared / size { rollout.max(backward) } else { forward.max(backward) };
            let free = (shared / size).checked_sub(needed)?;
            plan.resident = layer.hidden.min(free / layer.rows());
            Some(plan)
        };
        if let Some(plan) = of_tile(TILE).filter(|plan| plan.resident == layer.hidden) {
            return Ok(plan);
        }
        let mut tiles = std::iter::successors(Some(WIDE_TILE), |tile| Some(tile / 2)).take_while(|tile| *tile > 0);
        tiles.find_map(of_tile).ok_or_else(|| {
            let least = Self { threads, tile: 1, resident: 0, part };
            let needed = least.shared_len(layer, false).max(least.shared_len(layer, true)) * size;
            Error::TooLarge { needed, limit: shared }
        })
    }

    /// Elements of shared memory of a block.
    pub fn shared_len(&self, layer: &Gated, backward: bool) -> usize {
        let (rows, tile) = (layer.rows(), self.tile);
        let weights = self.resident * rows;
        let units = tile * layer.hidden;
        if backward {
            let straight = if layer.kind == GatedKind::Rnn { 0 } else { units };
            let norm = if layer.layer_norm { 2 * rows } else { 0 };
            return weights + 2 * rows * tile + straight + 2 * tile + norm;
        }
        let state = if layer.kind == GatedKind::Lstm { 2 * units } else { units };
        let slots = if layer.kind == GatedKind::Rnn { 1 } else { 4 };
        weights + state + slots * units + 2 * tile
    }

    /// Blocks of a pass over `batch` environments.
    pub fn blocks(&self, batch: usize) -> usize {
        batch.div_ceil(self.tile)
    }

    /// Parts whose gradients of the weights are added up at last.
    pub fn parts(&self, extent: Extent) -> usize {
        (extent.steps * extent.batch).div_ceil(self.part)
    }

    /// Elements that the backward pass needs of the forward pass, beside its operands and results.
    fn tape_len(layer: &Gated, extent: Extent) -> usize {
        let norm = if layer.layer_norm { layer.rows() + 1 } else { 0 };
        let memory = if layer.kind == GatedKind::Rnn { 0 } else { layer.hidden };
        extent.steps * extent.batch * (layer.hidden + memory + norm)
    }

    /// Bytes on the device of both passes, or of a forward pass alone, with all operands and results.
    pub fn bytes(&self, layer: &Gated, extent: Extent, size: usize, both: bool) -> usize {
        let units = extent.steps * extent.batch;
        let state = extent.batch * layer.state_len();
        let weights = layer.rows() * layer.hidden;
        let kept = if both { Self::tape_len(layer, extent) } else { 0 };
        let forward =
            layer.parameters() + units * (layer.input + layer.rows() + layer.hidden) + 2 * state + weights + kept;
        if !both {
            return forward * size + units;
        }
        let new = if layer.kind == GatedKind::Gru { layer.hidden } else { 0 };
        let gradients = units * (layer.rows() + layer.input + layer.hidden + new) + 2 * state;
        // Partial gradients, the first pass of their sums, and the result.
        let rows = self.parts(extent) + self.parts(extent).div_ceil(FAN) + 1;
        let norm = if layer.layer_norm { (self.blocks(extent.batch) + 2) * 2 * layer.rows() } else { 0 };
        (forward + gradients + rows * layer.parameters() + norm) * size + units
    }

    /// The most environments, up to those of `extent`, whose passes both fit into `free` bytes.
    pub fn fitting(layer: &Gated, extent: Extent, size: usize, shared: usize, free: usize) -> usize {
        crate::plan::most(extent.batch, |batch| {
            let extent = Extent { batch, ..extent };
            Self::new(layer, extent, size, shared).is_ok_and(|plan| plan.bytes(layer, extent, size, true) <= free)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::DEPTH;

    /// Shared memory of a block of an A100 and of an H100, in bytes.
    const SHARED: [usize; 2] = [166_912, 232_448];

    #[test]
    fn plans_keep_to_the_limits_of_a_device() {
        for kind in [GatedKind::Lstm, GatedKind::Gru, GatedKind::Rnn] {
            for (input, hidden) in
                [(1, 1), (17, 55), (17, 128), (17, 256), (17, 512), (64, 128), (512, 256), (3, 1000), (300, 1200)]
            {
                let mut layer = Gated::new(kind, input, hidden);
                layer.layer_norm = kind == GatedKind::Lstm;
                for (shared, size) in [(SHARED[0], 4), (SHARED[0], 8), (SHARED[1], 4), (SHARED[1], 8)] {
                    let plan = GatedPlan::new(&layer, Extent { steps: 200, batch: 512 }, size, shared).unwrap();
                    let context = format!("{layer:?} {size} {plan:?}");
                    for backward in [false, true] {
                        assert!(plan.shared_len(&layer, backward) * size <= shared, "{context}");
                    }
                    if input == 17 {
                        assert!(plan.rollout_len(&layer) * size <= shared, "{context}");
                    }
                    assert!(plan.threads <= MOST_THREADS && plan.threads.is_multiple_of(WARP), "{context}");
                    assert!(plan.resident <= hidden && plan.part.is_multiple_of(DEPTH), "{context}");
                    let alone = GatedPlan::new(&layer, Extent { steps: 1, batch: 1 }, size, shared).unwrap();
                    assert_eq!(GatedPlan { part: plan.part, ..alone }, plan, "kernels depend on the extent");
                }
            }
        }
    }

    #[test]
    fn the_recurrent_matrix_of_usual_layers_lies_in_shared_memory() {
        let of = |kind, hidden| {
            let layer = Gated::new(kind, 17, hidden);
            GatedPlan::new(&layer, Extent { steps: 200, batch: 512 }, 4, SHARED[0]).unwrap()
        };
        let plan = of(GatedKind::Lstm, 64);
        assert_eq!((plan.tile, plan.resident, plan.threads), (TILE, 64, 256));
        let plan = of(GatedKind::Rnn, 128);
        assert_eq!((plan.tile, plan.resident), (TILE, 128));
        // Of larger ones, a part does.
        let plan = of(GatedKind::Lstm, 128);
        assert!(plan.tile == WIDE_TILE && plan.resident > 50 && plan.resident < 128, "{plan:?}");
    }

    #[test]
    fn a_layer_beyond_the_shared_memory_is_refused() {
        let layer = Gated::new(GatedKind::Lstm, 3, 20_000);
        let error = GatedPlan::new(&layer, Extent { steps: 1, batch: 1 }, 4, SHARED[0]).unwrap_err();
        assert!(matches!(error, Error::TooLarge { needed, limit } if needed > limit), "{error}");
    }

    #[test]
    fn the_environments_that_fit_are_the_most_that_fit() {
        let layer = Gated::new(GatedKind::Gru, 17, 64);
        let extent = Extent { steps: 200, batch: 100_000 };
        let free = 4 << 30;
        let fits = GatedPlan::fitting(&layer, extent, 4, SHARED[1], free);
        let bytes = |batch: usize| {
            let extent = Extent { batch, ..extent };
            GatedPlan::new(&layer, extent, 4, SHARED[1]).unwrap().bytes(&layer, extent, 4, true)
        };
        assert!(fits > 512 && bytes(fits) <= free && bytes(fits + 1) > free, "{fits}");
    }
}
