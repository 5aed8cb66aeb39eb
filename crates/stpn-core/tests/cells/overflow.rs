//! Fast weights beyond 1.8e19, whose squares single precision cannot hold, against double precision, on every path.

use std::sync::Arc;

use crate::support::{build, close, kernel, normal, set_parameters, values};
use candle_core::{DType, Tensor, Var};
use stpn_core::cells::{FastWeightsConfig, LstmConfig, NormalizeState, StpnConfig};
use stpn_core::kernels::{Instructions, SequenceKernel, operator};
use stpn_core::{Cell, CellConfig, Sequence, State};

const STEPS: usize = 6;
const BATCH: usize = 5;
const INPUT: usize = 4;
const UNITS: usize = 11;

/// How a sequence is run.
#[derive(Clone, Copy, Debug)]
enum Path {
    Composed,
    Fused(Instructions),
}

/// A cell of moderate parameters, the fast weights of all but one element `size` times a normal draw.
struct Case {
    config: CellConfig,
    cell: Box<dyn Cell>,
    x: Var,
    state: Vec<(&'static str, Var)>,
}

impl Case {
    fn new(config: &CellConfig, size: f64, dtype: DType) -> Self {
        let cell = build(config, INPUT, UNITS, dtype);
        let drawn: Vec<(String, Tensor)> = (cell.parameters().iter().enumerate())
            .map(|(index, (name, var))| (name.to_string(), normal(var.dims(), 0.4, 20 + index as u64, dtype)))
            .collect();
        set_parameters(cell.as_ref(), |name| drawn.iter().find(|(known, _)| known == name).unwrap().1.clone());
        let sizes: Vec<f64> = (0..BATCH).map(|element| if element == 2 { 0.3 } else { size }).collect();
        let field = |(index, field): (usize, &stpn_core::StateField)| {
            let dims: Vec<usize> = std::iter::once(BATCH).chain(field.shape.iter().copied()).collect();
            let mut values = normal(&dims, 1.0, 60 + index as u64, DType::F64);
            if field.name == "F" {
                let sizes = Tensor::from_slice(&sizes, (BATCH, 1, 1), values.device()).unwrap();
                values = values.broadcast_mul(&sizes).unwrap();
            }
            (field.name, Var::from_tensor(&values.to_dtype(dtype).unwrap()).unwrap())
        };
        let state = cell.state_layout().iter().enumerate().map(field).collect();
        let x = Var::from_tensor(&normal(&[STEPS, BATCH, INPUT], 1.0, 0, dtype)).unwrap();
        Self { config: config.clone(), cell, x, state }
    }

    fn run(&self, path: Path) -> Sequence {
        let fields = self.state.iter().map(|(name, var)| (*name, var.as_tensor().clone())).collect();
        let (cell, state) = (self.cell.as_ref(), State::new(BATCH, fields));
        match path {
            Path::Composed => cell.sequence_composed(&self.x, None, &state).unwrap(),
            Path::Fused(instructions) => {
                let kernel = kernel(&self.config, INPUT, UNITS, instructions);
                operator::sequence(kernel, cell.parameters(), cell.state_layout(), &self.x, None, &state).unwrap()
            }
        }
    }

