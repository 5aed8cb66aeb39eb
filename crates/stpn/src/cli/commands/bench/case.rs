//! The cases: shapes of the paper's tasks, the same as in `benches/torch_stpn.py`, and the work that lies in them.

use anyhow::{Context, Result, bail};
use stpn_agents::RunConfig;
use stpn_agents::config::AgentConfig;
use stpn_envs::Space;

use crate::presets;

/// What is measured of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Learning from a rollout of random observations.
    Learning,
    /// A whole update of a preset, environments included.
    Preset(&'static str),
}

/// The recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Fast weights on H × (I + H) synapses.
    Stpn,
    /// Fast weights on H × I synapses.
    Stpnf,
    /// So many gates of H × (I + H) weights each: four of the LSTM, three of the GRU.
    Gated(usize),
}

/// One case.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its name on the command line.
    pub name: &'static str,
    pub measure: Measure,
    /// Time steps T of a sequence.
    pub steps: usize,
    /// Sequences B.
    pub batch: usize,
    /// Shape of an observation; images are bytes and go through the paper's convolutions.
    pub observation: &'static [usize],
    /// Units H.
    pub hidden: usize,
    /// Choices of the policy.
    pub actions: usize,
    pub layer: Layer,
    /// `[policy.cell]`
    pub cell: &'static str,
}

const MAZE: Case = Case {
    name: "maze",
    measure: Measure::Learning,
    steps: 200,
    batch: 512,
    observation: &[17],
    hidden: 55,
    actions: 4,
    layer: Layer::Stpn,
    cell: "name = 'stpn'\nnormalize_state = 'after'\nclamp = 1.0",
};

const ART: Case = Case {
    name: "art",
    steps: 9,
    batch: 128,
    observation: &[37],
    hidden: 11,
    actions: 37,
    cell: "name = 'stpn'",
    ..MAZE
};

const PONG: Case = Case {
    name: "pong",
    steps: 50,
    batch: 64,
    observation: &[1, 84, 84],
    hidden: 64,
    actions: 6,
    cell: "name = 'stpn'",
    ..MAZE
};

/// Every case, in the order in which they are measured.
pub const CASES: &[Case] = &[
    MAZE,
    Case { name: "maze-lstm", hidden: 47, layer: Layer::Gated(4), cell: "name = 'lstm'", ..MAZE },
    Case { name: "maze-gru", hidden: 54, layer: Layer::Gated(3), cell: "name = 'gru'", ..MAZE },
    ART,
    Case { name: "art-lstm", hidden: 9, layer: Layer::Gated(4), cell: "name = 'lstm'", ..ART },
    PONG,
    Case { name: "pong-lstm", hidden: 48, layer: Layer::Gated(4), cell: "name = 'lstm'", ..PONG },
    Case {
        name: "pendulum",
        steps: 20,
        batch: 103,
        observation: &[4],
        hidden: 64,
        actions: 2,
        layer: Layer::Stpnf,
        cell: "name = 'stpn'\nrecurrent = false\nnormalize_forward = false\nnormalize_state = 'none'\nclamp = 0.1",
        ..MAZE
    },
    Case { name: "maze-update", measure: Measure::Preset("maze"), ..MAZE },
];

/// Features of the paper's convolutions over an 84×84 image.
const FEATURES: usize = 2592;

/// Multiply-adds of those convolutions for one image: forward, and backward without the image's own gradient.
const CONVOLUTION_FORWARD: usize = 20 * 20 * 16 * 64 + 9 * 9 * 32 * 256;
const CONVOLUTION_BACKWARD: usize = 20 * 20 * 16 * 64 + 2 * 9 * 9 * 32 * 256;

/// Operations that cannot be avoided, counted as multiply-adds, per synapse and step of an STPN: forward W + F, its
/// product with z, its square, and λF + γhz; the same again where F is recomputed; backward the gradients of z, W, λ,
/// γ, h, F and of the norm.
pub const SYNAPSE_FORWARD: usize = 5;
pub const SYNAPSE_BACKWARD: usize = 5 + 10;

