//! Losses and gradients against an independent definition, the candle graph and finite differences.

mod composed;
mod ratios;

use candle_core::{DType, Device, Tensor};
use stpn_core::cells::CellName;
use stpn_envs::{Dtype, Space};
use stpn_random::{Purpose, Stream};

use super::a2c::{A2cConfig, A2cObjective};
use super::batch::SequenceBatch;
use super::objective::{Losses, Objective, block_gradient};
use super::ppo::{KlPenalty, NormalizeAdvantages, PpoConfig, PpoObjective};
use crate::optimizer::{Clock, Schedule};
use crate::policy::distribution::ActionBuffer;
use crate::policy::encoder::{EncoderConfig, MlpConfig};
use crate::policy::{ActorCritic, Critic, PolicyConfig};
use crate::rollout::Observations;

const STEPS: usize = 7;
const BATCH: usize = 3;
const INPUTS: usize = 4;

/// A policy in f64 with random sequences: of different lengths, episodes starting inside them.
struct Case {
    policy: ActorCritic,
    batch: SequenceBatch,
}

impl Case {
    fn new(cell: CellName, actions: &Space, critic: Critic) -> Self {
        Self::of(&PolicyConfig { critic, ..PolicyConfig::new(cell.config(), 5) }, actions)
    }

    fn of(config: &PolicyConfig, actions: &Space) -> Self {
        let observations = Space::boxed(-1.0, 1.0, [INPUTS]);
        let policy = ActorCritic::new(config, &observations, actions, 3, DType::F64, &Device::Cpu).unwrap();
        let mut stream = Stream::new(1, Purpose::Test, 0);
        let mut normals = |n: usize| (0..n).map(|_| stream.normal() as f32).collect::<Vec<f32>>();
        let n = STEPS * BATCH;
        let distribution = policy.distribution();
        let batch = SequenceBatch {
            steps: STEPS,
            lengths: vec![STEPS, STEPS - 3, STEPS],
            observations: Observations::F32(normals(n * INPUTS)),
            state: normals(BATCH * policy.state_len()).iter().map(|v| 0.1 * v).collect(),
            advantages: normals(n),
            returns: normals(n),
            episode_starts: (0..n).map(|i| u8::from(i % 5 == 2)).collect(),
            actions: match actions {
                Space::Discrete { .. } => ActionBuffer::Discrete((0..n as u32).map(|i| i % 3).collect()),
                Space::MultiDiscrete { counts } => ActionBuffer::Choices(
                    (0..n).flat_map(|i| counts.iter().map(move |&count| (i % count) as u32)).collect(),
                ),
                Space::MultiBinary { n: switches } => {
                    ActionBuffer::Choices((0..n * switches).map(|i| u32::from(i % 3 == 0)).collect())
                }
                _ => ActionBuffer::Continuous(normals(n * distribution.action_len())),
            },
            action_len: distribution.action_len(),
            log_probs: normals(n).iter().map(|v| 0.3 * v - 1.2).collect(),
            distributions: normals(n * distribution.len()).iter().map(|v| 0.3 * v).collect(),
            values: normals(n).iter().map(|v| 0.3 * v).collect(),
        };
        Self { policy, batch }
    }

    fn discrete(cell: CellName) -> Self {
        Self::new(cell, &Space::discrete(3), Critic::Shared)
    }

    /// Of several choices, and of switches.
    fn choices(cell: CellName) -> [Self; 2] {
        [Space::MultiDiscrete { counts: vec![3, 1, 4] }, Space::MultiBinary { n: 3 }]
            .map(|space| Self::new(cell, &space, Critic::Shared))
    }

    /// With a factor on the recurrent layer's input, without and with an encoder.
    fn scaled(cell: CellName) -> [Self; 2] {
        let dense = EncoderConfig::Mlp(MlpConfig { sizes: vec![6], ..MlpConfig::default() });
        [EncoderConfig::default(), dense].map(|encoder| {
            let config = PolicyConfig { encoder, input_scale: 3.0, ..PolicyConfig::new(cell.config(), 5) };
            Self::of(&config, &Space::discrete(3))
        })
    }

    fn continuous(cell: CellName, critic: Critic) -> Self {
        Self::new(cell, &Space::boxed(-1.0, 1.0, [2]), critic)
    }

