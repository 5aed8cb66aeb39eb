//! A device that is the CPU: it computes what a policy on the CPU computes, bit for bit.

use std::sync::Arc;

use stpn_agents::ActorCritic;
use stpn_agents::algorithms::batch::SequenceBatch;
use stpn_agents::algorithms::objective::block_gradient;
use stpn_agents::optimizer::flat::{clip_norm, norm};
use stpn_agents::optimizer::{Adam, AdamConfig};
use stpn_agents::policy::Inputs;
use stpn_agents::policy::accelerator::{
    Accelerator, AdamPiece, Collected, DeviceAdvantages, DeviceBehaviour, DeviceLoss, DeviceOptimizer, DeviceStepper,
    DeviceSteps, EnergySteps, Environments, GradientOf, Kept, KeptAdvantages, Loss, Losses, ParameterDevice, Ran,
    Rollout, RolloutSteps, Rollouts, Seen, Sequences, Values,
};
use stpn_agents::policy::distribution::ActionRef;
use stpn_agents::policy::encoder::ObservationRef;
use stpn_agents::policy::inference::PreparedPolicy;
use stpn_agents::policy::training::Heads;

use crate::own_learning::{self, OwnObjective, add_advantages, part, placed};

/// The same policy on the CPU.
#[derive(Debug)]
pub struct Own(pub ActorCritic);

/// Numbers that are "there".
#[derive(Debug)]
struct Numbers(Vec<f32>);

fn there(kept: &Kept) -> &[f32] {
    &kept.get::<Numbers>().unwrap().0
}

fn numbers<'s>(observations: &'s Seen<'_>) -> &'s [f32] {
    match observations {
        Seen::Numbers(numbers) => numbers,
        Seen::Bytes { .. } => unreachable!("there are no images here"),
    }
}

pub fn keep(numbers: &[f32]) -> Kept {
    Kept::new(Numbers(numbers.to_vec()))
}

impl Own {
    /// Gradient and losses of sequences.
    fn gradient(
        &self,
        parameters: &Kept,
        loss: &DeviceLoss,
        batch: &SequenceBatch,
    ) -> stpn_agents::Result<(Kept, Losses)> {
        let mut gradient = vec![0.0; self.0.parameters().count()];
        let prepared = self.0.prepare_from(there(parameters))?;
        let losses = block_gradient(&OwnObjective(*loss), &prepared, batch, loss.scale, &mut gradient)?;
        Ok((keep(&gradient), losses))
    }
}

impl ParameterDevice for Own {
    fn place(&self, parameters: &[f32]) -> stpn_agents::Result<Kept> {
        Ok(keep(parameters))
    }

    fn read(&self, gradient: &Kept) -> stpn_agents::Result<Vec<f32>> {
        Ok(there(gradient).to_vec())
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
}

impl Accelerator for Own {
    fn differentiate(
        &self,
        sequences: &Sequences<'_>,
        parameters: &Kept,
        loss: &mut Loss<'_>,
    ) -> stpn_agents::Result<Kept> {
        let inputs = Inputs {
            steps: sequences.steps,
            batch: sequences.batch,
            observations: ObservationRef::F32(numbers(sequences.observations)),
            episode_starts: sequences.episode_starts,
        };
        let (parameters, mut gradient) = (there(parameters), vec![0.0; self.0.parameters().count()]);
        self.0.prepare_from(parameters)?.differentiate(&inputs, sequences.state, &mut gradient, |outputs, grads| {
            loss(outputs, grads);
        })?;
        Ok(keep(&gradient))
    }

