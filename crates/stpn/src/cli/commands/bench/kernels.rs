//! Single kernels: the recurrent layer and the convolutions, forward and backward, on one thread and on all.

use std::sync::Arc;

use anyhow::{Context, Result};
use candle_core::{DType, Device};
use serde::Serialize;
use stpn_core::kernels::blocks::{self, Operands, Sizes};
use stpn_core::kernels::convolution::{self, Filters, Image, Pixels, Stack};
use stpn_core::kernels::{Extent, Instructions, Prepared, SequenceKernel};
use stpn_core::{Cell, Initializer, Kernel, StateField};
use stpn_random::{Purpose, Stream};

use super::case::{Case, Measure};
use super::clock::{median, time};
use super::machine::Limits;
use crate::cli::BenchArguments;
use crate::table;

/// What was measured of a kernel.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub case: &'static str,
    /// `cell`, or `convolutions`.
    pub kernel: &'static str,
    pub threads: usize,
    pub forward_seconds: f64,
    /// Recomputation included.
    pub backward_seconds: f64,
    /// ns per synapse-step and thread.
    pub forward_thread_ns: Option<f64>,
    pub backward_thread_ns: Option<f64>,
    /// Least multiply-adds per second, as a share of what these threads can do at most.
    pub forward_share: f64,
    pub backward_share: f64,
    /// Forward and backward on one thread, over the same on these.
    pub speedup: f64,
}

