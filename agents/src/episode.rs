//! One episode of a trained policy, watched step by step: for reports and for looking on.

use stpn_envs::{Action, Env, Episode, ObservationMut};
use stpn_random::{Purpose, Stream};

use crate::Result;
use crate::policy::ActorCritic;
use crate::policy::distribution::Distribution;

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
    /// `[O]` the observation acted upon.
    pub observation: &'a [f32],
    /// Value estimate of that observation.
    pub value: f32,
    /// `[S]` the packed recurrent state after the step.
    pub state: &'a [f32],
}

/// Plays one episode of `env` from `seed`, taking the most probable action where `deterministic`, and shows every step
/// to `observe`. Action streams are those of evaluation.
///
/// # Errors
/// Fails where the environment, the policy or `observe` does.
pub fn live<E: Env>(
    env: &mut E,
    policy: &ActorCritic,
    seed: u64,
    deterministic: bool,
    mut observe: impl FnMut(Moment<'_, E>) -> Result<()>,
) -> Result<Episode> {
    let prepared = policy.prepare()?;
    let mut session = prepared.session(1)?;
    let distribution = Distribution::for_space(env.action_space())?;
    let mut actions = distribution.buffer(1);
    let mut stream = Stream::new(seed, Purpose::EvaluationActions, 0);
    let mut observation = vec![0f32; env.observation_space().len()];
    let mut next = observation.clone();
    let mut state = vec![0f32; policy.state_len()];
    env.reset(Some(seed), ObservationMut::F32(&mut observation))?;
    let mut episode = Episode::default();
    loop {
        session.step(&observation, &[u8::from(episode.length == 0)])?;
        distribution.act(session.policy(0), (!deterministic).then_some(&mut stream), &mut actions, 0);
        let action = actions.slice(0, 1).get(0, 1);
        let step = env.step(action, ObservationMut::F32(&mut next))?;
        episode.length += 1;
        episode.total_reward += step.reward;
        session.store(&mut state)?;
        observe(Moment {
            step: episode.length,
            env,
            action,
            reward: step.reward,
            observation: &observation,
            value: session.values()[0],
            state: &state,
        })?;
        if step.done() {
            return Ok(episode);
        }
        std::mem::swap(&mut observation, &mut next);
    }
}
