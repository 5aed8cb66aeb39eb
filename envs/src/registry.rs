//! Environments by name, with their settings.
//!
//! An environment is added in four places of this file, all next to each other: a variant of [`EnvConfig`], an entry
//! of [`ENVIRONMENTS`], and an arm of [`EnvConfig::name`] and [`EnvConfig::make`]. One that needs a native library
//! goes behind a cargo feature in each of the four, with its name in the table below them.

use serde::{Deserialize, Serialize};

use crate::classic::{
    AcrobotConfig, CartPoleConfig, Memory, MemoryConfig, MountainCarConfig, MountainCarContinuousConfig, PendulumConfig,
};
use crate::custom::{self, CustomConfig};
use crate::maze::{Maze, MazeConfig};
#[cfg(feature = "mujoco")]
use crate::mujoco::{
    AntConfig, HalfCheetahConfig, HopperConfig, HumanoidConfig, InvertedDoublePendulumConfig, InvertedPendulumConfig,
    PusherConfig, ReacherConfig, SwimmerConfig, Walker2dConfig,
};
use crate::native::FEATURES;
use crate::{Env, Error, Result};

/// Which environment, and its settings: a table with the environment's `name` and whatever keys that one has.
///
/// ```
/// # use stpn_envs::EnvConfig;
/// let config: EnvConfig = serde_json::from_str(r#"{"name": "maze", "size": 9}"#).unwrap();
/// assert_eq!(config.make().unwrap().observation_space().len(), 17);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EnvConfig {
    /// [`crate::maze`]
    Maze(MazeConfig),
    /// [`crate::classic::CartPole`]
    Cartpole(CartPoleConfig),
    /// [`crate::classic::CartPole`] without velocities
    CartpoleMasked(CartPoleConfig),
    /// [`crate::classic::Pendulum`]
    Pendulum(PendulumConfig),
    /// [`crate::classic::MountainCar`]
    MountainCar(MountainCarConfig),
    /// [`crate::classic::MountainCarContinuous`]
    MountainCarContinuous(MountainCarContinuousConfig),
    /// [`crate::classic::Acrobot`]
    Acrobot(AcrobotConfig),
    /// [`crate::classic::Memory`]
    Memory(MemoryConfig),
    /// [`crate::custom`]: one that this process has registered
    Custom(CustomConfig),
    /// [`crate::atari`]
    #[cfg(feature = "atari")]
    Atari(crate::atari::AtariConfig),
    /// [`crate::mujoco::InvertedPendulum`]
    #[cfg(feature = "mujoco")]
    InvertedPendulum(InvertedPendulumConfig),
    /// [`crate::mujoco::InvertedDoublePendulum`]
    #[cfg(feature = "mujoco")]
    InvertedDoublePendulum(InvertedDoublePendulumConfig),
    /// [`crate::mujoco::Hopper`]
    #[cfg(feature = "mujoco")]
    Hopper(HopperConfig),
    /// [`crate::mujoco::HalfCheetah`]
    #[cfg(feature = "mujoco")]
    HalfCheetah(HalfCheetahConfig),
    /// [`crate::mujoco::Walker2d`]
    #[cfg(feature = "mujoco")]
    Walker2d(Walker2dConfig),
    /// [`crate::mujoco::Ant`]
    #[cfg(feature = "mujoco")]
    Ant(AntConfig),
    /// [`crate::mujoco::Humanoid`]
    #[cfg(feature = "mujoco")]
    Humanoid(HumanoidConfig),
    /// [`crate::mujoco::Reacher`]
    #[cfg(feature = "mujoco")]
    Reacher(ReacherConfig),
    /// [`crate::mujoco::Swimmer`]
    #[cfg(feature = "mujoco")]
    Swimmer(SwimmerConfig),
    /// [`crate::mujoco::Pusher`]
    #[cfg(feature = "mujoco")]
    Pusher(PusherConfig),
}

/// An environment that [`EnvConfig`] knows.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name, as in [`EnvConfig`]'s `name`.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// Its default settings.
    pub default: fn() -> EnvConfig,
}

