//! What the layer computes, and where its parameters and state lie in the packed slices.

use std::ops::Range;

use crate::Result;
use crate::layout::{LayerLayout, Matrix};
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
    /// Where the parameters lie.
    pub places: Places,
    /// Where the state lies.
    pub state: StatePlaces,
}

/// Ranges of the packed parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// `[H, I]`
    pub input: Matrix,
    pub bias: Range<usize>,
    /// `[H, H]`
    pub weight: Matrix,
    /// `[H, H]`
    pub alpha: Matrix,
    pub eta: Option<usize>,
    /// Weights and bias of the modulator.
    pub modulator: Option<(Range<usize>, usize)>,
}

/// Where the fields lie in the packed state of one element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatePlaces {
    /// Length S.
    pub len: usize,
    /// h
    pub hidden: Range<usize>,
    /// Where F starts.
    pub fast: usize,
    /// Where the trace starts, if the modulator acts on one.
    pub trace: Option<usize>,
}

impl ModulatedSpec {
    /// The layer of those options that has been declared so.
    ///
    /// # Errors
    /// [`crate::Error::Unknown`] for a parameter or a field of the state that it needs and has not got.
    pub fn new(config: &BackpropamineConfig, layout: &LayerLayout) -> Result<Self> {
        let LayerLayout { input, hidden, parameters, state } = layout;
        let start = |range: Range<usize>| range.start;
        let bias = parameters.find("modulator.bias").map(start);
        Ok(Self {
            config: config.clone(),
            input: *input,
            hidden: *hidden,
            places: Places {
                input: parameters.matrix("weight_ih")?,
                bias: parameters.range("bias")?,
                weight: parameters.matrix("weight_hh")?,
                alpha: parameters.matrix("alpha")?,
                eta: parameters.find("eta").map(start),
                modulator: parameters.find("modulator.weight").zip(bias),
            },
            state: StatePlaces {
                len: state.len(),
                hidden: state.range("h")?,
                fast: state.range("F")?.start,
                trace: state.find("trace").map(start),
            },
        })
    }

    /// True if the modulator acts on a trace.
    pub fn retroactive(&self) -> bool {
        self.config.modulation == Modulation::Retroactive
    }
}
