//! What environments will show that do not mind what is done.

use super::EnvGroup;
use super::buffers::{Actions, Transition};
use crate::{Dtype, Echo, Env, ObservationMut, Result, Space};

/// What B environments show in the next T steps, whatever the actions are; or, if they show the action before, what
/// they show if it is always the first one.
#[derive(Clone, Debug, PartialEq)]
pub struct Foresight {
    /// B
    pub batch: usize,
    /// `[T, B, O]` after each step.
    pub observations: Vec<f32>,
    /// `[T, B]` 1 if that is the first observation of another episode.
    pub starts: Vec<u8>,
}

impl Foresight {
    /// The observations `[B, O]` after step `t`, and `[B]` 1 for those that are the first of another episode.
    ///
    /// # Panics
    /// If there is no such step.
    pub fn after(&self, t: usize) -> (&[f32], &[u8]) {
        let width = self.observations.len() / self.starts.len();
        let own = t * self.batch..(t + 1) * self.batch;
        (&self.observations[own.start * width..own.end * width], &self.starts[own])
    }

    /// The observations `[B, O]` after step `t` if the step of every environment was one of `actions` `[B]`, which they
    /// show where `echo` says.
    ///
    /// # Panics
    /// If there is no such step or action.
    pub fn with_actions(&self, t: usize, echo: &Echo, actions: &[u32]) -> Vec<f32> {
        let (shown, starts) = self.after(t);
        let (mut shown, width) = (shown.to_vec(), shown.len() / self.batch);
        for ((own, &action), &start) in shown.chunks_exact_mut(width).zip(actions).zip(starts) {
            // No action led to the first observation of an episode.
            if start == 0 {
                echo.write(own, action as usize);
            }
        }
        shown
    }
}

impl EnvGroup {
    /// Whether what all its environments show, and when their episodes end, does not depend on the actions.
    pub fn ignores_actions(&self) -> bool {
        self.observation_space().dtype() == Dtype::F32
            && matches!(self.action_space(), Space::Discrete { .. })
            && self.environments().all(Env::ignores_actions)
    }

    /// Where all its environments show the action before, if nothing else that they show, nor when their episodes end,
    /// depends on actions.
    pub fn echo(&self) -> Option<Echo> {
        let mut all = self.environments().map(Echo::of);
        let first = all.next()??;
        all.all(|other| other.as_ref() == Some(&first)).then_some(first)
    }

