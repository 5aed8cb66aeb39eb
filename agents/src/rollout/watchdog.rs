//! Notices an environment that hangs. Its thread cannot be stopped, so the process has to end.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use stpn_envs::vector::Heartbeat;

use crate::Error;

/// Looks at every group of environments while they are stepped.
#[derive(Clone, Debug)]
pub struct Watchdog {
    heartbeats: Vec<Arc<Heartbeat>>,
    tick: Duration,
    patience: u32,
}

/// Ticks in a timeout: a hang is noticed within a tenth more than it.
const TICKS: u32 = 10;

impl Watchdog {
    /// A watchdog over groups whose calls into an environment may take up to `timeout` each.
    pub fn new(heartbeats: Vec<Arc<Heartbeat>>, timeout: Duration) -> Self {
        Self { heartbeats, tick: timeout / TICKS, patience: TICKS }
    }

    /// Runs `work`. Where a call into an environment takes too long meanwhile, `hung` is called, once, from another
    /// thread, and should end the process: `work` goes on until the environment returns, which may be never.
    ///
    /// Time is counted in ticks of the watching thread, so that a process that is stopped and continued, or a
    /// machine that sleeps, does not look like a hang.
    pub fn guard<T>(&self, work: impl FnOnce() -> T, hung: impl FnOnce(Error) + Send) -> T {
        std::thread::scope(|scope| {
            let (running, ended) = channel::<()>();
            scope.spawn(move || {
                let mut calls = vec![(None, 0); self.heartbeats.len()];
                while ended.recv_timeout(self.tick) == Err(RecvTimeoutError::Timeout) {
                    for (heartbeat, (last, ticks)) in self.heartbeats.iter().zip(&mut calls) {
                        let call = heartbeat.call();
                        *ticks = if call.is_some() && call == *last { *ticks + 1 } else { 0 };
                        *last = call;
                        if *ticks >= self.patience {
                            let seconds = (self.tick * self.patience).as_secs_f64();
                            let problem = format!("it has not returned for {seconds:.1} s (rollout.step_timeout)");
                            return hung(heartbeat.failure(problem).into());
                        }
                    }
                }
            });
            let result = work();
            drop(running);
            result
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::Receiver;

    use stpn_envs::vector::Actions;
    use stpn_envs::{Action, Env, EnvGroup, ObservationMut, Result, Space, Step, Transition};

    use super::*;

    /// Does not return from a step before it is let go.
    struct Stuck {
        observation_space: Space,
        action_space: Space,
        gate: Receiver<()>,
    }

    impl Env for Stuck {
        fn name(&self) -> &str {
            "stuck"
        }
        fn observation_space(&self) -> &Space {
            &self.observation_space
        }
        fn action_space(&self) -> &Space {
            &self.action_space
        }
        fn reset(&mut self, _: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
            observation.f32(1)?.fill(0.0);
            Ok(())
        }
        fn step(&mut self, _: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
            self.gate.recv().unwrap();
            observation.f32(1)?.fill(0.0);
            Ok(Step::default())
        }
        fn save_state(&self, _: &mut Vec<u8>) -> Result<()> {
            Ok(())
        }
        fn restore_state(&mut self, _: &[u8]) -> Result<()> {
            Ok(())
        }
    }

    fn group(gate: Receiver<()>) -> EnvGroup {
        let gate = Mutex::new(Some(gate));
        let make = move |_| -> Result<Box<dyn Env>> {
            let gate = gate.lock().unwrap().take().unwrap();
            let (observation_space, action_space) = (Space::boxed(0.0, 1.0, [1]), Space::discrete(2));
            Ok(Box::new(Stuck { observation_space, action_space, gate }))
        };
        let mut group = EnvGroup::new(&make, 3, 1, 0).unwrap();
        group.reset(ObservationMut::F32(&mut [0.0])).unwrap();
        group
    }

    fn step(group: &mut EnvGroup) {
        let mut out = Transition {
            observations: ObservationMut::F32(&mut [0.0]),
            final_observations: ObservationMut::F32(&mut [0.0]),
            rewards: &mut [0.0],
            terminated: &mut [false],
            truncated: &mut [false],
        };
        group.step(Actions::Discrete(&[0]), &mut out).unwrap();
    }

    #[test]
    fn a_call_that_does_not_return_is_named() {
        let (release, gate) = channel();
        let mut group = group(gate);
        let watchdog = Watchdog::new(vec![group.heartbeat()], Duration::from_millis(100));
        let mut said = None;
        let hung = |error: Error| {
            said = Some(error.to_string());
            release.send(()).unwrap();
        };
        watchdog.guard(|| step(&mut group), hung);
        let error = said.unwrap();
        assert!(error.contains("environment 3 (`stuck`, worker 0, seed") && error.contains("0.1 s"), "{error}");
    }

    #[test]
    fn many_calls_are_no_long_one() {
        let (release, gate) = channel();
        let mut group = group(gate);
        let watchdog = Watchdog::new(vec![group.heartbeat()], Duration::from_secs(2));
        let work = || {
            for _ in 0..25 {
                std::thread::sleep(Duration::from_millis(100));
                release.send(()).unwrap();
                step(&mut group);
            }
        };
        watchdog.guard(work, |error| panic!("no hang: {error}"));
    }
}
