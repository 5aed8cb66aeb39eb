//! One episode of a trained policy, watched step by step: for reports and for looking on.

use stpn_envs::{Action, Env, Episode};
use stpn_random::{Purpose, Stream};

use crate::Result;
use crate::actor::{Actor, Subject};
use crate::rollout::Observations;

/// What can be seen after a step.
pub struct Moment<'a, E> {
    /// Steps taken, 1 after the first.
    pub step: u64,
    /// The environment after the step.
    pub env: &'a E,
    /// The action taken.
    pub action: Action<'a>,
    /// The step's reward.
    pub reward: f64,
    /// `[O]` the observation after the step, as the environment gave it.
    pub observation: &'a Observations,
    /// Value estimate of the observation before the step.
    pub value: f32,
    /// `[S]` the packed recurrent state after the step.
    pub state: &'a [f32],
}

/// Plays one episode of `env` from `seed`, taking the most probable action where `deterministic`, and shows every step
/// to `observe`. Action streams are those of evaluation, and as there it is a whole game where the environment records
/// its own episodes: what ends a training episode, such as a lost life, is played through.
///
/// # Errors
/// Fails if the environment, the policy or `observe` does.
pub fn live<E: Env>(
    env: &mut E,
    subject: &Subject<'_>,
    seed: u64,
    deterministic: bool,
    mut observe: impl FnMut(Moment<'_, E>) -> Result<()>,
) -> Result<Episode> {
    let policy = subject.policy.policy();
    let mut actor = Actor::new(*subject, 1)?;
    let (mut actions, width) = (policy.distribution().buffer(1), policy.distribution().action_len());
    let mut stream = Stream::new(seed, Purpose::EvaluationActions, 0);
    let space = env.observation_space();
    let mut raw = Observations::zeros(space.dtype(), space.len());
    let mut state = vec![0f32; policy.state_len()];
    env.reset(Some(seed), raw.all_mut())?;
    let recorded = env.records_episodes();
    let mut episode = Episode::default();
    let mut starts = true;
    loop {
        // A copy, since what an actor observes is normalised in place.
        let mut seen = raw.clone();
        actor.observe(seen.all_mut(), &[u8::from(starts)])?;
        actor.session_mut().store(&mut state)?;
        let value = actor.session().values()[0];
        actor.choose(0, (!deterministic).then_some(&mut stream), &mut actions, 0);
        let action = actor.for_environment(&actions, 0, 1).get(0, width);
        let step = env.step(action, raw.all_mut())?;
        episode.length += 1;
        episode.total_reward += step.reward;
        observe(Moment {
            step: episode.length,
            env,
            action,
            reward: step.reward,
            observation: &raw,
            value,
            state: &state,
        })?;
        starts = step.done();
        if let (true, Some(whole)) = (recorded, step.episode) {
            // Its return has what came between two lives, too.
            return Ok(Episode { total_reward: whole.total_reward, ..episode });
        }
        if starts && !recorded {
            return Ok(episode);
        }
        if starts {
            env.reset(None, raw.all_mut())?;
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use stpn_core::cells::CellName;
    use stpn_envs::{ObservationMut, Space, Step};

    use super::*;
    use crate::ActorCritic;
    use crate::evaluation::{EvaluationOptions, evaluate};
    use crate::policy::PolicyConfig;
    use crate::rollout::Normalization;

    const LIVES: u64 = 3;
    const STEPS_OF_A_LIFE: u64 = 4;

    /// A game whose lives are training episodes; between two of them 5 points fall to the player.
    struct Lives {
        observation_space: Space,
        action_space: Space,
        game: Episode,
    }

    impl Lives {
        fn new() -> Self {
            let (observation_space, action_space) = (Space::boxed(0.0, 1.0, [1]), Space::discrete(2));
            Self { observation_space, action_space, game: Episode::default() }
        }
    }

    impl Env for Lives {
        fn name(&self) -> &str {
            "lives"
        }

        fn observation_space(&self) -> &Space {
            &self.observation_space
        }

        fn action_space(&self) -> &Space {
            &self.action_space
        }

        fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> stpn_envs::Result<()> {
            match seed {
                None if !self.game.length.is_multiple_of(LIVES * STEPS_OF_A_LIFE) => self.game.total_reward += 5.0,
                _ => self.game = Episode::default(),
            }
            observation.f32(1)?[0] = 1.0;
            Ok(())
        }

        fn step(&mut self, _action: Action<'_>, observation: ObservationMut<'_>) -> stpn_envs::Result<Step> {
            observation.f32(1)?[0] = 0.0;
            self.game.length += 1;
            self.game.total_reward += 1.0;
            let episode = (self.game.length == LIVES * STEPS_OF_A_LIFE).then_some(self.game);
            let terminated = self.game.length.is_multiple_of(STEPS_OF_A_LIFE);
            Ok(Step { reward: 1.0, terminated, truncated: false, episode })
        }

        fn save_state(&self, _bytes: &mut Vec<u8>) -> stpn_envs::Result<()> {
            Ok(())
        }

        fn restore_state(&mut self, _bytes: &[u8]) -> stpn_envs::Result<()> {
            Ok(())
        }

        fn records_episodes(&self) -> bool {
            true
        }
    }

    #[test]
    fn one_life_was_taken_for_the_game() {
        let mut env = Lives::new();
        let config = PolicyConfig::new(CellName::Stpn.config(), 3);
        let (observations, actions) = (env.observation_space(), env.action_space());
        let policy = ActorCritic::new(&config, observations, actions, 1, DType::F32, &Device::Cpu).unwrap();
        let normalization = Normalization::default();
        let subject = Subject { policy: &policy.prepare().unwrap(), normalization: &normalization };

        let (mut steps, mut memories) = (Vec::new(), Vec::new());
        let episode = live(&mut env, &subject, 0, true, |moment| {
            steps.push(moment.step);
            memories.push(moment.state.to_vec());
            Ok(())
        })
        .unwrap();
        assert_eq!(episode, Episode { total_reward: 12.0 + 2.0 * 5.0, length: LIVES * STEPS_OF_A_LIFE });
        assert_eq!(steps, (1..=12).collect::<Vec<_>>());
        // The network forgets where a training episode ends, as it has learned to.
        assert_eq!(memories[0], memories[4]);
        assert_ne!(memories[0], memories[3]);

        let options = EvaluationOptions { episodes: 1, seed: 0, deterministic: true, energy_skip_inputs: Vec::new() };
        let evaluation = evaluate(&|_| Ok(Box::new(Lives::new())), Some(&subject), &options).unwrap();
        assert_eq!((evaluation.returns, evaluation.lengths), (vec![episode.total_reward], vec![episode.length]));
    }
}
