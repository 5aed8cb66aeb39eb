//! What the sequence kernels of LSTM, GRU and RNN are given.

use super::layer::Gated;
use crate::energy::EnergyOperands;
use crate::runner::Plain;
use crate::{Extent, runner};

/// `GatedOperands` of `kernels/gated_operands.cuh`, field by field; addresses on the device, 0 for none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GatedOperands {
    steps: i32,
    batch: i32,
    pub parameters: u64,
    recurrent: i64,
    recurrent_row: i64,
    recurrent_column: i64,
    second_bias: i64,
    norm: i64,
    pub weights: u64,
    pub resets: u64,
    pub start: u64,
    pub end: u64,
    pub hidden: u64,
    pub gates: u64,
    pub before: u64,
    pub memory: u64,
    pub normal: u64,
    pub deviation: u64,
    pub grad_hidden: u64,
    pub grad_state: u64,
    pub grad_gates: u64,
    pub grad_new: u64,
    pub grad_norm: u64,
}

// SAFETY: plain integers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for GatedOperands {}

impl GatedOperands {
    /// Of a sequence of that layer, without addresses.
    pub fn new(layer: &Gated, extent: Extent) -> Self {
        let recurrent = layer.recurrent_place();
        Self {
            steps: runner::int(extent.steps),
            batch: runner::int(extent.batch),
            recurrent: runner::long(recurrent.first),
            recurrent_row: runner::long(recurrent.by_row),
            recurrent_column: runner::long(recurrent.by_column),
            second_bias: layer.second_bias().map_or(-1, runner::long),
            norm: if layer.layer_norm { runner::long(layer.weights_len()) } else { -1 },
            ..Self::default()
        }
    }
}

/// `GatedInputs` of `kernels/gated_inputs.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct GatedInputs {
    x: u64,
    first: i64,
    by_row: i64,
    by_column: i64,
}

impl GatedInputs {
    /// Inputs at the address `x` of that layer.
    pub fn new(layer: &Gated, x: u64) -> Self {
        let place = layer.input_place();
        Self {
            x,
            first: runner::long(place.first),
            by_row: runner::long(place.by_row),
            by_column: runner::long(place.by_column),
        }
    }
}

/// `GatedMeasured` of `kernels/gated_measured_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct GatedMeasured {
    pub sequence: GatedOperands,
    pub inputs: GatedInputs,
    pub energy: EnergyOperands,
}

// SAFETY: plain integers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for GatedMeasured {}
