//! Steps per second of every environment of this build, with one thread and with two.
//!
//! `cargo bench -p stpn-envs --bench throughput -- [NAME…]`; without `--bench`, as under `cargo test`, each is measured
//! for an instant, to see that it runs.

use stpn_envs::throughput::{Workload, measure};
use stpn_envs::{EnvConfig, Result, registry::ENVIRONMENTS};

/// Short measurements of one and of two threads in turn, and the best of each: other programs on the machine can only
/// slow them down.
const ROUNDS: usize = 20;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let bench = arguments.iter().any(|argument| argument == "--bench");
    let (rounds, seconds) = if bench { (ROUNDS, 0.1) } else { (1, 0.005) };
    let named: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    println!("{:<24} {:>16} {:>16} {:>6}", "environment", "steps/s, 1 thread", "2 threads", "ratio");
    for entry in ENVIRONMENTS.iter().filter(|entry| named.is_empty() || named.iter().any(|name| *name == entry.name)) {
        let config = EnvConfig::from_name(entry.name)?;
        let mut best = [0.0_f64; 2];
        for _ in 0..rounds {
            for (threads, best) in (1..).zip(&mut best) {
                let workload = Workload { threads, seconds, ..Workload::default() };
                let throughput = measure(&|_| config.make(), &workload)?;
                *best = best.max(throughput.steps_per_second() / 1e6);
            }
        }
        let [one, two] = best;
        println!("{:<24} {one:>14.2} M {two:>14.2} M {:>6.2}", entry.name, two / one);
    }
    Ok(())
}