    /// Looks `steps` T steps ahead, and comes back: the environments are then as before. Only if
    /// [`EnvGroup::ignores_actions`], that is what they will show; if there is an [`EnvGroup::echo`],
    /// [`Foresight::with_actions`] says what they will.
    ///
    /// # Errors
    /// Fails if an environment does.
    pub fn foresee(&mut self, steps: usize) -> Result<Foresight> {
        let (batch, row) = (self.len(), self.len() * self.observation_space().len());
        let (mut before, failures) = (Vec::new(), self.failures.len());
        self.save_state(&mut before)?;
        let mut foresight = Foresight { batch, observations: vec![0.0; steps * row], starts: vec![0; steps * batch] };
        let (actions, mut finals, mut rewards) = (vec![0; batch], vec![0.0; row], vec![0.0; batch]);
        let (mut terminated, mut truncated) = (vec![false; batch], vec![false; batch]);
        for t in 0..steps {
            let mut transition = Transition {
                observations: ObservationMut::F32(&mut foresight.observations[t * row..(t + 1) * row]),
                final_observations: ObservationMut::F32(&mut finals),
                rewards: &mut rewards,
                terminated: &mut terminated,
                truncated: &mut truncated,
            };
            self.step(Actions::Discrete(&actions), &mut transition)?;
            for (start, (terminated, truncated)) in
                foresight.starts[t * batch..].iter_mut().zip(terminated.iter().zip(&truncated))
            {
                *start = u8::from(*terminated || *truncated);
            }
        }
        self.restore_state(&before)?;
        // Those of steps that are undone.
        self.failures.truncate(failures);
        Ok(foresight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic::{CartPoleConfig, MemoryConfig};
    use crate::popgym::{Level, PopgymConfig, Task};
    use crate::wrappers::{PreviousAction, TimeLimit};

    /// Steps a group with those actions, and gives what is shown, who starts, and the rewards.
    fn shown(
        group: &mut EnvGroup,
        steps: usize,
        action: impl Fn(usize, usize) -> u32,
    ) -> (Vec<f32>, Vec<u8>, Vec<f32>) {
        let (batch, row) = (group.len(), group.len() * group.observation_space().len());
        let (mut shown, mut starts, mut earned) = (Vec::new(), Vec::new(), Vec::new());
        let (mut observations, mut finals, mut rewards) = (vec![0.0; row], vec![0.0; row], vec![0.0; batch]);
        let (mut terminated, mut truncated) = (vec![false; batch], vec![false; batch]);
        for t in 0..steps {
            let actions: Vec<u32> = (0..batch).map(|i| action(t, i)).collect();
            let mut transition = Transition {
                observations: ObservationMut::F32(&mut observations),
                final_observations: ObservationMut::F32(&mut finals),
                rewards: &mut rewards,
                terminated: &mut terminated,
                truncated: &mut truncated,
            };
            group.step(Actions::Discrete(&actions), &mut transition).unwrap();
            shown.extend_from_slice(&observations);
            earned.extend_from_slice(&rewards);
            starts.extend(terminated.iter().zip(&truncated).map(|(ended, cut)| u8::from(*ended || *cut)));
        }
        (shown, starts, earned)
    }

    #[test]
    fn what_is_foreseen_is_shown_whatever_is_done() {
        let steps = 130;
        let mut foreseeable = 0;
        let make = |task: Option<Task>| match task {
            None => Ok(Box::new(MemoryConfig::default().make()?) as Box<dyn Env>),
            Some(task) => PopgymConfig { task, antialias: true, ..PopgymConfig::default() }.make(),
        };
        for task in Task::ALL.map(Some).into_iter().chain([None]) {
            let mut group = EnvGroup::new(&|_: usize| make(task), 0, 3, 7).unwrap();
            let mut first = vec![0.0; 3 * group.observation_space().len()];
            group.reset(ObservationMut::F32(&mut first)).unwrap();
            if !group.ignores_actions() {
                continue;
            }
            foreseeable += 1;
            let Space::Discrete { n } = *group.action_space() else { unreachable!("choices are asked for") };
            // From within an episode.
            shown(&mut group, 5, |_, _| 0);
            let foresight = group.foresee(steps).unwrap();
            assert!(foresight.starts.contains(&1));
            let mut before = Vec::new();
            group.save_state(&mut before).unwrap();
            let moved = |group: &mut EnvGroup, by: usize| shown(group, steps, |t, i| ((t * by + i) % n) as u32);
            let (first, starts, earned) = moved(&mut group, 1);
            group.restore_state(&before).unwrap();
            let (second, _, otherwise) = moved(&mut group, 0);
            assert_eq!((&first, &second, starts), (&foresight.observations, &first, foresight.starts));
            assert_ne!(earned, otherwise, "actions make a difference to rewards");
        }
        assert_eq!(foreseeable, 6);
    }

    #[test]
    fn what_tells_the_action_before_was_taken_for_foreseeable() {
        let make = |_: usize| PopgymConfig::published(Task::RepeatPrevious, Level::Easy).make();
        assert!(!EnvGroup::new(&make, 0, 2, 7).unwrap().ignores_actions());
    }

    /// A memory task that shows, one-hot behind numbers, the action before.
    fn memory() -> Result<Box<dyn Env>> {
        Ok(Box::new(PreviousAction::new(MemoryConfig { delay: 3, ..MemoryConfig::default() }.make()?)?))
    }

    #[test]
    fn what_shows_the_action_before_is_foreseen_with_it() {
        let (steps, batch) = (130, 3);
        let mut foreseeable = 0;
        let make = |task: Option<Task>, antialias: bool| match task {
            None => memory(),
            Some(task) => PopgymConfig { task, previous_action: true, antialias, ..PopgymConfig::default() }.make(),
        };
        for (number, task) in Task::ALL.map(Some).into_iter().chain([None]).enumerate() {
            let mut group = EnvGroup::new(&|_: usize| make(task, number % 2 == 0), 0, batch, 7).unwrap();
            let mut first = vec![0.0; batch * group.observation_space().len()];
            group.reset(ObservationMut::F32(&mut first)).unwrap();
            let Some(echo) = group.echo() else { continue };
            foreseeable += 1;
            let Space::Discrete { n } = *group.action_space() else { unreachable!("choices are asked for") };
            let inputs = echo.inputs();
            assert!(inputs.len() == n && inputs.end <= group.observation_space().features(), "{echo:?}");
            shown(&mut group, 5, |_, _| 0);
            let foresight = group.foresee(steps).unwrap();
            assert!(foresight.starts.contains(&1));
            let action = |t: usize, i: usize| ((t * (i + 1) + i) % n) as u32;
            let (seen, starts, _) = shown(&mut group, steps, action);
            let wanted = (0..steps).flat_map(|t| {
                foresight.with_actions(t, &echo, &(0..batch).map(|i| action(t, i)).collect::<Vec<u32>>())
            });
            assert_eq!((seen, starts), (wanted.collect(), foresight.starts.clone()));
        }
        assert_eq!(foreseeable, 6);
    }

    #[test]
    fn environments_that_mind_actions_have_no_echo() {
        let make = |_: usize| Ok(Box::new(PreviousAction::new(CartPoleConfig::default().make()?)?) as Box<dyn Env>);
        assert_eq!(EnvGroup::new(&make, 0, 2, 7).unwrap().echo(), None);
        // Two of them, of which one says nothing of what it shows.
        let silent = || -> Result<Box<dyn Env>> { Ok(Box::new(TimeLimit::new(memory()?, 1000)?)) };
        let make = |index: usize| if index == 0 { memory() } else { silent() };
        assert_eq!(EnvGroup::new(&make, 0, 2, 7).unwrap().echo(), None);
    }
}
