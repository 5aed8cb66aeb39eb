//! How many steps a second a vector of environments makes.

mod bare;
mod comparison;
mod simulator;

pub use bare::BareMeter;
pub use comparison::{Comparison, compare};
pub use simulator::Bare;

use std::time::Instant;

use stpn_random::{Purpose, Stream};

use crate::vector::{ActionRows, MakeEnv};
use crate::{Dtype, Error, ObservationMut, Result, Transition, VectorEnv};

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Environments in the vector.
    pub environments: usize,
    /// Environments stepped by a thread at a time.
    pub group_size: usize,
    /// Threads.
    pub threads: usize,
    /// For how long; a tenth of it goes before, unmeasured.
    pub seconds: f64,
}

impl Default for Workload {
    fn default() -> Self {
        Self { environments: 1024, group_size: 64, threads: 1, seconds: 1.0 }
    }
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Throughput {
    /// Steps of single environments.
    pub steps: u64,
    /// Episodes that ended.
    pub episodes: u64,
    /// Time it took.
    pub seconds: f64,
}

impl Throughput {
    /// Steps of single environments per second.
    pub fn steps_per_second(&self) -> f64 {
        self.steps as f64 / self.seconds
    }
}

/// Sets of random actions drawn beforehand, so that drawing them is not measured.
const SETS: usize = 61;

/// Steps a vector with random actions: rewards, flags, observations and resets as in training.
///
/// # Errors
/// Fails if environments or threads cannot be made, and if an environment does.
pub fn measure(make: &MakeEnv<'_>, workload: &Workload) -> Result<Throughput> {
    let mut meter = Meter::new(make, workload)?;
    meter.run(workload.seconds / 10.0)?;
    meter.run(workload.seconds)
}

/// A vector under random actions that go on from measurement to measurement, so that it is made once.
pub struct Meter {
    pool: rayon::ThreadPool,
    runner: Runner,
}

impl Meter {
    /// Makes the environments and starts them.
    ///
    /// # Errors
    /// Fails if environments or threads cannot be made.
    pub fn new(make: &MakeEnv<'_>, workload: &Workload) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(workload.threads).build();
        let pool = pool.map_err(|error| Error::Config {
            key: "threads",
            value: workload.threads.to_string(),
            allowed: error.to_string(),
        })?;
        let runner = pool.install(|| Runner::new(make, workload))?;
        Ok(Self { pool, runner })
    }

    /// Steps for that many seconds, and one step of every environment at least.
    ///
    /// # Errors
    /// Fails if an environment does.
    pub fn run(&mut self, seconds: f64) -> Result<Throughput> {
        let start = Instant::now();
        self.while_true(|_| start.elapsed().as_secs_f64() < seconds)
    }

    /// Takes that many steps of every environment.
    ///
    /// # Errors
    /// Fails if an environment does.
    pub fn steps(&mut self, steps: u64) -> Result<Throughput> {
        self.while_true(|done| done < steps)
    }

    fn while_true(&mut self, goes_on: impl Fn(u64) -> bool + Send) -> Result<Throughput> {
        let Self { pool, runner } = self;
        pool.install(|| runner.run(goes_on))
    }
}

/// A vector with its buffers.
struct Runner {
    vector: VectorEnv,
    actions: ActionRows,
    floats: [Vec<f32>; 2],
    bytes: [Vec<u8>; 2],
    rewards: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    /// The set of actions that comes next.
    set: usize,
}

impl Runner {
    fn new(make: &MakeEnv<'_>, workload: &Workload) -> Result<Self> {
        let count = workload.environments;
        let vector = VectorEnv::new(make, count, workload.group_size, 0)?;
        let mut stream = Stream::new(0, Purpose::Test, 0);
        let mut actions = ActionRows::of(vector.action_space());
        (0..SETS * count).for_each(|_| actions.push(vector.action_space().sample(&mut stream).get()));
        let len = count * vector.observation_space().len();
        let (floats, bytes) = match vector.observation_space().dtype() {
            Dtype::F32 => (len, 0),
            Dtype::U8 => (0, len),
        };
        let mut runner = Self {
            vector,
            actions,
            floats: [vec![0.0; floats], vec![0.0; floats]],
            bytes: [vec![0; bytes], vec![0; bytes]],
            rewards: vec![0.0; count],
            terminated: vec![false; count],
            truncated: vec![false; count],
            set: 0,
        };
        let observations = match runner.vector.observation_space().dtype() {
            Dtype::F32 => ObservationMut::F32(&mut runner.floats[0]),
            Dtype::U8 => ObservationMut::U8(&mut runner.bytes[0]),
        };
        runner.vector.reset(observations)?;
        Ok(runner)
    }

    /// Steps every environment as long as `goes_on` says so of the number of steps done.
    fn run(&mut self, goes_on: impl Fn(u64) -> bool) -> Result<Throughput> {
        let start = Instant::now();
        let (mut steps, mut episodes) = (0, 0);
        while steps == 0 || goes_on(steps) {
            self.step()?;
            episodes += self.vector.drain_episodes().count() as u64;
            steps += 1;
        }
        let steps = steps * self.vector.len() as u64;
        Ok(Throughput { steps, episodes, seconds: start.elapsed().as_secs_f64() })
    }

    fn step(&mut self) -> Result<()> {
        let (chosen, next) = (self.set * self.vector.len(), (self.set + 1) * self.vector.len());
        self.set = (self.set + 1) % SETS;
        let width = self.vector.action_space().len();
        let actions = self.actions.range(chosen..next, width);
        let [floats, final_floats] = &mut self.floats;
        let [bytes, final_bytes] = &mut self.bytes;
        let (observations, final_observations) = match self.vector.observation_space().dtype() {
            Dtype::F32 => (ObservationMut::F32(floats), ObservationMut::F32(final_floats)),
            Dtype::U8 => (ObservationMut::U8(bytes), ObservationMut::U8(final_bytes)),
        };
        let mut out = Transition {
            observations,
            final_observations,
            rewards: &mut self.rewards,
            terminated: &mut self.terminated,
            truncated: &mut self.truncated,
        };
        self.vector.step(actions, &mut out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EnvConfig;

    #[test]
    fn every_environment_can_be_measured() {
        for entry in crate::registry::ENVIRONMENTS {
            let workload = Workload { environments: 5, group_size: 2, threads: 2, seconds: 0.01 };
            let throughput = measure(&|_| EnvConfig::from_name(entry.name)?.make(), &workload).unwrap();
            assert!(throughput.steps >= 5 && throughput.seconds > 0.0);
            assert_eq!(throughput.steps_per_second(), throughput.steps as f64 / throughput.seconds);
        }
    }

    #[test]
    fn a_meter_takes_the_steps_it_is_asked_for() {
        let workload = Workload { environments: 5, group_size: 2, threads: 2, seconds: 0.0 };
        let mut meter = Meter::new(&|_| EnvConfig::from_name("cartpole")?.make(), &workload).unwrap();
        let throughput = meter.steps(600).unwrap();
        assert_eq!(throughput.steps, 3_000);
        assert!(throughput.episodes > 50, "{}", throughput.episodes);
        assert_eq!(meter.run(0.0).unwrap().steps, 5);
    }
}
