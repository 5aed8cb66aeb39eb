//! How the work is divided: threads of a block, where its values lie, steps from checkpoint to checkpoint.
//!
//! A plan depends on the layer, the extent, the element size and the shared memory of the device alone, and so do the
//! bits of the result.

use crate::layer::Layer;
use crate::{Error, Extent, Result};

/// Threads of a warp.
pub(crate) const WARP: usize = 32;

/// Threads of a block at most: with twice as many, the backward pass had too few registers for each.
const MOST_THREADS: usize = 512;

/// Fewest threads that share a row: with fewer, a warp's reads are scattered over too many rows.
const LEAST_LANES: usize = 4;

/// Bytes of a thread's synapses that fit into registers eight times (F, its gradient, parameters and their gradients).
const REGISTER_BYTES: usize = 48;

/// Bytes that partial gradients and scratch memory may have in all.
const SCRATCH_BYTES: usize = 1 << 30;

/// Where the values of a synapse lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In registers, with the parameters and gradients.
    Registers,
    /// F and its gradient in shared memory, the rest in global memory.
    Shared,
    /// In global memory.
    Global,
}

/// Division of a block of threads. Kernels are compiled for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads {
    /// Threads that share a row, a power of two up to 32.
    pub lanes: usize,
    /// Threads of a block, a multiple of 32.
    pub count: usize,
    /// Where the values of a synapse lie.
    pub place: Place,
}

impl Threads {
    /// Synapses of one thread, with what fills up rows and columns.
    pub fn own(&self, layer: &Layer) -> usize {
        layer.hidden().div_ceil(self.count / self.lanes) * layer.width().div_ceil(self.lanes)
    }

    /// Synapses of a block, with what fills up.
    pub fn padded(&self, layer: &Layer) -> usize {
        self.own(layer) * self.count
    }

    fn warps(&self) -> usize {
        self.count / WARP
    }

    /// The division for that layer, for elements of `size` bytes and `shared` bytes of shared memory.
    pub fn new(layer: &Layer, size: usize, shared: usize) -> Self {
        let hidden = layer.hidden();
        let most = layer.width().next_power_of_two().min(WARP);
        let lanes = std::iter::successors(Some(most), |lanes| Some(lanes / 2))
            .take_while(|lanes| *lanes >= LEAST_LANES.min(most))
            .find(|lanes| hidden * lanes <= MOST_THREADS);
        let threads = match lanes {
            Some(lanes) => Self { lanes, count: (hidden * lanes).next_multiple_of(WARP), place: Place::Registers },
            None => Self { lanes: most, count: MOST_THREADS, place: Place::Registers },
        };
        if threads.own(layer) * size * layer.matrices() <= REGISTER_BYTES {
            return threads;
        }
        let threads = Self { lanes: most, count: MOST_THREADS, place: Place::Shared };
        let padded = threads.padded(layer) * layer.matrices();
        let least = backward_fixed(layer, &threads) + layer.width() + padded;
        let place = if least * size <= shared { Place::Shared } else { Place::Global };
        Self { place, ..threads }
    }
}

/// Elements of shared memory of a backward block beside segments: sums of warps, sums of columns, carried gradient.
fn backward_fixed(layer: &Layer, threads: &Threads) -> usize {
    4 * threads.warps() + threads.warps() * layer.width() + layer.hidden()
}

/// Division of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Of a block.
    pub threads: Threads,
    /// Steps from checkpoint to checkpoint.
    pub every: usize,
    /// Backward, the fast weights of a segment lie in shared memory.
    pub slots_in_shared: bool,
    /// Environments of one block of the backward pass.
    pub group: usize,
}