/// Every environment of this build.
pub const ENVIRONMENTS: &[Entry] = &[
    Entry {
        name: "maze",
        summary: "find a goal hidden in a grid, then return to it from anywhere",
        default: || EnvConfig::Maze(MazeConfig::default()),
    },
    Entry {
        name: "cartpole",
        summary: "balance a pole on a cart",
        default: || EnvConfig::Cartpole(CartPoleConfig::default()),
    },
    Entry {
        name: "cartpole-masked",
        summary: "balance a pole on a cart, velocities hidden",
        default: || EnvConfig::CartpoleMasked(CartPoleConfig::default()),
    },
    Entry {
        name: "pendulum",
        summary: "swing a pendulum up with a weak motor, continuous torque",
        default: || EnvConfig::Pendulum(PendulumConfig::default()),
    },
    Entry {
        name: "mountain-car",
        summary: "get a weak car up a hill by a run-up",
        default: || EnvConfig::MountainCar(MountainCarConfig::default()),
    },
    Entry {
        name: "mountain-car-continuous",
        summary: "get a weak car up a hill by a run-up, continuous push",
        default: || EnvConfig::MountainCarContinuous(MountainCarContinuousConfig::default()),
    },
    Entry {
        name: "acrobot",
        summary: "swing up two links by the joint between them",
        default: || EnvConfig::Acrobot(AcrobotConfig::default()),
    },
    Entry {
        name: "memory",
        summary: "name a symbol shown some steps ago",
        default: || EnvConfig::Memory(MemoryConfig::default()),
    },
    #[cfg(feature = "atari")]
    Entry {
        name: "atari",
        summary: "an Atari 2600 game, Pong unless env.game says otherwise",
        default: || EnvConfig::Atari(crate::atari::AtariConfig::default()),
    },
    #[cfg(feature = "mujoco")]
    Entry {
        name: "inverted-pendulum",
        summary: "balance a pole on a cart, with a force (MuJoCo)",
        default: || EnvConfig::InvertedPendulum(InvertedPendulumConfig::default()),
    },
    #[cfg(feature = "mujoco")]
    Entry {
        name: "inverted-double-pendulum",
        summary: "balance two poles, one on the other, on a cart (MuJoCo)",
        default: || EnvConfig::InvertedDoublePendulum(InvertedDoublePendulumConfig::default()),
    },
    #[cfg(feature = "mujoco")]
    Entry {
        name: "hopper",
        summary: "hop forward on one leg (MuJoCo)",
        default: || EnvConfig::Hopper(HopperConfig::default()),
    },
    #[cfg(feature = "mujoco")]
    Entry {
        name: "half-cheetah",
        summary: "run forward on two legs in a plane (MuJoCo)",
        default: || EnvConfig::HalfCheetah(HalfCheetahConfig::default()),
    },
    #[cfg(feature = "mujoco")]
    Entry {
        name: "walker2d",
        summary: "walk forward on two legs in a plane (MuJoCo)",
        default: || EnvConfig::Walker2d(Walker2dConfig::default()),
    },
    #[cfg(feature = "mujoco")]
    Entry {
        name: "ant",
        summary: "walk forward on four legs (MuJoCo)",
        default: || EnvConfig::Ant(AntConfig::default()),
    },
    #[cfg(feature = "mujoco")]
    Entry {
        name: "humanoid",
        summary: "walk forward as a body with legs and arms (MuJoCo)",
        default: || EnvConfig::Humanoid(HumanoidConfig::default()),
    },
    #[cfg(feature = "mujoco")]
    Entry {
        name: "reacher",
        summary: "reach a target with an arm of two links (MuJoCo)",
        default: || EnvConfig::Reacher(ReacherConfig::default()),
    },
    #[cfg(feature = "mujoco")]
    Entry {
        name: "swimmer",
        summary: "swim forward with three links (MuJoCo)",
        default: || EnvConfig::Swimmer(SwimmerConfig::default()),
    },
    #[cfg(feature = "mujoco")]
    Entry {
        name: "pusher",
        summary: "push an object to a goal with an arm (MuJoCo)",
        default: || EnvConfig::Pusher(PusherConfig::default()),
    },
];