    /// Activities, and the gradients of a loss on them, each of its own size.
    fn outcome(&self, path: Path) -> Vec<(String, Tensor)> {
        let out = self.run(path);
        let weights = normal(out.hidden.dims(), 1.0, 70, out.hidden.dtype());
        let gradients = (weights * out.hidden.sqr().unwrap()).unwrap().sum_all().unwrap().backward().unwrap();
        let parameters = self.cell.parameters().iter().map(|(name, var)| (format!("grad.{name}"), var));
        let states = self.state.iter().map(|(name, var)| (format!("grad.state.{name}"), var));
        let of = |(name, var): (String, &Var)| {
            (name, gradients.get(var).cloned().unwrap_or_else(|| var.zeros_like().unwrap()))
        };
        let all = parameters.chain(states).chain([("grad.x".to_string(), &self.x)]);
        [("h".to_string(), out.hidden.detach())].into_iter().chain(all.map(of)).collect()
    }
}

fn plastic() -> Vec<StpnConfig> {
    let config = |normalize_state| StpnConfig { normalize_state, ..StpnConfig::default() };
    let forward_only = config(NormalizeState::None);
    vec![
        StpnConfig::feed_forward(),
        forward_only.clone(),
        config(NormalizeState::Before),
        StpnConfig { normalize_forward: false, ..config(NormalizeState::Before) },
        config(NormalizeState::After),
        StpnConfig { layer_norm: true, normalize_forward: false, ..forward_only },
    ]
}

/// ‖G‖² overflowed, 1/‖G‖ was 0, and so was every activity without a bias, all of it finite.
#[test]
fn units_with_large_fast_weights_went_silent() {
    for config in plastic() {
        for size in [1e17, 1e20, 1e25, 1e30] {
            let config = CellConfig::Stpn(config.clone());
            let (single, double) = (Case::new(&config, size, DType::F32), Case::new(&config, size, DType::F64));
            let want = double.outcome(Path::Composed);
            let fused = Instructions::available().into_iter().map(Path::Fused);
            for path in [Path::Composed].into_iter().chain(fused) {
                for ((name, got), (_, want)) in single.outcome(path).iter().zip(&want) {
                    close(got, want, 2e-3)
                        .unwrap_or_else(|why| panic!("{config:?}, {size:e}, {path:?}: {name}: {why}"));
                }
            }
            let silent = values(&double.run(Path::Composed).hidden).iter().filter(|h| h.abs() < 1e-6).count();
            assert!(silent < 5, "{config:?}: a case of silent units");
        }
    }
}

/// A rollout's step equals the same step of a training sequence.
#[test]
fn steps_with_large_fast_weights_equal_sequences_bit_for_bit() {
    for config in plastic() {
        let config = CellConfig::Stpn(config);
        let case = Case::new(&config, 1e25, DType::F32);
        let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for instructions in Instructions::available() {
            let want = flat(&case.run(Path::Fused(instructions)).hidden);
            let kernel = kernel(&config, INPUT, UNITS, instructions);
            let parameters = flat(&case.cell.parameters().packed().unwrap());
            let prepared = SequenceKernel::<f32>::prepare(kernel.as_ref(), &parameters);
            let fields = case.state.iter().map(|(name, var)| (*name, var.as_tensor().clone())).collect();
            let state = flat(&State::new(BATCH, fields).packed().unwrap());
            for size in [BATCH, 1] {
                for first in (0..BATCH).step_by(size) {
                    let mut stepper = Arc::clone(&prepared).stepper(size);
                    let width = state.len() / BATCH;
                    stepper.load(&state[first * width..(first + size) * width]);
                    for (t, want) in want.chunks(BATCH * UNITS).enumerate() {
                        let x = flat(&case.x.get(t).unwrap().narrow(0, first, size).unwrap());
                        let mut hidden = vec![0.0; size * UNITS];
                        stepper.step(&x, None, &mut hidden, None);
                        assert_eq!(hidden, want[first * UNITS..(first + size) * UNITS], "{config:?}, {instructions:?}");
                    }
                }
            }
        }
    }
}

/// The same kind elsewhere: the variance of layer normalisation.
#[test]
fn layer_norm_of_large_values_was_zero() {
    let options = [
        CellConfig::Lstm(LstmConfig { layer_norm: true, split: false }),
        CellConfig::FastWeights(FastWeightsConfig::default()),
    ];
    for config in options {
        let cases = [DType::F32, DType::F64].map(|dtype| {
            let case = Case::new(&config, 0.3, dtype);
            let large = (case.x.as_tensor() * 1e21).unwrap();
            case.x.set(&large).unwrap();
            case
        });
        let [single, double] = cases;
        let want = double.run(Path::Composed).hidden;
        assert!(values(&want).iter().any(|h| h.abs() > 0.1), "{config:?}");
        let fused = Instructions::available().into_iter().map(Path::Fused);
        for path in [Path::Composed].into_iter().chain(fused) {
            close(&single.run(path).hidden, &want, 1e-3).unwrap_or_else(|why| panic!("{config:?}, {path:?}: {why}"));
        }
    }
}
