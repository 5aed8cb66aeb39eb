//! Times layers of the size of the published maze on a device: forward with tape, and backward. Needs a device.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use stpn_cuda::cuda::{Device, General, Sequence, SequenceLayer};
use stpn_cuda::{AnyLayer, Extent, Gated, GatedKind, Layer, Plastic};

const RUNS: usize = 20;
const INPUT: usize = 17;
const EXTENT: Extent = Extent { steps: 200, batch: 512 };

/// Numbers from −1 to 1 that repeat only after long.
fn numbers(len: usize, scale: f32) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next() * scale).collect()
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let device = Device::open(0)?;
    let general = General::new(&device)?;
    println!("{}: T {}, B {}, milliseconds, median of {RUNS}", device.name(), EXTENT.steps, EXTENT.batch);
    time(&general, "STPN, 55 units", Layer::Plastic(Plastic::maze(INPUT, 55)))?;
    for (name, kind) in [("LSTM", GatedKind::Lstm), ("GRU", GatedKind::Gru), ("RNN", GatedKind::Rnn)] {
        time(&general, &format!("{name}, 64 units"), Gated::new(kind, INPUT, 64))?;
    }
    time(&general, "LSTM, 256 units", Gated::new(GatedKind::Lstm, INPUT, 256))
}

fn time(general: &General<f32>, name: &str, layer: impl Into<AnyLayer>) -> Result<(), Box<dyn Error>> {
    let (device, layer) = (general.device(), layer.into());
    let compiling = Instant::now();
    let on_device = SequenceLayer::new(general, layer.clone())?;
    let ready = compiling.elapsed().as_secs_f64();

    let units = EXTENT.steps * EXTENT.batch;
    let state = EXTENT.batch * layer.state_len();
    let parameters = device.upload(&numbers(layer.parameters(), 0.1))?;
    let (x, start) = (device.upload(&numbers(units * layer.input(), 1.0))?, device.zeros(state)?);
    let resets: Vec<u8> = (0..units).map(|at| u8::from(at % 997 == 0)).collect();
    let resets = device.upload(&resets)?;
    let grad_hidden = device.upload(&numbers(units * layer.hidden(), 0.01))?;
    let grad_end = device.zeros(state)?;
    let sequence = Sequence { extent: EXTENT, parameters: &parameters, x: &x, resets: Some(&resets), start: &start };

    let (mut forward_times, mut backward_times) = (Vec::new(), Vec::new());
    // The first run warms up.
    for _ in 0..=RUNS {
        let begin = Instant::now();
        let forward = on_device.forward(sequence, true)?;
        device.synchronize()?;
        forward_times.push(begin.elapsed());
        let begin = Instant::now();
        let backward = on_device.backward(sequence, &forward, &grad_hidden, &grad_end)?;
        device.synchronize()?;
        backward_times.push(begin.elapsed());
        let gradient = device.download(&backward.parameters)?;
        if !gradient.iter().all(|value| value.is_finite()) {
            return Err("a gradient is not finite".into());
        }
    }
    let median = |times: &mut Vec<Duration>| {
        times.remove(0);
        times.sort();
        times[times.len() / 2].as_secs_f64() * 1e3
    };
    let (forward, backward) = (median(&mut forward_times), median(&mut backward_times));
    println!("{name}: forward {forward:.3}, backward {backward:.3}; kernels ready after {ready:.2} s");
    Ok(())
}