/// Environments behind a cargo feature.
const BEHIND: [(&str, &[&str]); 2] = [
    ("atari", &["atari"]),
    (
        "mujoco",
        &[
            "inverted-pendulum",
            "inverted-double-pendulum",
            "hopper",
            "half-cheetah",
            "walker2d",
            "ant",
            "humanoid",
            "reacher",
            "swimmer",
            "pusher",
        ],
    ),
];

/// The cargo feature that the environment of that name needs, where this build is without it.
pub fn missing_feature(name: &str) -> Option<&'static str> {
    let (feature, _) = BEHIND.iter().find(|(_, names)| names.contains(&name))?;
    FEATURES.contains(&(feature, false)).then_some(feature)
}

impl EnvConfig {
    /// The environment of that name with its default settings, one that was registered ([`crate::custom`]) included.
    ///
    /// # Errors
    /// [`Error::UnknownEnvironment`] with the names there are, [`Error::NotBuilt`] for one that needs a cargo feature.
    pub fn from_name(name: &str) -> Result<Self> {
        if let Some(entry) = ENVIRONMENTS.iter().find(|entry| entry.name == name) {
            return Ok((entry.default)());
        }
        let registered = custom::registered();
        if registered.iter().any(|id| id == name) {
            return Ok(Self::Custom(CustomConfig::new(name)));
        }
        if let Some(feature) = missing_feature(name) {
            return Err(Error::NotBuilt { name: name.into(), feature });
        }
        let known = ENVIRONMENTS.iter().map(|entry| entry.name).chain(registered.iter().map(String::as_str));
        Err(Error::UnknownEnvironment { name: name.into(), known: known.collect::<Vec<_>>().join(", ") })
    }

    /// Its name; of a registered environment the one it was registered under.
    pub fn name(&self) -> &str {
        match self {
            Self::Maze(_) => "maze",
            Self::Cartpole(_) => "cartpole",
            Self::CartpoleMasked(_) => "cartpole-masked",
            Self::Pendulum(_) => "pendulum",
            Self::MountainCar(_) => "mountain-car",
            Self::MountainCarContinuous(_) => "mountain-car-continuous",
            Self::Acrobot(_) => "acrobot",
            Self::Memory(_) => "memory",
            Self::Custom(config) => &config.id,
            #[cfg(feature = "atari")]
            Self::Atari(_) => "atari",
            #[cfg(feature = "mujoco")]
            Self::InvertedPendulum(_) => "inverted-pendulum",
            #[cfg(feature = "mujoco")]
            Self::InvertedDoublePendulum(_) => "inverted-double-pendulum",
            #[cfg(feature = "mujoco")]
            Self::Hopper(_) => "hopper",
            #[cfg(feature = "mujoco")]
            Self::HalfCheetah(_) => "half-cheetah",
            #[cfg(feature = "mujoco")]
            Self::Walker2d(_) => "walker2d",
            #[cfg(feature = "mujoco")]
            Self::Ant(_) => "ant",
            #[cfg(feature = "mujoco")]
            Self::Humanoid(_) => "humanoid",
            #[cfg(feature = "mujoco")]
            Self::Reacher(_) => "reacher",
            #[cfg(feature = "mujoco")]
            Self::Swimmer(_) => "swimmer",
            #[cfg(feature = "mujoco")]
            Self::Pusher(_) => "pusher",
        }
    }