    fn gradient(&self, objective: &dyn Objective) -> (Losses, Vec<f64>) {
        let mut gradient = vec![f64::NAN; self.policy.parameters().count()];
        let prepared = self.policy.prepare::<f64>().unwrap();
        let losses = block_gradient(objective, &prepared, &self.batch, 0.1, &mut gradient).unwrap();
        (losses, gradient)
    }
}

fn a2c() -> A2cConfig {
    A2cConfig {
        value_coefficient: 0.1,
        entropy_coefficient: Schedule::Constant(0.05),
        concentration_coefficient: 0.03,
        ..A2cConfig::default()
    }
}

fn ppo() -> PpoConfig {
    PpoConfig {
        entropy_coefficient: Schedule::Constant(0.05),
        kl_penalty: Some(KlPenalty::default()),
        value_clip: Some(0.3),
        value_error_clamp: Some(2.0),
        normalize_advantages: NormalizeAdvantages::None,
        ..PpoConfig::default()
    }
}

/// The first update of a run.
const START: Clock = Clock { now: 0, end: 1 };

fn objectives(discrete: bool) -> Vec<(&'static str, Box<dyn Objective>)> {
    let a2c = match discrete {
        true => a2c(),
        false => A2cConfig { concentration_coefficient: 0.0, ..a2c() },
    };
    let ppo = PpoObjective::new(&ppo(), START, 0.2, None);
    vec![("a2c", Box::new(A2cObjective::new(&a2c, START, None))), ("ppo", Box::new(ppo))]
}

#[test]
fn gradients_of_every_parameter_agree_with_finite_differences() {
    let discrete = CellName::ALL.map(|cell| (cell, Case::discrete(cell), true));
    let continuous = [Critic::Shared, Critic::Separate]
        .map(|critic| (CellName::Stpnf, Case::continuous(CellName::Stpnf, critic), false));
    let choices = Case::choices(CellName::Stpn).map(|case| (CellName::Stpn, case, true));
    let scaled = Case::scaled(CellName::Stpn).map(|case| (CellName::Stpn, case, true));
    for (cell, case, discrete) in discrete.into_iter().chain(continuous).chain(choices).chain(scaled) {
        for (name, objective) in objectives(discrete) {
            let (_, gradient) = case.gradient(objective.as_ref());
            let value = || 0.1 * case.gradient(objective.as_ref()).0.total;
            let mut start = 0;
            for (parameter, var) in case.policy.parameters().iter() {
                let values: Vec<f64> = var.flatten_all().unwrap().to_vec1().unwrap();
                let gradient = &gradient[start..start + values.len()];
                start += values.len();
                assert!(gradient.iter().any(|g| *g != 0.0), "{name} {cell}: {parameter} has a gradient of zeros");
                for i in [0, values.len() / 2, values.len() - 1] {
                    let at = |moved: f64| {
                        let mut all = values.clone();
                        all[i] = moved;
                        var.set(&Tensor::from_vec(all, var.shape(), &Device::Cpu).unwrap()).unwrap();
                        value()
                    };
                    let step = 1e-5;
                    let difference = (at(values[i] + step) - at(values[i] - step)) / (2.0 * step);
                    at(values[i]);
                    let error = (gradient[i] - difference).abs();
                    assert!(
                        error < 1e-7 + 1e-5 * difference.abs(),
                        "{name} {cell}: {parameter}[{i}]: {} {difference}",
                        gradient[i]
                    );
                }
            }
        }
    }
}

#[test]
fn losses_and_gradients_agree_with_the_candle_graph() {
    let cases = [
        Case::discrete(CellName::Stpn),
        Case::discrete(CellName::Lstm),
        Case::continuous(CellName::Stpnf, Critic::Shared),
        Case::continuous(CellName::Rnn, Critic::Separate),
    ];
    let others = [Case::choices(CellName::Stpn), Case::choices(CellName::Lstm), Case::scaled(CellName::Stpn)];
    for case in cases.into_iter().chain(others.into_iter().flatten()) {
        let discrete = !matches!(case.batch.actions, ActionBuffer::Continuous(_));
        for (name, objective) in objectives(discrete) {
            let (losses, gradient) = case.gradient(objective.as_ref());
            let loss = match name {
                "a2c" if discrete => composed::a2c(&a2c(), &case),
                "a2c" => composed::a2c(&A2cConfig { concentration_coefficient: 0.0, ..a2c() }, &case),
                _ => composed::ppo(&ppo(), 0.2, &case),
            };
            let store = (&loss * 0.1).unwrap().backward().unwrap();
            let loss: f64 = loss.to_scalar().unwrap();
            assert!((losses.total - loss).abs() < 1e-11, "{name}: {} {loss}", losses.total);
            let mut start = 0;
            for (parameter, var) in case.policy.parameters().iter() {
                let expected: Vec<f64> = store.get(var).unwrap().flatten_all().unwrap().to_vec1().unwrap();
                for (i, expected) in expected.iter().enumerate() {
                    let error = (gradient[start + i] - expected).abs();
                    assert!(error < 1e-11, "{name}: {parameter}[{i}]: {} {expected}", gradient[start + i]);
                }
                start += expected.len();
            }
        }
    }
}

