//! The environments of a rollout as kernels take them.

use stpn_cuda::rollout::{Environments, Foreseen};
use stpn_envs::OnDevice;

use super::games::StagedGames;
use super::mazes::StagedMazes;
use super::obstacle::no_kernel;
use crate::Result;
use crate::policy::accelerator;

/// What kernels borrow.
pub(super) enum Staged<'r> {
    Mazes(StagedMazes),
    Games(StagedGames),
    Foreseen(Foreseen<'r, f32>),
}

impl<'r> Staged<'r> {
    /// For that many steps, with so many choices in the list of an action, if there is a single list.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for environments without a kernel.
    pub fn new(environments: &'r accelerator::Environments, steps: usize, single: Option<usize>) -> Result<Self> {
        match environments {
            accelerator::Environments::Played(played) => match played.first() {
                Some(OnDevice::Game(_)) => Ok(Self::Games(StagedGames::new(played)?)),
                _ => Ok(Self::Mazes(StagedMazes::new(played, steps)?)),
            },
            accelerator::Environments::Foreseen(foreseen) => Ok(Self::Foreseen(Foreseen {
                choices: single.ok_or_else(no_kernel)?,
                echo: foreseen.echo,
                observations: &foreseen.observations,
                starts: &foreseen.starts,
            })),
        }
    }

    /// As they take it.
    pub fn environments(&self) -> Environments<'_, f32> {
        match self {
            Self::Mazes(mazes) => Environments::Mazes(mazes.mazes()),
            Self::Games(games) => Environments::Games(games.games()),
            Self::Foreseen(foreseen) => Environments::Foreseen(*foreseen),
        }
    }
}
