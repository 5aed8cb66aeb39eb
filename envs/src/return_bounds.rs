//! Between which values the return of an episode can lie at all.

use std::f64::consts::PI;
use std::ops::RangeInclusive;

use crate::EnvConfig;
use crate::classic::CartPoleConfig;

/// Points at which a game of Pong is won.
#[cfg(feature = "atari")]
const PONG_POINTS: f64 = 21.0;

impl EnvConfig {
    /// The least and the greatest possible return of an episode; infinite where no bound is known.
    pub fn return_bounds(&self) -> RangeInclusive<f64> {
        let any = f64::NEG_INFINITY..=f64::INFINITY;
        match self {
            Self::Maze(config) => {
                let steps = f64::from(config.episode_length);
                -steps * config.wall_penalty..=steps * config.reward
            }
            Self::Cartpole(CartPoleConfig { max_episode_steps, .. })
            | Self::CartpoleMasked(CartPoleConfig { max_episode_steps, .. }) => 0.0..=f64::from(*max_episode_steps),
            Self::Pendulum(config) | Self::PendulumMasked(config) => {
                // θ, θ̇ and the torque at their limits.
                let worst = PI * PI + 0.1 * 8.0 * 8.0 + 0.001 * 2.0 * 2.0;
                -worst * f64::from(config.max_episode_steps)..=0.0
            }
            Self::MountainCar(config) => -f64::from(config.max_episode_steps)..=0.0,
            // The cost of an action counts it before it is clipped.
            Self::MountainCarContinuous(_) | Self::MountainCarContinuousMasked(_) => f64::NEG_INFINITY..=100.0,
            Self::Acrobot(config) => -f64::from(config.max_episode_steps)..=0.0,
            Self::Memory(_) => -1.0..=1.0,
            Self::Popgym(config) => config.return_bounds(),
            #[cfg(feature = "atari")]
            Self::Atari(config) if config.game == "pong" => -PONG_POINTS..=PONG_POINTS,
            #[cfg(feature = "mujoco")]
            Self::InvertedPendulum(config) => 0.0..=f64::from(config.max_episode_steps),
            _ => any,
        }
    }
}

#[cfg(test)]
mod tests {
    use stpn_random::Stream;

    use crate::ObservationMut;
    use crate::registry::ENVIRONMENTS;

    #[test]
    fn random_episodes_stay_within_the_bounds() {
        for entry in ENVIRONMENTS.iter().filter(|entry| entry.name != "atari") {
            let config = (entry.default)();
            let (bounds, mut env) = (config.return_bounds(), config.make().unwrap());
            let mut observation = vec![0f32; env.observation_space().len()];
            let mut stream = Stream::from_seed(1);
            for seed in 0..3 {
                env.reset(Some(seed), ObservationMut::F32(&mut observation)).unwrap();
                let mut total = 0.0;
                loop {
                    let action = env.action_space().sample(&mut stream);
                    let step = env.step(action.get(), ObservationMut::F32(&mut observation)).unwrap();
                    total += step.reward;
                    if step.done() {
                        break;
                    }
                }
                assert!(bounds.contains(&total), "{}: {total} outside of {bounds:?}", entry.name);
            }
        }
    }
}
