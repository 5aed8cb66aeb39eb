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
/// to `observe`. Action streams are those of evaluation.
///
/// # Errors
/// Fails where the environment, the policy or `observe` does.
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
    let mut episode = Episode::default();
    loop {
        // A copy, since what an actor observes is normalised in place.
        let mut seen = raw.clone();
        actor.observe(seen.all_mut(), &[u8::from(episode.length == 0)])?;
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
        if step.done() {
            return Ok(episode);
        }
    }
}
