//! Whole updates: what a training step costs, each case in a process of its own, so that its memory is its own.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use stpn_agents::Trainer;
use stpn_agents::config::ComputeDevice;
use stpn_agents::device_limits::DeviceLimits;
use stpn_envs::{Action, Env, ObservationMut, Space, Step};
use stpn_random::{Purpose, Stream};

use super::case::{Case, Measure, SYNAPSE_BACKWARD_BYTES, SYNAPSE_FORWARD_BYTES};
use super::clock::median;
use super::machine::Limits;
use super::memory;
use crate::cli::BenchArguments;
use crate::progress::thousands;
use crate::{program, table};

/// What was measured of a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub case: String,
    /// `learning`, or `update` where environments and the rollout are included.
    pub measure: String,
    /// What computed the network.
    pub device: ComputeDevice,
    pub threads: usize,
    pub steps: usize,
    pub environments: usize,
    /// Median over the repeats.
    pub seconds: f64,
    pub seconds_min: f64,
    pub env_steps_per_second: f64,
    /// T · B · plastic synapses; 0 without fast weights.
    pub synapse_steps: usize,
    pub synapse_steps_per_second: Option<f64>,
    pub ns_per_synapse_step: Option<f64>,
    /// The same, times threads.
    pub thread_ns_per_synapse_step: Option<f64>,
    /// Peak of the whole process, rollout buffers included.
    pub peak_mib: Option<f64>,
    /// Seconds of collecting the rollout, which `seconds` includes where `measure` is `update`.
    pub rollout_seconds: f64,
    pub shares: Option<Shares>,
}

/// The least work there is in a case, per second, as a share of what the machine can do at most.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Shares {
    /// Of the rate of multiply-adds.
    pub multiply_adds: f64,
    /// Of the second-level cache's bandwidth, for traffic of fast weights and their gradients.
    pub l2: Option<f64>,
    /// Of the memory's.
    pub memory: Option<f64>,
}

