//! Steps per second of every environment of this build, with one thread and with two, and the share of its bare
//! simulator's speed where there is one.
//!
//! `cargo bench -p stpn-envs --bench throughput -- [NAME…]`; without `--bench`, as under `cargo test`, each is measured
//! for an instant, to see that it runs.

use stpn_envs::throughput::compare;
use stpn_envs::{EnvConfig, Result, registry::ENVIRONMENTS};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let bench = arguments.iter().any(|argument| argument == "--bench");
    let (rounds, seconds) = if bench { (20, 0.1) } else { (1, 0.005) };
    let named: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    println!(
        "{:<24} {:>18} {:>14} {:>6} {:>9} {:>7}",
        "environment", "steps/s, 1 thread", "2 threads", "ratio", "of bare 1", "2"
    );
    for entry in ENVIRONMENTS.iter().filter(|entry| named.is_empty() || named.iter().any(|name| *name == entry.name)) {
        let config = EnvConfig::from_name(entry.name)?;
        let (one, two) = (compare(&config, None, 1, rounds, seconds)?, compare(&config, None, 2, rounds, seconds)?);
        let share = |share: Option<f64>| share.map_or_else(String::new, |share| format!("{:.0} %", 100.0 * share));
        println!(
            "{:<24} {:>16.3} M {:>12.3} M {:>6.2} {:>9} {:>7}",
            entry.name,
            one.steps_per_second / 1e6,
            two.steps_per_second / 1e6,
            two.steps_per_second / one.steps_per_second,
            share(one.share_of_bare()),
            share(two.share_of_bare()),
        );
    }
    Ok(())
}
