//! Sequences on a device: those of a gradient, or all of a rollout, of which a gradient takes some.

use stpn_cuda::Extent;
use stpn_cuda::cuda::{Buffer, Columns};

use super::network::{Branch, DeviceNetwork};
use super::trunk::TrunkInputs;
use crate::Result;
use crate::policy::accelerator::{Seen, Sequences};

/// Observations on a device, as they came.
#[derive(Debug)]
enum Observations {
    Numbers(Buffer<f32>),
    /// They become numbers where a network reads them: those need four times as much memory.
    Bytes {
        bytes: Buffer<u8>,
        factor: f64,
        summand: f64,
    },
}

impl Observations {
    /// Brings them there.
    fn new(network: &DeviceNetwork, observations: &Seen<'_>) -> Result<Self> {
        let (device, scale) = (&network.device, network.input_scale);
        Ok(match observations {
            Seen::Numbers(numbers) if scale == 1.0 => Self::Numbers(device.upload(numbers)?),
            Seen::Numbers(numbers) => {
                Self::Numbers(device.upload(&numbers.iter().map(|number| number * scale).collect::<Vec<f32>>())?)
            }
            Seen::Bytes { bytes, factor, summand } => {
                let [factor, summand] = [factor, summand].map(|number| f64::from(number * scale));
                Self::Bytes { bytes: device.upload(bytes)?, factor, summand }
            }
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Bytes { bytes, .. } => bytes.len(),
        }
    }

    /// As trunks take them.
    fn into_numbers(self, network: &DeviceNetwork) -> Result<Buffer<f32>> {
        Ok(match self {
            Self::Numbers(numbers) => numbers,
            Self::Bytes { bytes, factor, summand } => network.general.numbers_of_bytes(&bytes, factor, summand)?,
        })
    }
}

/// Observations `[B, O]` on a device, as trunks take them.
///
/// # Errors
/// Fails if the device does.
pub(super) fn upload(network: &DeviceNetwork, observations: &Seen<'_>) -> Result<Buffer<f32>> {
    Observations::new(network, observations)?.into_numbers(network)
}

/// Sequences of a rollout.
pub(super) struct PlacedSequences {
    extent: Extent,
    observations: Observations,
    resets: Buffer<u8>,
    actor: Buffer<f32>,
    critic: Option<Buffer<f32>>,
}

impl PlacedSequences {
    /// Brings them there.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn new(network: &DeviceNetwork, sequences: &Sequences<'_>) -> Result<Self> {
        let start = |branch| network.upload_state(branch, sequences.state);
        Ok(Self {
            extent: Extent { steps: sequences.steps, batch: sequences.batch },
            observations: Observations::new(network, sequences.observations)?,
            resets: network.device.upload(sequences.episode_starts)?,
            actor: start(&network.actor)?,
            critic: network.critic.as_ref().map(start).transpose()?,
        })
    }

    /// The first `steps` steps of some of them, for a network.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn part(&self, network: &DeviceNetwork, steps: usize, columns: &Columns) -> Result<NetworkInputs> {
        let general = &network.general;
        let seen = [steps, self.observations.len() / (self.extent.steps * self.extent.batch)];
        let observations = match &self.observations {
            Observations::Numbers(numbers) => Observations::Numbers(general.gather(numbers, seen, columns)?),
            Observations::Bytes { bytes, factor, summand } => {
                Observations::Bytes { bytes: general.gather(bytes, seen, columns)?, factor: *factor, summand: *summand }
            }
        };
        let start = |branch: &Branch, all| general.gather(all, [1, branch.state.len()], columns);
        let critic = network.critic.as_ref().zip(self.critic.as_ref());
        Self {
            extent: Extent { steps, batch: columns.len() },
            observations,
            resets: general.gather(&self.resets, [steps, 1], columns)?,
            actor: start(&network.actor, &self.actor)?,
            critic: critic.map(|(branch, all)| start(branch, all)).transpose()?,
        }
        .for_network(network)
    }

    /// All of them, for a network.
    fn for_network(self, network: &DeviceNetwork) -> Result<NetworkInputs> {
        let Self { extent, observations, resets, actor, critic } = self;
        Ok(NetworkInputs { extent, x: observations.into_numbers(network)?, resets, actor, critic })
    }
}

/// What a network reads that is on the device.
pub(super) struct NetworkInputs {
    extent: Extent,
    x: Buffer<f32>,
    resets: Buffer<u8>,
    /// States before the first step: of the actor's trunk, and of the critic's own.
    pub actor: Buffer<f32>,
    pub critic: Option<Buffer<f32>>,
}

impl NetworkInputs {
    /// Brings sequences there.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn new(network: &DeviceNetwork, sequences: &Sequences<'_>) -> Result<Self> {
        PlacedSequences::new(network, sequences)?.for_network(network)
    }

    /// Steps of all sequences.
    pub fn rows(&self) -> usize {
        self.extent.steps * self.extent.batch
    }

    /// As a trunk reads them.
    pub fn of_trunk(&self) -> TrunkInputs<'_> {
        TrunkInputs { extent: self.extent, x: &self.x, resets: &self.resets }
    }
}
