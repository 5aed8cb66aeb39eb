//! A thousand environments for a hundred thousand steps each, with the memory of the process as it goes.
//!
//! `cargo run --release -p stpn-envs --example memory [ENVIRONMENT] [STEPS]`

use stpn_envs::vector::Actions;
use stpn_envs::{EnvConfig, Error, ObservationMut, Result, Space, Transition, VectorEnv};
use stpn_random::{Purpose, Stream};

const ENVIRONMENTS: usize = 1_000;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let config = EnvConfig::from_name(&arguments.next().unwrap_or_else(|| "maze".into()))?;
    let steps = arguments.next().map_or(Ok(100_000), |text| text.parse::<u64>());
    let steps = steps.map_err(|error| Error::Config {
        key: "steps",
        value: error.to_string(),
        allowed: "a number of steps".into(),
    })?;
    let mut vector = VectorEnv::new(&|_| config.make(), ENVIRONMENTS, 64, 1)?;
    let Space::Discrete { n } = *vector.action_space() else {
        let space = vector.action_space().to_string();
        return Err(Error::Action { action: "a random choice".into(), space });
    };
    let width = vector.observation_space().len();
    let (mut observations, mut finals) = (vec![0.0; ENVIRONMENTS * width], vec![0.0; ENVIRONMENTS * width]);
    let mut rewards = vec![0.0; ENVIRONMENTS];
    let (mut terminated, mut truncated) = (vec![false; ENVIRONMENTS], vec![false; ENVIRONMENTS]);
    let mut choices = vec![0; ENVIRONMENTS];
    let mut stream = Stream::new(1, Purpose::Test, 0);
    let mut episodes = 0;
    vector.reset(ObservationMut::F32(&mut observations))?;
    for step in 0..=steps {
        if step % (steps / 10).max(1) == 0 {
            println!("{step:>8} steps × {ENVIRONMENTS}, {episodes:>9} episodes, resident memory {}", resident());
        }
        choices.iter_mut().for_each(|choice| *choice = stream.below(n) as u32);
        let mut out = Transition {
            observations: ObservationMut::F32(&mut observations),
            final_observations: ObservationMut::F32(&mut finals),
            rewards: &mut rewards,
            terminated: &mut terminated,
            truncated: &mut truncated,
        };
        vector.step(Actions::Discrete(&choices), &mut out)?;
        episodes += vector.drain_episodes().count();
    }
    Ok(())
}

/// Resident memory of this process where the system tells, as Linux does.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or_else(|| "unknown".into(), |line| line.trim().to_string())
}
