//! The fused kernels of the cells without STPN synapses, against the composed path and against themselves: random
//! shapes, odd sizes, single steps and elements, resets everywhere, every instruction set.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};
use stpn_core::cells::{
    Activation, AssociativeRule, BackpropamineConfig, Bound, FastWeightsConfig, FrameStackConfig, GruConfig,
    LinearAttentionConfig, LinearRecurrentConfig, LstmConfig, MlpConfig, Modulation, RnnConfig,
};
use stpn_core::kernels::blocks::{self, Operands, Sizes};
use stpn_core::kernels::{Extent, FusedKernel, Instructions, Prepared, Real, SequenceKernel};
use stpn_core::{Cell, CellConfig, Sequence, State};
use support::{build, close, kernel, normal, random_state, set_parameters, values};

/// Every option of every baseline.
fn configs() -> Vec<CellConfig> {
    let mut configs =
        vec![CellConfig::Gru(GruConfig {}), CellConfig::LinearRecurrent(LinearRecurrentConfig::default())];
    for (frames, position) in [(4, 8), (2, 0), (1, 2), (1, 0)] {
        configs.push(CellConfig::FrameStack(FrameStackConfig { frames, position }));
    }
    for rule in [AssociativeRule::Hebbian, AssociativeRule::Delta] {
        configs.push(CellConfig::LinearAttention(LinearAttentionConfig { rule }));
    }
    for split in [false, true] {
        configs.push(CellConfig::Rnn(RnnConfig { split }));
        for layer_norm in [false, true] {
            configs.push(CellConfig::Lstm(LstmConfig { split, layer_norm }));
        }
    }
    for activation in [Activation::Tanh, Activation::Relu] {
        configs.push(CellConfig::Mlp(MlpConfig { activation }));
    }
    for modulation in [Modulation::Constant, Modulation::Network, Modulation::Retroactive] {
        for bound in [Bound::HardClamp, Bound::SoftClamp, Bound::Additive, Bound::Decay] {
            configs.push(CellConfig::Backpropamine(BackpropamineConfig { modulation, bound }));
        }
    }
    for (inner_steps, layer_norm) in [(1, true), (1, false), (3, true), (2, false)] {
        let options = FastWeightsConfig { inner_steps, layer_norm, ..FastWeightsConfig::default() };
        configs.push(CellConfig::FastWeights(options));
    }
    configs
}

/// T, B, I, H.
const SHAPES: [[usize; 4]; 6] =
    [[1, 1, 1, 1], [1, 5, 3, 2], [9, 1, 4, 17], [5, 11, 7, 9], [23, 3, 2, 33], [4, 17, 19, 5]];

/// A cell with parameters large enough for everything to matter, and not so large that it is chaotic.
fn lively(config: &CellConfig, input: usize, hidden: usize, dtype: DType) -> Box<dyn Cell> {
    let cell = build(config, input, hidden, dtype);
    let scale = 0.8 / ((input + hidden) as f64).sqrt();
    let draws: Vec<(String, Tensor)> = (cell.parameters().iter().enumerate())
        .map(|(index, (name, var))| (name.to_string(), normal(var.dims(), scale, 200 + index as u64, dtype)))
        .collect();
    set_parameters(cell.as_ref(), |name| draws.iter().find(|(known, _)| known == name).unwrap().1.clone());
    cell
}

/// Marks about a third of the steps, in some elements the first one too.
fn resets(steps: usize, batch: usize) -> Vec<u8> {
    (0..steps * batch).map(|index| u8::from((index * 7 + index / 5) % 3 == 0)).collect()
}

fn reset_tensor(steps: usize, batch: usize) -> Tensor {
    Tensor::from_vec(resets(steps, batch), (steps, batch), &Device::Cpu).unwrap()
}

/// Weighted squares of activities and final states.
fn loss(out: &Sequence) -> Tensor {
    let weighted = |tensor: &Tensor, index| {
        (normal(tensor.dims(), 1.0, index, tensor.dtype()) * tensor.sqr().unwrap()).unwrap().sum_all().unwrap()
    };
    let states = out.state.iter().enumerate().map(|(index, (_, tensor))| weighted(tensor, 51 + index as u64));
    states.fold(weighted(&out.hidden, 50), |sum, term| (sum + term).unwrap())
}

