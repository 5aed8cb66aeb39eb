//! What a simulation does inside of an environment, to be done again without it.

use std::sync::Arc;

use stpn_random::{Purpose, Stream};

use super::{MujocoEnv, Simulation, Task};
use crate::throughput::Bare;
use crate::wrappers::TimeLimit;
use crate::{Env, EnvConfig, ObservationMut, Result};

/// A simulation with the starts and controls of episodes of random actions.
struct Script {
    simulation: Simulation,
    moves: Arc<[Move]>,
    next: usize,
}

/// An environment's step.
struct Move {
    /// Where the step begins an episode: positions and velocities.
    start: Option<(Vec<f64>, Vec<f64>)>,
    controls: Vec<f32>,
}

/// Steps of a script: an episode of every task at least.
const STEPS: usize = 1_000;

/// `count` simulations that follow the same script, each from another episode on where it has several: what a step
/// costs depends on what happens in it, and as in a vector it is not the same everywhere at the same time.
fn record<T: Task>(mut env: TimeLimit<MujocoEnv<T>>, count: usize) -> Result<Vec<Script>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut actions = Stream::new(0, Purpose::Test, 1);
    let mut observation = vec![0.0; env.observation_space().len()];
    let mut moves = Vec::with_capacity(STEPS);
    env.reset(Some(0), ObservationMut::F32(&mut observation))?;
    let mut done = true;
    for _ in 0..STEPS {
        let simulation = env.inner().simulation();
        let start = done.then(|| (simulation.positions().to_vec(), simulation.velocities().to_vec()));
        let controls = env.action_space().sample(&mut actions);
        done = env.step(controls.get(), ObservationMut::F32(&mut observation))?.done();
        if done {
            env.reset(None, ObservationMut::F32(&mut observation))?;
        }
        let controls = controls.get().continuous(env.action_space().len())?.to_vec();
        moves.push(Move { start, controls });
    }
    let moves: Arc<[Move]> = moves.into();
    let simulation = env.inner().simulation();
    let episodes: Vec<usize> = (0..STEPS).filter(|&step| moves[step].start.is_some()).collect();
    let script = |index: usize| {
        let simulation = Simulation::new(T::NAME, simulation.data().model_clone(), simulation.frame_skip())?;
        Ok(Script { simulation, moves: Arc::clone(&moves), next: episodes[index % episodes.len()] })
    };
    (0..count).map(script).collect()
}

impl Bare for Script {
    fn step(&mut self) -> Result<()> {
        let Move { start, controls } = &self.moves[self.next];
        if let Some((positions, velocities)) = start {
            self.simulation.start(positions, velocities);
        }
        self.simulation.advance(controls);
        self.next = (self.next + 1) % self.moves.len();
        Ok(())
    }
}

/// `count` simulations of a MuJoCo task by themselves; `None` for other environments.
pub(crate) fn bare(config: &EnvConfig, count: usize) -> Result<Option<Vec<Box<dyn Bare>>>> {
    let scripts = match config {
        EnvConfig::InvertedPendulum(config) => record(config.make()?, count)?,
        EnvConfig::InvertedDoublePendulum(config) => record(config.make()?, count)?,
        EnvConfig::Hopper(config) => record(config.make()?, count)?,
        EnvConfig::HalfCheetah(config) => record(config.make()?, count)?,
        EnvConfig::Walker2d(config) => record(config.make()?, count)?,
        EnvConfig::Ant(config) => record(config.make()?, count)?,
        EnvConfig::Humanoid(config) => record(config.make()?, count)?,
        EnvConfig::Reacher(config) => record(config.make()?, count)?,
        EnvConfig::Swimmer(config) => record(config.make()?, count)?,
        EnvConfig::Pusher(config) => record(config.make()?, count)?,
        _ => return Ok(None),
    };
    Ok(Some(scripts.into_iter().map(|script| Box::new(script) as Box<dyn Bare>).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mujoco::AntConfig;

    #[test]
    fn a_script_repeats_the_environments_physics() {
        let config = AntConfig { max_episode_steps: 30, ..AntConfig::default() };
        let mut env = config.make().unwrap();
        let mut scripts = record(config.make().unwrap(), 1).unwrap();
        let mut observation = vec![0.0; env.observation_space().len()];
        env.reset(Some(0), ObservationMut::F32(&mut observation)).unwrap();
        let mut actions = Stream::new(0, Purpose::Test, 1);
        for _ in 0..100 {
            let action = env.action_space().sample(&mut actions);
            let done = env.step(action.get(), ObservationMut::F32(&mut observation)).unwrap().done();
            for script in &mut scripts {
                script.step().unwrap();
                assert_eq!(script.simulation.save(), env.inner().simulation().save());
            }
            if done {
                env.reset(None, ObservationMut::F32(&mut observation)).unwrap();
            }
        }
    }
}
