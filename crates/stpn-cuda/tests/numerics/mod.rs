//! Checksums of what the kernels compute in single precision, on the machine behind the shim.
//!
//! `sums.txt` holds them, with the number of the arithmetic they belong to. A change that alters bits raises
//! `stpn_cuda::NUMERICS` and writes the file anew:
//! `STPN_WRITE_NUMERICS=1 cargo test -p stpn-cuda --features shim numerics`.

use std::fmt::Write as _;
use std::{fs, path::PathBuf};

use stpn_cuda::game::Game;
use stpn_cuda::maze::{self, MazeRules, MazeState, Mazes};
use stpn_cuda::rollout::{Environments, Rollout};
use stpn_cuda::shim::{self, Inputs, LossSteps, Machine};
use stpn_cuda::{
    A2cSteps, Actions, AdamPiece, AdamSettings, AdvantageSteps, AnyLayer, Convolution, Dense, Distribution, EnergyOf,
    Extent, Gated, GatedKind, Layer, Modulated, Modulation, NUMERICS, Nonlinearity, NormalizeState, Outputs, Plastic,
    PpoSteps, Rule,
};

use crate::support::case::{Sizes, Values};
use crate::support::encoder::OwnEncoder;
use crate::support::policy::{A2C, PPO, PolicyCase, distributions};
use crate::support::{Numbers, SHARED, foreseen, game, gated_plan, gated_there_and_back, plan, there_and_back};

const EXTENT: Extent = Extent { steps: 9, batch: 3 };
const INPUT: usize = 4;
const HIDDEN: usize = 7;

fn layers() -> Vec<(&'static str, Layer)> {
    let modulated = |modulation, rule| Layer::Modulated(Modulated { input: INPUT, hidden: HIDDEN, modulation, rule });
    let stpn = Plastic::stpn(INPUT, HIDDEN);
    vec![
        ("stpn", Layer::Plastic(stpn.clone())),
        ("stpn-forward-only", Layer::Plastic(Plastic { normalize_state: NormalizeState::None, ..stpn.clone() })),
        ("stpn-after", Layer::Plastic(Plastic::maze(INPUT, HIDDEN))),
        ("stpn-layer-norm", Layer::Plastic(Plastic { layer_norm: true, ..stpn.clone() })),
        ("stpnf", Layer::Plastic(Plastic { recurrent: false, bias: true, ..stpn })),
        ("hebbff", Layer::Plastic(Plastic::hebbff(INPUT, HIDDEN))),
        ("differentiable-plasticity", modulated(Modulation::Constant, Rule::Decay)),
        ("backpropamine", modulated(Modulation::Retroactive, Rule::HardClamp)),
    ]
}

/// FNV-1a of the values' bits.
fn sum(results: &[&[f32]]) -> u64 {
    let bytes = results.iter().copied().flatten().flat_map(|value| {
        assert!(value.is_finite());
        // That of a zero does not depend on its sign.
        (if *value == 0.0 { 0 } else { value.to_bits() }).to_le_bytes()
    });
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A layer's operands in single precision: parameters, x, start, gradients of activity and end.
struct Single {
    values: Values,
    operands: [Vec<f32>; 5],
}

impl Single {
    fn new(parameters: usize, state: usize) -> Self {
        let values = Values::new(Sizes { parameters, input: INPUT, hidden: HIDDEN, state }, EXTENT, 41);
        let Values { parameters, x, start, grad_hidden, grad_end, .. } = &values;
        let operands = [parameters, x, start, grad_hidden, grad_end];
        let operands = operands.map(|values| values.iter().map(|value| *value as f32).collect());
        Self { values, operands }
    }

    fn inputs(&self) -> Inputs<'_, f32> {
        let [parameters, x, start, ..] = &self.operands;
        Inputs { extent: EXTENT, parameters, x, resets: Some(&self.values.resets), start }
    }
}

