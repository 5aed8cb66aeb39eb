//! Whole updates: rollout, advantages, gradient, optimiser. `cargo bench -p stpn-agents --bench updates [FILTER]`.
//!
//! `stpn bench updates` measures the paper's shapes, beside the machine's limits; these are small enough to compare
//! two states of the code within minutes.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stpn_agents::config::AgentConfig;
use stpn_agents::{RunConfig, Trainer};

/// A run of the small maze with a layer of 55 units.
fn config(cell: &str) -> AgentConfig {
    let text = format!(
        "[env]\nname = 'maze'\nsize = 9\nepisode_length = 100\n[rollout]\nenvironments = 64\nsteps = 100\n\
         [policy]\nhidden = 55\n[policy.cell]\n{cell}\n[algorithm]\nname = 'a2c'\n\
         [optimizer]\nlearning_rate = 1e-4\nmax_grad_norm = 4.0\n"
    );
    match RunConfig::from_table(text.parse().expect("TOML")).expect("a configuration") {
        RunConfig::Agent(config) => config,
        RunConfig::Supervised(_) => unreachable!("it has an environment"),
    }
}

fn updates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("update");
    group.sample_size(20).measurement_time(Duration::from_secs(5)).throughput(Throughput::Elements(64 * 100));
    for (name, cell) in [
        ("stpn", "name = 'stpn'\nnormalize_state = 'after'\nclamp = 1.0"),
        ("stpnf", "name = 'stpn'\nrecurrent = false\nnormalize_state = 'none'\nclamp = 0.1"),
        ("lstm", "name = 'lstm'"),
        ("rnn", "name = 'rnn'"),
        ("mlp", "name = 'mlp'"),
    ] {
        let mut trainer = Trainer::new(&config(cell)).expect("a trainer");
        group.bench_function(name, |bencher| bencher.iter(|| trainer.update().expect("an update")));
    }
    group.finish();
}

criterion_group!(benches, updates);
criterion_main!(benches);
