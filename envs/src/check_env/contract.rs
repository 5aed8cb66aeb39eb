//! Rules about single calls: what they write, and what they refuse.

use super::play::{Buffer, Player, Subject, Verdict, same};
use crate::{Dtype, Error, Sample, Space};

pub(super) fn spaces(subject: &Subject<'_>) -> Verdict {
    let (first, second) = (subject.player()?.env, subject.player()?.env);
    if first.name().is_empty() {
        return Err("the name is empty".into());
    }
    for (what, space, other) in [
        ("observation", first.observation_space(), second.observation_space()),
        ("action", first.action_space(), second.action_space()),
    ] {
        if space != other {
            return Err(format!("the {what} space is {space}, then {other}"));
        }
        match space {
            Space::Discrete { n: 0 } => return Err(format!("the {what} space has nothing to choose from")),
            Space::MultiDiscrete { counts } if counts.is_empty() || counts.contains(&0) => {
                return Err(format!("the {what} space has nothing to choose from in one of {counts:?}"));
            }
            Space::MultiBinary { n: 0 } => return Err(format!("the {what} space has no switches")),
            Space::Discrete { .. } | Space::MultiDiscrete { .. } | Space::MultiBinary { .. } => {}
            Space::Box { low, high, shape, .. } => {
                let len: usize = shape.iter().product();
                if len == 0 || (low.len(), high.len()) != (len, len) {
                    let (low, high) = (low.len(), high.len());
                    return Err(format!("the {what} space of shape {shape:?} has {low} lower, {high} upper bounds"));
                }
                // NaN lies in no range.
                let ordered = |(&low, &high): (&f32, &f32)| (f32::NEG_INFINITY..=high).contains(&low);
                if let Some(at) = low.iter().zip(high).position(|bounds| !ordered(bounds)) {
                    return Err(format!("element {at} of the {what} space is from {} to {}", low[at], high[at]));
                }
            }
        }
    }
    match first.action_space() {
        Space::Box { dtype: Dtype::U8, .. } => Err("continuous actions are floats, not bytes".into()),
        _ => Ok(()),
    }
}

pub(super) fn episodes(subject: &Subject<'_>) -> Verdict {
    subject.trace(subject.length()?).map(drop)
}

/// Calls `look` on what every step of a trajectory left: reward and observation.
fn each(subject: &Subject<'_>, mut look: impl FnMut(f64, &Player) -> Verdict) -> Verdict {
    let mut player = subject.player()?;
    player.reset(Some(subject.options.seed))?;
    look(0.0, &player).map_err(|problem| format!("after reset {problem}"))?;
    for number in 1..=subject.length()? {
        let moment = player.step()?;
        look(f64::from_bits(moment.reward), &player).map_err(|problem| format!("at step {number} {problem}"))?;
        if moment.done() {
            player.reset(None)?;
            look(0.0, &player).map_err(|problem| format!("after the reset at step {number} {problem}"))?;
        }
    }
    Ok(())
}

pub(super) fn finite(subject: &Subject<'_>) -> Verdict {
    each(subject, |reward, player| {
        if !(reward as f32).is_finite() {
            return Err(format!("the reward is {reward}"));
        }
        match player.buffer.values().iter().position(|value| !value.is_finite()) {
            Some(at) => Err(format!("element {at} of the observation is {}", player.buffer.values()[at])),
            None => Ok(()),
        }
    })
}

pub(super) fn bounds(subject: &Subject<'_>) -> Verdict {
    each(subject, |_, player| {
        let values = player.buffer.values();
        match player.env.observation_space() {
            Space::Box { low, high, .. } => {
                let outside = (0..values.len()).find(|&at| !(low[at]..=high[at]).contains(&values[at]));
                outside.map_or(Ok(()), |at| {
                    let (value, low, high) = (values[at], low[at], high[at]);
                    Err(format!("element {at} of the observation is {value}, {low} to {high} expected"))
                })
            }
            space => {
                let outside = |&at: &usize| {
                    let count = space.choices(at).unwrap_or(0) as f32;
                    values[at].fract() != 0.0 || !(0.0..count).contains(&values[at])
                };
                (0..values.len()).find(outside).map_or(Ok(()), |at| {
                    Err(format!("element {at} of the observation is {}, one of {space} expected", values[at]))
                })
            }
        }
    })
}