/// Both losses written out from their definitions, in plain f64.
#[test]
fn the_losses_are_their_definitions() {
    let case = Case::discrete(CellName::Stpn);
    let batch = &case.batch;
    let outputs = case.policy.forward(&batch.inputs(), &batch.state).unwrap();
    let logits: Vec<Vec<f64>> = outputs.policy.to_vec2().unwrap();
    let values: Vec<f64> = outputs.values.to_vec1().unwrap();
    let ActionBuffer::Discrete(actions) = &batch.actions else { panic!("discrete") };
    let softmax = |logits: &[f64]| -> Vec<f64> {
        let total: f64 = logits.iter().map(|l| l.exp()).sum();
        logits.iter().map(|l| l.exp() / total).collect()
    };
    let (mut a2c_loss, mut ppo_loss) = (0.0, 0.0);
    for t in 0..STEPS {
        for i in (0..BATCH).filter(|&i| t < batch.lengths[i]) {
            let n = t * BATCH + i;
            let (advantage, target) = (f64::from(batch.advantages[n]), f64::from(batch.returns[n]));
            let probs = softmax(&logits[n]);
            let chosen = probs[actions[n] as usize];
            let entropy = -probs.iter().map(|p| p * p.ln()).sum::<f64>();
            let error = (target - values[n]).powi(2);
            let concentration = probs.iter().map(|p| p * p).sum::<f64>();
            a2c_loss += -chosen.ln() * advantage + 0.1 * error - 0.05 * entropy + 0.03 * concentration;

            let ratio = chosen / f64::from(batch.log_probs[n]).exp();
            let policy = -(ratio * advantage).min(ratio.clamp(0.8, 1.2) * advantage);
            let old_value = f64::from(batch.values[n]);
            let clipped = old_value + (values[n] - old_value).clamp(-0.3, 0.3);
            let value = error.max((target - clipped).powi(2)).min(2.0);
            let old: Vec<f64> = batch.distributions[3 * n..3 * n + 3].iter().map(|&l| f64::from(l)).collect();
            let kl: f64 = softmax(&old).iter().zip(&probs).map(|(old, new)| old * (old / new).ln()).sum();
            ppo_loss += policy + 0.5 * value - 0.05 * entropy + 0.2 * kl;
        }
    }
    for ((name, objective), expected) in objectives(true).into_iter().zip([a2c_loss, ppo_loss]) {
        let (losses, _) = case.gradient(objective.as_ref());
        assert_eq!(losses.steps, (STEPS * BATCH - 3) as f64);
        assert!((losses.total - expected).abs() < 1e-11, "{name}: {} {expected}", losses.total);
    }
}

#[test]
fn what_lies_in_the_padding_reaches_nothing() {
    for cell in [CellName::Stpn, CellName::Lstm] {
        let mut case = Case::discrete(cell);
        let objectives = objectives(true);
        let before: Vec<_> = objectives.iter().map(|(_, objective)| case.gradient(objective.as_ref())).collect();
        let places: Vec<usize> = case.batch.places().collect();
        for n in (0..STEPS * BATCH).filter(|n| !places.contains(n)) {
            if let Observations::F32(values) = &mut case.batch.observations {
                values[n * INPUTS..(n + 1) * INPUTS].fill(7.0);
            }
            (case.batch.advantages[n], case.batch.returns[n], case.batch.log_probs[n]) = (9.0, 9.0, 9.0);
        }
        let after: Vec<_> = objectives.iter().map(|(_, objective)| case.gradient(objective.as_ref())).collect();
        assert_eq!(before, after, "{cell}");
    }
}