    fn run(
        &self,
        sequences: &Sequences<'_>,
        parameters: &Kept,
        energy: Option<&EnergySteps>,
    ) -> stpn_agents::Result<Ran> {
        let prepared = self.0.prepare_from(there(parameters))?;
        let mut ran = Ran { state: sequences.state.to_vec(), ..Ran::default() };
        let mut session = prepared.session(sequences.batch)?;
        session.load(sequences.state)?;
        let seen = numbers(sequences.observations);
        let width = seen.len() / sequences.steps;
        let steps = seen.chunks_exact(width).zip(sequences.episode_starts.chunks_exact(sequences.batch));
        for (t, (x, starts)) in steps.enumerate() {
            let x = ObservationRef::F32(x);
            match energy.filter(|energy| t >= energy.first && (t - energy.first).is_multiple_of(energy.every)) {
                None => session.step(x, starts)?,
                Some(energy) => {
                    session.step_with_energy(x, starts, energy.input_mask.as_deref())?;
                    let units = session.energy().len() / sequences.batch;
                    let own = &session.energy()[..energy.environments * units];
                    ran.energy.0 += own.iter().map(|&energy| f64::from(energy)).sum::<f64>() / units as f64;
                    ran.energy.1 += energy.environments as u64;
                }
            }
            ran.outputs.distributions.extend_from_slice(session.distributions());
            ran.outputs.values.extend_from_slice(session.values());
        }
        session.store(&mut ran.state)?;
        Ok(ran)
    }

    fn advantages(&self, values: Values<'_>, steps: &RolloutSteps) -> stpn_agents::Result<KeptAdvantages> {
        let Values::Here(values) = values else { unreachable!("it keeps no rollouts") };
        Ok(own_learning::advantages(values, steps))
    }

    fn minimize(
        &self,
        sequences: &Sequences<'_>,
        parameters: &Kept,
        loss: &DeviceLoss,
        (steps, advantages): (&DeviceSteps<'_>, DeviceAdvantages<'_>),
    ) -> stpn_agents::Result<(Kept, Losses)> {
        let mut batch = placed(numbers(sequences.observations), sequences, steps);
        add_advantages(&mut batch, advantages);
        self.gradient(parameters, loss, &batch)
    }

    fn place_rollout(
        &self,
        sequences: &Sequences<'_>,
        steps: &DeviceSteps<'_>,
        acted: &DeviceBehaviour<'_>,
    ) -> stpn_agents::Result<Kept> {
        let (log_probs, values) = (acted.log_probs.to_vec(), acted.values.to_vec());
        let distributions = acted.distributions.unwrap_or(&[]).to_vec();
        let batch = placed(numbers(sequences.observations), sequences, steps);
        Ok(Kept::new(SequenceBatch { log_probs, values, distributions, ..batch }))
    }

