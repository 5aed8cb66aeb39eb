//! What a configuration needs of the machine's memory at least, estimated before any of it is allocated: an allocator
//! that fails ends the program without a word of what was asked for.

use candle_core::{DType, Device};
use stpn_envs::vector::MakeEnv;
use stpn_envs::{Dtype, Space};

use crate::algorithms::AlgorithmConfig;
use crate::config::AgentConfig;
use crate::policy::encoder::EncoderConfig;
use crate::policy::{ActorCritic, PolicyConfig};
use crate::{Error, Result};

/// The largest size that a configuration may name: products of two of them are numbers still.
const LARGEST: u64 = (1 << 31) - 1;

/// Units up to which a network is made to see how large it is; its size with more is extrapolated.
const MADE: usize = 1024;

/// Environment steps of an update up to which a rollout is not worth an estimate.
const SMALL_ROLLOUT: usize = 1 << 20;

/// Bytes of a number.
const NUMBER: f64 = 4.0;

/// Bytes that are needed, each for the key that asks for them.
#[derive(Debug, Default)]
pub(crate) struct Need(Vec<(&'static str, f64)>);

impl Need {
    /// Adds bytes that `key` asks for.
    pub fn bytes(&mut self, key: &'static str, bytes: f64) {
        self.0.push((key, bytes));
    }

    /// Refuses more than the machine has, naming the key that asks for most of it.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn check(&self) -> Result<()> {
        self.check_against(machine())
    }

    fn check_against(&self, machine: f64) -> Result<()> {
        let total: f64 = self.0.iter().map(|(_, bytes)| bytes).sum();
        let largest = self.0.iter().max_by(|(_, a), (_, b)| a.total_cmp(b));
        match largest {
            Some((key, most)) if total > machine => {
                let [total, most, machine] = [total, *most, machine].map(gibibytes);
                let rest = if total == most { String::new() } else { format!(" ({total} with everything else)") };
                let problem = format!("needs at least {most} of memory{rest}, where this process may have {machine}");
                Err(Error::config(*key, problem))
            }
            _ => Ok(()),
        }
    }
}

fn gibibytes(bytes: f64) -> String {
    let gibibytes = bytes / (1u64 << 30) as f64;
    if gibibytes < 10.0 { format!("{gibibytes:.1} GiB") } else { format!("{gibibytes:.0} GiB") }
}

/// Refuses sizes that no machine has room for, before anything is computed from them.
///
/// # Errors
/// [`Error::Config`] naming the key.
pub(crate) fn check_sizes(sizes: &[(&str, usize)]) -> Result<()> {
    match sizes.iter().find(|(_, size)| *size as u64 > LARGEST) {
        Some((key, size)) => Err(Error::config(*key, format!("must be at most {LARGEST}, got {size}"))),
        None => Ok(()),
    }
}

/// Refuses a network of more units than there is memory for. `extents` makes one of so many and returns its parameters
/// and the scalars of its recurrent state.
///
/// # Errors
/// [`Error::Config`], and where a small network of the kind cannot be made.
pub(crate) fn check_network(hidden: usize, extents: impl Fn(usize) -> Result<[usize; 2]>) -> Result<()> {
    check_sizes(&[("policy.hidden", hidden)])?;
    if hidden <= MADE {
        return Ok(());
    }
    let [first, second, third] = [extents(1)?, extents(2)?, extents(3)?];
    let numbers: f64 = (0..2).map(|i| at(hidden, [first[i], second[i], third[i]])).sum();
    let mut need = Need::default();
    need.bytes("policy.hidden", NUMBER * numbers);
    need.check()
}

/// The value for `hidden` units, from those for one, two and three: weights and states are quadratic in the units.
fn at(hidden: usize, [first, second, third]: [usize; 3]) -> f64 {
    let [first, second, third] = [first as f64, second as f64, third as f64];
    let more = hidden as f64 - 1.0;
    first + more * (second - first) + more * (more - 1.0) / 2.0 * (third - 2.0 * second + first)
}

/// Refuses an encoder with more weights than there is memory for.
///
/// # Errors
/// [`Error::Config`].
pub(crate) fn check_encoder(config: &EncoderConfig, observations: &Space) -> Result<()> {
    let mut need = Need::default();
    match config {
        EncoderConfig::Mlp(config) => {
            let mut input = observations.len() as f64;
            for &size in &config.sizes {
                need.bytes("policy.encoder.sizes", NUMBER * input * size as f64);
                input = size as f64;
            }
        }
        EncoderConfig::NatureCnn(config) => {
            // At least one feature comes in.
            need.bytes("policy.encoder.features", NUMBER * config.features as f64);
        }
        EncoderConfig::Identity(_) | EncoderConfig::PaperCnn(_) => {}
    }
    need.check()
}

/// Refuses a training of an agent that the machine has no memory for.
///
/// # Errors
/// [`Error::Config`] naming the key that asks for most, and where the environment cannot be made.
pub(crate) fn check_agent(config: &AgentConfig, make: &MakeEnv<'_>) -> Result<()> {
    let rollout = &config.rollout;
    let (environments, steps) = (rollout.environments as f64, rollout.steps as f64);
    let small = rollout.environments.saturating_mul(rollout.steps) <= SMALL_ROLLOUT;
    if small && rollout.environments <= MADE && config.policy.hidden <= MADE {
        return Ok(());
    }
    let env = make(0)?;
    let (observations, actions) = (env.observation_space(), env.action_space());
    let policy = ActorCritic::new(&config.policy, observations, actions, config.seed, DType::F32, &Device::Cpu)?;
    let (parameters, state) = (policy.parameters().count() as f64, policy.state_len() as f64);
    let element = if observations.dtype() == Dtype::U8 { 1.0 } else { NUMBER };
    let segments = (rollout.steps.div_ceil(rollout.sequence_length())) as f64;
    let blocks = match config.algorithm {
        // A gradient each, until they are summed.
        AlgorithmConfig::A2c(_) => (environments / rollout.group_size() as f64) * segments,
        AlgorithmConfig::Ppo(_) => 1.0,
    };
    let mut need = Need::default();
    let most = if rollout.steps > rollout.environments { "rollout.steps" } else { "rollout.environments" };
    // Values twice, two moments of Adam, and all of it again as it was before the update.
    need.bytes("policy.hidden", NUMBER * parameters * 7.0);
    // Present, final and saved state, and one before every training sequence.
    need.bytes(most, NUMBER * (parameters * blocks + environments * state * (3.0 + segments)));
    let numbers = policy.distribution().len() + policy.distribution().action_len() + 5;
    let step = element * observations.len() as f64 + NUMBER * numbers as f64;
    need.bytes(most, environments * steps * step);
    need.check()
}

/// A network of a policy's form, checked before it is made.
///
/// # Errors
/// [`Error::Config`].
pub(crate) fn check_policy(config: &PolicyConfig, observations: &Space, actions: &Space) -> Result<()> {
    check_encoder(&config.encoder, observations)?;
    check_network(config.hidden, |hidden| {
        let small = PolicyConfig { hidden, ..config.clone() };
        let small = ActorCritic::new(&small, observations, actions, 0, DType::F32, &Device::Cpu)?;
        Ok([small.parameters().count(), small.state_len()])
    })
}

/// Bytes of memory that this process may have: the machine's with its swap, or less by its control group. Where that is
/// unknown, what a pointer of 48 bits reaches.
fn machine() -> f64 {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let (memory, group) = (read("/proc/meminfo"), read("/proc/self/cgroup"));
    let kibibytes = |name: &str| {
        let line = memory.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    let total = kibibytes("MemTotal:")
        .map_or((1u64 << 47) as f64, |total| 1024.0 * (total + kibibytes("SwapTotal:").unwrap_or(0.0)));
    let own = group.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let limits = [
        format!("/sys/fs/cgroup{own}/memory.max"),
        "/sys/fs/cgroup/memory.max".to_string(),
        "/sys/fs/cgroup/memory/memory.limit_in_bytes".to_string(),
    ];
    limits.iter().filter_map(|path| read(path).trim().parse::<f64>().ok()).fold(total, f64::min)
}

#[cfg(test)]
mod tests {
    use stpn_core::cells::CellName;

    use super::*;

    #[test]
    fn sizes_of_networks_are_quadratic_in_their_units() {
        let (observations, actions) = (Space::boxed(0.0, 1.0, [17]), Space::discrete(4));
        for cell in CellName::ALL {
            let extents = |hidden| {
                let config = PolicyConfig::new(cell.config(), hidden);
                let policy = ActorCritic::new(&config, &observations, &actions, 0, DType::F32, &Device::Cpu).unwrap();
                [policy.parameters().count(), policy.state_len()]
            };
            let (small, large) = ([1, 2, 3].map(extents), extents(61));
            for i in 0..2 {
                assert_eq!(at(61, small.map(|extents| extents[i])), large[i] as f64, "{cell}");
            }
        }
    }

    #[test]
    fn more_than_the_machine_has_is_refused_by_the_key_that_asks_for_most() {
        let mut need = Need::default();
        need.bytes("rollout.steps", 3e9);
        need.bytes("policy.hidden", 9e9);
        assert!(need.check_against(13e9).is_ok());
        let refused = need.check_against(11e9).unwrap_err().to_string();
        for text in ["policy.hidden", "8.4 GiB", "11 GiB", "10 GiB"] {
            assert!(refused.contains(text), "{text} in {refused}");
        }
        assert!(machine() > 1e8, "{}", machine());
    }
}