#[test]
fn random_shapes_agree_with_the_composed_path() {
    for config in configs() {
        for [steps, batch, input, hidden] in SHAPES {
            for with_resets in [false, true] {
                let what = format!("{config:?}, T={steps} B={batch} I={input} H={hidden}, resets {with_resets}");
                let cell = lively(&config, input, hidden, DType::F64);
                assert!(cell.fused().is_some(), "{what}: no kernel");
                let x = Var::from_tensor(&normal(&[steps, batch, input], 1.0, 0, DType::F64)).unwrap();
                let vars: Vec<(&'static str, Var)> = random_state(cell.as_ref(), batch)
                    .iter()
                    .map(|(name, tensor)| (name, Var::from_tensor(tensor).unwrap()))
                    .collect();
                let state =
                    State::new(batch, vars.iter().map(|(name, var)| (*name, var.as_tensor().clone())).collect());
                let resets = with_resets.then(|| reset_tensor(steps, batch));
                let fused = cell.sequence(&x, resets.as_ref(), &state).unwrap();
                let composed = cell.sequence_composed(&x, resets.as_ref(), &state).unwrap();
                let same = |name: &str, got: &Tensor, want: &Tensor| {
                    close(got, want, 1e-10).unwrap_or_else(|why| panic!("{what}: {name}: {why}"));
                };
                same("h", &fused.hidden, &composed.hidden);
                for ((name, got), (_, want)) in fused.state.iter().zip(composed.state.iter()) {
                    same(name, got, want);
                }
                let (got, want) = (loss(&fused).backward().unwrap(), loss(&composed).backward().unwrap());
                let states = vars.iter().map(|(name, var)| (*name, var));
                for (name, var) in cell.parameters().iter().chain(states).chain([("x", &x)]) {
                    let zero = var.zeros_like().unwrap();
                    let [got, want] = [&got, &want].map(|gradients| gradients.get(var).unwrap_or(&zero).clone());
                    same(&format!("gradient of {name}"), &got, &want);
                }
            }
        }
    }
}

/// The operands of one block, on slices.
struct Block<T> {
    prepared: Arc<dyn Prepared<T>>,
    extent: Extent,
    sizes: Sizes,
    x: Vec<T>,
    resets: Vec<u8>,
    state: Vec<T>,
}

/// Everything a block's passes return.
#[derive(Debug, PartialEq)]
struct Outcome<T> {
    hidden: Vec<T>,
    state: Vec<T>,
    grad_x: Vec<T>,
    grad_state: Vec<T>,
    grad_parameters: Vec<T>,
}

impl<T: Real> Block<T> {
    fn new(config: &CellConfig, [steps, batch, input, hidden]: [usize; 4], kernel: &dyn SequenceKernel<T>) -> Self {
        let cell = lively(config, input, hidden, T::DTYPE);
        let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<T>().unwrap();
        let parameters = flat(&cell.parameters().packed().unwrap());
        let state = match cell.state_layout().is_empty() {
            true => Vec::new(),
            false => flat(&random_state(cell.as_ref(), batch).packed().unwrap()),
        };
        Self {
            prepared: kernel.prepare(&parameters),
            extent: Extent { steps, batch },
            sizes: Sizes { input, hidden, state: state.len() / batch, parameters: parameters.len() },
            x: flat(&normal(&[steps, batch, input], 1.0, 0, T::DTYPE)),
            resets: resets(steps, batch),
            state,
        }
    }

    fn operands(&self) -> Operands<'_, T> {
        Operands { extent: self.extent, sizes: self.sizes, x: &self.x, resets: Some(&self.resets) }
    }

    fn run(&self) -> Outcome<T> {
        let prepared = self.prepared.as_ref();
        let out = blocks::forward(prepared, self.operands(), &self.state, true);
        let tape = out.tape.unwrap();
        let weights = |values: &[T], seed: usize| -> Vec<T> {
            values.iter().enumerate().map(|(i, v)| *v * T::of(((i + seed) % 7) as f64 - 3.0)).collect()
        };
        let (grad_hidden, grad_state) = (weights(&out.hidden, 0), weights(&out.state, 3));
        let back =
            || blocks::backward(prepared, self.operands(), &out.hidden, &tape, &grad_hidden, Some(&grad_state), true);
        let (first, again) = (back(), back());
        assert_eq!(first.parameters, again.parameters, "the backward pass may be repeated");
        Outcome {
            hidden: out.hidden,
            state: out.state,
            grad_x: first.x.unwrap(),
            grad_state: first.state,
            grad_parameters: first.parameters,
        }
    }
}