impl Plan {
    /// The plan for a sequence.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if a step does not fit into `shared` bytes of shared memory.
    pub fn new(layer: &Layer, extent: Extent, size: usize, shared: usize) -> Result<Self> {
        let threads = Threads::new(layer, size, shared);
        let (width, padded) = (layer.width(), threads.padded(layer) * layer.matrices());
        let fixed = backward_fixed(layer, &threads) + if threads.place == Place::Shared { padded } else { 0 };
        let needed = (fixed + width).max(2 * width + 2 * threads.warps()) * size;
        if needed > shared {
            return Err(Error::TooLarge { needed, limit: shared });
        }
        let steps = extent.steps.max(1);
        let root = (1..=steps).find(|root| root * root >= steps).unwrap_or(steps);
        let free = shared / size - fixed;
        let fits = free / (width + padded);
        let slots_in_shared = 2 * fits >= root;
        let every = if slots_in_shared { root.min(fits) } else { root.min(free / width) };
        let mut plan = Self { threads, every, slots_in_shared, group: 1 };
        let block = (plan.scratch_len(layer, true) + layer.parameters()) * size;
        plan.group = (extent.batch * block).div_ceil(SCRATCH_BYTES).clamp(1, extent.batch.max(1));
        Ok(plan)
    }

    /// Elements of shared memory of a block.
    pub fn shared_len(&self, layer: &Layer, backward: bool) -> usize {
        let padded = self.threads.padded(layer) * layer.matrices();
        let state = if self.threads.place == Place::Shared { padded } else { 0 };
        if !backward {
            return 2 * layer.width() + 2 * self.threads.warps() + state;
        }
        let slots = if self.slots_in_shared { self.every * padded } else { 0 };
        backward_fixed(layer, &self.threads) + self.every * layer.width() + state + slots
    }

    /// Elements of scratch memory of a block.
    pub fn scratch_len(&self, layer: &Layer, backward: bool) -> usize {
        let padded = self.threads.padded(layer);
        let state = if self.threads.place == Place::Global { padded * layer.matrices() } else { 0 };
        if !backward {
            return state;
        }
        let sums = if self.threads.place == Place::Registers { 0 } else { 3 * padded };
        let slots = if self.slots_in_shared { 0 } else { self.every * padded * layer.matrices() };
        sums + state + slots
    }

    /// Blocks of a pass over `batch` environments.
    pub fn blocks(&self, batch: usize, backward: bool) -> usize {
        if backward { batch.div_ceil(self.group) } else { batch }
    }

    /// Elements of all checkpoints.
    pub fn checkpoints_len(&self, layer: &Layer, extent: Extent) -> usize {
        extent.steps.div_ceil(self.every) * extent.batch * self.threads.padded(layer) * layer.matrices()
    }

    /// Elements of all records.
    pub fn records_len(&self, layer: &Layer, extent: Extent) -> usize {
        extent.steps * extent.batch * layer.fields() * layer.hidden()
    }

    /// Bytes on the device of both passes, or of a forward pass alone, with all operands and results.
    pub fn bytes(&self, layer: &Layer, extent: Extent, size: usize, both: bool) -> usize {
        let units = extent.steps * extent.batch;
        let state = extent.batch * layer.state_len();
        let blocks = self.blocks(extent.batch, both);
        let scratch = blocks * self.scratch_len(layer, both);
        let kept = if both { self.records_len(layer, extent) + self.checkpoints_len(layer, extent) } else { 0 };
        let forward = layer.parameters() + units * (layer.input() + layer.hidden()) + 2 * state + kept + scratch;
        if !both {
            return forward * size + units;
        }
        let gradients = units * (layer.input() + layer.hidden()) + 2 * state;
        // Partial gradients and the first pass of their sums.
        let partials = (blocks + blocks.div_ceil(crate::FAN)) * layer.parameters();
        (forward + gradients + partials) * size + units
    }

    /// The most environments, up to those of `extent`, whose passes both fit into `free` bytes.
    pub fn fitting(layer: &Layer, extent: Extent, size: usize, shared: usize, free: usize) -> usize {
        let fits = |batch: usize| {
            let extent = Extent { batch, ..extent };
            Self::new(layer, extent, size, shared).is_ok_and(|plan| plan.bytes(layer, extent, size, true) <= free)
        };
        most(extent.batch, fits)
    }
}