/// Of a rollout in 5×5 mazes.
fn rollout() -> u64 {
    let edge = |cell: usize| [0, 4].contains(&(cell / 5)) || [0, 4].contains(&(cell % 5));
    let rules = MazeRules {
        size: 5,
        view_radius: 1,
        episode_length: 8,
        reward: 10.0,
        wall_penalty: 0.0,
        walls: (0..25).map(|cell| u8::from(edge(cell))).collect(),
        free_cells: (0..25).filter(|cell| !edge(*cell as usize)).collect(),
    };
    let layer = Plastic::maze(rules.observation_len(), HIDDEN);
    let any = AnyLayer::from(Layer::Plastic(layer));
    let mut numbers = Numbers::new(47);
    let mut draw = |len: usize| -> Vec<f32> { numbers.vec(len, 0.8).iter().map(|value| *value as f32).collect() };
    let (parameters, heads) = (draw(any.parameters()), draw((maze::ACTIONS + 1) * (HIDDEN + 1)));
    let (x, state) = (draw(EXTENT.batch * rules.observation_len()), draw(EXTENT.batch * any.state_len()));
    let uniform: Vec<f64> = draw(EXTENT.steps * EXTENT.batch).iter().map(|value| f64::from(value.abs())).collect();
    let draws: Vec<u64> = (1..=20 * EXTENT.batch as u64).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    let mazes = [MazeState { agent: 12, goal: 2, step: 3 }; 3];
    let rollout = Rollout {
        extent: EXTENT,
        environments: Environments::Mazes(Mazes { rules: &rules, states: &mazes, draws: &draws }),
        uniform: &uniform,
        parameters: &parameters[..],
        heads: &heads[..],
        x: &x,
        starts: &[0, 1, 0],
        state: &state,
        encoder: &[],
        watched: false,
        energy: Some(EnergyOf { first: 0, every: 4, batch: 3, mask: None }),
    };
    played(&any, &rollout)
}

/// Of a rollout in environments that are foreseen.
fn foreseen_rollout(layer: AnyLayer) -> u64 {
    let case = foreseen::Case::new(&layer, EXTENT).single();
    played(&layer, &case.rollout())
}

/// The same with an encoder.
fn encoded_rollout(layer: AnyLayer) -> u64 {
    let case = foreseen::Case::new(&layer, EXTENT).single();
    let encoder = OwnEncoder::new(foreseen::INPUT, layer.input()).single();
    played(&layer, &Rollout { encoder: &encoder.layers(), ..case.rollout() })
}

fn played(layer: &AnyLayer, rollout: &Rollout<'_, f32>) -> u64 {
    let (played, _, problems) = shim::rollout(layer, SHARED, Machine::default(), rollout);
    assert_eq!(problems.count, 0, "{}", problems.first);
    sum(&[&played.log_probs, &played.outputs, &played.state, &played.energy])
}

