//! Two halves in turns give what the whole gives, and one really is simulated while the other is inferred.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use stpn_envs::vector::Actions;
use stpn_envs::{Action, Env, ObservationMut, Result, Space, Step, VectorEnv};

use super::countdown::Countdown;
use super::stepping::Row;

fn make(_: usize) -> Result<Box<dyn Env>> {
    Ok(Box::new(Countdown::new()))
}

/// A policy that depends on everything observed.
fn infer(observations: &[f32]) -> Vec<u32> {
    observations.chunks(2).map(|row| (row[0] as u32 + (row[1] * 100.0) as u32) % 3).collect()
}

#[test]
fn halves_in_turns_step_as_the_whole_does() {
    const COUNT: usize = 11;
    let mut whole = VectorEnv::new(&make, COUNT, 3, 5).unwrap();
    let [mut left, mut right] = VectorEnv::new(&make, COUNT, 3, 5).unwrap().into_halves().unwrap();
    assert_eq!((left.len(), right.len(), right.groups()[0].first()), (6, 5, 6));
    let (mut row, mut left_row, mut right_row) = (Row::new(COUNT), Row::new(left.len()), Row::new(right.len()));
    whole.reset(ObservationMut::F32(&mut row.observations)).unwrap();
    left.reset(ObservationMut::F32(&mut left_row.observations)).unwrap();
    right.reset(ObservationMut::F32(&mut right_row.observations)).unwrap();
    let mut left_actions = infer(&left_row.observations);
    for _ in 0..50 {
        let actions = infer(&row.observations);
        whole.step(Actions::Discrete(&actions), &mut row.transition()).unwrap();

        let observed = &right_row.observations;
        let (stepped, right_actions) =
            left.step_while(Actions::Discrete(&left_actions), &mut left_row.transition(), || infer(observed));
        stepped.unwrap();
        let observed = &left_row.observations;
        let (stepped, next) =
            right.step_while(Actions::Discrete(&right_actions), &mut right_row.transition(), || infer(observed));
        stepped.unwrap();
        left_actions = next;

        assert_eq!([left_row.observations.clone(), right_row.observations.clone()].concat(), row.observations);
        assert_eq!([left_row.rewards.clone(), right_row.rewards.clone()].concat(), row.rewards);
        assert_eq!([left_row.terminated.clone(), right_row.terminated.clone()].concat(), row.terminated);
    }
    let episodes: Vec<_> = left.drain_episodes().chain(right.drain_episodes()).collect();
    assert!(episodes.len() > 50);
    assert_eq!(whole.drain_episodes().collect::<Vec<_>>(), episodes);
}

#[test]
fn a_vector_of_one_group_has_no_halves() {
    let error = VectorEnv::new(&make, 4, 4, 1).unwrap().into_halves().map(drop).unwrap_err().to_string();
    assert!(error.contains("group_size = 4"), "{error}");
}

/// Where two threads wait for each other, but not for ever.
#[derive(Default)]
struct Meeting {
    arrived: Mutex<usize>,
    changed: Condvar,
}

impl Meeting {
    fn wait_for_the_other(&self) -> bool {
        let mut arrived = self.arrived.lock().unwrap();
        *arrived += 1;
        self.changed.notify_all();
        let patience = Duration::from_secs(20);
        *self.changed.wait_timeout_while(arrived, patience, |arrived| *arrived < 2).unwrap().0 >= 2
    }
}

/// An environment whose step waits for somebody else to be at work.
struct Waiting {
    inner: Countdown,
    meeting: Arc<Meeting>,
}

impl Env for Waiting {
    fn name(&self) -> &str {
        "waiting"
    }

    fn observation_space(&self) -> &Space {
        self.inner.observation_space()
    }

    fn action_space(&self) -> &Space {
        self.inner.action_space()
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        self.inner.reset(seed, observation)
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        assert!(self.meeting.wait_for_the_other(), "nothing else was done meanwhile");
        self.inner.step(action, observation)
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        self.inner.save_state(bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        self.inner.restore_state(bytes)
    }
}

#[test]
fn inference_runs_while_the_other_half_is_simulated() {
    let meeting = Arc::new(Meeting::default());
    let make = |_| -> Result<Box<dyn Env>> {
        Ok(Box::new(Waiting { inner: Countdown::new(), meeting: Arc::clone(&meeting) }))
    };
    let [mut left, _] = VectorEnv::new(&make, 2, 1, 1).unwrap().into_halves().unwrap();
    let mut row = Row::new(1);
    left.reset(ObservationMut::F32(&mut row.observations)).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let (stepped, met) = pool
        .install(|| left.step_while(Actions::Discrete(&[1]), &mut row.transition(), || meeting.wait_for_the_other()));
    stepped.unwrap();
    assert!(met);
}