/// The best kernel of this processor.
fn best(config: &CellConfig, [_, _, input, hidden]: [usize; 4]) -> Arc<dyn FusedKernel> {
    kernel(config, input, hidden, Instructions::best())
}

fn check_steppers<T: Real>(config: &CellConfig, shape: [usize; 4], kernel: &dyn SequenceKernel<T>) {
    let block = Block::<T>::new(config, shape, kernel);
    let Extent { steps, batch } = block.extent;
    let Sizes { input, hidden, state: state_len, .. } = block.sizes;
    // Without a tape, and by steppers of several sizes, one of which is stored and loaded halfway.
    let whole = blocks::forward(block.prepared.as_ref(), block.operands(), &block.state, false);
    for size in [batch, 1, 3] {
        for first in (0..batch).step_by(size) {
            let size = size.min(batch - first);
            let states = first * state_len..(first + size) * state_len;
            let mut stepper = Arc::clone(&block.prepared).stepper(size);
            stepper.load(&block.state[states.clone()]);
            let mut stored = vec![T::ZERO; states.len()];
            let (mut out, mut energy) = (vec![T::ZERO; size * hidden], vec![T::ZERO; size * hidden]);
            for t in 0..steps {
                let row = t * batch + first;
                let x = &block.x[row * input..(row + size) * input];
                let measured = (t % 2 == 1).then_some(&mut energy[..]);
                stepper.step(x, Some(&block.resets[row..row + size]), &mut out, measured);
                assert_eq!(out, whole.hidden[row * hidden..(row + size) * hidden], "{config:?}, {shape:?}, step {t}");
                if t == steps / 2 {
                    stepper.store(&mut stored);
                    stepper = Arc::clone(&block.prepared).stepper(size);
                    stepper.load(&stored);
                }
            }
            stepper.store(&mut stored);
            assert_eq!(stored, whole.state[states], "{config:?}, {shape:?}: final state");
        }
    }
}

#[test]
fn steppers_equal_sequences_bit_for_bit() {
    for config in configs() {
        for shape in SHAPES {
            check_steppers::<f32>(&config, shape, best(&config, shape).as_ref());
            check_steppers::<f64>(&config, shape, best(&config, shape).as_ref());
        }
    }
}

