//! Gradients that something other than the policy's own kernels computes, and rollouts that it collects.

use std::sync::Arc;

use candle_core::{DType, Device};
use stpn_agents::actor::Subject;
use stpn_agents::learner::{Gradient, Learner};
use stpn_agents::optimizer::flat::{clip_norm, norm};
use stpn_agents::optimizer::{Adam, AdamConfig};
use stpn_agents::policy::accelerator::{
    Accelerator, AdamPiece, Collected, DeviceLoss, DeviceOptimizer, DeviceStepper, DeviceSteps, EnergySteps,
    GradientOf, Kept, KeptAdvantages, Loss, LossSums, Ran, Rollout, RolloutSteps, Rollouts, Sequences,
};
use stpn_agents::policy::encoder::ObservationRef;
use stpn_agents::policy::inference::PreparedPolicy;
use stpn_agents::policy::training::Heads;
use stpn_agents::policy::{Inputs, PolicyConfig};
use stpn_agents::rollout::on_device::{Wanted, collect, obstacle};
use stpn_agents::rollout::{Fragment, Normalization, NormalizationConfig, Worker};
use stpn_agents::{ActorCritic, Error};
use stpn_core::cells::CellName;
use stpn_envs::maze::MazeConfig;
use stpn_envs::{Env, EnvGroup, Space};

/// The same policy on the CPU.
#[derive(Debug)]
struct Own(ActorCritic);

/// Numbers that are "there".
#[derive(Debug)]
struct Numbers(Vec<f32>);

fn there(kept: &Kept) -> &[f32] {
    &kept.get::<Numbers>().unwrap().0
}

fn keep(numbers: &[f32]) -> Kept {
    Kept::new(Numbers(numbers.to_vec()))
}

impl Accelerator for Own {
    fn place(&self, parameters: &[f32]) -> stpn_agents::Result<Kept> {
        Ok(keep(parameters))
    }

    fn differentiate(
        &self,
        sequences: &Sequences<'_>,
        parameters: &Kept,
        loss: &mut Loss<'_>,
    ) -> stpn_agents::Result<Kept> {
        let inputs = Inputs {
            steps: sequences.steps,
            batch: sequences.batch,
            observations: ObservationRef::F32(sequences.numbers),
            episode_starts: sequences.episode_starts,
        };
        let (parameters, mut gradient) = (there(parameters), vec![0.0; self.0.parameters().count()]);
        self.0.prepare_from(parameters)?.differentiate(&inputs, sequences.state, &mut gradient, |outputs, grads| {
            loss(outputs, grads);
        })?;
        Ok(keep(&gradient))
    }

    fn run(&self, _: &Sequences<'_>, _: &Kept, _: Option<&EnergySteps>) -> stpn_agents::Result<Ran> {
        unreachable!("nothing asks for it")
    }

    fn computes_losses(&self) -> bool {
        false
    }

    fn minimize(
        &self,
        _: &Sequences<'_>,
        _: &Kept,
        _: &DeviceLoss,
        _: &DeviceSteps<'_>,
    ) -> stpn_agents::Result<(Kept, LossSums)> {
        unreachable!("it computes none")
    }

    fn read(&self, gradient: &Kept) -> stpn_agents::Result<Vec<f32>> {
        Ok(there(gradient).to_vec())
    }

    fn stepper<'s>(&'s self, parameters: &'s Kept, batch: usize) -> stpn_agents::Result<Box<dyn DeviceStepper + 's>> {
        let state = vec![0.0; batch * self.0.state_len()];
        Ok(Box::new(OwnStepper { prepared: self.0.prepare_from(there(parameters))?, state, batch }))
    }

    fn optimizer(
        self: Arc<Self>,
        pieces: &[AdamPiece],
        parameters: &[f32],
        adam: &Adam,
    ) -> stpn_agents::Result<Box<dyn DeviceOptimizer>> {
        // Nothing here has a rate or a limit of its own.
        let [AdamPiece { range, factor, limit }] = pieces else { panic!("{pieces:?}") };
        assert_eq!((range.clone(), *factor, *limit), (0..parameters.len(), 1.0, None));
        Ok(Box::new(OwnOptimizer { values: parameters.to_vec(), adam: adam.clone() }))
    }

    fn rollouts(&self) -> Result<&dyn Rollouts, String> {
        Err("it has none".to_string())
    }
}

/// Steps that policy.
struct OwnStepper {
    prepared: PreparedPolicy,
    state: Vec<f32>,
    batch: usize,
}

impl DeviceStepper for OwnStepper {
    fn load(&mut self, state: &[f32]) -> stpn_agents::Result<()> {
        self.state.copy_from_slice(state);
        Ok(())
    }

    fn store(&mut self, state: &mut [f32]) -> stpn_agents::Result<()> {
        state.copy_from_slice(&self.state);
        Ok(())
    }

    fn peek(&mut self, numbers: &[f32], episode_starts: &[u8]) -> stpn_agents::Result<Vec<f32>> {
        let mut session = self.prepared.session(self.batch)?;
        session.load(&self.state)?;
        session.step(ObservationRef::F32(numbers), episode_starts)?;
        Ok(session.values().to_vec())
    }

    fn step(
        &mut self,
        numbers: &[f32],
        episode_starts: &[u8],
        outputs: &mut Heads<f32>,
        energy: Option<(&mut Vec<f32>, Option<&[f32]>)>,
    ) -> stpn_agents::Result<()> {
        let mut session = self.prepared.session(self.batch)?;
        session.load(&self.state)?;
        match energy {
            None => session.step(ObservationRef::F32(numbers), episode_starts)?,
            Some((energy, mask)) => {
                session.step_with_energy(ObservationRef::F32(numbers), episode_starts, mask)?;
                *energy = session.energy().to_vec();
            }
        }
        session.store(&mut self.state)?;
        outputs.distributions.copy_from_slice(session.distributions());
        outputs.values.copy_from_slice(session.values());
        Ok(())
    }
}

/// The optimiser of the CPU.
#[derive(Debug)]
struct OwnOptimizer {
    values: Vec<f32>,
    adam: Adam,
}

impl DeviceOptimizer for OwnOptimizer {
    fn parameters(&self) -> Kept {
        keep(&self.values)
    }

    fn step(
        &mut self,
        config: &AdamConfig,
        learning_rate: f64,
        gradient: GradientOf<'_>,
    ) -> stpn_agents::Result<[f64; 2]> {
        let mut gradient = match gradient {
            GradientOf::Here(gradient) => gradient.to_vec(),
            GradientOf::There(kept) => there(kept).to_vec(),
        };
        let norm_before = clip_norm(&mut gradient, config.max_grad_norm);
        self.adam.step(config, learning_rate, &mut self.values, &gradient);
        Ok([norm_before, norm(&self.values)])
    }

    fn read(&self) -> stpn_agents::Result<(Vec<f32>, Adam)> {
        Ok((self.values.clone(), self.adam.clone()))
    }

    fn write(&mut self, parameters: &[f32], adam: &Adam) -> stpn_agents::Result<()> {
        (self.values, self.adam) = (parameters.to_vec(), adam.clone());
        Ok(())
    }
}

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
        let n = rollout.steps * rollout.environments.len();
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

    fn advantages(&self, _: &Kept, _: &RolloutSteps) -> stpn_agents::Result<KeptAdvantages> {
        unreachable!("nothing was kept")
    }

    fn a2c_gradient(&self, _: &Kept, _: &Kept, _: &DeviceLoss) -> stpn_agents::Result<(Kept, LossSums)> {
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