/// Bytes of fast weights and their gradient, read and written, per synapse and step: once forward, once in the
/// recomputation, and backward the gradient beside F.
pub const SYNAPSE_FORWARD_BYTES: usize = 8;
pub const SYNAPSE_BACKWARD_BYTES: usize = 8 + 12;

impl Case {
    /// True for images.
    pub fn is_visual(&self) -> bool {
        self.observation.len() == 3
    }

    /// The space of observations.
    pub fn observation_space(&self) -> Space {
        match self.is_visual() {
            true => Space::pixels(self.observation),
            false => Space::boxed(0.0, 1.0, self.observation),
        }
    }

    /// Inputs I of the recurrent layer.
    pub fn input(&self) -> usize {
        if self.is_visual() { FEATURES } else { self.observation.iter().product() }
    }

    /// Plastic synapses of one environment.
    pub fn synapses(&self) -> usize {
        match self.layer {
            Layer::Stpn => self.hidden * (self.input() + self.hidden),
            Layer::Stpnf => self.hidden * self.input(),
            Layer::Gated(_) => 0,
        }
    }

    /// Environment steps T·B.
    pub fn env_steps(&self) -> usize {
        self.steps * self.batch
    }

    /// Multiply-adds of the recurrent layer, forward and backward.
    pub fn layer_work(&self) -> (usize, usize) {
        match self.layer {
            Layer::Stpn | Layer::Stpnf => {
                let synapse_steps = self.env_steps() * self.synapses();
                (SYNAPSE_FORWARD * synapse_steps, SYNAPSE_BACKWARD * synapse_steps)
            }
            Layer::Gated(gates) => {
                let forward = self.env_steps() * gates * self.hidden * (self.input() + self.hidden);
                (forward, 2 * forward)
            }
        }
    }

    /// Multiply-adds of the convolutions, forward and backward.
    pub fn encoder_work(&self) -> (usize, usize) {
        match self.is_visual() {
            true => (self.env_steps() * CONVOLUTION_FORWARD, self.env_steps() * CONVOLUTION_BACKWARD),
            false => (0, 0),
        }
    }

    /// The configuration of a run of this case.
    pub fn config(&self) -> Result<AgentConfig> {
        let table = match self.measure {
            Measure::Preset(name) => {
                let mut table = presets::load(name)?.0;
                crate::overrides::apply(&mut table, &crate::Override::new("training.warmup_updates", 0)?)?;
                table
            }
            Measure::Learning => self.table()?,
        };
        match RunConfig::from_table(table)? {
            RunConfig::Agent(config) => Ok(config),
            RunConfig::Supervised(_) => bail!("case {} is no agent", self.name),
        }
    }

    fn table(&self) -> Result<toml::Table> {
        let Self { steps, batch, hidden, cell, .. } = self;
        let encoder = if self.is_visual() { "[policy.encoder]\nname = 'paper-cnn'" } else { "" };
        // The environment named here is not the one made: see `updates`.
        let text = format!(
            "env.name = 'maze'\n[rollout]\nenvironments = {batch}\nsteps = {steps}\n[policy]\nhidden = {hidden}\n\
             [policy.cell]\n{cell}\n{encoder}\n[algorithm]\nname = 'a2c'\n\
             concentration_coefficient = 0.03\n[normalization]\nrewards = false\n[optimizer]\nlearning_rate = 1e-4\n\
             max_grad_norm = 4.0\n"
        );
        text.parse().with_context(|| format!("case {}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_a_configuration_and_its_published_work() {
        for case in CASES {
            let config = case.config().unwrap_or_else(|error| panic!("{}: {error:#}", case.name));
            assert_eq!((config.rollout.environments, config.rollout.steps), (case.batch, case.steps), "{}", case.name);
            assert_eq!(config.policy.hidden, case.hidden, "{}", case.name);
        }
        assert_eq!(MAZE.synapses() * MAZE.env_steps(), 405_504_000);
        assert_eq!(PONG.synapses(), 64 * 2656);
        let work = |name| CASES.iter().find(|case| case.name == name).map(Case::layer_work);
        assert_eq!(work("maze-gru").map(|(forward, _)| forward), Some(102_400 * 3 * 54 * (17 + 54)));
    }
}
