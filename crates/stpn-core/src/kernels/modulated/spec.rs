//! What the layer computes, and where its parameters and state lie in the packed slices.

use std::ops::Range;

use crate::options::{BackpropamineConfig, Modulation};

/// A layer of this kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct ModulatedSpec {
    /// Options of the equations.
    pub config: BackpropamineConfig,
    /// Input size I.
    pub input: usize,
    /// Units H.
    pub hidden: usize,
}

/// Ranges of the packed parameters, in the cell's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pub input: Range<usize>,
    pub bias: Range<usize>,
    pub weight: Range<usize>,
    pub alpha: Range<usize>,
    pub eta: Option<usize>,
    /// Weights and bias of the modulator.
    pub modulator: Option<(Range<usize>, usize)>,
}

impl ModulatedSpec {
    /// Where the parameters lie.
    pub fn places(&self) -> Places {
        let mut len = 0;
        let mut next = |size: usize| {
            len += size;
            len - size..len
        };
        let modulation = self.config.modulation;
        Places {
            input: next(self.hidden * self.input),
            bias: next(self.hidden),
            weight: next(self.hidden * self.hidden),
            alpha: next(self.hidden * self.hidden),
            eta: (modulation != Modulation::Network).then(|| next(1).start),
            modulator: (modulation != Modulation::Constant).then(|| (next(self.hidden), next(1).start)),
        }
    }

    /// True if the modulator acts on a trace.
    pub fn retroactive(&self) -> bool {
        self.config.modulation == Modulation::Retroactive
    }

    /// Length S of the packed state of one element: h, F and the trace.
    pub fn state_len(&self) -> usize {
        self.hidden + self.hidden * self.hidden * if self.retroactive() { 2 } else { 1 }
    }

    /// Where F starts in it.
    pub fn fast_start(&self) -> usize {
        self.hidden
    }

    /// Where the trace starts in it.
    pub fn trace_start(&self) -> usize {
        self.hidden + self.hidden * self.hidden
    }
}
