//! The simulators underneath by themselves, to tell what an environment costs on top.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use super::simulator::Bare;
use super::{Throughput, Workload};
use crate::{EnvConfig, Error, Result};

impl EnvConfig {
    /// `count` simulators of this environment by themselves; `None` for environments that have none.
    ///
    /// # Errors
    /// Those of [`EnvConfig::make`].
    #[cfg_attr(not(any(feature = "atari", feature = "mujoco")), expect(unused_variables))]
    pub fn bare(&self, count: usize) -> Result<Option<Vec<Box<dyn Bare>>>> {
        #[cfg(feature = "atari")]
        if let Self::Atari(config) = self {
            return crate::atari::bare(config, count).map(Some);
        }
        #[cfg(feature = "mujoco")]
        if let Some(scripts) = crate::mujoco::bare(self, count)? {
            return Ok(Some(scripts));
        }
        Ok(None)
    }
}

/// Simulators that go on from measurement to measurement, so that they are made once.
pub struct BareMeter {
    environment: String,
    /// One thread's simulators each.
    shares: Vec<Vec<Box<dyn Bare>>>,
}

impl BareMeter {
    /// As many simulators as `workload` has environments, each thread its share of them; `None` for environments that
    /// have none.
    ///
    /// # Errors
    /// Fails if a simulator cannot be made.
    pub fn new(config: &EnvConfig, workload: &Workload) -> Result<Option<Self>> {
        let Some(simulators) = config.bare(workload.environments)? else { return Ok(None) };
        let threads = workload.threads.clamp(1, workload.environments.max(1));
        let mut shares: Vec<Vec<Box<dyn Bare>>> = (0..threads).map(|_| Vec::new()).collect();
        simulators.into_iter().zip((0..threads).cycle()).for_each(|(simulator, thread)| shares[thread].push(simulator));
        Ok(Some(Self { environment: config.name().into(), shares }))
    }

    /// Steps them for that many seconds.
    ///
    /// # Errors
    /// Fails if a simulator does.
    pub fn run(&mut self, seconds: f64) -> Result<Throughput> {
        let barrier = Barrier::new(self.shares.len());
        let run = |share: &mut Vec<Box<dyn Bare>>| -> Result<(u64, f64)> {
            barrier.wait();
            let (start, mut steps) = (Instant::now(), 0);
            while start.elapsed().as_secs_f64() < seconds {
                share.iter_mut().try_for_each(|simulator| simulator.step())?;
                steps += share.len() as u64;
            }
            Ok((steps, start.elapsed().as_secs_f64()))
        };
        let results: Vec<thread::Result<Result<(u64, f64)>>> = thread::scope(|scope| {
            let threads: Vec<_> = self.shares.iter_mut().map(|share| scope.spawn(|| run(share))).collect();
            threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
        });
        let (mut steps, mut seconds) = (0, 0.0_f64);
        for result in results {
            let (of_thread, time) = result.map_err(|panic| Error::Simulator {
                environment: self.environment.clone(),
                problem: crate::panic::message(panic.as_ref()).to_string(),
            })??;
            steps += of_thread;
            seconds = seconds.max(time);
        }
        Ok(Throughput { steps, episodes: 0, seconds })
    }
}