fn sums() -> Vec<(String, u64)> {
    let mut sums = Vec::new();
    for (name, layer) in layers() {
        layer.check().unwrap();
        let single = Single::new(layer.parameters(), layer.state_len());
        let [.., grad_hidden, grad_end] = &single.operands;
        let plan = plan::<f32>(&layer, EXTENT);
        let (there, back) = there_and_back(&layer, &plan, Machine::default(), single.inputs(), grad_hidden, grad_end);
        sums.push((name.to_string(), sum(&[&there.hidden, &there.end, &back.x, &back.state, &back.parameters])));
    }
    for (name, kind) in [("lstm", GatedKind::Lstm), ("gru", GatedKind::Gru), ("rnn", GatedKind::Rnn)] {
        let layer = Gated::new(kind, INPUT, HIDDEN);
        let single = Single::new(layer.parameters(), layer.state_len());
        let [.., grad_hidden, grad_end] = &single.operands;
        let plan = gated_plan::<f32>(&layer, EXTENT);
        let (there, back) =
            gated_there_and_back(&layer, &plan, Machine::default(), single.inputs(), grad_hidden, grad_end);
        sums.push((name.to_string(), sum(&[&there.hidden, &there.end, &back.x, &back.state, &back.parameters])));
    }
    sums.push(("maze-rollout".to_string(), rollout()));
    let mut numbers = Numbers::new(43);
    let mut draw = |len: usize| -> Vec<f32> { numbers.vec(len, 0.6).iter().map(|value| *value as f32).collect() };
    for (name, nonlinearity) in [("dense-tanh", Nonlinearity::Tanh), ("dense-relu", Nonlinearity::Relu)] {
        let layer = Dense::new(9, 17, nonlinearity);
        let (parameters, x, grad_y) = (draw(layer.parameters()), draw(30 * 9), draw(30 * 17));
        let got = shim::dense(&layer, Machine::default(), &parameters, &x, &grad_y);
        sums.push((name.to_string(), sum(&[&got.y, &got.parameters, &got.x])));
    }
    let settings = AdamSettings { learning_rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-5, max_norm: Some(0.5) };
    let (parameters, gradients) = (draw(90), vec![draw(90), draw(90)]);
    let piece = |range, factor, limit| AdamPiece { range, factor, limit };
    let whole = [piece(0..50, 1.0, None), piece(50..90, 1.0, None)];
    let got = shim::adam(&settings, Machine::default(), &whole, &parameters, &gradients);
    sums.push(("adam".to_string(), sum(&[&got.parameters.concat()])));
    let apart = [piece(0..30, 1.0, None), piece(30..60, 3.0, Some(0.4)), piece(60..90, 0.5, None)];
    let apart = shim::adam(&settings, Machine::default(), &apart, &parameters, &gradients);
    let layer = Convolution {
        channels: 2,
        height: 7,
        width: 6,
        filters: 3,
        size: 3,
        stride: 2,
        nonlinearity: Nonlinearity::Relu,
        scale: 1.5,
    };
    let (parameters, x, grad_y) = (draw(layer.parameters()), draw(4 * layer.input()), draw(4 * layer.output()));
    let got = shim::convolution(&layer, Machine::default(), [&parameters, &x, &grad_y], 1 << 20);
    sums.push(("convolution".to_string(), sum(&[&got.y, &got.parameters, &got.x])));
    let steps = LossSteps {
        extent: Extent { steps: 8, batch: 7 },
        outputs: &draw(8 * 7 * 4),
        actions: &[0, 1, 2, 1, 0, 2, 2].repeat(8),
        advantages: &draw(8 * 7),
        returns: &draw(8 * 7),
    };
    let (grad, total, problems) = shim::a2c_loss(&A2C, Machine::default(), steps);
    assert_eq!(problems.count, 0, "{}", problems.first);
    let total = [total.policy, total.value, total.entropy, total.concentration].map(|sum| sum as f32);
    sums.push(("a2c-loss".to_string(), sum(&[&grad, &total])));
    sums.extend(energies());
    sums.push(("adam-pieces".to_string(), sum(&[&apart.parameters.concat(), &apart.moments.concat()])));
    sums.push(("ppo-loss".to_string(), ppo_loss()));
    sums.push(("advantages".to_string(), advantages()));
    sums.extend(losses());
    let (modulation, rule) = (Modulation::Network, Rule::SoftClamp);
    let modulated = Modulated { input: foreseen::INPUT, hidden: HIDDEN, modulation, rule };
    for (name, layer) in [
        ("foreseen-rollout", Layer::Plastic(Plastic::maze(foreseen::INPUT, HIDDEN)).into()),
        ("foreseen-rollout-backpropamine", Layer::Modulated(modulated).into()),
        ("foreseen-rollout-lstm", Gated::new(GatedKind::Lstm, foreseen::INPUT, HIDDEN).into()),
    ] {
        sums.push((name.to_string(), foreseen_rollout(layer)));
    }
    for (name, layer) in [
        ("encoded-rollout", Layer::Plastic(Plastic::maze(11, HIDDEN)).into()),
        ("encoded-rollout-gru", Gated::new(GatedKind::Gru, 11, HIDDEN).into()),
    ] {
        sums.push((name.to_string(), encoded_rollout(layer)));
    }
    for (name, game, layer) in [
        ("game-rollout", Game::Battleship, Layer::Plastic(Plastic::maze(10, HIDDEN)).into()),
        ("game-rollout-gru", Game::MultiarmedBandit, AnyLayer::from(Gated::new(GatedKind::Gru, 7, HIDDEN))),
    ] {
        sums.push((name.to_string(), game_rollout(game, layer)));
    }
    sums
}

