//! `stpn bench exchange`: what the ranks of an MPI job pay for a sum over all of them, when none has to be waited for.

use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use serde_json::json;
use stpn_agents::collective::Collective;

use super::clock::{median, time};
use crate::cli::BenchArguments;
use crate::cli::exit::UsageError;
use crate::{ranks, table};

/// Elements of the vectors, of f32: from what is all latency to what is all bandwidth.
const LENGTHS: [usize; 5] = [1, 1 << 8, 1 << 14, 1 << 17, 1 << 20];

/// Sums measured for one that was asked for: each is short.
const SUMS: usize = 40;

#[derive(Debug, Serialize)]
struct Row {
    elements: usize,
    seconds: f64,
}

/// Runs the command.
pub fn run(arguments: &BenchArguments) -> Result<ExitCode> {
    let ranks = ranks::join()?;
    if ranks.size() == 1 {
        let problem = "bench exchange: this is one process alone; a program built with `--features mpi` measures it as \
                       `mpirun -n 2 stpn bench exchange`";
        return Err(UsageError(problem.into()).into());
    }
    let rows = LENGTHS.iter().map(|&elements| measure(ranks.as_ref(), elements, arguments));
    let rows: Vec<Row> = rows.collect::<Result<_>>()?;
    if !ranks.is_root() {
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.json {
        println!("{}", json!({ "ranks": ranks.size(), "sums": rows }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("Sums of f32 over {} ranks", ranks.size());
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let megabytes = (row.elements * size_of::<f32>()) as f64 / 1e6 / row.seconds;
            vec![row.elements.to_string(), format!("{:.1}", row.seconds * 1e6), format!("{megabytes:.1}")]
        })
        .collect();
    table::print(&["elements", "µs", "MB/s"], &cells, &[0, 1, 2]);
    Ok(ExitCode::SUCCESS)
}

/// The median time of a sum; a barrier before each, so that none is waited for.
fn measure(ranks: &dyn Collective, elements: usize, arguments: &BenchArguments) -> Result<Row> {
    let mut values = vec![1.0f32; elements];
    let mut seconds = Vec::new();
    for _ in 0..SUMS * (arguments.warmup() + arguments.repeats) {
        values.fill(1.0);
        ranks.barrier();
        seconds.extend(time(0, 1, || {
            ranks.sum_f32(&mut values);
            Ok(())
        })?);
    }
    seconds.drain(..SUMS * arguments.warmup());
    seconds.sort_by(f64::total_cmp);
    Ok(Row { elements, seconds: median(&seconds) })
}
