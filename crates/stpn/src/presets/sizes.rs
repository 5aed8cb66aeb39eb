//! Sizes of networks, counted and matched in parameters.

use candle_core::{DType, Device};
use stpn_agents::learner::Trainable;
use stpn_agents::{ActorCritic, RunConfig};
use stpn_core::{Cell, CellConfig, Parameters};
use stpn_envs::Space;

use crate::Result;

/// How large a network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Trainable parameters, heads included.
    pub parameters: usize,
    /// Numbers that the recurrent layer carries from step to step.
    pub state: usize,
    /// Multiply-adds of the recurrent layer at a step ([`stpn_core::Cell::multiply_adds`]).
    pub multiply_adds: usize,
}

/// Counts trainable parameters of an experiment's network, heads included, with cells of any kind and size.
pub struct Sizes<'c> {
    config: &'c RunConfig,
    /// Of observations and actions, where the experiment is an agent's.
    spaces: Option<(Space, Space)>,
}

impl<'c> Sizes<'c> {
    /// Makes an agent's environment once, for its spaces.
    ///
    /// # Errors
    /// Fails if the environment does; if an option does nothing with these observations and actions.
    pub fn new(config: &'c RunConfig) -> Result<Self> {
        let spaces = match config {
            RunConfig::Agent(config) => {
                let env = config.env.make()?;
                config.check_spaces(env.observation_space(), env.action_space())?;
                Some((env.observation_space().clone(), env.action_space().clone()))
            }
            RunConfig::Supervised(_) => None,
        };
        Ok(Self { config, spaces })
    }

    /// Observations and actions, where the experiment is an agent's.
    pub fn spaces(&self) -> Option<&(Space, Space)> {
        self.spaces.as_ref()
    }

    /// The size with `hidden` units of `cell`.
    ///
    /// # Errors
    /// Fails if the cell refuses its options, or the encoder its observations.
    pub fn size(&self, cell: &CellConfig, hidden: usize) -> Result<Size> {
        let size = |parameters: &Parameters, cell: &dyn Cell| Size {
            parameters: parameters.count(),
            state: cell.state_layout().iter().map(|field| field.shape.iter().product::<usize>()).sum(),
            multiply_adds: cell.multiply_adds(),
        };
        let mut config = self.config.clone();
        (*config.cell_mut(), *config.hidden_mut()) = (cell.clone(), hidden);
        Ok(match (&config, &self.spaces) {
            (RunConfig::Agent(config), Some((observations, actions))) => {
                let policy = ActorCritic::new(&config.policy, observations, actions, 0, DType::F32, &Device::Cpu)?;
                size(policy.parameters(), policy.cell())
            }
            (RunConfig::Supervised(config), _) => {
                let network = config.network()?;
                size(network.parameters(), network.cell())
            }
            (RunConfig::Agent(_), None) => unreachable!("an agent's spaces are known from the beginning"),
        })
    }

    /// Parameters with `hidden` units of `cell`.
    ///
    /// # Errors
    /// As [`Sizes::size`].
    pub fn count(&self, cell: &CellConfig, hidden: usize) -> Result<usize> {
        Ok(self.size(cell, hidden)?.parameters)
    }

    /// The size as configured.
    ///
    /// # Errors
    /// As [`Sizes::size`].
    pub fn configured(&self) -> Result<Size> {
        self.size(self.config.cell(), *self.config.hidden())
    }

    /// The size of `cell` with closest to `target` parameters.
    ///
    /// # Errors
    /// As [`Sizes::size`].
    pub fn matched(&self, cell: &CellConfig, target: usize) -> Result<usize> {
        let (mut low, mut high) = (1, 2);
        while self.count(cell, high)? < target {
            (low, high) = (high, high * 2);
        }
        while high - low > 1 {
            let middle = low.midpoint(high);
            if self.count(cell, middle)? < target { low = middle } else { high = middle }
        }
        let [below, above] = [self.count(cell, low)?, self.count(cell, high)?];
        Ok(if below.abs_diff(target) <= above.abs_diff(target) { low } else { high })
    }
}