#[test]
fn a_discrete_observation_entered_as_one_raw_number() {
    use crate::policy::encoder::ObservationRef;
    let actions = Space::discrete(2);
    let spaces = [
        (Space::discrete(4), vec![2.0f32], vec![0.0f32, 0.0, 1.0, 0.0]),
        (Space::MultiDiscrete { counts: vec![2, 3] }, vec![1.0, 0.0], vec![0.0, 1.0, 1.0, 0.0, 0.0]),
        (Space::MultiBinary { n: 3 }, vec![1.0, 0.0, 1.0], vec![1.0, 0.0, 1.0]),
    ];
    for encoder in [EncoderConfig::default(), EncoderConfig::Mlp(MlpConfig::default())] {
        let config = PolicyConfig { encoder, ..PolicyConfig::new(CellName::Lstm.config(), 4) };
        for (space, raw, spread) in &spaces {
            let new = |space| ActorCritic::new(&config, space, &actions, 1, DType::F32, &Device::Cpu).unwrap();
            // The same seed gives the same parameters, so that the same input gives the same value.
            let (of_choices, of_numbers) = (new(space), new(&Space::boxed(0.0, 1.0, [spread.len()])));
            let value = |policy: &ActorCritic, observation: &[f32]| {
                let prepared = policy.prepare::<f32>().unwrap();
                let mut session = prepared.session(1).unwrap();
                session.step(ObservationRef::F32(observation), &[1]).unwrap();
                session.values()[0]
            };
            assert_eq!(value(&of_choices, raw), value(&of_numbers, spread), "{space}");
            let inputs = crate::policy::Inputs {
                steps: 1,
                batch: 1,
                observations: ObservationRef::F32(raw),
                episode_starts: &[1],
            };
            let state = vec![0.0; of_choices.state_len()];
            let composed: Vec<f32> = of_choices.forward(&inputs, &state).unwrap().values.to_vec1().unwrap();
            assert!((composed[0] - value(&of_choices, raw)).abs() < 1e-6, "{space}");
        }
    }
}

/// Scaled observations are what a cell without an encoder sees, in rollouts and in training.
#[test]
fn a_factor_on_the_input_is_one_on_the_observations() {
    use crate::policy::encoder::ObservationRef;
    let (observations, actions) = (Space::boxed(-1.0, 1.0, [2]), Space::discrete(2));
    let new = |input_scale| {
        let config = PolicyConfig { input_scale, ..PolicyConfig::new(CellName::Stpn.config(), 4) };
        ActorCritic::new(&config, &observations, &actions, 1, DType::F32, &Device::Cpu).unwrap()
    };
    let [scaled, plain] = [4.0, 1.0].map(new);
    let value = |policy: &ActorCritic, observation: [f32; 2]| {
        let prepared = policy.prepare::<f32>().unwrap();
        let mut session = prepared.session(1).unwrap();
        session.step(ObservationRef::F32(&observation), &[1]).unwrap();
        session.values()[0]
    };
    assert_eq!(value(&scaled, [0.25, -0.5]), value(&plain, [1.0, -2.0]));
    assert_ne!(value(&scaled, [0.25, -0.5]), value(&plain, [0.25, -0.5]));
    for input_scale in [0.0, -1.0, f64::NAN] {
        let config = PolicyConfig { input_scale, ..PolicyConfig::new(CellName::Stpn.config(), 4) };
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains("policy.input_scale") && error.contains("above 0"), "{error}");
    }
}

#[test]
fn pixels_go_in_as_bytes() {
    assert_eq!(Observations::zeros(Dtype::U8, 3), Observations::U8(vec![0; 3]));
    let config = PolicyConfig::new(CellName::Lstm.config(), 4);
    let (space, actions) = (Space::pixels([1, 2, 2]), Space::discrete(2));
    let policy = ActorCritic::new(&config, &space, &actions, 1, DType::F32, &Device::Cpu).unwrap();
    let prepared = policy.prepare::<f32>().unwrap();
    let (bytes, floats) = ([0u8, 51, 102, 255], [0f32, 0.2, 0.4, 1.0]);
    let values = |observations| {
        let mut session = prepared.session(1).unwrap();
        session.step(observations, &[1]).unwrap();
        session.values()[0]
    };
    use crate::policy::encoder::ObservationRef;
    let difference = values(ObservationRef::U8(&bytes)) - values(ObservationRef::F32(&floats));
    assert!(difference.abs() < 1e-6, "{difference}");
}
