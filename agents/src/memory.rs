//! What a configuration needs of the machine's memory at least, estimated before any of it is allocated: an allocator
//! that fails ends the program without a word of what was asked for.

use crate::limits::check_sizes;
use crate::{Error, Result};

/// Units up to which a network is made to see how large it is; its size with more is extrapolated.
pub(crate) const MADE: usize = 1024;

/// Bytes of a number.
pub(crate) const NUMBER: f64 = 4.0;

/// Bytes that are needed, each for the key that asks for them.
#[derive(Debug, Default)]
pub(crate) struct Need(Vec<(&'static str, f64)>);

impl Need {
    /// Adds bytes that `key` asks for.
    pub fn bytes(&mut self, key: &'static str, bytes: f64) {
        self.0.push((key, bytes));
    }

    /// All of them.
    pub fn total(&self) -> f64 {
        self.0.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Refuses more than the machine has, naming the key that asks for most of it.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn check(&self) -> Result<()> {
        self.check_against(machine())
    }

    fn check_against(&self, machine: f64) -> Result<()> {
        let total = self.total();
        let largest = self.0.iter().max_by(|(_, a), (_, b)| a.total_cmp(b));
        match largest {
            Some((key, most)) if total > machine => {
                let [total, most, machine] = [total, *most, machine].map(gibibytes);
                let rest = if total == most { String::new() } else { format!(" ({total} with everything else)") };
                let problem = format!("needs at least {most} of memory{rest}; this process may have {machine}");
                Err(Error::config(*key, problem))
            }
            _ => Ok(()),
        }
    }
}

/// Bytes in words.
pub fn gibibytes(bytes: f64) -> String {
    let gibibytes = bytes / (1u64 << 30) as f64;
    if gibibytes < 10.0 { format!("{gibibytes:.1} GiB") } else { format!("{gibibytes:.0} GiB") }
}

/// Refuses a network of more units than there is memory for. `extents` makes one of so many and returns its parameters
/// and the scalars of its recurrent state.
///
/// # Errors
/// [`Error::Config`], and if a small network of the kind cannot be made.
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

/// Bytes of memory that this process may have: the machine's with its swap, or less by its control group. Where that is
/// unknown, what a pointer of 48 bits reaches.
pub fn machine() -> f64 {
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
    use candle_core::{DType, Device};
    use stpn_core::cells::CellName;
    use stpn_envs::Space;

    use super::*;
    use crate::policy::{ActorCritic, PolicyConfig};

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