    fn minimize_part(
        &self,
        rollout: &Kept,
        (advantages, steps): (DeviceAdvantages<'_>, usize),
        parameters: &Kept,
        loss: &DeviceLoss,
    ) -> stpn_agents::Result<(Kept, Losses)> {
        let mut batch = part(rollout.get().unwrap(), steps, advantages.columns);
        add_advantages(&mut batch, advantages);
        self.gradient(parameters, loss, &batch)
    }

    fn stepper<'s>(&'s self, parameters: &'s Kept, batch: usize) -> stpn_agents::Result<Box<dyn DeviceStepper + 's>> {
        let state = vec![0.0; batch * self.0.state_len()];
        Ok(Box::new(OwnStepper { prepared: self.0.prepare_from(there(parameters))?, state, batch }))
    }

    fn rollouts(&self) -> Result<&dyn Rollouts, String> {
        Err("it has none".to_string())
    }
}

/// Rollouts of that policy in environments that are foreseen.
#[derive(Debug)]
pub struct OwnRollouts(pub ActorCritic);

/// The choice that a number in [0, 1) makes.
fn choice(logits: &[f32], uniform: f64) -> usize {
    let largest = logits.iter().fold(f32::NEG_INFINITY, |most, logit| most.max(*logit));
    let weights: Vec<f64> = logits.iter().map(|logit| f64::from(logit - largest).exp()).collect();
    let mut left = uniform * weights.iter().sum::<f64>();
    let reached = |weight: &f64| {
        left -= weight;
        left < 0.0
    };
    weights.iter().position(reached).unwrap_or(logits.len() - 1)
}

impl Rollouts for OwnRollouts {
    fn collect(&self, rollout: &Rollout, _: &Kept, keep: bool) -> stpn_agents::Result<(Collected, Option<Kept>)> {
        let Environments::Foreseen(foreseen) = &rollout.environments else { unreachable!("it knows no mazes") };
        assert!(!keep, "it keeps nothing");
        let (steps, batch) = (rollout.steps, rollout.episode_starts.len());
        let (mut x, mut starts) = (rollout.observations.clone(), rollout.episode_starts.clone());
        let width = x.len() / batch;
        let (distribution, prepared) = (self.0.distribution(), self.0.prepare()?);
        let choices = distribution.len();
        let mut collected = Collected {
            actions: vec![0; batch * steps],
            log_probs: vec![0.0; batch * steps],
            outputs: vec![0.0; batch * steps * (choices + 1)],
            state: vec![0.0; batch * self.0.state_len()],
            ..Collected::default()
        };
        let mut session = prepared.session(batch)?;
        if !rollout.state.is_empty() {
            session.load(&rollout.state)?;
        }
        for t in 0..steps {
            collected.observed.extend_from_slice(&x);
            let measures = |energy: &&EnergySteps| t >= energy.first && (t - energy.first).is_multiple_of(energy.every);
            match rollout.energy.as_ref().filter(measures) {
                None => session.step(ObservationRef::F32(&x), &starts)?,
                Some(energy) => {
                    session.step_with_energy(ObservationRef::F32(&x), &starts, energy.input_mask.as_deref())?;
                    let units = session.energy().len() / batch;
                    let own = &session.energy()[..energy.environments * units];
                    collected.energy.0 += own.iter().map(|&energy| f64::from(energy)).sum::<f64>() / units as f64;
                    collected.energy.1 += energy.environments as u64;
                }
            }
            starts.copy_from_slice(&foreseen.starts[t * batch..(t + 1) * batch]);
            x.copy_from_slice(&foreseen.observations[t * batch * width..(t + 1) * batch * width]);
            for env in 0..batch {
                let (at, logits) = (env * steps + t, session.distribution(env));
                let action = choice(logits, rollout.uniform[at]);
                let terms = distribution.terms(logits, ActionRef::Discrete(action), None, &mut Vec::new());
                collected.actions[at] = action as u32;
                collected.log_probs[at] = terms.log_prob as f32;
                let outputs = &mut collected.outputs[at * (choices + 1)..(at + 1) * (choices + 1)];
                outputs[..choices].copy_from_slice(logits);
                outputs[choices] = session.values()[env];
                if starts[env] == 0 {
                    let shown = &mut x[env * width + foreseen.echo..][..choices];
                    shown.fill(0.0);
                    shown[action] = 1.0;
                }
            }
        }
        session.store(&mut collected.state)?;
        collected.observations = x;
        Ok((collected, None))
    }

    fn a2c_gradient(&self, _: &Kept, _: &Kept, _: &DeviceLoss) -> stpn_agents::Result<(Kept, Losses)> {
        unreachable!("it keeps nothing")
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

    fn peek(&mut self, observations: &Seen<'_>, episode_starts: &[u8]) -> stpn_agents::Result<Vec<f32>> {
        let mut session = self.prepared.session(self.batch)?;
        session.load(&self.state)?;
        session.step(ObservationRef::F32(numbers(observations)), episode_starts)?;
        Ok(session.values().to_vec())
    }

    fn step(
        &mut self,
        observations: &Seen<'_>,
        episode_starts: &[u8],
        outputs: &mut Heads<f32>,
        energy: Option<(&mut Vec<f32>, Option<&[f32]>)>,
    ) -> stpn_agents::Result<()> {
        let mut session = self.prepared.session(self.batch)?;
        session.load(&self.state)?;
        match energy {
            None => session.step(ObservationRef::F32(numbers(observations)), episode_starts)?,
            Some((energy, mask)) => {
                session.step_with_energy(ObservationRef::F32(numbers(observations)), episode_starts, mask)?;
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