    /// Makes one such environment.
    ///
    /// # Errors
    /// [`Error::Config`] for impossible settings; what else its own constructor says.
    pub fn make(&self) -> Result<Box<dyn Env>> {
        Ok(match self {
            Self::Maze(config) => Box::new(Maze::new(config.clone())?),
            Self::Cartpole(config) => Box::new(config.make()?),
            Self::CartpoleMasked(config) => Box::new(config.make_masked()?),
            Self::Pendulum(config) => Box::new(config.make()?),
            Self::MountainCar(config) => Box::new(config.make()?),
            Self::MountainCarContinuous(config) => Box::new(config.make()?),
            Self::Acrobot(config) => Box::new(config.make()?),
            Self::Memory(config) => Box::new(Memory::new(config.clone())?),
            Self::Custom(config) => config.make()?,
            #[cfg(feature = "atari")]
            Self::Atari(config) => config.make()?,
            #[cfg(feature = "mujoco")]
            Self::InvertedPendulum(config) => Box::new(config.make()?),
            #[cfg(feature = "mujoco")]
            Self::InvertedDoublePendulum(config) => Box::new(config.make()?),
            #[cfg(feature = "mujoco")]
            Self::Hopper(config) => Box::new(config.make()?),
            #[cfg(feature = "mujoco")]
            Self::HalfCheetah(config) => Box::new(config.make()?),
            #[cfg(feature = "mujoco")]
            Self::Walker2d(config) => Box::new(config.make()?),
            #[cfg(feature = "mujoco")]
            Self::Ant(config) => Box::new(config.make()?),
            #[cfg(feature = "mujoco")]
            Self::Humanoid(config) => Box::new(config.make()?),
            #[cfg(feature = "mujoco")]
            Self::Reacher(config) => Box::new(config.make()?),
            #[cfg(feature = "mujoco")]
            Self::Swimmer(config) => Box::new(config.make()?),
            #[cfg(feature = "mujoco")]
            Self::Pusher(config) => Box::new(config.make()?),
        })
    }

    /// Refuses impossible settings, by making the environment once.
    ///
    /// # Errors
    /// Those of [`EnvConfig::make`].
    pub fn validate(&self) -> Result<()> {
        self.make().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_names_configurations_and_environments_agree() {
        for entry in ENVIRONMENTS {
            let config = EnvConfig::from_name(entry.name).unwrap();
            assert_eq!(config.name(), entry.name);
            assert_eq!(config.make().unwrap().name(), entry.name);
            let json = serde_json::to_value(&config).unwrap();
            assert_eq!(json["name"], entry.name, "the serialised tag");
            assert_eq!(serde_json::from_value::<EnvConfig>(json).unwrap(), config);
            let by_name_alone = serde_json::json!({ "name": entry.name });
            assert_eq!(serde_json::from_value::<EnvConfig>(by_name_alone).unwrap(), config, "every key has a default");
            assert!(!entry.summary.is_empty() && !entry.summary.contains('\n'));
        }
    }

    #[test]
    fn unknown_names_and_keys_are_refused_with_what_there_is() {
        let error = EnvConfig::from_name("labyrinth").unwrap_err().to_string();
        assert!(error.contains("`labyrinth`") && error.contains("maze"), "{error}");
        let refused = |json: &str| serde_json::from_str::<EnvConfig>(json).unwrap_err().to_string();
        let error = refused(r#"{"name": "labyrinth"}"#);
        assert!(error.contains("`labyrinth`") && error.contains("`maze`"), "{error}");
        let error = refused(r#"{"name": "maze", "sise": 9}"#);
        assert!(error.contains("`sise`") && error.contains("`size`"), "{error}");
    }

    #[test]
    fn environments_behind_a_feature_are_there_or_named_with_it() {
        for (feature, names) in BEHIND {
            let built = FEATURES.contains(&(feature, true));
            for name in names {
                match EnvConfig::from_name(name) {
                    Ok(_) => assert!(built && missing_feature(name).is_none(), "{name}"),
                    Err(error) => {
                        let error = error.to_string();
                        assert!(!built && error.contains(&format!("--features {feature}`")), "{error}");
                    }
                }
            }
        }
        let behind = |name: &str| BEHIND.iter().any(|(_, names)| names.contains(&name));
        let plain = ENVIRONMENTS.iter().filter(|entry| !behind(entry.name)).count();
        assert_eq!(plain, 8, "an environment behind a feature is missing in BEHIND");
    }

    #[test]
    fn a_whole_number_does_for_a_float() {
        let config: EnvConfig = serde_json::from_str(r#"{"name": "maze", "reward": 3}"#).unwrap();
        assert_eq!(config, EnvConfig::Maze(MazeConfig { reward: 3.0, ..MazeConfig::default() }));
    }

    #[test]
    fn impossible_settings_are_refused() {
        let config = EnvConfig::Maze(MazeConfig { size: 4, ..MazeConfig::default() });
        assert!(config.validate().unwrap_err().to_string().contains("env.size = 4"));
    }
}
