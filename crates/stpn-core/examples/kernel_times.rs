//! Times of the fused plastic kernel by themselves: least of many short rounds, one thread and two.
//!
//! `cargo run --release -p stpn-core --example kernel_times -- [CASE…] [rounds=N]`

#[path = "../benches/plastic/workload.rs"]
mod workload;

use rayon::ThreadPoolBuilder;
use workload::{Workload, cases, least_seconds};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rounds = arguments.iter().find_map(|a| a.strip_prefix("rounds=")).map_or(20, |n| n.parse().expect("a number"));
    let names: Vec<_> = arguments.iter().filter(|a| !a.contains('=')).collect();
    println!(
        "{:<10} {:>8} {:>22} {:>22} {:>22} {:>22}",
        "case", "threads", "forward", "forward, tape", "backward", "both"
    );
    for case in cases().into_iter().filter(|case| names.is_empty() || names.iter().any(|name| *name == case.name)) {
        let workload = Workload::new(&case);
        for threads in [1, 2] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
            pool.install(|| {
                let mut out = workload.forward(true);
                let tape = out.tape.take().expect("a tape was asked for");
                let times = [
                    least_seconds(rounds, || workload.forward(false)),
                    least_seconds(rounds, || workload.forward(true)),
                    least_seconds(rounds, || workload.backward(&out.hidden, &tape)),
                    least_seconds(rounds, || workload.both()),
                ];
                let shown = times.map(|seconds| {
                    format!("{:.3} ns {:>10.3} ms", seconds * 1e9 / case.synapse_steps() as f64, seconds * 1e3)
                });
                println!(
                    "{:<10} {:>8} {:>22} {:>22} {:>22} {:>22}",
                    case.name, threads, shown[0], shown[1], shown[2], shown[3]
                );
            });
        }
    }
}
