//! The fused plastic kernel in f32: forward, and forward with backward, on the shapes of the four tasks.
//!
//! Beside criterion's statistics it prints, for each, the least nanoseconds for one synapse and time step that any
//! round took, which on a busy machine say more. `cargo bench -p stpn-core --bench plastic`.

#![allow(missing_docs, reason = "a program")]

mod workload;

use std::cell::Cell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use rayon::ThreadPoolBuilder;
use workload::{Workload, cases};

/// Measures `call` and prints its least time per synapse-step.
fn measure<R>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, work: usize, mut call: impl FnMut() -> R) {
    let least = Cell::new(f64::INFINITY);
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let mut total = Duration::ZERO;
            for _ in 0..rounds {
                let start = Instant::now();
                black_box(call());
                let took = start.elapsed();
                least.set(least.get().min(took.as_secs_f64()));
                total += took;
            }
            total
        });
    });
    if least.get().is_finite() {
        println!("    least: {:.3} ns per synapse-step, {:.3} ms", least.get() * 1e9 / work as f64, least.get() * 1e3);
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for threads in [1, 2] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
        for case in cases() {
            let workload = Workload::new(&case);
            let work = case.synapse_steps();
            let mut group = criterion.benchmark_group(format!("{}, {threads} threads", case.name));
            group.throughput(Throughput::Elements(work as u64));
            measure(&mut group, "forward", work, || pool.install(|| workload.forward(false)));
            measure(&mut group, "forward and backward", work, || pool.install(|| workload.both()));
            group.finish();
        }
    }
    criterion.final_summary();
}
