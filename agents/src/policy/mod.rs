//! Recurrent actor–critic policies: trunk (encoder → recurrent layer) → policy and value heads.

pub mod accelerator;
mod composed;
mod config;
#[cfg(feature = "cuda")]
pub(crate) mod device;
pub mod distribution;
pub mod element;
pub mod encoder;
mod heads;
pub mod inference;
pub mod initialization;
mod inputs;
pub mod linear;
mod placement;
mod sections;
pub mod training;
pub(crate) mod trunk;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use stpn_core::{Cell, Initializer, Parameters};
use stpn_envs::Space;
use stpn_random::{Purpose, Stream};

pub use config::{Critic, PolicyConfig};
pub use inputs::Inputs;

use crate::{Result, memory};
use accelerator::{Accelerator, Rollouts};
use distribution::Distribution;
use encoder::ObservationRef;
use initialization::{Initialization, Role};
use linear::Linear;
use sections::Sections;
use trunk::Trunk;

/// A recurrent policy with a value head.
///
/// A clone shares its parameters.
#[derive(Clone, Debug)]
pub struct ActorCritic {
    actor: Arc<Trunk>,
    critic: Option<Arc<Trunk>>,
    policy_head: Linear,
    value_head: Linear,
    distribution: Distribution,
    parameters: Parameters,
    sections: Sections,
    /// What computes in place of the CPU.
    accelerator: Option<Arc<dyn Accelerator>>,
}

/// What the network says of a batch of sequences; N = L·B, time-major.
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
        config.check()?;
        memory::check_network(config.hidden, |hidden| {
            // Only its size is asked for.
            let small = PolicyConfig { hidden, initialization: Initialization::Uniform, ..config.clone() };
            let small = Self::new(&small, observation_space, action_space, seed, dtype, device)?;
            Ok([small.parameters.count(), small.state_len()])
        })?;
        let distribution = Distribution::for_space(action_space, &config.gaussian)?;
        let mut stream = Stream::new(seed, Purpose::Parameters, 0);
        let mut init = Initializer::new(&mut stream, dtype, device);
        let actor = Arc::new(Trunk::new(config.trunk(), observation_space, &mut init)?);
        let role = Role::Policy(config.policy_gain);
        let policy_head =
            Linear::new([config.hidden, distribution.head_len()], role, config.initialization, &mut init)?;
        let value_head = Linear::new([config.hidden, 1], Role::Output, config.initialization, &mut init)?;
        if let Distribution::Gaussian(gaussian) = &distribution {
            policy_head.shift(&gaussian.initial_outputs(&config.gaussian))?;
        }
        let critic = match config.critic {
            Critic::Shared => None,
            Critic::Separate => Some(Arc::new(Trunk::new(config.trunk(), observation_space, &mut init)?)),
        };
        let free_len = distribution.len() - distribution.head_len();
        let mut free = Parameters::default();
        if free_len > 0 {
            free.add("log_std", &init.constant(free_len, config.gaussian.initial_parameter())?)?;
        }

        let mut parameters = Parameters::default();
        let mut add = |prefix: &str, part: &Parameters| {
            let start = parameters.count();
            match prefix {
                "" => parameters.append(part),
                prefix => parameters.extend(prefix, part),
            }
            start..parameters.count()
        };
        let sections = Sections {
            actor: add("", actor.parameters()),
            critic: critic.as_ref().map_or(0..0, |critic| add("critic", critic.parameters())),
            policy_head: add("policy", policy_head.parameters()),
            free: add("policy", &free),
            value_head: add("value", value_head.parameters()),
        };
        let accelerator = None;
        Ok(Self { actor, critic, policy_head, value_head, distribution, parameters, sections, accelerator })
    }

    /// All trainable parameters, in a fixed order: `encoder.…`, `cell.…`, `critic.…`, `policy.…`, `value.…`.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The policy's recurrent layer.
    pub fn cell(&self) -> &dyn Cell {
        self.actor.cell()
    }

    /// Whether all of it runs on kernels, in rollouts and in training.
    pub fn is_fused(&self) -> bool {
        // The critic's trunk is of the same kind.
        self.actor.fused().is_some()
    }

    /// The policy computed by `accelerator`, which must be made for this very network.
    #[must_use]
    pub fn accelerated(self, accelerator: Arc<dyn Accelerator>) -> Self {
        Self { accelerator: Some(accelerator), ..self }
    }

    /// Whether a device other than the CPU computes it. It is best given all sequences at once.
    pub fn is_accelerated(&self) -> bool {
        self.accelerator.is_some()
    }

    /// That device.
    pub(crate) fn accelerator(&self) -> Option<&Arc<dyn Accelerator>> {
        self.accelerator.as_ref()
    }

    /// What collects rollouts in place of the CPU.
    ///
    /// # Errors
    /// In words, why nothing does.
    pub fn rollouts(&self) -> std::result::Result<&dyn Rollouts, String> {
        match &self.accelerator {
            Some(accelerator) => accelerator.rollouts(),
            None => Err("everything runs on the CPU".to_string()),
        }
    }

    /// Observations `[N, O]` as the numbers `[N, I]` by which they enter the network.
    pub(crate) fn numbers<'o>(&self, observations: ObservationRef<'o>) -> Cow<'o, [f32]> {
        self.actor.encoder().numbering().of(observations)
    }

    /// The family of action distributions.
    pub fn distribution(&self) -> &Distribution {
        &self.distribution
    }

    /// Scalars of recurrent state per environment: the policy's, then the critic's own.
    pub fn state_len(&self) -> usize {
        self.actor.state_len() + self.critic.as_ref().map_or(0, |critic| critic.state_len())
    }

    /// Columns of the packed state that are the policy's, and those that are the critic's own.
    fn state_columns(&self) -> (Range<usize>, Range<usize>) {
        let actor = self.actor.state_len();
        (0..actor, actor..self.state_len())
    }

    /// Runs sequences from packed states `[B, S]` in candle operations, differentiably: the reference of
    /// [`inference::PreparedPolicy::differentiate`].
    ///
    /// # Errors
    /// Fails on shapes that do not fit.
    pub fn forward(&self, inputs: &Inputs<'_>, state: &[f32]) -> Result<Outputs> {
        let (actor_columns, critic_columns) = self.state_columns();
        let hidden = self.actor.forward(inputs, &columns(state, self.state_len(), &actor_columns))?;
        let mut policy = self.policy_head.forward(&hidden)?;
        if !self.sections.free.is_empty() {
            let free = self.parameters.get("policy.log_std")?;
            let free = free.as_tensor().broadcast_left(inputs.steps * inputs.batch)?;
            policy = Tensor::cat(&[policy, free], 1)?;
        }
        let values = match &self.critic {
            Some(critic) => {
                let hidden = critic.forward(inputs, &columns(state, self.state_len(), &critic_columns))?;
                self.value_head.forward(&hidden)?
            }
            None => self.value_head.forward(&hidden)?,
        };
        Ok(Outputs { policy, values: values.squeeze(1)? })
    }
}

/// Columns of packed rows `[B, width]`.
fn columns<'a>(rows: &'a [f32], width: usize, columns: &Range<usize>) -> Cow<'a, [f32]> {
    if columns.len() == width {
        return rows.into();
    }
    rows.chunks_exact(width.max(1)).flat_map(|row| &row[columns.clone()]).copied().collect::<Vec<_>>().into()
}
