//! The fused plastic kernel on random options, shapes and resets, against the composed path and finite differences,
//! with every instruction set of this processor and with different numbers of threads.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use candle_core::{DType, Device, Tensor, Var};
use rayon::ThreadPoolBuilder;
use stpn_core::cells::{Decay, Granularity, HebbFfConfig, NormOf, NormalizeState, Plastic, Rule, StpnConfig};
use stpn_core::kernels::{Instructions, operator};
use stpn_core::{Cell, CellConfig, Sequence, State};
use stpn_random::{Purpose, Stream};
use support::{build, close, normal, set_parameters, values};

/// A layer with the operands of one sequence, all of them variables.
struct Case {
    what: String,
    cell: Box<dyn Cell>,
    x: Var,
    state: Vec<(&'static str, Var)>,
    resets: Option<Tensor>,
}

/// How a sequence is run.
#[derive(Clone, Copy, Debug)]
enum Path {
    Composed,
    Fused(Instructions),
}

/// One of several.
fn pick<V: Copy>(stream: &mut Stream, from: &[V]) -> V {
    from[stream.below(from.len())]
}

fn random_config(stream: &mut Stream) -> StpnConfig {
    let recurrent = stream.chance(0.7);
    let bias = stream.chance(0.7);
    StpnConfig {
        recurrent,
        normalize_forward: stream.chance(0.6),
        normalize_state: pick(stream, &[NormalizeState::None, NormalizeState::Before, NormalizeState::After]),
        norm_of: NormOf::G,
        clamp: pick(stream, &[None, Some(0.2), Some(1.0)]),
        rule: Rule::Hebb,
        decay: pick(stream, &[Decay::Old, Decay::Old, Decay::All]),
        plastic: if recurrent {
            pick(stream, &[Plastic::All, Plastic::All, Plastic::Input, Plastic::Recurrent])
        } else {
            pick(stream, &[Plastic::All, Plastic::Input])
        },
        granularity: pick(stream, &[Granularity::Synapse, Granularity::Presynaptic, Granularity::Scalar]),
        bias,
        layer_norm: stream.chance(0.3),
        plastic_bias: bias && stream.chance(0.3),
        ..StpnConfig::default()
    }
}

impl Case {
    /// The case of that number: small odd sizes, now and then one step, one element, more columns than a chunk has, or
    /// a table that counts as large.
    fn random(index: u64, dtype: DType) -> Self {
        Self::random_with(index, dtype, |_| {})
    }

    /// The same with options changed.
    fn random_with(index: u64, dtype: DType, change: impl Fn(&mut StpnConfig)) -> Self {
        let mut stream = Stream::new(3, Purpose::Test, index);
        let steps = pick(&mut stream, &[1, 2, 3, 5, 9]);
        let batch = pick(&mut stream, &[1, 2, 3, 5, 7, 8, 11, 17]);
        let mut input = pick(&mut stream, &[1, 2, 3, 6, 13, 131]);
        let mut hidden = pick(&mut stream, &[1, 2, 3, 5, 8, 11, 19]);
        if index % 16 == 5 {
            (input, hidden) = (1400, 19);
        }
        if stream.chance(0.1) {
            let config = CellConfig::Hebbff(HebbFfConfig::default());
            return Self::new(&config, [steps, batch, input, hidden], stream, dtype);
        }
        let mut config = random_config(&mut stream);
        change(&mut config);
        // A norm over one column, and a layer norm over one or two units, leave gradients of rounding alone.
        input = input.max(2);
        if config.layer_norm {
            hidden = hidden.max(5);
        }
        Self::new(&CellConfig::Stpn(config), [steps, batch, input, hidden], stream, dtype)
    }

