//! What each wrapper changes, and that it changes nothing else.

use stpn_envs::wrappers::{FrameStack, Mask, RecordEpisodeStatistics, RewardClip, TimeLimit};
use stpn_envs::{Action, Dtype, Env, Episode, ObservationMut, Result, Space, Step, state};

/// Plays a list of rewards; the observation is `[step, 10·step]`, in floats or bytes. The last reward terminates.
struct Script {
    rewards: Vec<f64>,
    at: usize,
    observation_space: Space,
    action_space: Space,
}

impl Script {
    fn new(rewards: &[f64]) -> Self {
        let observation_space = Space::boxed(0.0, 100.0, [2]);
        Self { rewards: rewards.to_vec(), at: 0, observation_space, action_space: Space::discrete(1) }
    }

    fn pixels(rewards: &[f64]) -> Self {
        Self { observation_space: Space::pixels([1, 1, 2]), ..Self::new(rewards) }
    }

    fn observe(&self, observation: ObservationMut<'_>) -> Result<()> {
        match self.observation_space.dtype() {
            Dtype::F32 => observation.f32(2)?.copy_from_slice(&[self.at as f32, 10.0 * self.at as f32]),
            Dtype::U8 => observation.u8(2)?.copy_from_slice(&[self.at as u8, 10 * self.at as u8]),
        }
        Ok(())
    }
}

impl Env for Script {
    fn name(&self) -> &str {
        "script"
    }

    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, _: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        self.at = 0;
        self.observe(observation)
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        action.discrete(1)?;
        let reward = self.rewards[self.at];
        self.at += 1;
        self.observe(observation)?;
        Ok(Step { reward, terminated: self.at == self.rewards.len(), ..Step::default() })
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        state::save("script", &self.at, bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        self.at = state::restore("script", bytes)?;
        Ok(())
    }

    fn oracle_return(&self) -> Option<f64> {
        Some(self.rewards.iter().sum())
    }
}

fn reset(env: &mut impl Env) -> Vec<f32> {
    let mut seen = vec![f32::NAN; env.observation_space().len()];
    env.reset(None, ObservationMut::F32(&mut seen)).unwrap();
    seen
}

fn step(env: &mut impl Env) -> (Vec<f32>, Step) {
    let mut seen = vec![f32::NAN; env.observation_space().len()];
    let step = env.step(Action::Discrete(0), ObservationMut::F32(&mut seen)).unwrap();
    (seen, step)
}

/// Rewards and ends of a whole episode.
fn episode(env: &mut impl Env) -> Vec<Step> {
    reset(env);
    let mut steps = vec![];
    while !steps.last().is_some_and(|step: &Step| step.done()) {
        steps.push(step(env).1);
    }
    steps
}

#[test]
fn time_limit_truncates_and_counts_anew_after_a_reset() {
    let mut env = TimeLimit::new(Script::new(&[1.0; 9]), 4).unwrap();
    for _ in 0..2 {
        let steps = episode(&mut env);
        assert_eq!(steps.iter().map(|step| step.truncated).collect::<Vec<_>>(), [false, false, false, true]);
        assert!(steps.iter().all(|step| !step.terminated && step.reward == 1.0));
        assert_eq!(env.elapsed(), 4);
        let error = env.step(Action::Discrete(0), ObservationMut::F32(&mut [0.0; 2])).unwrap_err().to_string();
        assert_eq!(error, "script: no episode is running; reset comes first");
    }
    assert_eq!(env.oracle_return(), None, "the oracle is that of the episode without a limit");
    assert!(TimeLimit::new(Script::new(&[]), 0).is_err());
}

#[test]
fn an_episode_that_ends_on_its_last_step_is_terminated_and_truncated() {
    let last = |limit| *episode(&mut TimeLimit::new(Script::new(&[1.0; 3]), limit).unwrap()).last().unwrap();
    assert!(last(3).terminated && last(3).truncated);
    assert!(last(4).terminated && !last(4).truncated);
}

#[test]
fn time_limit_saves_its_count() {
    let mut env = TimeLimit::new(Script::new(&[1.0; 9]), 3).unwrap();
    reset(&mut env);
    step(&mut env);
    let mut bytes = Vec::new();
    env.save_state(&mut bytes).unwrap();
    let mut other = TimeLimit::new(Script::new(&[1.0; 9]), 3).unwrap();
    other.restore_state(&bytes).unwrap();
    assert!(!step(&mut other).1.truncated);
    assert!(step(&mut other).1.truncated);
    let mut short = TimeLimit::new(Script::new(&[1.0]), 1).unwrap();
    let mut bytes = Vec::new();
    other.save_state(&mut bytes).unwrap();
    assert!(short.restore_state(&bytes).unwrap_err().to_string().contains("step 3 of at most 1"));
}

#[test]
fn rewards_are_clipped_to_their_sign_or_a_range() {
    let rewards = [-7.0, -0.2, -0.0, 0.0, 0.3, 4.0];
    let clipped = |mut env: RewardClip<Script>| episode(&mut env).iter().map(|step| step.reward).collect::<Vec<_>>();
    assert_eq!(clipped(RewardClip::sign(Script::new(&rewards))), [-1.0, -1.0, 0.0, 0.0, 1.0, 1.0]);
    let range = RewardClip::range(Script::new(&rewards), -0.5, 2.0).unwrap();
    assert_eq!(clipped(range), [-0.5, -0.2, 0.0, 0.0, 0.3, 2.0]);
    for (low, high) in [(1.0, 1.0), (1.0, 0.0), (f64::NAN, 1.0)] {
        assert!(RewardClip::range(Script::new(&rewards), low, high).is_err());
    }
}

