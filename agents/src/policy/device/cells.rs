//! Cells as layers of the kernels for CUDA.

use stpn_core::CellConfig;
use stpn_core::cells::{
    Activation, BackpropamineConfig, Bound, Decay, Granularity, Modulation, NormOf, NormalizeState, Plastic, Rule,
    StpnConfig,
};
use stpn_cuda::{AnyLayer, Dense, Gated, GatedKind, Layer, Modulated, Nonlinearity, Synapses};

use crate::{Error, Result};

/// What a cell is on a device.
pub(super) enum DeviceCell {
    /// A recurrent layer.
    Sequence(AnyLayer),
    /// A layer without memory.
    Dense(Dense),
}

impl DeviceCell {
    /// The cell with these options, of `input` inputs and `hidden` units.
    ///
    /// # Errors
    /// [`Error::Config`] if CUDA has no kernels for it.
    pub fn new(config: &CellConfig, input: usize, hidden: usize) -> Result<Self> {
        let gated = |kind, split, layer_norm| {
            Self::Sequence(AnyLayer::from(Gated { split, layer_norm, ..Gated::new(kind, input, hidden) }))
        };
        Ok(match config {
            CellConfig::Stpn(config) => Self::Sequence(Layer::Plastic(stpn(config, input, hidden)?).into()),
            CellConfig::Hebbff(_) => Self::Sequence(Layer::Plastic(stpn_cuda::Plastic::hebbff(input, hidden)).into()),
            CellConfig::Backpropamine(config) => {
                Self::Sequence(Layer::Modulated(backpropamine(config, input, hidden)).into())
            }
            CellConfig::Lstm(config) => gated(GatedKind::Lstm, config.split, config.layer_norm),
            CellConfig::Gru(_) => gated(GatedKind::Gru, true, false),
            CellConfig::Rnn(config) => gated(GatedKind::Rnn, config.split, false),
            CellConfig::Mlp(config) => Self::Dense(Dense::new(input, hidden, nonlinearity(config.activation))),
            CellConfig::FastWeights(_)
            | CellConfig::LinearRecurrent(_)
            | CellConfig::LinearAttention(_)
            | CellConfig::FrameStack(_)
            | CellConfig::Custom(_) => {
                let problem = format!("{}: CUDA has no kernels for this cell", config.label());
                return Err(unsupported(&problem));
            }
        })
    }
}

/// The error of a part that has no kernels.
pub(super) fn unsupported(problem: &str) -> Error {
    Error::config("training.device", format!("{problem}; set training.device to \"cpu\""))
}

/// What follows a dense layer.
pub(super) fn nonlinearity(activation: Activation) -> Nonlinearity {
    match activation {
        Activation::Tanh => Nonlinearity::Tanh,
        Activation::Relu => Nonlinearity::Relu,
    }
}

fn stpn(config: &StpnConfig, input: usize, hidden: usize) -> Result<stpn_cuda::Plastic> {
    if config.rule == Rule::Oja {
        return Err(unsupported("policy.cell.rule = \"oja\" has no kernels for CUDA"));
    }
    if config.norm_of == NormOf::F {
        return Err(unsupported("policy.cell.norm_of = \"F\" has no kernels for CUDA"));
    }
    Ok(stpn_cuda::Plastic {
        input,
        hidden,
        recurrent: config.recurrent,
        normalize_forward: config.normalize_forward,
        normalize_state: match config.normalize_state {
            NormalizeState::None => stpn_cuda::NormalizeState::None,
            NormalizeState::Before => stpn_cuda::NormalizeState::Before,
            NormalizeState::After => stpn_cuda::NormalizeState::After,
        },
        clamp: config.clamp,
        decay_all: config.decay == Decay::All,
        synapses: match config.plastic {
            Plastic::All => Synapses::All,
            Plastic::Input => Synapses::Input,
            Plastic::Recurrent => Synapses::Recurrent,
        },
        granularity: match config.granularity {
            Granularity::Synapse => stpn_cuda::Granularity::Synapse,
            Granularity::Presynaptic => stpn_cuda::Granularity::Presynaptic,
            Granularity::Scalar => stpn_cuda::Granularity::Scalar,
        },
        bias: config.bias,
        layer_norm: config.layer_norm,
        plastic_bias: config.plastic_bias,
        logistic: false,
    })
}

fn backpropamine(config: &BackpropamineConfig, input: usize, hidden: usize) -> Modulated {
    let modulation = match config.modulation {
        Modulation::Constant => stpn_cuda::Modulation::Constant,
        Modulation::Network => stpn_cuda::Modulation::Network,
        Modulation::Retroactive => stpn_cuda::Modulation::Retroactive,
    };
    let rule = match config.bound {
        Bound::HardClamp => stpn_cuda::Rule::HardClamp,
        Bound::SoftClamp => stpn_cuda::Rule::SoftClamp,
        Bound::Additive => stpn_cuda::Rule::Additive,
        Bound::Decay => stpn_cuda::Rule::Decay,
    };
    Modulated { input, hidden, modulation, rule }
}