/// Of a rollout in games.
fn game_rollout(game: Game, layer: AnyLayer) -> u64 {
    let rules = game::rules(game);
    let case = game::Case::new(&layer, EXTENT, &rules).single();
    played(&layer, &case.rollout(&rules))
}

/// Of advantages and returns.
fn advantages() -> u64 {
    let mut numbers = Numbers::new(101);
    let mut draw = |len: usize| -> Vec<f32> { numbers.vec(len, 0.6).iter().map(|value| *value as f32).collect() };
    let units = EXTENT.steps * EXTENT.batch;
    let ends = |at: usize| -> Vec<u8> { (0..units).map(|n| u8::from(n % 11 == at)).collect() };
    let steps = AdvantageSteps {
        gamma: 0.99,
        lambda: 0.95,
        rewards: &draw(units),
        last_values: &draw(EXTENT.batch),
        terminated: &ends(4),
        truncated: &ends(9),
        final_values: &draw(units),
    };
    let ([advantages, returns], problems) = shim::advantages(Machine::default(), EXTENT, &draw(units), &steps);
    assert_eq!(problems.count, 0, "{}", problems.first);
    sum(&[&advantages, &returns])
}

/// Of the loss of PPO.
fn ppo_loss() -> u64 {
    let mut numbers = Numbers::new(79);
    let mut draw = |len: usize| -> Vec<f32> { numbers.vec(len, 0.6).iter().map(|value| *value as f32).collect() };
    let [advantages, returns] = [0, 1].map(|_| draw(8 * 7));
    let steps = PpoSteps {
        policy: &Distribution::choice(3),
        actions: Actions::Choices(&[0, 1, 2, 1, 0, 2, 2].repeat(8)),
        log_probs: &draw(8 * 7).iter().map(|value| value - 1.0).collect::<Vec<f32>>(),
        values: &draw(8 * 7),
        distributions: Some(&draw(8 * 7 * 3)),
        counts: Some(&[1, 1, 1, 0, 1, 1, 1].repeat(8)),
    };
    let outputs = draw(8 * 7 * 4);
    let shared = Outputs { policy: &outputs[..], values: None, free: None };
    let (grads, total, problems) = shim::ppo_loss(&PPO, Machine::default(), &shared, steps, [&advantages, &returns]);
    assert_eq!(problems.count, 0, "{}", problems.first);
    let parts = [total.total, total.policy, total.value, total.kl, total.approx_kl, total.clipped];
    sum(&[&grads.policy, &parts.map(|part| part as f32)])
}

