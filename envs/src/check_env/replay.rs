//! Rules about trajectories: played again, they must come out the same.

use std::collections::HashSet;

use stpn_random::{Purpose, Stream};

use super::play::{Buffer, Moment, Player, Subject, Verdict, same};
use crate::vector::ActionRows;
use crate::{EnvGroup, Transition};

pub(super) fn whole(subject: &Subject<'_>) -> Verdict {
    let steps = subject.length()?;
    let mut player = subject.player()?;
    player.fill = 1;
    let trace = player.play_from(subject.options.seed, steps)?;
    same(&trace, &subject.trace(steps)?, 0)
        .map_err(|problem| format!("with other numbers in the buffer beforehand, {problem}"))
}

pub(super) fn determinism(subject: &Subject<'_>) -> Verdict {
    let steps = subject.length()?;
    let expected = subject.trace(steps)?;
    same(&subject.trace(steps)?, &expected, 0).map_err(|problem| format!("in a second instance, {problem}"))?;

    // Once more, with an instance beside it that plays something else.
    let (mut player, mut other) = (subject.player()?, subject.player()?);
    other.actions = Stream::new(subject.options.seed, Purpose::Test, 1);
    other.reset(Some(subject.options.seed.wrapping_add(1)))?;
    let mut trace = vec![player.reset(Some(subject.options.seed))?];
    for _ in 0..steps {
        other.step_on()?;
        trace.push(player.step_on()?);
    }
    same(&trace, &expected, 0).map_err(|problem| format!("beside another instance, {problem}"))
}

pub(super) fn seeding(subject: &Subject<'_>) -> Verdict {
    let steps = subject.length()?;
    let expected = subject.trace(steps)?;
    let mut player = subject.player()?;
    // In the middle of an episode, and again after some.
    player.play_from(subject.options.seed.wrapping_add(1), 5.min(steps))?;
    for when in ["within an episode", "later"] {
        let trace = player.play_from(subject.options.seed, steps)?;
        same(&trace, &expected, 0).map_err(|problem| format!("reset with the same seed {when}, {problem}"))?;
    }

    // Where seeds make a difference, so must episodes that follow each other.
    let opening = subject.first_end()?.min(50);
    let distinct = |restart: bool| -> Verdict<usize> {
        let mut player = subject.player()?;
        let mut openings = HashSet::new();
        player.reset(Some(subject.options.seed))?;
        for number in 0..12 {
            let seed = subject.options.seed.wrapping_add(number);
            player.actions = Stream::new(0, Purpose::Test, 2);
            let mut moments = vec![player.reset(restart.then_some(seed))?];
            while moments.len() <= opening && !moments[moments.len() - 1].done() {
                moments.push(player.step()?);
            }
            openings.insert(moments.iter().map(|moment| (moment.observation, moment.reward)).collect::<Vec<_>>());
        }
        Ok(openings.len())
    };
    if distinct(true)? > 1 && distinct(false)? == 1 {
        return Err("seeds differ, but episodes started without a seed are all the same".into());
    }
    Ok(())
}

fn saved(player: &Player) -> Verdict<Vec<u8>> {
    let mut bytes = vec![7];
    player.env.save_state(&mut bytes).map_err(|error| format!("save_state failed: {error}"))?;
    if bytes[0] != 7 {
        return Err("save_state does not append".into());
    }
    Ok(bytes.split_off(1))
}

pub(super) fn save_restore(subject: &Subject<'_>) -> Verdict {
    let (end, steps) = (subject.first_end()?, subject.length()?);
    let restore = |player: &mut Player, bytes: &[u8]| {
        player.env.restore_state(bytes).map_err(|error| format!("restore_state failed: {error}"))
    };
    // After the first reset and step, within the first episode, before its last step, and in the one after.
    for at in [0, 1, end / 2, end - 1, end, (end + 3).min(steps)] {
        let mut player = subject.player()?;
        player.reset(Some(subject.options.seed))?;
        player.play(at)?;
        let bytes = saved(&player)?;
        let actions = player.actions.clone();
        let expected = player.play(steps - at)?;
        let told = |where_to: &str| {
            let where_to = where_to.to_string();
            move |problem: String| format!("saved after {at} steps and restored {where_to}, {problem}")
        };

        restore(&mut player, &bytes)?;
        player.actions = actions.clone();
        same(&player.play(steps - at)?, &expected, at + 1).map_err(told("in the same instance"))?;

        let mut fresh = subject.player()?;
        restore(&mut fresh, &bytes)?;
        if saved(&fresh)? != bytes {
            return Err(format!("saved after {at} steps, restored and saved again, the bytes differ"));
        }
        fresh.actions = actions;
        same(&fresh.play(steps - at)?, &expected, at + 1).map_err(told("in a new instance"))?;
    }
    Ok(())
}

pub(super) fn auto_reset(subject: &Subject<'_>) -> Verdict {
    const COUNT: usize = 2;
    let make = |_| subject.make();
    let (seed, steps) = (subject.options.seed, subject.length()?);
    let mut group = EnvGroup::new(&make, 0, COUNT, seed).map_err(|error| error.to_string())?;
    let (space, action_space) = (group.observation_space().clone(), group.action_space().clone());
    let width = space.len();
    let buffer = || Buffer::new(space.dtype(), COUNT * width);
    let (mut observations, mut finals) = (buffer(), buffer());
    let (mut rewards, mut terminated, mut truncated) = ([0.0; COUNT], [false; COUNT], [false; COUNT]);
    group.reset(observations.get()).map_err(|error| error.to_string())?;

    let mut alone = Vec::new();
    for index in 0..COUNT {
        let mut player = subject.player()?;
        player.actions = Stream::new(seed, Purpose::Test, index as u64);
        player.reset(Some(Stream::new(seed, Purpose::Environment, index as u64).next_u64()))?;
        alone.push(player);
    }
    let mut streams: Vec<Stream> = alone.iter().map(|player| player.actions.clone()).collect();
    for number in 1..=steps {
        let mut actions = ActionRows::of(&action_space);
        streams.iter_mut().for_each(|stream| actions.push(action_space.sample(stream).get()));
        let mut out = Transition {
            observations: observations.get(),
            final_observations: finals.get(),
            rewards: &mut rewards,
            terminated: &mut terminated,
            truncated: &mut truncated,
        };
        group.step(actions.range(0..COUNT, action_space.len()), &mut out).map_err(|error| error.to_string())?;
        for (row, player) in alone.iter_mut().enumerate() {
            let expected = player.step_on()?;
            let done = terminated[row] || truncated[row];
            let last = if done { finals.hash(row, width) } else { observations.hash(row, width) };
            let moment = Moment {
                observation: last,
                // Vectors hold rewards in 32 bits.
                reward: if f64::from_bits(expected.reward) as f32 == rewards[row] { expected.reward } else { u64::MAX },
                terminated: terminated[row],
                truncated: truncated[row],
                next_observation: done.then(|| observations.hash(row, width)),
            };
            same(&[moment], &[expected], number)
                .map_err(|problem| format!("environment {row} of a group: {problem}"))?;
        }
    }
    Ok(())
}