/// The most environments up to `batch` that fit.
pub(crate) fn most(batch: usize, fits: impl Fn(usize) -> bool) -> usize {
    let (mut fitting, mut too_many) = (0, batch + 1);
    while too_many - fitting > 1 {
        let middle = fitting.midpoint(too_many);
        if fits(middle) { fitting = middle } else { too_many = middle }
    }
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Modulated, Modulation, Plastic, Rule};

    /// Shared memory of a block of an A100 and of an H100, in bytes.
    const SHARED: [usize; 2] = [166_912, 232_448];

    fn layers() -> Vec<Layer> {
        let retroactive =
            Modulated { input: 30, hidden: 100, modulation: Modulation::Retroactive, rule: Rule::SoftClamp };
        let mut layers = vec![Layer::Modulated(retroactive)];
        for (input, hidden) in [(1, 1), (17, 55), (512, 64), (3, 300), (300, 300), (64, 1000), (1000, 16)] {
            layers.push(Layer::Plastic(Plastic::maze(input, hidden)));
            layers.push(Layer::Plastic(Plastic::hebbff(input, hidden)));
        }
        layers
    }

    #[test]
    fn plans_keep_to_the_limits_of_a_device() {
        for layer in layers() {
            for (shared, size) in [(SHARED[0], 4), (SHARED[0], 8), (SHARED[1], 4), (SHARED[1], 8)] {
                for steps in [1, 2, 50, 200, 3000] {
                    let extent = Extent { steps, batch: 512 };
                    let plan = Plan::new(&layer, extent, size, shared).unwrap();
                    let threads = plan.threads;
                    let context = format!("{layer:?} {size} {steps} {plan:?}");
                    assert!(threads.count <= MOST_THREADS && threads.count.is_multiple_of(WARP), "{context}");
                    assert!(threads.lanes.is_power_of_two() && threads.lanes <= WARP, "{context}");
                    assert!(threads.padded(&layer) >= layer.hidden() * layer.width(), "{context}");
                    for backward in [false, true] {
                        assert!(plan.shared_len(&layer, backward) * size <= shared, "{context}");
                    }
                    let root = (steps as f64).sqrt().ceil() as usize;
                    assert!(plan.every >= 1 && plan.every <= root, "{context}");
                    if plan.slots_in_shared {
                        assert!(2 * plan.every >= root, "{context}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_layer_beyond_the_shared_memory_is_refused_with_the_bytes_it_needs() {
        let layer = Layer::Plastic(Plastic::stpn(20_000, 100));
        let error = Plan::new(&layer, Extent { steps: 10, batch: 1 }, 4, SHARED[0]).unwrap_err();
        assert!(matches!(error, Error::TooLarge { needed, limit } if needed > limit), "{error}");
        assert!(error.to_string().contains("fewer units or inputs"), "{error}");
    }

    #[test]
    fn the_environments_that_fit_are_the_most_that_fit() {
        let layer = Layer::Plastic(Plastic::maze(17, 55));
        let extent = Extent { steps: 200, batch: 100_000 };
        let free = 8 << 30;
        let fits = Plan::fitting(&layer, extent, 4, SHARED[1], free);
        let bytes = |batch: usize| {
            let extent = Extent { batch, ..extent };
            Plan::new(&layer, extent, 4, SHARED[1]).unwrap().bytes(&layer, extent, 4, true)
        };
        assert!(fits > 512 && bytes(fits) <= free && bytes(fits + 1) > free, "{fits}");
        assert_eq!(Plan::fitting(&layer, extent, 4, SHARED[1], 1000), 0);
        assert_eq!(Plan::fitting(&layer, Extent { batch: 3, ..extent }, 4, SHARED[1], free), 3);
    }
}
