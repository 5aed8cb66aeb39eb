//! How time and memory of the fused plastic kernel grow with the steps T, to 5000, and with the batch B.
//!
//! Forward with tape and backward of the maze's layer on one thread. Time grows linearly in both. The peak is what one
//! such call has allocated at once: fast weights like √T, and the small vectors of every step (inputs, activities,
//! their gradients, records). `cargo run --release -p stpn-core --example kernel_sweep`.

#[path = "../benches/plastic/workload.rs"]
mod workload;

use allocation_counter::measure;
use rayon::ThreadPoolBuilder;
use workload::{Case, Workload, least_seconds, maze};

/// One line: time, and the peak beside what the fast weights of all steps would take.
fn line(case: &Case) {
    let workload = Workload::new(case);
    // Later calls find the buffers of the first in the kernel's pool.
    let peak = measure(|| drop(workload.both())).bytes_max as f64;
    let rounds = (400_000_000 / case.synapse_steps()).clamp(2, 10);
    let seconds = least_seconds(rounds, || workload.both());
    let all = (case.synapse_steps() * size_of::<f32>()) as f64;
    let mib = f64::from(1 << 20);
    println!(
        "{:>6} {:>5} {:>10.1} ms {:>8.3} ns {:>9.1} MiB {:>9.1} MiB {:>7.1} %",
        case.steps,
        case.batch,
        seconds * 1e3,
        seconds * 1e9 / case.synapse_steps() as f64,
        peak / mib,
        all / mib,
        100.0 * peak / all,
    );
}

fn main() {
    let pool = ThreadPoolBuilder::new().num_threads(1).build().expect("a thread can be started");
    println!(
        "{:>6} {:>5} {:>13} {:>11} {:>13} {:>13} {:>9}",
        "T", "B", "time", "per step", "peak", "all states", "share"
    );
    pool.install(|| {
        for steps in [50, 100, 200, 500, 1000, 2000, 5000] {
            line(&Case { steps, batch: 8, ..maze() });
        }
        println!();
        for batch in [4, 8, 16, 32, 64, 128] {
            line(&Case { steps: 50, batch, ..maze() });
        }
    });
}
