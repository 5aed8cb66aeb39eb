//! The rule about environments that say of actions that they change nothing, or are shown alone.

use std::ops::Range;

use stpn_random::{Purpose, Stream};

use super::play::{Moment, Subject, Verdict, same};
use crate::{Echo, Env, Sample, Space};

/// What was seen of some steps, without the elements that show the action before.
struct Seen {
    /// Without rewards.
    moments: Vec<Moment>,
    /// The first observations of episodes, as they are.
    firsts: Vec<Vec<f32>>,
}

impl Seen {
    /// Of `steps` random steps, which are others for another `number`.
    fn new(subject: &Subject<'_>, echoed: &Range<usize>, steps: usize, number: u64) -> Verdict<Self> {
        let mut player = subject.player()?;
        player.skipped = echoed.clone();
        player.actions = Stream::new(subject.options.seed, Purpose::Test, number);
        let mut seen = Self { moments: vec![player.reset(Some(subject.options.seed))?], firsts: Vec::new() };
        for _ in 0..steps {
            let moment = player.step_on()?;
            if moment.done() {
                seen.firsts.push(player.buffer.values());
            }
            seen.moments.push(Moment { reward: 0, ..moment });
        }
        Ok(seen)
    }
}

pub(super) fn foresight(subject: &Subject<'_>) -> Verdict {
    let env = subject.player()?.env;
    let (echoed, who) = match env.echoes_actions() {
        Some(elements) => (elements, "`echoes_actions`"),
        None if env.ignores_actions() => (0..0, "`ignores_actions`"),
        None => return Ok(()),
    };
    let len = env.observation_space().len();
    if echoed.start > echoed.end || echoed.end > len {
        return Err(format!("`echoes_actions` says {echoed:?} of {len} elements"));
    }
    let steps = subject.length()?;
    let [seen, otherwise] = [0, 3].map(|number| Seen::new(subject, &echoed, steps, number));
    let (seen, otherwise) = (seen?, otherwise?);
    same(&otherwise.moments, &seen.moments, 0)
        .map_err(|problem| format!("with other actions, {problem}: {who} must say no"))?;
    if otherwise.firsts != seen.firsts {
        return Err(format!("with other actions, an episode begins with another observation: {who} must say no"));
    }
    // Only choices among one list are of use.
    let choices = matches!(env.action_space(), Space::Discrete { .. });
    if echoed.is_empty() || !choices { Ok(()) } else { shown(subject, env.as_ref(), steps) }
}

/// Looks whether the action before is shown as a device would show it.
fn shown(subject: &Subject<'_>, env: &dyn Env, steps: usize) -> Verdict {
    let form = || "`echoes_actions` names elements that cannot show a choice, as such or one-hot".to_string();
    let echo = Echo::of(env).ok_or_else(form)?;
    let mut player = subject.player()?;
    player.reset(Some(subject.options.seed))?;
    for number in 1..=steps {
        if player.step()?.done() {
            // Nobody acts on what is shown at an end.
            player.reset(None)?;
            continue;
        }
        let seen = player.buffer.values();
        let mut expected = seen.clone();
        if let Some(Sample::Discrete(action)) = player.taken {
            echo.write(&mut expected, action);
        }
        if seen != expected {
            return Err(format!("after {number} steps the observation does not show the action before"));
        }
    }
    Ok(())
}