    fn new(config: &CellConfig, shape: [usize; 4], mut stream: Stream, dtype: DType) -> Self {
        let [steps, batch, input, hidden] = shape;
        let cell = build(config, input, hidden, dtype);
        // Larger than the initial values, so that plasticity matters, but not so large that states explode.
        let scale = 1.0 / (cell.parameters().get("weight").unwrap().dims()[1] as f64).sqrt();
        let mut draw = |shape: &[usize], scale: f64| {
            let drawn: Vec<f64> = (0..shape.iter().product()).map(|_| scale * stream.normal()).collect();
            Tensor::from_vec(drawn, shape, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
        };
        let drawn: Vec<(String, Tensor)> = (cell.parameters().iter())
            .map(|(name, var)| (name.to_string(), draw(var.dims(), if name == "weight" { scale } else { 0.5 })))
            .collect();
        set_parameters(cell.as_ref(), |name| drawn.iter().find(|(known, _)| known == name).unwrap().1.clone());
        let x = Var::from_tensor(&draw(&[steps, batch, input], 1.0)).unwrap();
        let mut field = |shape: &[usize]| {
            let dims: Vec<usize> = std::iter::once(batch).chain(shape.iter().copied()).collect();
            Var::from_tensor(&draw(&dims, 0.3 * scale)).unwrap()
        };
        let state = cell.state_layout().iter().map(|known| (known.name, field(&known.shape))).collect();
        // Never, now and then, everywhere.
        let chance = pick(&mut stream, &[0.0, 0.2, 1.0]);
        let resets = (chance > 0.0).then(|| {
            let mask: Vec<u8> = (0..steps * batch).map(|_| u8::from(stream.chance(chance))).collect();
            Tensor::from_vec(mask, (steps, batch), &Device::Cpu).unwrap()
        });
        let what = format!("T {steps}, B {batch}, I {input}, H {hidden}, resets {chance}, {config:?}");
        Self { what, cell, x, state, resets }
    }

    fn run(&self, path: Path) -> Sequence {
        let fields = self.state.iter().map(|(name, var)| (*name, var.as_tensor().clone())).collect();
        let state = State::new(self.x.dim(1).unwrap(), fields);
        let (cell, resets) = (self.cell.as_ref(), self.resets.as_ref());
        match path {
            Path::Composed => cell.sequence_composed(&self.x, resets, &state).unwrap(),
            Path::Fused(instructions) => {
                let kernel = cell.fused().unwrap().with_instructions(instructions);
                let (parameters, layout) = (cell.parameters(), cell.state_layout());
                operator::sequence(kernel, parameters, layout, &self.x, resets, &state).unwrap()
            }
        }
    }

    fn variables(&self) -> Vec<(String, &Var)> {
        let parameters = self.cell.parameters().iter().map(|(name, var)| (name.to_string(), var));
        let states = self.state.iter().map(|(name, var)| (format!("state0.{name}"), var));
        parameters.chain(states).chain([("x".to_string(), &self.x)]).collect()
    }

    /// Everything that comes out: activities, final states, and the gradients of a loss of both.
    fn outcome(&self, path: Path) -> Vec<(String, Tensor)> {
        let out = self.run(path);
        let gradients = loss(&out).backward().unwrap();
        let mut outcome = vec![("h".to_string(), out.hidden.detach())];
        outcome.extend(out.state.iter().map(|(name, tensor)| (format!("state.{name}"), tensor.detach())));
        for (name, var) in self.variables() {
            // The composed path leaves out what it does not depend on.
            let gradient = gradients.get(var).cloned().unwrap_or_else(|| var.zeros_like().unwrap());
            outcome.push((format!("grad.{name}"), gradient));
        }
        outcome
    }
}

/// Compares outcomes. A gradient that is zero in exact arithmetic, as that of a scale which a norm divides out again,
/// comes out as rounding: errors of gradients count relative to the largest of them.
fn compare(got: &[(String, Tensor)], want: &[(String, Tensor)], tolerance: f64) -> Result<(), String> {
    let norm = |tensor: &Tensor| values(tensor).iter().map(|value| value * value).sum::<f64>().sqrt();
    let gradients = want.iter().filter(|(name, _)| name.starts_with("grad.")).map(|(_, tensor)| norm(tensor));
    let largest = gradients.fold(0.0, f64::max);
    for ((name, got), (_, want)) in got.iter().zip(want) {
        let scale = norm(want);
        let tolerance =
            if name.starts_with("grad.") && scale > 0.0 { tolerance * (largest / scale).max(1.0) } else { tolerance };
        close(got, want, tolerance).map_err(|why| format!("{name}: {why}"))?;
    }
    Ok(())
}

/// Weighted squares of the activities and the final state.
fn loss(out: &Sequence) -> Tensor {
    let weighted = |tensor: &Tensor, index| {
        let weight = normal(tensor.dims(), 1.0, index, tensor.dtype());
        (weight * tensor.sqr().unwrap()).unwrap().sum_all().unwrap()
    };
    let states = out.state.iter().enumerate().map(|(index, (_, tensor))| weighted(tensor, 71 + index as u64));
    states.fold(weighted(&out.hidden, 70), |sum, part| (sum + part).unwrap())
}

#[test]
fn options_without_a_kernel_run_composed() {
    for (rule, norm_of) in [(Rule::Oja, NormOf::G), (Rule::Hebb, NormOf::F)] {
        let config = StpnConfig { rule, norm_of, ..StpnConfig::default() };
        let cell = build(&CellConfig::Stpn(config), 3, 4, DType::F64);
        assert!(cell.fused().is_none());
        let (x, state) = (normal(&[5, 2, 3], 1.0, 0, DType::F64), cell.zero_state(2).unwrap());
        let [by_itself, composed] =
            [cell.sequence(&x, None, &state).unwrap(), cell.sequence_composed(&x, None, &state).unwrap()];
        assert_eq!(values(&by_itself.hidden), values(&composed.hidden));
    }
}

#[test]
fn random_layers_agree_with_the_composed_path() {
    for index in 0..120 {
        let case = Case::random(index, DType::F64);
        let want = case.outcome(Path::Composed);
        for instructions in Instructions::available() {
            compare(&case.outcome(Path::Fused(instructions)), &want, 1e-10)
                .unwrap_or_else(|why| panic!("case {index}, {instructions:?}, {why}\n{}", case.what));
        }
    }
}

/// Long sequences, some so wide that segments between two checkpoints have states of their own to start from.
#[test]
fn long_sequences_agree_with_the_composed_path() {
    let shapes = [[61, 5, 3, 11], [150, 3, 6, 5], [97, 1, 13, 19], [211, 2, 2, 5], [60, 4, 265, 19], [60, 2, 521, 19]];
    for (index, [steps, batch, input, hidden]) in (5000..).zip(shapes.into_iter().cycle().take(12)) {
        let mut stream = Stream::new(3, Purpose::Test, index);
        let mut config = random_config(&mut stream);
        // A state that nothing limits grows without bound in so many steps.
        config.clamp = config.clamp.or((config.normalize_state == NormalizeState::None).then_some(1.0));
        let case = Case::new(&CellConfig::Stpn(config), [steps, batch, input, hidden], stream, DType::F64);
        let want = case.outcome(Path::Composed);
        for instructions in Instructions::available() {
            compare(&case.outcome(Path::Fused(instructions)), &want, 1e-10)
                .unwrap_or_else(|why| panic!("case {index}, {instructions:?}, {why}\n{}", case.what));
        }
    }
}

/// The f32 kernels have their own activations and lane counts.
#[test]
fn random_layers_in_single_precision_agree_with_the_composed_path() {
    for index in 1000..1060 {
        let (case, precise) = (Case::random(index, DType::F32), Case::random(index, DType::F64));
        let want = precise.outcome(Path::Composed);
        for instructions in Instructions::available() {
            compare(&case.outcome(Path::Fused(instructions)), &want, 1e-3)
                .unwrap_or_else(|why| panic!("case {index}, {instructions:?}, {why}\n{}", case.what));
        }
    }
}

/// The slope of the loss along a random direction through all variables at once.
#[test]
fn random_layers_agree_with_finite_differences() {
    const STEP: f64 = 1e-6;
    for index in 2000..2060 {
        // Differences may straddle a kink of the clamp.
        let case = Case::random_with(index, DType::F64, |config| config.clamp = None);
        let path = Path::Fused(pick(&mut Stream::new(5, Purpose::Test, index), &Instructions::available()));
        let gradients = loss(&case.run(path)).backward().unwrap();
        let variables = case.variables();
        let direction = |var: &Var, place: usize| {
            let scale = 1.0 / (var.elem_count() as f64).sqrt();
            normal(var.dims(), scale, 200 + place as u64, DType::F64)
        };
        let (mut slope, mut scale) = (0.0, 0.0);
        for (place, (_, var)) in variables.iter().enumerate() {
            let Some(gradient) = gradients.get(var) else { continue };
            let products = values(&(gradient * direction(var, place)).unwrap());
            slope += products.iter().sum::<f64>();
            scale += products.iter().map(|product| product.powi(2)).sum::<f64>();
        }
        let originals: Vec<Tensor> = variables.iter().map(|(_, var)| var.as_tensor().copy().unwrap()).collect();
        let moved = |by: f64| {
            for (place, (_, var)) in variables.iter().enumerate() {
                var.set(&(&originals[place] + (direction(var, place) * by).unwrap()).unwrap()).unwrap();
            }
            loss(&case.run(path)).to_scalar::<f64>().unwrap()
        };
        let difference = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        let error = (slope - difference).abs() / scale.sqrt().max(1e-3);
        assert!(error < 1e-5, "case {index}, {path:?}: slope {slope}, differences {difference}\n{}", case.what);
    }
}

/// Without the composed path, which makes it short enough for a memory checker (`cargo xtask memcheck`).
#[test]
fn instruction_sets_agree() {
    for index in 4000..4012 {
        let case = Case::random(index, DType::F64);
        let want = case.outcome(Path::Fused(Instructions::Portable));
        for instructions in Instructions::available() {
            compare(&case.outcome(Path::Fused(instructions)), &want, 1e-10)
                .unwrap_or_else(|why| panic!("case {index}, {instructions:?}, {why}\n{}", case.what));
        }
    }
}

#[test]
fn results_are_the_same_bit_for_bit_on_any_number_of_threads() {
    for index in 3000..3020 {
        let case = Case::random(index, DType::F32);
        let path = Path::Fused(Instructions::best());
        let on = |threads: usize| {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let outcome = pool.install(|| case.outcome(path));
            outcome.into_iter().map(|(name, tensor)| (name, values(&tensor))).collect::<Vec<_>>()
        };
        let bits = |outcome: Vec<(String, Vec<f64>)>| {
            let of = |(name, values): (String, Vec<f64>)| (name, values.into_iter().map(f64::to_bits).collect());
            outcome.into_iter().map(of).collect::<Vec<(String, Vec<u64>)>>()
        };
        let one = bits(on(1));
        for threads in [2, 5] {
            assert_eq!(bits(on(threads)), one, "case {index} on {threads} threads\n{}", case.what);
        }
    }
}
