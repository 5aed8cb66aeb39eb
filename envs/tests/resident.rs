//! Many environments take no more memory the longer they are stepped. The full length, 100,000 steps of each, is
//! `stpn bench envs --soak`. Alone in its program: what others allocate would count.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use stpn_envs::EnvConfig;
use stpn_envs::throughput::{Meter, Workload};

/// Resident memory of this process.
fn kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse().unwrap()
}

#[test]
fn a_thousand_environments_take_constant_memory() {
    let workload = Workload { environments: 1_000, threads: 2, ..Workload::default() };
    for name in ["cartpole", "memory", "pendulum", "maze"] {
        let config = EnvConfig::from_name(name).unwrap();
        let mut meter = Meter::new(&|_| config.make(), &workload).unwrap();
        // Every episode has ended once at least.
        meter.steps(300).unwrap();
        let before = kib();
        let throughput = meter.steps(600).unwrap();
        let grown = kib() - before;
        assert!(throughput.episodes >= 1_000, "{name}: {} episodes", throughput.episodes);
        assert!(grown < 256, "{name}: {grown} KiB more after {} steps", throughput.steps);
    }
}
