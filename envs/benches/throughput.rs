//! Steps per second of every environment of this build, with one thread and with two.
//!
//! `cargo bench -p stpn-envs --bench throughput -- [NAME…]`; without `--bench`, as under `cargo test`, each is measured
//! for an instant, to see that it runs.

use stpn_envs::throughput::{Workload, measure};
use stpn_envs::{EnvConfig, Result, registry::ENVIRONMENTS};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seconds = if arguments.iter().any(|argument| argument == "--bench") { 2.0 } else { 0.005 };
    let named: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    println!("{:<24} {:>16} {:>16} {:>6}", "environment", "steps/s, 1 thread", "2 threads", "ratio");
    for entry in ENVIRONMENTS.iter().filter(|entry| named.is_empty() || named.iter().any(|name| *name == entry.name)) {
        let config = EnvConfig::from_name(entry.name)?;
        let rate = |threads| {
            let workload = Workload { threads, seconds, ..Workload::default() };
            measure(&|_| config.make(), &workload).map(|throughput| throughput.steps_per_second() / 1e6)
        };
        let (one, two) = (rate(1)?, rate(2)?);
        println!("{:<24} {one:>14.2} M {two:>14.2} M {:>6.2}", entry.name, two / one);
    }
    Ok(())
}
