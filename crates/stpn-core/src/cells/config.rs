//! Which cell, with its options: an entry for every cell of this crate, as [`table`](super::table) says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::table::cells;
use super::{
    AssociativeRule, BackpropamineConfig, FastWeightsConfig, FrameStackConfig, Granularity, GruConfig, HebbFfConfig,
    LinearAttentionConfig, LinearRecurrentConfig, LstmConfig, MlpConfig, Modulation, RnnConfig, StpnConfig,
};
use super::{
    Backpropamine, FastWeights, FrameStack, Gru, HebbFf, LinearAttention, LinearRecurrent, Lstm, Mlp, Rnn, Stpn,
};
use crate::registered::{self, CustomConfig};
use crate::{Cell, CellParts, Initializer, Kernel, Result};

cells! {
    /// Short-term plasticity neurons (STPN); feed-forward (STPNf) with `recurrent = false`.
    Stpn(StpnConfig), Stpn, |config| match (config.recurrent, config.granularity) {
        (true, Granularity::Scalar) => CellName::StpnScalar,
        (true, _) => CellName::Stpn,
        (false, Granularity::Scalar) => CellName::StpnfScalar,
        (false, _) => CellName::Stpnf,
    } => {
        Stpn, "stpn", "short-term plasticity neurons, recurrent: a fast weight, a decay and a rate per synapse",
            StpnConfig::default();
        Stpnf, "stpnf", "short-term plasticity neurons, feed-forward: all memory in the synapses",
            StpnConfig::feed_forward();
        StpnScalar, "stpn-scalar", "STPN with one decay and one rate for all synapses",
            StpnConfig { granularity: Granularity::Scalar, ..StpnConfig::default() };
        StpnfScalar, "stpnf-scalar", "STPNf with one decay and one rate for all synapses",
            StpnConfig { granularity: Granularity::Scalar, ..StpnConfig::feed_forward() };
    }

    /// Anti-Hebbian feed-forward network (Tyulmankov et al. 2022).
    Hebbff(HebbFfConfig), HebbFf, |_| CellName::HebbFf => {
        HebbFf, "hebbff", "anti-Hebbian feed-forward network (Tyulmankov et al. 2022)", HebbFfConfig {};
    }

    /// Fast weights that attend to the recent past (Ba et al. 2016).
    FastWeights(FastWeightsConfig), FastWeights, |_| CellName::FastWeights => {
        FastWeights, "fast-weights", "fast weights that attend to the recent past (Ba et al. 2016)",
            FastWeightsConfig::default();
    }

    /// Plain recurrent network.
    Rnn(RnnConfig), Rnn, |_| CellName::Rnn => { Rnn, "rnn", "plain tanh recurrent network", RnnConfig::default(); }

    /// Long short-term memory.
    Lstm(LstmConfig), Lstm, |_| CellName::Lstm => { Lstm, "lstm", "long short-term memory", LstmConfig::default(); }

    /// Gated recurrent unit.
    Gru(GruConfig), Gru, |_| CellName::Gru => {
        Gru, "gru", "gated recurrent unit, PyTorch's equations", GruConfig {};
    }

    /// Backpropamine, and by `modulation` differentiable plasticity and the retroactive form.
    Backpropamine(BackpropamineConfig), Backpropamine, |config| match config.modulation {
        Modulation::Constant => CellName::DifferentiablePlasticity,
        Modulation::Network => CellName::Backpropamine,
        Modulation::Retroactive => CellName::BackpropamineRetroactive,
    } => {
        DifferentiablePlasticity, "differentiable-plasticity",
            "plastic recurrent weights with one trained rate (Miconi et al. 2018)",
            BackpropamineConfig { modulation: Modulation::Constant, ..BackpropamineConfig::default() };
        Backpropamine, "backpropamine", "plastic recurrent weights with a self-made rate (Miconi et al. 2019)",
            BackpropamineConfig { modulation: Modulation::Network, ..BackpropamineConfig::default() };
        BackpropamineRetroactive, "backpropamine-retroactive",
            "Backpropamine acting on an eligibility trace (Miconi et al. 2019)",
            BackpropamineConfig { modulation: Modulation::Retroactive, ..BackpropamineConfig::default() };
    }

    /// Linear recurrent unit.
    LinearRecurrent(LinearRecurrentConfig), LinearRecurrent, |_| CellName::LinearRecurrent => {
        LinearRecurrent, "linear-recurrent", "linear recurrent unit: a complex decay per unit (Orvieto et al. 2023)",
            LinearRecurrentConfig::default();
    }

    /// Gated linear attention, and by `rule` the gated delta rule.
    LinearAttention(LinearAttentionConfig), LinearAttention, |config| match config.rule {
        AssociativeRule::Hebbian => CellName::LinearAttention,
        AssociativeRule::Delta => CellName::DeltaRule,
    } => {
        LinearAttention, "linear-attention", "gated linear attention: outer products added up (Yang et al. 2024)",
            LinearAttentionConfig { rule: AssociativeRule::Hebbian };
        DeltaRule, "delta-rule", "gated delta rule: fast weights that learn by their error (Yang et al. 2025)",
            LinearAttentionConfig { rule: AssociativeRule::Delta };
    }

    /// A layer that sees the last inputs, and the time.
    FrameStack(FrameStackConfig), FrameStack, |_| CellName::FrameStack => {
        FrameStack, "frame-stack", "a tanh layer that sees the last four inputs and the time", FrameStackConfig::default();
    }

    /// A layer without memory.
    Mlp(MlpConfig), Mlp, |_| CellName::Mlp => { Mlp, "mlp", "a tanh layer without memory", MlpConfig::default(); }
}
