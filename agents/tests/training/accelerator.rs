//! Gradients that something other than the policy's own kernels computes, and rollouts that it collects.

use std::sync::Arc;

use candle_core::{DType, Device};
use stpn_agents::actor::Subject;
use stpn_agents::learner::{Gradient, Learner};
use stpn_agents::optimizer::AdamConfig;
use stpn_agents::policy::accelerator::{Collected, DeviceLoss, Kept, Losses, Rollout, Rollouts};
use stpn_agents::policy::encoder::ObservationRef;
use stpn_agents::policy::{Inputs, PolicyConfig};
use stpn_agents::rollout::on_device::{Wanted, collect, obstacle};
use stpn_agents::rollout::{Fragment, Normalization, NormalizationConfig, Worker};
use stpn_agents::{ActorCritic, Error};
use stpn_core::cells::CellName;
use stpn_envs::maze::MazeConfig;
use stpn_envs::{Env, EnvGroup, Space};

use crate::own_device::{Own, keep};

#[test]
fn an_accelerator_is_given_sequences_and_parameters_and_its_gradient_is_taken() {
    let config = PolicyConfig::new(CellName::Stpn.config(), 6);
    let (observations, actions) = (Space::boxed(-1.0, 1.0, [3]), Space::boxed(-1.0, 1.0, [2]));
    let made = || ActorCritic::new(&config, &observations, &actions, 3, DType::F32, &Device::Cpu).unwrap();
    let (steps, batch) = (4, 2);
    let x: Vec<f32> = (0..steps * batch * 3).map(|at| (at as f32).sin()).collect();
    let inputs =
        Inputs { steps, batch, observations: ObservationRef::F32(&x), episode_starts: &[1, 1, 0, 0, 0, 1, 0, 0] };
    let state: Vec<f32> = (0..batch * made().state_len()).map(|at| 0.1 * (at as f32).cos()).collect();
    let run = |policy: ActorCritic| {
        let mut gradient = vec![7.0; policy.parameters().count()];
        let prepared = policy.prepare::<f32>().unwrap();
        let outputs = prepared.differentiate(&inputs, &state, &mut gradient, |outputs, grads| {
            grads.distributions.copy_from_slice(&outputs.distributions);
            grads.values.fill(0.5);
            outputs.clone()
        });
        (outputs.unwrap(), gradient)
    };
    let accelerated = made().accelerated(Arc::new(Own(made())));
    assert!(accelerated.is_accelerated() && !made().is_accelerated());
    let (expected, got) = (run(made()), run(accelerated));
    assert!(expected.1.iter().any(|value| *value != 0.0));
    assert_eq!(got, expected);

    // Steps, too, and those of the optimiser, which gives the parameters back if it is asked to.
    let stepped = |policy: ActorCritic| {
        let prepared = policy.prepare::<f32>().unwrap();
        let (mut session, mut after) = (prepared.session(batch).unwrap(), state.clone());
        session.load(&state).unwrap();
        session.step_with_energy(ObservationRef::F32(&x[..batch * 3]), &[1, 0], None).unwrap();
        session.store(&mut after).unwrap();
        (session.distributions().to_vec(), session.values().to_vec(), session.energy().to_vec(), after)
    };
    let accelerated = || made().accelerated(Arc::new(Own(made())));
    assert_eq!(stepped(accelerated()), stepped(made()));
    let learned = |policy: ActorCritic| {
        let mut learner = Learner::new(policy, &AdamConfig::default()).unwrap();
        let norm = learner.step(Gradient(expected.1.clone()), 0.01, 1).unwrap();
        let outputs = stepped_from(&learner, &x[..batch * 3], batch);
        learner.synchronize().unwrap();
        let (values, adam) = (learner.values().to_vec(), learner.adam().clone());
        learner.restore(values.iter().map(|value| 0.5 * value).collect(), adam.clone()).unwrap();
        (norm, outputs, values, adam, stepped_from(&learner, &x[..batch * 3], batch))
    };
    assert_eq!(learned(accelerated()), learned(made()));
}

/// Values of the learner's present policy.
fn stepped_from(learner: &Learner, x: &[f32], batch: usize) -> Vec<f32> {
    let prepared = learner.prepare().unwrap();
    let mut session = prepared.session(batch).unwrap();
    session.step(ObservationRef::F32(x), &vec![1; batch]).unwrap();
    session.values().to_vec()
}

/// A device that is wrong.
#[derive(Debug)]
struct Wrong {
    reward: f32,
    observed: Vec<f32>,
}

impl Rollouts for Wrong {
    fn collect(&self, rollout: &Rollout, _: &Kept, _: bool) -> stpn_agents::Result<(Collected, Option<Kept>)> {
        let n = rollout.steps * rollout.episode_starts.len();
        let collected = Collected {
            actions: vec![0; n],
            log_probs: vec![0.0; n],
            rewards: vec![self.reward; n],
            outputs: vec![0.0; n * 5],
            observed: self.observed.clone(),
            observations: vec![0.5; rollout.observations.len()],
            state: vec![0.0; n],
            energy: (0.0, 0),
        };
        Ok((collected, None))
    }

    fn a2c_gradient(&self, _: &Kept, _: &Kept, _: &DeviceLoss) -> stpn_agents::Result<(Kept, Losses)> {
        unreachable!("nothing was kept")
    }
}

#[test]
fn a_device_that_plays_otherwise_than_the_environments_here_is_found() {
    let config = PolicyConfig::new(CellName::Rnn.config(), 1);
    let maze = MazeConfig::default();
    let make = |_: usize| Ok(Box::new(maze.make()?) as Box<dyn Env>);
    // Environments 4 to 6 of a larger vector.
    let group = EnvGroup::new(&make, 4, 3, 1).unwrap();
    let (observations, actions) = (group.observation_space().clone(), group.action_space().clone());
    let policy = ActorCritic::new(&config, &observations, &actions, 3, DType::F32, &Device::Cpu).unwrap();
    let fragment = Fragment::new(1, 3, 1, &observations, &policy);
    let mut workers = [Worker::new(group, fragment, 1).unwrap()];
    let normalization = Normalization::new(&NormalizationConfig::default(), &observations).unwrap();
    assert_eq!(obstacle(&workers, &policy, &normalization).as_deref(), Some("everything runs on the CPU"));
    let prepared = policy.prepare::<f32>().unwrap();
    let subject = Subject { policy: &prepared, normalization: &normalization };
    let mut seen = vec![0.5; 3 * observations.len()];
    for (reward, watched, step) in [(7.0, false, 0), (0.0, true, 0), (0.0, false, 1)] {
        let observed = if watched { std::mem::take(&mut seen) } else { Vec::new() };
        let device = Wrong { reward, observed };
        let error = collect(&mut workers, (&device, &keep(&[])), subject, Wanted { keep: false, watched }).unwrap_err();
        assert!(matches!(error, Error::Differs { environment: 4, step: at } if at == step), "{error}");
        let text = error.to_string();
        assert!(text.contains("environment 4") && text.contains("training.device to \"cpu\""), "{text}");
    }
}