/// Measures cases one after the other in child processes, and shows them.
pub fn measure_all(
    cases: &[&'static Case],
    threads: usize,
    (limits, device): (&Limits, Option<&DeviceLimits>),
    arguments: &BenchArguments,
) -> Result<Vec<Report>> {
    let mut reports = Vec::with_capacity(cases.len());
    for case in cases {
        let mut report = in_child(case, threads, arguments)?;
        if case.measure == Measure::Learning {
            report.shares = Some(match device {
                None => shares(case, report.seconds, limits),
                // Fast weights do not go through its memory as they do on the CPU.
                Some(device) => {
                    let multiply_adds = work(case) / report.seconds / device.multiply_adds_per_second;
                    Shares { multiply_adds, l2: None, memory: None }
                }
            });
        }
        if !arguments.json {
            eprintln!("{}: {:.4} s", case.name, report.seconds);
        }
        reports.push(report);
    }
    if !arguments.json {
        print(&reports);
    }
    Ok(reports)
}

/// Multiply-adds of a case.
fn work(case: &Case) -> f64 {
    let (layer, encoder) = (case.layer_work(), case.encoder_work());
    (layer.0 + layer.1 + encoder.0 + encoder.1) as f64
}

fn shares(case: &Case, seconds: f64, limits: &Limits) -> Shares {
    let bytes = (case.synapses() * case.env_steps() * (SYNAPSE_FORWARD_BYTES + SYNAPSE_BACKWARD_BYTES)) as f64;
    let traffic = |limit: f64| (bytes > 0.0).then_some(bytes / seconds / limit);
    Shares {
        multiply_adds: work(case) / seconds / limits.multiply_adds_per_second,
        l2: traffic(limits.l2_bytes_per_second),
        memory: traffic(limits.memory_bytes_per_second),
    }
}

fn in_child(case: &Case, threads: usize, arguments: &BenchArguments) -> Result<Report> {
    let mut child = program::again()?;
    child.args(["bench", "updates", "--in-process", "--case", case.name]);
    for (option, value) in [("--threads", threads), ("--warmup", arguments.warmup()), ("--repeats", arguments.repeats)]
    {
        child.args([option, &value.to_string()]);
    }
    if let Some(device) = arguments.device {
        child.args(["--device", &device.to_string()]);
    }
    let output = child.stderr(Stdio::inherit()).output().context("cannot start a process for the case")?;
    if !output.status.success() {
        bail!("case {}: its process ended with {}", case.name, output.status);
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("case {}: its process's report", case.name))
}

/// Measures a case in this process.
pub fn measure(case: &'static Case, threads: usize, arguments: &BenchArguments) -> Result<Report> {
    let device = arguments.device.unwrap_or_default();
    let mut config = case.config()?;
    config.training.device = device;
    let pool = crate::threads::pool(threads)?;
    let (mut seconds, mut rollouts) = (Vec::new(), Vec::new());
    pool.install(|| -> Result<()> {
        let mut trainer = match case.measure {
            Measure::Preset(_) => Trainer::new(&config)?,
            Measure::Learning => {
                Trainer::with_environments(&config, move |index| Ok(Box::new(Noise::new(case, index))))?
            }
        };
        for number in 0..arguments.warmup() + arguments.repeats.max(1) {
            let metrics = trainer.update()?;
            if number < arguments.warmup() {
                continue;
            }
            let metric = |name: &str| metrics.get(name).with_context(|| format!("no metric {name}"));
            let (rollout, learn) = (metric("time/rollout_seconds")?, metric("time/learn_seconds")?);
            rollouts.push(rollout);
            seconds.push(if case.measure == Measure::Learning { learn } else { rollout + learn });
        }
        Ok(())
    })?;
    seconds.sort_by(f64::total_cmp);
    rollouts.sort_by(f64::total_cmp);

    let typical = median(&seconds);
    let synapse_steps = case.synapses() * case.env_steps();
    let per_synapse_step = (synapse_steps > 0).then(|| typical / synapse_steps as f64);
    Ok(Report {
        case: case.name.to_string(),
        measure: if case.measure == Measure::Learning { "learning" } else { "update" }.to_string(),
        device,
        threads,
        steps: case.steps,
        environments: case.batch,
        seconds: typical,
        seconds_min: seconds[0],
        env_steps_per_second: case.env_steps() as f64 / typical,
        synapse_steps,
        synapse_steps_per_second: per_synapse_step.map(|seconds| 1.0 / seconds),
        ns_per_synapse_step: per_synapse_step.map(|seconds| 1e9 * seconds),
        thread_ns_per_synapse_step: per_synapse_step.map(|seconds| 1e9 * seconds * threads as f64),
        peak_mib: memory::peak_mib(),
        rollout_seconds: median(&rollouts),
        shares: None,
    })
}

fn print(reports: &[Report]) {
    let optional = |value: Option<f64>, digits: usize| value.map_or(String::new(), |value| format!("{value:.digits$}"));
    let share = |value: Option<f64>| value.map_or(String::new(), |value| format!("{:.0} %", 100.0 * value));
    let rows: Vec<Vec<String>> = reports
        .iter()
        .map(|report| {
            vec![
                report.case.clone(),
                format!("{} × {}", report.steps, report.environments),
                format!("{:.5}", report.seconds),
                thousands(report.env_steps_per_second as u64),
                optional(report.synapse_steps_per_second.map(|rate| rate / 1e6), 0),
                optional(report.ns_per_synapse_step, 3),
                optional(report.peak_mib, 0),
                share(report.shares.map(|shares| shares.multiply_adds)),
                share(report.shares.and_then(|shares| shares.l2)),
                share(report.shares.and_then(|shares| shares.memory)),
            ]
        })
        .collect();
    println!("\nUpdates: learning from one rollout of random observations; maze-update with environments and rollout");
    let header = [
        "case",
        "T × B",
        "seconds",
        "env steps/s",
        "M synapse-steps/s",
        "ns each",
        "MiB",
        "of FMA",
        "of L2",
        "of memory",
    ];
    table::print(&header, &rows, &[2, 3, 4, 5, 6, 7, 8, 9]);
}

/// An environment of random observations that cost nothing to make: the shapes of a task without its simulator.
struct Noise {
    observation_space: Space,
    action_space: Space,
    steps: usize,
    now: usize,
    numbers: Vec<f32>,
    bytes: Vec<u8>,
}

impl Noise {
    fn new(case: &Case, index: usize) -> Self {
        let observation_space = case.observation_space();
        let len = observation_space.len();
        let mut stream = Stream::new(1, Purpose::Environment, index as u64);
        // Each step shows another window of these.
        let numbers: Vec<f32> = (0..2 * len + case.steps).map(|_| stream.unit() as f32).collect();
        let bytes = numbers.iter().map(|number| (number * 255.0) as u8).collect();
        Self {
            observation_space,
            action_space: Space::discrete(case.actions),
            steps: case.steps,
            now: 0,
            numbers,
            bytes,
        }
    }

    fn observe(&self, observation: ObservationMut<'_>) {
        match observation {
            ObservationMut::F32(values) => values.copy_from_slice(&self.numbers[self.now..][..values.len()]),
            ObservationMut::U8(bytes) => bytes.copy_from_slice(&self.bytes[self.now..][..bytes.len()]),
        }
    }
}

impl Env for Noise {
    fn name(&self) -> &str {
        "noise"
    }

    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, _seed: Option<u64>, observation: ObservationMut<'_>) -> stpn_envs::Result<()> {
        self.now = 0;
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, _action: Action<'_>, observation: ObservationMut<'_>) -> stpn_envs::Result<Step> {
        self.now += 1;
        let terminated = self.now == self.steps;
        self.observe(observation);
        Ok(Step { reward: f64::from(self.numbers[self.now]), terminated, truncated: false, episode: None })
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> stpn_envs::Result<()> {
        bytes.extend((self.now as u64).to_le_bytes());
        Ok(())
    }

    fn restore_state(&mut self, bytes: &[u8]) -> stpn_envs::Result<()> {
        let now = bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes) as usize);
        let refused = || stpn_envs::Error::State { environment: "noise".into(), problem: "not one of its own".into() };
        self.now = now.filter(|&now| now <= self.steps).ok_or_else(refused)?;
        Ok(())
    }
}
