//! Recurrent actor–critic policies: encoder → cell → policy and value heads.

mod composed;
pub mod distribution;
pub mod encoder;
pub mod inference;
pub mod linear;

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};
use stpn_core::{Cell, CellConfig, Initializer, Kernel, Parameters, State};
use stpn_envs::Space;
use stpn_random::{Purpose, Stream};

use crate::{Error, Result};
use distribution::Distribution;
use linear::Linear;

/// The network of an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// Units of the recurrent layer.
    pub hidden: usize,
    /// Which path sequences take: `auto` (fused where there is one) or `composed`.
    #[serde(default)]
    pub kernel: Kernel,
    /// The recurrent layer.
    pub cell: CellConfig,
}

/// A recurrent policy with a value head, on one hidden layer.
#[derive(Debug)]
pub struct ActorCritic {
    cell: Box<dyn Cell>,
    policy_head: Linear,
    value_head: Linear,
    distribution: Distribution,
    parameters: Parameters,
    device: Device,
}

/// What the network says of a batch of sequences; N = T·B, time-major.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// Parameters of the action distribution, `[N, P]`.
    pub policy: Tensor,
    /// Value estimates, `[N]`.
    pub values: Tensor,
}

impl ActorCritic {
    /// A freshly initialised policy for an environment's spaces.
    ///
    /// # Errors
    /// Fails on an impossible configuration or a space that no policy covers.
    pub fn new(
        config: &PolicyConfig,
        observation_space: &Space,
        action_space: &Space,
        seed: u64,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        if config.hidden == 0 {
            return Err(Error::config("policy.hidden", "must be at least 1"));
        }
        let distribution = Distribution::for_space(action_space)?;
        let mut stream = Stream::new(seed, Purpose::Parameters, 0);
        let mut init = Initializer::new(&mut stream, dtype, device);
        let cell = config.cell.build(observation_space.len(), config.hidden, config.kernel, &mut init)?;
        let policy_head = Linear::new(config.hidden, distribution.len(), &mut init)?;
        let value_head = Linear::new(config.hidden, 1, &mut init)?;
        let mut parameters = Parameters::default();
        parameters.extend("cell", cell.parameters());
        parameters.extend("policy", policy_head.parameters());
        parameters.extend("value", value_head.parameters());
        Ok(Self { cell, policy_head, value_head, distribution, parameters, device: device.clone() })
    }

    /// All trainable parameters, in a fixed order: `cell.…`, `policy.…`, `value.…`.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The recurrent layer.
    pub fn cell(&self) -> &dyn Cell {
        self.cell.as_ref()
    }

    /// The family of action distributions.
    pub fn distribution(&self) -> Distribution {
        self.distribution
    }

    /// Scalars of recurrent state per environment.
    pub fn state_len(&self) -> usize {
        self.cell.state_layout().iter().map(stpn_core::StateField::len).sum()
    }

    /// Runs sequences of observations `[T, B, O]` from packed states `[B, S]`, differentiably.
    ///
    /// `episode_starts` `[T, B]` is 1 where the state is zeroed before the step.
    ///
    /// # Errors
    /// Fails on shapes that do not fit.
    pub fn forward(&self, observations: &Tensor, episode_starts: &[u8], state: &[f32]) -> Result<Outputs> {
        let (steps, batch, _) = observations.dims3()?;
        let resets = Tensor::from_slice(episode_starts, (steps, batch), &self.device)?;
        let state = Tensor::from_slice(state, (batch, self.state_len()), &self.device)?.to_dtype(self.cell.dtype())?;
        let state = if self.cell.state_layout().is_empty() {
            State::new(batch, Vec::new())
        } else {
            State::unpacked(self.cell.state_layout(), &state)?
        };
        let hidden = self.cell.sequence(observations, Some(&resets), &state)?.hidden;
        let hidden = hidden.reshape((steps * batch, self.cell.hidden_size()))?;
        Ok(Outputs {
            policy: self.policy_head.forward(&hidden)?,
            values: self.value_head.forward(&hidden)?.squeeze(1)?,
        })
    }

    /// Observations `[T, B, O]` as the network's input.
    ///
    /// # Errors
    /// Fails where the number of values is not T·B·O.
    pub fn observation_tensor(&self, observations: &[f32], steps: usize, batch: usize) -> Result<Tensor> {
        let shape = (steps, batch, self.cell.input_size());
        Ok(Tensor::from_slice(observations, shape, &self.device)?.to_dtype(self.cell.dtype())?)
    }
}