/// Measures the kernels of the cases on one thread and on `threads`, and shows them.
pub fn measure_all(
    cases: &[&'static Case],
    threads: usize,
    limits: &Limits,
    arguments: &BenchArguments,
) -> Result<Vec<Report>> {
    let mut reports = Vec::new();
    for case in cases.iter().filter(|case| case.measure == Measure::Learning) {
        let cell = layer(case, arguments.instructions)?;
        reports.extend(on_threads(case, "cell", threads, limits, case.layer_work(), case.synapses(), &|| {
            cell.time(arguments)
        })?);
        if case.is_visual() && case.synapses() > 0 && arguments.instructions.is_none() {
            let images = Images::new(case)?;
            let work = case.encoder_work();
            reports.extend(on_threads(case, "convolutions", threads, limits, work, 0, &|| images.time(arguments))?);
        }
    }
    if !arguments.json {
        print(&reports);
    }
    Ok(reports)
}

/// Seconds forward and backward.
type Seconds = (f64, f64);

fn on_threads(
    case: &'static Case,
    kernel: &'static str,
    threads: usize,
    limits: &Limits,
    work: (usize, usize),
    synapses: usize,
    measure: &(dyn Fn() -> Result<Seconds> + Sync),
) -> Result<Vec<Report>> {
    let mut counts = vec![1, threads];
    counts.dedup();
    let mut reports: Vec<Report> = Vec::new();
    for threads in counts {
        let (forward, backward) = crate::threads::pool(threads)?.install(measure)?;
        let synapse_steps = (synapses > 0).then_some((synapses * case.env_steps()) as f64);
        let each = |seconds: f64| synapse_steps.map(|steps| 1e9 * seconds * threads as f64 / steps);
        let limit = limits.multiply_adds_per_second * threads as f64 / limits.threads as f64;
        let alone = reports.first().map_or(forward + backward, |one| one.forward_seconds + one.backward_seconds);
        reports.push(Report {
            case: case.name,
            kernel,
            threads,
            forward_seconds: forward,
            backward_seconds: backward,
            forward_thread_ns: each(forward),
            backward_thread_ns: each(backward),
            forward_share: work.0 as f64 / forward / limit,
            backward_share: work.1 as f64 / backward / limit,
            speedup: alone / (forward + backward),
        });
    }
    Ok(reports)
}

/// A cell's kernel with operands of a case's shape.
struct Layer {
    prepared: Arc<dyn Prepared<f32>>,
    extent: Extent,
    sizes: Sizes,
    x: Vec<f32>,
    want_x: bool,
}

fn layer(case: &Case, instructions: Option<Instructions>) -> Result<Layer> {
    let mut stream = Stream::new(1, Purpose::Test, 0);
    let config = toml::from_str::<stpn_core::CellConfig>(case.cell)?;
    let mut init = Initializer::new(&mut stream, DType::F32, &Device::Cpu);
    let cell: Box<dyn Cell> = config.build(case.input(), case.hidden, Kernel::Auto, &mut init)?;
    let kernel = cell.fused().with_context(|| format!("case {}: the cell has no kernel", case.name))?;
    let kernel = match instructions {
        Some(instructions) => kernel.with_instructions(instructions),
        None => kernel,
    };
    let packed = cell.parameters().packed()?.to_vec1::<f32>()?;
    let sizes = Sizes {
        input: case.input(),
        hidden: case.hidden,
        state: cell.state_layout().iter().map(StateField::len).sum(),
        parameters: packed.len(),
    };
    let extent = Extent { steps: case.steps, batch: case.batch };
    let prepared = SequenceKernel::<f32>::prepare(kernel.as_ref(), &packed);
    let x = random(case.env_steps() * case.input());
    Ok(Layer { prepared, extent, sizes, x, want_x: case.is_visual() })
}

impl Layer {
    fn time(&self, arguments: &BenchArguments) -> Result<Seconds> {
        let Self { extent, sizes, .. } = *self;
        let operands = Operands { extent, sizes, x: &self.x[..], resets: None };
        let state = vec![0f32; extent.batch * sizes.state];
        let grad_hidden = random(extent.steps * extent.batch * sizes.hidden);
        let (mut forward, mut backward) = (Vec::new(), Vec::new());
        time(arguments.warmup(), arguments.repeats, || {
            let mut out = None;
            forward.extend(time(0, 1, || {
                out = Some(blocks::forward(self.prepared.as_ref(), operands, &state, true));
                Ok(())
            })?);
            let out = out.context("no forward pass")?;
            let tape = out.tape.as_ref().context("no tape")?;
            backward.extend(time(0, 1, || {
                let kernel = self.prepared.as_ref();
                blocks::backward(kernel, operands, &out.hidden, tape, &grad_hidden, None, self.want_x);
                Ok(())
            })?);
            Ok(())
        })?;
        Ok((typical(forward, arguments), typical(backward, arguments)))
    }
}

/// The convolutions of the paper with images of a case.
struct Images {
    prepared: convolution::Prepared<f32>,
    bytes: Vec<u8>,
    width: usize,
    parameters: usize,
}

impl Images {
    fn new(case: &Case) -> Result<Self> {
        let [channels, height, width] = *case.observation else { anyhow::bail!("case {} has no images", case.name) };
        let filters = [Filters { count: 16, size: 8, stride: 4 }, Filters { count: 32, size: 4, stride: 2 }];
        let stack = Arc::new(Stack::new(Image { channels, height, width }, &filters)?);
        let parameters: Vec<f32> = random(stack.parameters()).iter().map(|value| 0.1 * (value - 0.5)).collect();
        Ok(Self {
            prepared: convolution::Prepared::new(&stack, &parameters),
            bytes: random(case.env_steps() * stack.input().len()).iter().map(|v| (v * 255.0) as u8).collect(),
            width: case.env_steps() * stack.output().len(),
            parameters: parameters.len(),
        })
    }

    fn time(&self, arguments: &BenchArguments) -> Result<Seconds> {
        let x = Pixels::Bytes { bytes: &self.bytes, factor: 1.0 / 128.0, summand: -1.0 };
        let (mut out, grad_out) = (vec![0f32; self.width], random(self.width));
        let mut grad_parameters = vec![0f32; self.parameters];
        let (mut forward, mut backward) = (Vec::new(), Vec::new());
        time(arguments.warmup(), arguments.repeats, || {
            let mut tape = None;
            forward.extend(time(0, 1, || {
                tape = self.prepared.forward(x, &mut out, true);
                Ok(())
            })?);
            let tape = tape.context("no tape")?;
            backward.extend(time(0, 1, || {
                self.prepared.backward(x, &out, &tape, &grad_out, &mut grad_parameters, None);
                Ok(())
            })?);
            Ok(())
        })?;
        Ok((typical(forward, arguments), typical(backward, arguments)))
    }
}

/// The median of the calls after the warm-up.
fn typical(mut seconds: Vec<f64>, arguments: &BenchArguments) -> f64 {
    seconds.drain(..arguments.warmup().min(seconds.len() - 1));
    seconds.sort_by(f64::total_cmp);
    median(&seconds)
}

fn random(len: usize) -> Vec<f32> {
    let mut stream = Stream::new(2, Purpose::Test, 0);
    (0..len).map(|_| stream.unit() as f32).collect()
}

fn print(reports: &[Report]) {
    let each = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.3}"));
    let rows: Vec<Vec<String>> = reports
        .iter()
        .map(|report| {
            vec![
                report.case.into(),
                report.kernel.into(),
                report.threads.to_string(),
                format!("{:.5}", report.forward_seconds),
                format!("{:.5}", report.backward_seconds),
                each(report.forward_thread_ns),
                each(report.backward_thread_ns),
                format!("{:.0} %", 100.0 * report.forward_share),
                format!("{:.0} %", 100.0 * report.backward_share),
                format!("{:.2}", report.speedup),
            ]
        })
        .collect();
    println!("\nKernels: seconds, ns per synapse-step and thread, share of these threads' multiply-adds");
    let header = ["case", "kernel", "threads", "forward s", "backward s", "ns", "ns", "of FMA", "of FMA", "speed-up"];
    table::print(&header, &rows, &[2, 3, 4, 5, 6, 7, 8, 9]);
}
