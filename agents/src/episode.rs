//! One episode of a trained policy, watched step by step: for reports and for looking on.

use stpn_envs::{Action, Env, Episode, ObservationMut};
use stpn_random::{Purpose, Stream};

use crate::Result;
use crate::evaluation::Subject;
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
    let mut session = subject.policy.session(1)?;
    let distribution = policy.distribution().clone();
    let (mut actions, mut environment_actions, mut scratch) = (distribution.buffer(1), Vec::new(), Vec::new());
    let mut stream = Stream::new(seed, Purpose::EvaluationActions, 0);
    let space = env.observation_space();
    let mut raw = Observations::zeros(space.dtype(), space.len());
    let mut state = vec![0f32; policy.state_len()];
    env.reset(Some(seed), raw.all_mut())?;
    let mut episode = Episode::default();
    loop {
        let mut seen = raw.clone();
        if let ObservationMut::F32(values) = seen.all_mut() {
            subject.normalization.apply(values);
        }
        session.step(seen.all(), &[u8::from(episode.length == 0)])?;
        distribution.act(
            session.distribution(0),
            (!deterministic).then_some(&mut stream),
            &mut actions,
            0,
            &mut scratch,
        );
        let width = distribution.action_len();
        let action = distribution.for_environment(&actions, 0, 1, &mut environment_actions).get(0, width);
        let step = env.step(action, raw.all_mut())?;
        episode.length += 1;
        episode.total_reward += step.reward;
        session.store(&mut state)?;
        observe(Moment {
            step: episode.length,
            env,
            action,
            reward: step.reward,
            observation: &raw,
            value: session.values()[0],
            state: &state,
        })?;
        if step.done() {
            return Ok(episode);
        }
    }
}
