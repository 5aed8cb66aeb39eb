//! Every environment of this crate: an entry each, as [`table`](super::table) says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::table::environments;
#[cfg(unix)]
use crate::gymnasium::GymnasiumConfig;
use crate::registered::CustomConfig;
use crate::{Env, Result};

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

environments! {
    Maze("maze", "find a goal hidden in a grid, then return to it from anywhere"): maze::MazeConfig, make;
    Cartpole("cartpole", "balance a pole on a cart"): classic::CartPoleConfig, make;
    CartpoleMasked("cartpole-masked", "balance a pole on a cart, velocities hidden"):
        classic::CartPoleConfig, make_masked;
    Pendulum("pendulum", "swing a pendulum up with a weak motor, continuous torque"): classic::PendulumConfig, make;
    PendulumMasked("pendulum-masked", "swing a pendulum up, velocity hidden"): classic::PendulumConfig, make_masked;
    MountainCar("mountain-car", "get a weak car up a hill by a run-up"): classic::MountainCarConfig, make;
    MountainCarContinuous("mountain-car-continuous", "get a weak car up a hill by a run-up, continuous push"):
        classic::MountainCarContinuousConfig, make;
    MountainCarContinuousMasked("mountain-car-continuous-masked", "get a weak car up a hill, velocity hidden"):
        classic::MountainCarContinuousConfig, make_masked;
    Acrobot("acrobot", "swing up two links by the joint between them"): classic::AcrobotConfig, make;
    Memory("memory", "name a symbol shown some steps ago"): classic::MemoryConfig, make;
    Popgym("popgym", "a task of POPGym, a benchmark of memory, RepeatPrevious unless env.task says otherwise"):
        popgym::PopgymConfig, make;
    ["atari"] Atari("atari", "an Atari 2600 game, Pong unless env.game says otherwise"): atari::AtariConfig, make;
    ["mujoco"] InvertedPendulum("inverted-pendulum", "balance a pole on a cart, with a force (MuJoCo)"):
        mujoco::InvertedPendulumConfig, make;
    ["mujoco"] InvertedDoublePendulum(
        "inverted-double-pendulum",
        "balance two poles, one on the other, on a cart (MuJoCo)"
    ): mujoco::InvertedDoublePendulumConfig, make;
    ["mujoco"] Hopper("hopper", "hop forward on one leg (MuJoCo)"): mujoco::HopperConfig, make;
    ["mujoco"] HopperMasked("hopper-masked", "hop forward on one leg, velocities hidden (MuJoCo)"):
        mujoco::HopperConfig, make_masked;
    ["mujoco"] HalfCheetah("half-cheetah", "run forward on two legs in a plane (MuJoCo)"):
        mujoco::HalfCheetahConfig, make;
    ["mujoco"] Walker2d("walker2d", "walk forward on two legs in a plane (MuJoCo)"): mujoco::Walker2dConfig, make;
    ["mujoco"] Walker2dMasked("walker2d-masked", "walk forward on two legs in a plane, velocities hidden (MuJoCo)"):
        mujoco::Walker2dConfig, make_masked;
    ["mujoco"] Ant("ant", "walk forward on four legs (MuJoCo)"): mujoco::AntConfig, make;
    ["mujoco"] Humanoid("humanoid", "walk forward as a body with legs and arms (MuJoCo)"): mujoco::HumanoidConfig, make;
    ["mujoco"] Reacher("reacher", "reach a target with an arm of two links (MuJoCo)"): mujoco::ReacherConfig, make;
    ["mujoco"] Swimmer("swimmer", "swim forward with three links (MuJoCo)"): mujoco::SwimmerConfig, make;
    ["mujoco"] Pusher("pusher", "push an object to a goal with an arm (MuJoCo)"): mujoco::PusherConfig, make;
}