#[test]
fn statistics_are_of_the_raw_rewards_of_whole_episodes() {
    let mut env = RewardClip::sign(RecordEpisodeStatistics::new(Script::new(&[5.0, -2.0, 30.0])));
    assert!(env.records_episodes());
    for _ in 0..2 {
        let episodes: Vec<_> = episode(&mut env).iter().map(|step| step.episode).collect();
        assert_eq!(episodes, [None, None, Some(Episode { total_reward: 33.0, length: 3 })]);
    }
    // Cut short, an episode is forgotten.
    reset(&mut env);
    step(&mut env);
    assert_eq!(episode(&mut env).last().unwrap().episode.unwrap().length, 3);
}

#[test]
fn statistics_are_saved_in_the_middle_of_an_episode() {
    let make = || RecordEpisodeStatistics::new(Script::new(&[5.0, -2.0, 30.0]));
    let (mut env, mut other) = (make(), make());
    reset(&mut env);
    step(&mut env);
    let mut bytes = Vec::new();
    env.save_state(&mut bytes).unwrap();
    other.restore_state(&bytes).unwrap();
    assert_eq!(other.running(), Episode { total_reward: 5.0, length: 1 });
    step(&mut other);
    assert_eq!(step(&mut other).1.episode.unwrap().total_reward, 33.0);
    assert_eq!(make().oracle_return(), Some(33.0));
}

#[test]
fn frames_are_stacked_oldest_first_and_filled_at_the_start() {
    let mut env = FrameStack::new(Script::new(&[1.0; 4]), 3).unwrap();
    assert_eq!(env.observation_space(), &Space::boxed(0.0, 100.0, [6]));
    for _ in 0..2 {
        assert_eq!(reset(&mut env), [0.0; 6]);
        assert_eq!(step(&mut env).0, [0.0, 0.0, 0.0, 0.0, 1.0, 10.0]);
        assert_eq!(step(&mut env).0, [0.0, 0.0, 1.0, 10.0, 2.0, 20.0]);
        assert_eq!(step(&mut env).0, [1.0, 10.0, 2.0, 20.0, 3.0, 30.0]);
    }
}

#[test]
fn frames_of_bytes_are_stacked_along_the_first_axis() {
    let mut env = FrameStack::new(Script::pixels(&[1.0; 5]), 4).unwrap();
    assert_eq!(env.observation_space(), &Space::pixels([4, 1, 2]));
    let mut seen = [0; 8];
    env.reset(None, ObservationMut::U8(&mut seen)).unwrap();
    for _ in 0..5 {
        env.step(Action::Discrete(0), ObservationMut::U8(&mut seen)).unwrap();
    }
    assert_eq!(seen, [2, 20, 3, 30, 4, 40, 5, 50]);
    assert!(FrameStack::new(Script::pixels(&[1.0]), 0).is_err());
}

#[test]
fn a_saved_stack_is_restored_with_its_frames() {
    let make = |frames| FrameStack::new(Script::new(&[1.0; 6]), frames).unwrap();
    let (mut env, mut other) = (make(2), make(2));
    reset(&mut env);
    step(&mut env);
    let mut bytes = Vec::new();
    env.save_state(&mut bytes).unwrap();
    other.restore_state(&bytes).unwrap();
    assert_eq!(step(&mut other).0, [1.0, 10.0, 2.0, 20.0]);
    let error = make(3).restore_state(&bytes).unwrap_err().to_string();
    assert!(error.contains("stacked frames of 6 × F32, expected 8"), "{error}");
}

#[test]
fn a_refused_step_leaves_the_stack_as_it_was() {
    let mut env = FrameStack::new(Script::new(&[1.0; 6]), 2).unwrap();
    reset(&mut env);
    assert!(env.step(Action::Discrete(1), ObservationMut::F32(&mut [0.0; 4])).is_err());
    assert!(env.step(Action::Discrete(0), ObservationMut::F32(&mut [0.0; 3])).is_err());
    assert_eq!(step(&mut env).0, [0.0, 0.0, 1.0, 10.0]);
}

#[test]
fn a_mask_shows_what_it_keeps_in_its_order() {
    let mut env = Mask::new(Script::new(&[1.0; 3]), "half", [1]).unwrap();
    assert_eq!((env.name(), env.observation_space()), ("half", &Space::boxed(0.0, 100.0, [1])));
    reset(&mut env);
    assert_eq!(step(&mut env).0, [10.0]);
    let mut env = Mask::new(Script::new(&[1.0; 3]), "turned", [1, 0]).unwrap();
    reset(&mut env);
    assert_eq!(step(&mut env).0, [10.0, 1.0]);

    let refused = |keep: &[usize]| Mask::new(Script::new(&[]), "", keep).err().unwrap().to_string();
    assert_eq!(refused(&[2]), "env.keep = [2]: at least one index, each below 2");
    assert_eq!(refused(&[]), "env.keep = []: at least one index, each below 2");
    let pixels = Mask::new(Script::pixels(&[]), "", [0]).err().unwrap().to_string();
    assert!(pixels.starts_with("observation: expected a box of floats"), "{pixels}");
}

#[test]
fn wrappers_take_boxed_environments() {
    let boxed: Box<dyn Env> = Box::new(Script::new(&[3.0, 4.0]));
    let mut env = RewardClip::sign(TimeLimit::new(RecordEpisodeStatistics::new(boxed), 1).unwrap());
    assert_eq!(env.name(), "script");
    let steps = episode(&mut env);
    assert_eq!((steps.len(), steps[0].reward, steps[0].truncated), (1, 1.0, true));
}
