//! How time and memory of the fused plastic kernel grow with the steps T, to 5000, and with the batch B.
//!
//! Forward with tape and backward of the maze's layer on one thread, as tables in Markdown. Time grows linearly in both.
//! The peak is what one such call has allocated at once: fast weights like √T or slower, and the small vectors of every
//! step (inputs, activities, their gradients, records).
//! `cargo run --release -p stpn-core --example kernel_sweep`.

#[path = "../benches/plastic/workload.rs"]
mod workload;

use allocation_counter::measure;
use rayon::ThreadPoolBuilder;
use workload::{Case, Workload, least_seconds, maze};

/// Measures one case: a line of a table.
fn line(case: &Case) -> String {
    let workload = Workload::new(case);
    // Later calls find the buffers of the first in the kernel's pool.
    let peak = measure(|| drop(workload.both())).bytes_max as f64;
    let rounds = (400_000_000 / case.synapse_steps()).clamp(2, 10);
    let seconds = least_seconds(rounds, || workload.both());
    let all = (case.synapse_steps() * size_of::<f32>()) as f64;
    let mib = f64::from(1 << 20);
    format!(
        "| {} | {} | {:.1} | {:.3} | {:.1} | {:.1} | {:.1} % | {:.2} |",
        case.steps,
        case.batch,
        seconds * 1e3,
        seconds * 1e9 / case.synapse_steps() as f64,
        peak / mib,
        all / mib,
        100.0 * peak / all,
        peak / 1024.0 / (case.steps as f64).sqrt() / case.batch as f64,
    )
}

/// Prints a table.
fn table(cases: impl Iterator<Item = Case>) {
    println!("| T | B | ms | ns per synapse-step | peak MiB | F of all steps MiB | share | KiB per element and √T |");
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|");
    cases.for_each(|case| println!("{}", line(&case)));
}

fn main() {
    let pool = ThreadPoolBuilder::new().num_threads(1).build().expect("a thread can be started");
    pool.install(|| {
        table([50, 100, 200, 500, 1000, 2000, 5000].into_iter().map(|steps| Case { steps, batch: 8, ..maze() }));
        println!();
        table([4, 8, 16, 32, 64, 128].into_iter().map(|batch| Case { steps: 50, batch, ..maze() }));
    });
}
