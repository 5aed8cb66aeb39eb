//! A cell alone decides in which order its parameters and the fields of its state lie: its kernel finds them by name.

use std::sync::Arc;

use candle_core::{DType, Device};
use stpn_random::{Purpose, Stream};

use crate::kernels::associative::{AssociativeKernel, AssociativeSpec};
use crate::kernels::attentive::{AttentiveKernel, AttentiveSpec};
use crate::kernels::blocks::{self, Operands, Sizes};
use crate::kernels::diagonal::{DiagonalKernel, DiagonalSpec};
use crate::kernels::gated::{GatedKernel, GatedKind, GatedSpec};
use crate::kernels::modulated::{ModulatedKernel, ModulatedSpec};
use crate::kernels::plastic::{PlasticKernel, PlasticSpec};
use crate::kernels::stacked::{StackedKernel, StackedSpec};
use crate::kernels::{Extent, FusedKernel, SequenceKernel};
use crate::layout::{LayerLayout, Layout};
use crate::{CellConfig, CellName, Initializer, Kernel, Result};

use super::{FastWeightsConfig, LstmConfig, RnnConfig, StpnConfig};

const EXTENT: Extent = Extent { steps: 4, batch: 3 };
const INPUT: usize = 3;
const UNITS: usize = 5;

type Tensors = Vec<(String, Vec<usize>)>;

/// The kernel of a cell whose tensors have been declared so.
fn kernel(config: &CellConfig, layout: &LayerLayout) -> Result<Arc<dyn FusedKernel>> {
    let gated =
        |kind| -> Result<Arc<dyn FusedKernel>> { Ok(Arc::new(GatedKernel::new(GatedSpec::new(kind, layout)?))) };
    match config {
        CellConfig::Rnn(_) => gated(GatedKind::Rnn),
        CellConfig::Lstm(_) => gated(GatedKind::Lstm),
        CellConfig::Gru(_) => gated(GatedKind::Gru),
        CellConfig::Mlp(config) => gated(GatedKind::Mlp(config.activation)),
        CellConfig::FastWeights(config) => Ok(Arc::new(AttentiveKernel::new(AttentiveSpec::new(config, layout)?))),
        CellConfig::LinearRecurrent(_) => Ok(Arc::new(DiagonalKernel::new(DiagonalSpec::new(layout)?))),
        CellConfig::FrameStack(config) => Ok(Arc::new(StackedKernel::new(StackedSpec::new(config, layout)?))),
        CellConfig::LinearAttention(config) => {
            Ok(Arc::new(AssociativeKernel::new(AssociativeSpec::new(config.rule, layout)?)))
        }
        CellConfig::Backpropamine(config) => Ok(Arc::new(ModulatedKernel::new(ModulatedSpec::new(config, layout)?))),
        CellConfig::Stpn(config) => Ok(Arc::new(PlasticKernel::new(PlasticSpec::stpn(config, layout)?.unwrap()))),
        CellConfig::Hebbff(_) => Ok(Arc::new(PlasticKernel::new(PlasticSpec::hebbff(layout)?))),
        other => panic!("the kernel of {} needs an arm here", other.label()),
    }
}

fn packing(tensors: &Tensors, reversed: bool) -> Layout {
    let tensors = tensors.iter().map(|(name, shape)| (name.as_str(), &shape[..]));
    if reversed { Layout::new(tensors.rev()) } else { Layout::new(tensors) }
}

/// Values `[rows, len]`, the same for each tensor wherever it lies.
fn drawn(tensors: &Tensors, layout: &Layout, rows: usize, seed: u64) -> Vec<f64> {
    let mut packed = vec![0.0; rows * layout.len()];
    for (index, (name, _)) in (0..).zip(tensors) {
        let mut stream = Stream::new(seed, Purpose::Test, index);
        for row in packed.chunks_mut(layout.len()) {
            row[layout.range(name).unwrap()].fill_with(|| 0.4 * stream.normal());
        }
    }
    packed
}

