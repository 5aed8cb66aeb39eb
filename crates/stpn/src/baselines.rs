//! What returns are held against: the uniformly random policy, and the best there is.

use stpn_agents::AgentConfig;
use stpn_agents::evaluation::{EvaluationOptions, evaluate};
use stpn_envs::EnvConfig;
use toml::Table;

use crate::report::axis::number;

/// Episodes of the random policy beside the progress of a training.
const FEW: usize = 30;

/// Steps of an episode up to which these take moments, and the keys that bound them.
const LONGEST: i64 = 5_000;
const LENGTHS: [&str; 3] = ["max_episode_steps", "episode_length", "delay"];

/// Mean returns in an environment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baselines {
    /// Of the uniformly random policy.
    pub random: f64,
    /// Expected return of the optimal policy, if the environment knows it.
    pub oracle: Option<f64>,
}

impl Baselines {
    /// Those of an experiment's environment, the random policy's over so many episodes.
    ///
    /// # Errors
    /// Fails if the environment does.
    pub fn measure(config: &AgentConfig, episodes: usize) -> stpn_agents::Result<Self> {
        let options = EvaluationOptions { episodes, seed: 0, deterministic: false, energy_skip_inputs: Vec::new() };
        let random = evaluate(&|_| config.env.make(), None, &options)?;
        Ok(Self { random: random.mean_return(), oracle: random.oracle_return })
    }

    /// The same from few episodes, in an environment where these take moments.
    pub fn quickly(config: &AgentConfig) -> Option<Self> {
        let quick = matches!(
            config.env,
            EnvConfig::Maze(_)
                | EnvConfig::Cartpole(_)
                | EnvConfig::CartpoleMasked(_)
                | EnvConfig::Pendulum(_)
                | EnvConfig::PendulumMasked(_)
                | EnvConfig::MountainCar(_)
                | EnvConfig::MountainCarContinuous(_)
                | EnvConfig::MountainCarContinuousMasked(_)
                | EnvConfig::Acrobot(_)
                | EnvConfig::Memory(_)
        );
        let length = Table::try_from(&config.env)
            .ok()
            .and_then(|env| LENGTHS.iter().find_map(|key| env.get(*key)?.as_integer()));
        let quick = quick && length.is_none_or(|steps| steps <= LONGEST);
        // Beside the progress it is a help, and its failure no reason to end a training.
        quick.then(|| Self::measure(config, FEW).ok()).flatten()
    }

    /// `random 8, oracle 210`.
    pub fn text(&self) -> String {
        let oracle = self.oracle.map_or(String::new(), |oracle| format!(", oracle {}", number(oracle)));
        format!("random {}{oracle}", number(self.random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TrainingRequest;

    #[test]
    fn a_training_began_after_thirty_endless_episodes() {
        let overrides = vec!["env.episode_length=1000000".parse().unwrap()];
        let request = TrainingRequest { experiment: "maze-small".into(), overrides, ..TrainingRequest::default() };
        let config = request.configure(1).unwrap();
        assert_eq!(Baselines::quickly(config.agent().unwrap()), None);
    }

    #[test]
    fn a_maze_has_both_references_and_a_cart_one() {
        let of = |preset: &str| {
            let config = crate::preset(preset).unwrap();
            Baselines::quickly(config.agent().unwrap()).unwrap()
        };
        let maze = of("maze-small");
        assert!(maze.random > 0.0 && maze.oracle.unwrap() > 5.0 * maze.random, "{maze:?}");
        let cart = of("cartpole");
        assert!((10.0..40.0).contains(&cart.random) && cart.oracle.is_none(), "{cart:?}");
        assert_eq!(Baselines { random: 8.04, oracle: Some(211.2) }.text(), "random 8.04, oracle 211");
    }
}