pub(super) fn bad_states(subject: &Subject<'_>) -> Verdict {
    let mut player = subject.player()?;
    player.reset(Some(subject.options.seed))?;
    let mut bytes = Vec::new();
    player.env.save_state(&mut bytes).map_err(|error| format!("save_state failed: {error}"))?;
    if bytes.is_empty() {
        return Err("save_state wrote nothing".into());
    }
    let mut longer = bytes.clone();
    longer.push(0);
    for (what, bad) in [
        ("no bytes", &[][..]),
        ("a state cut short", &bytes[..bytes.len() - 1]),
        ("a state with a byte too many", &longer),
    ] {
        if subject.player()?.env.restore_state(bad).is_ok() {
            return Err(format!("{what} is restored"));
        }
    }
    Ok(())
}

pub(super) fn order(subject: &Subject<'_>) -> Verdict {
    let mut player = subject.player()?;
    if player.step().is_ok() {
        return Err("a step before the first reset is taken".into());
    }
    let mut player = subject.player()?;
    player.reset(Some(subject.options.seed))?;
    let end = subject.first_end()?;
    for _ in 0..end {
        player.step()?;
    }
    if player.step().is_ok() {
        return Err(format!("a step after the end of the episode, at step {end}, is taken"));
    }
    player.reset(None).map(drop)
}

/// Actions that do not belong to a space.
fn impossible(space: &Space) -> Vec<Sample> {
    let choices = |counts: &[usize]| {
        let (mut beyond, zeros) = (vec![0; counts.len()], vec![0; counts.len()]);
        beyond[counts.len() - 1] = counts[counts.len() - 1] as u32;
        let (short, long) = (zeros[1..].to_vec(), [&zeros[..], &[0]].concat());
        let wrong = [beyond, short, long].map(Sample::Choices);
        wrong.into_iter().chain([Sample::Discrete(0), Sample::Continuous(vec![0.0; counts.len()])]).collect()
    };
    match space {
        Space::Discrete { n } => {
            let (least, most) = (Sample::Discrete(*n), Sample::Discrete(usize::MAX));
            vec![least, most, Sample::Continuous(vec![0.0]), Sample::Choices(vec![0])]
        }
        Space::MultiDiscrete { counts } => choices(counts),
        Space::MultiBinary { n } => choices(&vec![2; *n]),
        Space::Box { low, .. } => {
            let mut nan = vec![0.0; low.len()];
            nan[low.len() - 1] = f32::NAN;
            let (short, long) = (vec![0.0; low.len() - 1], vec![0.0; low.len() + 1]);
            let continuous = [short, long, nan].map(Sample::Continuous);
            continuous.into_iter().chain([Sample::Discrete(0)]).collect()
        }
    }
}

pub(super) fn actions(subject: &Subject<'_>) -> Verdict {
    let steps = subject.length()?;
    let mut player = subject.player()?;
    let mut trace = vec![player.reset(Some(subject.options.seed))?];
    for number in 0..steps {
        // Early, while episodes run: the same at every step would say no more.
        if number < 20 {
            for action in impossible(player.env.action_space()) {
                let mut buffer = player.buffer.clone();
                match player.env.step(action.get(), buffer.get()) {
                    Ok(_) => return Err(format!("{action:?} is taken")),
                    Err(Error::Action { .. }) => {}
                    Err(other) => return Err(format!("{action:?} gives another error than Error::Action: {other}")),
                }
            }
        }
        trace.push(player.step_on()?);
    }
    same(&trace, &subject.trace(steps)?, 0).map_err(|problem| format!("after refused actions, {problem}"))
}

pub(super) fn buffers(subject: &Subject<'_>) -> Verdict {
    let mut player = subject.player()?;
    player.reset(Some(subject.options.seed))?;
    let space = player.env.observation_space().clone();
    let (len, other) = match space.dtype() {
        Dtype::F32 => (space.len(), Dtype::U8),
        Dtype::U8 => (space.len(), Dtype::F32),
    };
    for (what, buffer) in [
        ("one element short", Buffer::new(space.dtype(), len - 1)),
        ("one element long", Buffer::new(space.dtype(), len + 1)),
        ("of the other element type", Buffer::new(other, len)),
    ] {
        let mut buffer = buffer;
        if player.env.reset(Some(subject.options.seed), buffer.get()).is_ok() {
            return Err(format!("reset writes into a buffer {what}"));
        }
        player.reset(Some(subject.options.seed))?;
        let action = player.env.action_space().sample(&mut player.actions);
        if player.env.step(action.get(), buffer.get()).is_ok() {
            return Err(format!("step writes into a buffer {what}"));
        }
    }
    Ok(())
}
