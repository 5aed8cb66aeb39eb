//! The kernel of a cell with an instruction set of choice.

use std::sync::Arc;

use stpn_core::CellConfig;
use stpn_core::cells::{GruConfig, HebbFfConfig, LstmConfig, MlpConfig, RnnConfig};
use stpn_core::kernels::attentive::{AttentiveKernel, AttentiveSpec};
use stpn_core::kernels::gated::{GatedKernel, GatedKind, GatedSpec};
use stpn_core::kernels::modulated::{ModulatedKernel, ModulatedSpec};
use stpn_core::kernels::plastic::{PlasticKernel, PlasticSpec};
use stpn_core::kernels::{FusedKernel, Instructions};

/// The kernel of a cell of that configuration and size, which must have one.
#[allow(unreachable_patterns, reason = "the last arm is for a new cell that has no kernel yet")]
pub fn kernel(config: &CellConfig, input: usize, hidden: usize, instructions: Instructions) -> Arc<dyn FusedKernel> {
    let gated = |kind| -> Arc<dyn FusedKernel> {
        Arc::new(GatedKernel::with_instructions(GatedSpec { kind, input, hidden }, instructions))
    };
    let plastic = |spec| -> Arc<dyn FusedKernel> { Arc::new(PlasticKernel::with_instructions(spec, instructions)) };
    match config {
        CellConfig::Rnn(RnnConfig { split }) => gated(GatedKind::Rnn { split: *split }),
        CellConfig::Lstm(LstmConfig { split, layer_norm }) => {
            gated(GatedKind::Lstm { split: *split, layer_norm: *layer_norm })
        }
        CellConfig::Gru(GruConfig {}) => gated(GatedKind::Gru),
        CellConfig::Mlp(MlpConfig { activation }) => gated(GatedKind::Mlp(*activation)),
        CellConfig::FastWeights(config) => {
            let spec = AttentiveSpec { config: config.clone(), input, hidden };
            Arc::new(AttentiveKernel::with_instructions(spec, instructions))
        }
        CellConfig::Backpropamine(config) => {
            let spec = ModulatedSpec { config: config.clone(), input, hidden };
            Arc::new(ModulatedKernel::with_instructions(spec, instructions))
        }
        CellConfig::Stpn(config) => plastic(PlasticSpec::stpn(config, input, hidden).unwrap()),
        CellConfig::Hebbff(HebbFfConfig {}) => plastic(PlasticSpec::hebbff(input, hidden)),
        other => panic!("{} has no kernel", other.label()),
    }
}
