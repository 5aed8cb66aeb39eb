//! Gradients that something other than the policy's own kernels computes.

use std::sync::Arc;

use candle_core::{DType, Device};
use stpn_agents::ActorCritic;
use stpn_agents::policy::accelerator::{Accelerator, Loss, Sequences};
use stpn_agents::policy::encoder::ObservationRef;
use stpn_agents::policy::{Inputs, PolicyConfig};
use stpn_core::cells::CellName;
use stpn_envs::Space;

/// The same policy on the CPU.
#[derive(Debug)]
struct Own(ActorCritic);

impl Accelerator for Own {
    fn differentiate(
        &self,
        sequences: &Sequences<'_>,
        parameters: &[f32],
        gradient: &mut [f32],
        loss: &mut Loss<'_>,
    ) -> stpn_agents::Result<()> {
        let inputs = Inputs {
            steps: sequences.steps,
            batch: sequences.batch,
            observations: ObservationRef::F32(sequences.numbers),
            episode_starts: sequences.episode_starts,
        };
        self.0.prepare_from(parameters)?.differentiate(&inputs, sequences.state, gradient, |outputs, grads| {
            loss(outputs, grads);
        })
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
}