/// Packed values, tensor by tensor in the order of the declaration.
fn by_name(tensors: &Tensors, layout: &Layout, packed: &[f64]) -> Vec<f64> {
    let ranges = tensors.iter().map(|(name, _)| layout.range(name).unwrap());
    ranges.flat_map(|range| packed.chunks(layout.len()).flat_map(move |row| row[range.clone()].to_vec())).collect()
}

/// Activities, final states and all gradients.
fn outcome(config: &CellConfig, [parameters, fields]: [&Tensors; 2], reversed: bool) -> Vec<f64> {
    let layout = LayerLayout {
        input: INPUT,
        hidden: UNITS,
        parameters: packing(parameters, reversed),
        state: packing(fields, reversed),
    };
    let values = drawn(parameters, &layout.parameters, 1, 1);
    let [state, grad_state] = [2, 3].map(|seed| drawn(fields, &layout.state, EXTENT.batch, seed));
    let mut stream = Stream::new(4, Purpose::Test, 0);
    let mut draw =
        |width: usize| -> Vec<f64> { (0..EXTENT.steps * EXTENT.batch * width).map(|_| stream.normal()).collect() };
    let (x, grad_hidden) = (draw(INPUT), draw(UNITS));
    let prepared = SequenceKernel::<f64>::prepare(kernel(config, &layout).unwrap().as_ref(), &values);
    let sizes = Sizes { input: INPUT, hidden: UNITS, state: layout.state.len(), parameters: values.len() };
    let operands = Operands { extent: EXTENT, sizes, x: &x, resets: None };
    let out = blocks::forward(prepared.as_ref(), operands, &state, true);
    let tape = out.tape.unwrap();
    let back = blocks::backward(prepared.as_ref(), operands, &out.hidden, &tape, &grad_hidden, Some(&grad_state), true);
    let mut all = out.hidden;
    all.extend(back.x.unwrap());
    all.extend(by_name(parameters, &layout.parameters, &back.parameters));
    for packed in [&out.state, &back.state] {
        all.extend(by_name(fields, &layout.state, packed));
    }
    all
}

#[test]
fn kernels_find_parameters_and_state_in_any_order() {
    let split = [
        CellConfig::Rnn(RnnConfig { split: true }),
        CellConfig::Lstm(LstmConfig { split: true, layer_norm: true }),
        CellConfig::FastWeights(FastWeightsConfig { layer_norm: true, ..FastWeightsConfig::default() }),
        CellConfig::Stpn(StpnConfig { plastic_bias: true, layer_norm: true, ..StpnConfig::default() }),
    ];
    for config in CellName::ALL.map(CellName::config).into_iter().chain(split) {
        let mut stream = Stream::from_seed(1);
        let mut init = Initializer::new(&mut stream, DType::F64, &Device::Cpu);
        let cell = config.build(INPUT, UNITS, Kernel::Auto, &mut init).unwrap();
        if cell.fused().is_none() {
            continue;
        }
        let parameters = cell.parameters().iter().map(|(name, var)| (name.to_string(), var.dims().to_vec())).collect();
        let fields = cell.state_layout().iter().map(|field| (field.name.to_string(), field.shape.clone())).collect();
        let [declared, reversed] = [false, true].map(|reversed| outcome(&config, [&parameters, &fields], reversed));
        assert!(declared == reversed, "{config:?}");
    }
}

#[test]
fn a_parameter_that_a_kernel_misses_is_named() {
    let layout = LayerLayout {
        input: INPUT,
        hidden: UNITS,
        parameters: Layout::new([("weight_ih", &[15, 3][..]), ("bias_ih", &[15])]),
        state: Layout::new([("h", &[UNITS][..])]),
    };
    let error = GatedSpec::new(GatedKind::Gru, &layout).unwrap_err().to_string();
    assert!(error.contains("`weight_hh`") && error.contains("weight_ih, bias_ih"), "{error}");
}
