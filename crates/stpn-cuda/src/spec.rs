//! The constants that kernels are compiled for.

use crate::gated::{Gated, GatedPlan};
use crate::layer::{Granularity, Layer, Modulated, Modulation, NormalizeState, Plastic, Rule};
use crate::plan::Threads;

/// Threads of a block of the kernels that are the same for all layers.
pub(crate) const GENERAL_THREADS: usize = 256;

/// `Spec` of `kernels/spec.cuh`, field by field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RawSpec {
    pub(crate) bound: f64,
    family: i32,
    input: i32,
    hidden: i32,
    recurrent: i32,
    normalize_forward: i32,
    normalize_state: i32,
    clamped: i32,
    decay_all: i32,
    plastic_first: i32,
    plastic_len: i32,
    granularity: i32,
    bias: i32,
    layer_norm: i32,
    plastic_bias: i32,
    logistic: i32,
    modulation: i32,
    rule: i32,
    lanes: i32,
    pub(crate) threads: i32,
    place: i32,
    kind: i32,
    tile: i32,
    resident: i32,
}

fn int(value: usize) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

impl RawSpec {
    /// Of that layer with that division.
    pub fn new(layer: &Layer, threads: &Threads) -> Self {
        let of_layer = match layer {
            Layer::Plastic(layer) => Self::plastic(layer),
            Layer::Modulated(layer) => Self::modulated(layer),
        };
        Self {
            input: int(layer.input()),
            hidden: int(layer.hidden()),
            lanes: int(threads.lanes),
            threads: int(threads.count),
            place: threads.place as i32,
            ..of_layer
        }
    }

    fn plastic(layer: &Plastic) -> Self {
        let (first, len) = layer.plastic();
        Self {
            bound: layer.clamp.unwrap_or(0.0),
            recurrent: layer.recurrent.into(),
            normalize_forward: layer.normalize_forward.into(),
            normalize_state: match layer.normalize_state {
                NormalizeState::None => 0,
                NormalizeState::Before => 1,
                NormalizeState::After => 2,
            },
            clamped: layer.clamp.is_some().into(),
            decay_all: layer.decay_all.into(),
            plastic_first: int(first),
            plastic_len: int(len),
            granularity: match layer.granularity {
                Granularity::Synapse => 0,
                Granularity::Presynaptic => 1,
                Granularity::Scalar => 2,
            },
            bias: layer.bias.into(),
            layer_norm: layer.layer_norm.into(),
            plastic_bias: layer.plastic_bias.into(),
            logistic: layer.logistic.into(),
            ..Self::default()
        }
    }

    fn modulated(layer: &Modulated) -> Self {
        let modulation = match layer.modulation {
            Modulation::Constant => 0,
            Modulation::Network => 1,
            Modulation::Retroactive => 2,
        };
        let rule = match layer.rule {
            Rule::HardClamp => 0,
            Rule::SoftClamp => 1,
            Rule::Additive => 2,
            Rule::Decay => 3,
        };
        let clamped = rule < 2;
        let bound = if (modulation, rule) == (2, 1) { 0.99999 } else { 1.0 };
        Self {
            bound: if clamped { bound } else { 0.0 },
            family: 1,
            recurrent: 1,
            clamped: clamped.into(),
            plastic_first: int(layer.input),
            plastic_len: int(layer.hidden),
            bias: 1,
            modulation,
            rule,
            ..Self::default()
        }
    }

    /// Of an LSTM, GRU or RNN with that plan.
    pub fn gated(layer: &Gated, plan: &GatedPlan) -> Self {
        Self {
            family: 2,
            input: int(layer.input),
            hidden: int(layer.hidden),
            recurrent: 1,
            // Divisors that are not used.
            lanes: 1,
            threads: int(plan.threads),
            kind: layer.kind as i32,
            tile: int(plan.tile),
            resident: int(plan.resident),
            ..Self::default()
        }
    }

    /// Of the kernels that are the same for all layers.
    pub fn general() -> Self {
        Self { family: 3, lanes: 1, threads: int(GENERAL_THREADS), ..Self::default() }
    }

    /// All but the bound, in the order of the C++ struct.
    pub(crate) fn values(&self) -> [i32; 23] {
        [
            self.family,
            self.input,
            self.hidden,
            self.recurrent,
            self.normalize_forward,
            self.normalize_state,
            self.clamped,
            self.decay_all,
            self.plastic_first,
            self.plastic_len,
            self.granularity,
            self.bias,
            self.layer_norm,
            self.plastic_bias,
            self.logistic,
            self.modulation,
            self.rule,
            self.lanes,
            self.threads,
            self.place,
            self.kind,
            self.tile,
            self.resident,
        ]
    }
}
