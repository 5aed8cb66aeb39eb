//! An environment beside its bare simulator, on a machine that does other things as well.

use super::{BareMeter, Meter, Workload};
use crate::{EnvConfig, Result};

/// Steps of single environments per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Of a vector of environments, stepped together.
    pub steps_per_second: f64,
    /// Of as many simulators by themselves, where the environment has one.
    pub bare_steps_per_second: Option<f64>,
}

impl Comparison {
    /// The environments' speed as a share of the bare simulators'.
    pub fn share_of_bare(&self) -> Option<f64> {
        self.bare_steps_per_second.map(|bare| self.steps_per_second / bare)
    }
}

/// The best of `rounds` short measurements of each, in turn: other programs on the machine can only slow them down.
/// One of each goes before, unmeasured. With `environments` not given, 1,024 are stepped together, or 32 a thread around
/// simulators.
///
/// # Errors
/// Fails if environments or threads cannot be made, and if an environment does.
pub fn compare(
    config: &EnvConfig,
    environments: Option<usize>,
    threads: usize,
    rounds: usize,
    seconds: f64,
) -> Result<Comparison> {
    let simulated = config.bare(0)?.is_some();
    // Steps of a simulator take long, so fewer of them are worth the handing to a thread.
    let (usual, group_size) = if simulated { (32 * threads, 4) } else { (1024, 64) };
    let workload = Workload { environments: environments.unwrap_or(usual), group_size, threads, seconds };
    let mut meter = Meter::new(&|_| config.make(), &workload)?;
    let mut simulators = BareMeter::new(config, &workload)?;
    meter.run(seconds)?;
    if let Some(simulators) = &mut simulators {
        simulators.run(seconds)?;
    }
    let (mut vector, mut bare) = (0.0_f64, None);
    for _ in 0..rounds.max(1) {
        vector = vector.max(meter.run(seconds)?.steps_per_second());
        if let Some(simulators) = &mut simulators {
            bare = Some(simulators.run(seconds)?.steps_per_second().max(bare.unwrap_or(0.0)));
        }
    }
    Ok(Comparison { steps_per_second: vector, bare_steps_per_second: bare })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_environments_around_a_simulator_are_compared_with_it() {
        let simulated = if cfg!(feature = "mujoco") { &["reacher"][..] } else { &[] };
        for (names, around) in [(&["maze", "cartpole"][..], false), (simulated, true)] {
            for name in names {
                let config = EnvConfig::from_name(name).unwrap();
                for environments in [None, Some(3)] {
                    let comparison = compare(&config, environments, 2, 1, 0.002).unwrap();
                    assert!(comparison.steps_per_second > 0.0, "{name}");
                    assert_eq!(comparison.share_of_bare().is_some(), around, "{name}");
                }
            }
        }
    }
}