#[test]
fn the_tape_does_not_change_the_activities() {
    for config in configs() {
        for shape in SHAPES {
            let block = Block::<f32>::new(&config, shape, best(&config, shape).as_ref());
            let run = |tape| blocks::forward(block.prepared.as_ref(), block.operands(), &block.state, tape);
            let (with, without) = (run(true), run(false));
            assert_eq!((with.hidden, with.state), (without.hidden, without.state), "{config:?}, {shape:?}");
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let pools = [1, 2, 3].map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap());
    for config in configs() {
        let shape = [7, 37, 6, 10];
        let block = Block::<f32>::new(&config, shape, best(&config, shape).as_ref());
        let [one, two, three] = pools.each_ref().map(|pool| pool.install(|| block.run()));
        assert!(one == two && one == three, "{config:?}");
    }
}

#[test]
fn every_instruction_set_agrees() {
    let shape @ [_, _, input, hidden] = [6, 10, 21, 18];
    for config in configs() {
        let reference =
            Block::<f64>::new(&config, shape, kernel(&config, input, hidden, Instructions::Portable).as_ref()).run();
        for instructions in Instructions::available() {
            let what = format!("{config:?}, {instructions:?}");
            let kernel = kernel(&config, input, hidden, instructions);
            let double = Block::<f64>::new(&config, shape, kernel.as_ref()).run();
            let single = Block::<f32>::new(&config, shape, kernel.as_ref()).run();
            compare(&what, &double, &reference, 1e-12);
            compare(&what, &single, &reference, 2e-4);
        }
    }
}

fn compare<T: Real>(what: &str, got: &Outcome<T>, want: &Outcome<f64>, tolerance: f64) {
    let fields = [
        ("h", &got.hidden, &want.hidden),
        ("state", &got.state, &want.state),
        ("gradient of x", &got.grad_x, &want.grad_x),
        ("gradient of the state", &got.grad_state, &want.grad_state),
        ("gradient of the parameters", &got.grad_parameters, &want.grad_parameters),
    ];
    for (name, got, want) in fields {
        let norm: f64 = want.iter().map(|want| want * want).sum();
        let error: f64 = got.iter().zip(want).map(|(got, want)| (got.wide() - want).powi(2)).sum();
        assert!(error.sqrt() <= tolerance * norm.sqrt(), "{what}: {name} off by {:e}", (error / norm).sqrt());
    }
}

#[test]
fn energies_of_steppers_are_those_of_the_cell() {
    let [batch, input, hidden] = [5, 6, 9];
    let mask: Vec<f64> = (0..input).map(|index| if index == 2 { 0.0 } else { 1.0 }).collect();
    for config in configs() {
        let cell = lively(&config, input, hidden, DType::F64);
        let block =
            Block::<f64>::new(&config, [3, batch, input, hidden], best(&config, [3, batch, input, hidden]).as_ref());
        let mut stepper = Arc::clone(&block.prepared).stepper(batch);
        stepper.load(&block.state);
        let x: Vec<Tensor> = (0..3).map(|t| normal(&[3, batch, input], 1.0, 0, DType::F64).get(t).unwrap()).collect();
        let mut state = random_state(cell.as_ref(), batch);
        let mut energy = vec![0.0; batch * hidden];
        for (t, x) in x.iter().enumerate() {
            let mask = (t > 0).then_some(&mask[..]);
            stepper.mask_energy(mask);
            stepper.step(&values(x), None, &mut vec![0.0; batch * hidden], Some(&mut energy));
            let mask = mask.map(|mask| Tensor::new(mask, &Device::Cpu).unwrap());
            let want = cell.energy_per_unit(x, &state, mask.as_ref()).unwrap();
            let got = Tensor::from_slice(&energy, want.dims(), &Device::Cpu).unwrap();
            close(&got, &want, 1e-12).unwrap_or_else(|why| panic!("{config:?}, step {t}: {why}"));
            state = cell.step(x, &state).unwrap().state;
        }
    }
}

/// A stepper goes on with new parameters, and refuses those of another layer.
#[test]
fn parameters_can_be_replaced() {
    let [steps, batch, input, hidden] = [4, 3, 6, 9];
    for config in configs() {
        let kernel = best(&config, [steps, batch, input, hidden]);
        let block = Block::<f32>::new(&config, [steps, batch, input, hidden], kernel.as_ref());
        let other = vec![0.1; block.sizes.parameters];
        let other = SequenceKernel::<f32>::prepare(kernel.as_ref(), &other);
        let x = &block.x[..batch * input];
        let [mut replaced, mut before] = [(); 2].map(|()| {
            let mut stepper = Arc::clone(&block.prepared).stepper(batch);
            stepper.load(&block.state);
            stepper.step(x, None, &mut vec![0.0; batch * hidden], None);
            stepper
        });
        let mut state = vec![0.0; block.state.len()];
        before.store(&mut state);
        let mut loaded = Arc::clone(&other).stepper(batch);
        loaded.load(&state);
        replaced.replace(other).unwrap();
        let [got, want] = [&mut replaced, &mut loaded].map(|stepper| {
            let mut hidden = vec![0.0; batch * hidden];
            stepper.step(x, None, &mut hidden, None);
            hidden
        });
        assert_eq!(got, want, "{config:?}");
        let larger = Block::<f32>::new(&config, [1, 1, input, 8], best(&config, [1, 1, input, 8]).as_ref());
        assert!(replaced.replace(larger.prepared).is_err(), "{config:?}");
    }
}