/// Of the losses of several choices, switches and continuous actions, with a critic of its own.
fn losses() -> Vec<(String, u64)> {
    let single = |values: &[f64]| -> Vec<f32> { values.iter().map(|value| *value as f32).collect() };
    let names = ["choice", "choices", "switches", "softplus", "softplus-squashed", "free", "free-squashed"];
    let of = |(name, distribution): (&str, Distribution)| {
        let case = PolicyCase::new(&distribution, true, 60);
        let (choices, draws) = (&case.choices, single(&case.draws));
        let actions = if draws.is_empty() { Actions::Choices(choices) } else { Actions::Draws(&draws) };
        let (policy, behaviour, old_values) = (single(&case.policy), single(&case.behaviour), single(&case.old_values));
        let (values, free) = (case.values.as_deref().map(single), case.free.as_deref().map(single));
        let outputs = Outputs { policy: &policy[..], values: values.as_deref(), free: free.as_deref() };
        let mut numbers = Numbers::new(103);
        let [advantages, returns, log_probs] = [0.6, 0.6, 0.3].map(|scale| single(&numbers.vec(60, scale)));
        let targets = [&advantages[..], &returns];
        let steps = A2cSteps { policy: &distribution, actions, counts: None };
        let (of_a2c, _, problems) = shim::a2c_loss_of_steps(&A2C, Machine::default(), &outputs, steps, targets);
        assert_eq!(problems.count, 0, "{}", problems.first);
        let steps = PpoSteps {
            policy: &distribution,
            actions,
            log_probs: &log_probs,
            values: &old_values,
            distributions: Some(&behaviour),
            counts: None,
        };
        let (of_ppo, _, problems) = shim::ppo_loss(&PPO, Machine::default(), &outputs, steps, targets);
        assert_eq!(problems.count, 0, "{}", problems.first);
        let [of_a2c, of_ppo] = [&of_a2c, &of_ppo].map(|grads| {
            sum(&[&grads.policy, grads.values.as_deref().unwrap_or(&[]), grads.free.as_deref().unwrap_or(&[])])
        });
        [(format!("a2c-loss-{name}"), of_a2c), (format!("ppo-loss-{name}"), of_ppo)]
    };
    names.into_iter().zip(distributions()).flat_map(of).collect()
}

/// Of the energy of sequences and of a dense layer.
fn energies() -> Vec<(String, u64)> {
    let modulated = Modulated { input: INPUT, hidden: HIDDEN, modulation: Modulation::Network, rule: Rule::SoftClamp };
    let of = EnergyOf { first: 1, every: 3, batch: 2, mask: Some(&[1.0f32, 0.0, 0.5, 1.0]) };
    let of_layer = |name: &str, layer: AnyLayer| {
        let single = Single::new(layer.parameters(), layer.state_len());
        let got = shim::forward_measured(&layer, SHARED, Machine::default(), single.inputs(), &of);
        assert_eq!(got.problems.count, 0, "{}", got.problems.first);
        (name.to_string(), sum(&[&got.energy]))
    };
    let mut sums = vec![
        of_layer("energy-stpn-after", Layer::Plastic(Plastic::maze(INPUT, HIDDEN)).into()),
        of_layer("energy-backpropamine", Layer::Modulated(modulated).into()),
        of_layer("energy-gru", Gated::new(GatedKind::Gru, INPUT, HIDDEN).into()),
    ];
    let mut numbers = Numbers::new(73);
    let mut draw = |len: usize| -> Vec<f32> { numbers.vec(len, 0.6).iter().map(|value| *value as f32).collect() };
    let layer = Dense::new(9, 17, Nonlinearity::Relu);
    let (parameters, x, mask) = (draw(layer.parameters()), draw(30 * 9), draw(9));
    let (energy, _) = shim::dense_energy(&layer, Machine::default(), &parameters, &x, Some(&mask));
    sums.push(("energy-dense".to_string(), sum(&[&energy])));
    sums
}

#[test]
fn bits_change_only_with_their_number() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/numerics/sums.txt");
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let mut text = format!("numerics {NUMERICS}\n");
    for (name, sum) in sums() {
        writeln!(text, "{name} {sum:016x}").unwrap();
    }
    let number: u32 = committed.lines().next().and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0);
    if std::env::var_os("STPN_WRITE_NUMERICS").is_some() {
        // More cases change no bit.
        let changed = !text.starts_with(&committed);
        assert!(!changed || NUMERICS > number, "bits have changed: raise NUMERICS above {number} first");
        fs::write(path, text).unwrap();
        return;
    }
    assert_eq!(
        committed, text,
        "bits have changed: raise NUMERICS and write the sums anew, as the head of this test says"
    );
}
