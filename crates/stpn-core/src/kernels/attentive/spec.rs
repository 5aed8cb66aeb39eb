//! What the layer computes, and where its parameters lie in the packed slice.

use std::ops::Range;

use crate::options::FastWeightsConfig;

/// A layer of this kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentiveSpec {
    /// Options of the equations.
    pub config: FastWeightsConfig,
    /// Input size I.
    pub input: usize,
    /// Units H.
    pub hidden: usize,
}

/// Ranges of the packed parameters, in the cell's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// `[H, I+H]`
    pub weight: Range<usize>,
    pub bias: Range<usize>,
    /// Gain and offset.
    pub norm: Option<[Range<usize>; 2]>,
}

impl AttentiveSpec {
    /// Where the parameters lie.
    pub fn places(&self) -> Places {
        let mut len = 0;
        let mut next = |size: usize| {
            len += size;
            len - size..len
        };
        Places {
            weight: next(self.hidden * self.width()),
            bias: next(self.hidden),
            norm: self.config.layer_norm.then(|| [next(self.hidden), next(self.hidden)]),
        }
    }

    /// I + H
    pub fn width(&self) -> usize {
        self.input + self.hidden
    }

    /// Length S of the packed state of one element: h and F.
    pub fn state_len(&self) -> usize {
        self.hidden + self.hidden * self.hidden
    }
}
