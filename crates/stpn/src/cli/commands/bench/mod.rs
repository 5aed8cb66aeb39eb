//! `stpn bench`: how fast this machine trains, beside what it could do at most.

mod case;
mod clock;
mod envs;
mod exchange;
mod kernels;
mod machine;
mod memory;
mod updates;

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;
use stpn_agents::device_limits::DeviceLimits;

use crate::cli::exit::UsageError;
use crate::cli::{BenchArguments, Suite};
use case::{CASES, Case};

/// Runs the command.
pub fn run(arguments: &BenchArguments) -> Result<ExitCode> {
    let [envs, kernels, exchange, updates] =
        [Suite::Envs, Suite::Kernels, Suite::Exchange, Suite::Updates].map(|suite| arguments.suite == suite);
    for (option, given, has_it, whose) in [
        ("--environments", arguments.environments.is_some(), envs, "only `stpn bench envs` has it"),
        ("--soak", arguments.soak.is_some(), envs, "only `stpn bench envs` has it"),
        ("--instructions", arguments.instructions.is_some(), kernels, "only `stpn bench kernels` has it"),
        ("--device", arguments.device.is_some(), updates, "only `stpn bench updates` has it"),
        ("--warmup", arguments.warmup.is_some(), !envs, "`stpn bench envs` has none"),
        ("--threads", arguments.threads.is_some(), !exchange, "`stpn bench exchange` has one thread per rank"),
        ("--case", !arguments.cases.is_empty(), !exchange, "`stpn bench exchange` has no cases"),
    ] {
        if given && !has_it {
            return Err(UsageError(format!("{option}: {whose}")).into());
        }
    }
    match arguments.suite {
        Suite::Envs => return envs::run(arguments),
        Suite::Exchange => return exchange::run(arguments),
        Suite::Updates | Suite::Kernels | Suite::All => {}
    }
    let cases = chosen(&arguments.cases)?;
    let threads = arguments.threads();
    if arguments.in_process {
        println!("{}", serde_json::to_string(&updates::measure(cases[0], threads, arguments)?)?);
        return Ok(ExitCode::SUCCESS);
    }
    let limits = machine::measure(threads);
    if !arguments.json {
        limits.print();
    }
    let mut report = json!({ "machine": limits });
    let device = DeviceLimits::of(arguments.device.unwrap_or_default())?;
    if let Some(device) = &device {
        let DeviceLimits { name, multiply_adds_per_second, memory_bytes_per_second } = device;
        if !arguments.json {
            println!("device         {name}, at most:");
            println!("multiply-adds  {:.1} G/s", multiply_adds_per_second / 1e9);
            println!("memory         {:.1} GB/s", memory_bytes_per_second / 1e9);
        }
        report["device"] = json!(device);
    }
    if matches!(arguments.suite, Suite::Updates | Suite::All) {
        let updates = updates::measure_all(&cases, threads, (&limits, device.as_ref()), arguments)?;
        report["updates"] = json!(updates);
    }
    if matches!(arguments.suite, Suite::Kernels | Suite::All) {
        let kernels = kernels::measure_all(&cases, threads, &limits, arguments)?;
        report["kernels"] = json!(kernels);
    }
    if arguments.json {
        println!("{report}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The cases of those names; all if there are none.
fn chosen(names: &[String]) -> Result<Vec<&'static Case>> {
    if names.is_empty() {
        return Ok(CASES.iter().collect());
    }
    let find = |name: &String| {
        CASES.iter().find(|case| case.name == name).ok_or_else(|| {
            let known: Vec<&str> = CASES.iter().map(|case| case.name).collect();
            UsageError(format!("--case {name}: there are {}", known.join(", "))).into()
        })
    };
    names.iter().map(find).collect()
}
