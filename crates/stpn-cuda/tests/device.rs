//! The layers on a device. Without a driver these tests see that the error says so; one of them runs all others on a
//! driver that is emulated on the CPU (`shim/driver.cpp`), so that launches, copies and errors are checked anyway.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

#[path = "device/energy.rs"]
mod energy;
#[path = "device/losses.rs"]
mod losses;
#[path = "device/rollout.rs"]
mod rollout;
mod support;

use std::process::{Command, Output};
use std::{env, fs};

use stpn_cuda::cuda::{
    Adam, Buffer, ConvolutionLayer, DenseLayer, Device, General, PlasticLayer, Sequence, SequenceLayer,
};
use stpn_cuda::shim::{self, Inputs, Machine};
use stpn_cuda::{
    AdamPiece, AdamSettings, AnyLayer, Convolution, Dense, Error, Extent, Gated, GatedKind, Layer, Modulated,
    Modulation, Nonlinearity, Plan, Plastic, Rule,
};
use support::golden::{Case, Results, cases, gated_cases};
use support::{Numbers, distance, gated_plan, gated_there_and_back, plan, there_and_back};

/// Set where the driver is the emulated one.
const EMULATED: &str = "STPN_EMULATED";

/// The device, or nothing on a machine without; asserts what is said then.
fn device() -> Option<Device> {
    match Device::open(0) {
        Ok(device) => {
            assert_eq!(env::var_os(EMULATED).is_some(), device.name() == "emulated device", "{}", device.name());
            eprintln!("on {}", device.name());
            Some(device)
        }
        Err(error) => {
            assert!(env::var_os(EMULATED).is_none(), "{error}");
            let message = error.to_string();
            match error {
                Error::NoDriver { .. } => assert!(message.contains("Install NVIDIA's driver"), "{message}"),
                Error::NoDevice { count, .. } => assert_eq!(count, 0, "{message}"),
                other => panic!("neither driver nor device are missing: {other}"),
            }
            None
        }
    }
}

/// Runs a golden case there and back.
fn check_golden<L: Clone + Into<AnyLayer>>(general: &General<f64>, case: &Case<L>) {
    let device = general.device();
    let layer = SequenceLayer::new(general, case.layer.clone()).unwrap();
    let [parameters, x, start, grad_hidden, grad_end] =
        [&case.parameters, &case.x, &case.start, &case.grad_hidden, &case.grad_end]
            .map(|values| device.upload(values).unwrap());
    let sequence = Sequence { extent: case.extent, parameters: &parameters, x: &x, resets: None, start: &start };
    let forward = layer.forward(sequence, true).unwrap();
    let backward = layer.backward(sequence, &forward, &grad_hidden, &grad_end).unwrap();
    let results = Results {
        hidden: device.download(&forward.hidden).unwrap(),
        end: device.download(&forward.end).unwrap(),
        grad_x: device.download(&backward.x).unwrap(),
        grad_start: device.download(&backward.state).unwrap(),
        grad_parameters: device.download(&backward.parameters).unwrap(),
    };
    case.compare(&results, 1e-9);
}

#[test]
fn on_device_limits() {
    let Some(device) = device() else { return };
    let limits = device.limits().unwrap();
    let rates = [limits.multiply_adds_per_second / 1e12, limits.memory_bytes_per_second / 1e12];
    println!("at most {:.2} T multiply-adds and {:.2} TB of memory per second", rates[0], rates[1]);
    match device.name().contains("emulated") {
        // An A100's data sheet has 19.5 T operations and 2.039 TB.
        true => assert!((2.0 * rates[0] - 19.5).abs() < 0.05 && (rates[1] - 2.039).abs() < 0.001, "{rates:?}"),
        false => assert!((0.5..1e3).contains(&rates[0]) && (0.05..1e2).contains(&rates[1]), "{rates:?}"),
    }
}

#[test]
fn on_device_golden_cases() {
    let Some(device) = device() else { return };
    let general = General::new(&device).unwrap();
    cases().iter().for_each(|case| check_golden(&general, case));
    gated_cases().iter().for_each(|case| check_golden(&general, case));
}

/// Everything that comes out of a sequence with resets, in single precision: on the device, and behind the shim.
fn device_and_shim(general: &General<f32>, layer: &AnyLayer, extent: Extent) -> [Vec<f64>; 2] {
    let device = general.device();
    let mut numbers = Numbers::new(23);
    let mut draw = |len: usize, scale: f64| -> Vec<f32> {
        numbers.vec(len, scale).into_iter().map(|value| value as f32).collect()
    };
    let (units, state) = (extent.steps * extent.batch, extent.batch * layer.state_len());
    let parameters = draw(layer.parameters(), 0.3);
    let (x, start) = (draw(units * layer.input(), 1.0), draw(state, 0.3));
    let (grad_hidden, grad_end) = (draw(units * layer.hidden(), 1.0), draw(state, 1.0));
    let resets: Vec<u8> = (0..units).map(|at| u8::from(at % 13 == 5)).collect();

    let on_device = SequenceLayer::new(general, layer.clone()).unwrap();
    let [parameters_there, x_there, start_there, grad_hidden_there, grad_end_there] =
        [&parameters, &x, &start, &grad_hidden, &grad_end].map(|values| device.upload(values).unwrap());
    let resets_there = device.upload(&resets).unwrap();
    let sequence = Sequence {
        extent,
        parameters: &parameters_there,
        x: &x_there,
        resets: Some(&resets_there),
        start: &start_there,
    };
    let run = || -> Vec<f64> {
        let forward = on_device.forward(sequence, true).unwrap();
        let backward = on_device.backward(sequence, &forward, &grad_hidden_there, &grad_end_there).unwrap();
        let results = [&forward.hidden, &forward.end, &backward.x, &backward.state, &backward.parameters];
        results.into_iter().flat_map(|buffer| device.download(buffer).unwrap()).map(f64::from).collect()
    };
    let first = run();
    assert!(run() == first, "two runs differ in their bits: {layer:?}");

    let inputs = Inputs { extent, parameters: &parameters, x: &x, resets: Some(&resets), start: &start };
    let machine = Machine::default();
    let (hidden, end, backward) = match layer {
        AnyLayer::Plastic(layer) => {
            let plan = plan::<f32>(layer, extent);
            let (forward, backward) = there_and_back(layer, &plan, machine, inputs, &grad_hidden, &grad_end);
            (forward.hidden, forward.end, backward)
        }
        AnyLayer::Gated(layer) => {
            let plan = gated_plan::<f32>(layer, extent);
            let (forward, backward) = gated_there_and_back(layer, &plan, machine, inputs, &grad_hidden, &grad_end);
            (forward.hidden, forward.end, backward)
        }
    };
    let results = [hidden, end, backward.x, backward.state, backward.parameters];
    [first, results.into_iter().flatten().map(f64::from).collect()]
}

#[test]
fn on_device_sequences_with_resets_in_single_precision() {
    let Some(device) = device() else { return };
    let general = General::new(&device).unwrap();
    // More blocks than one pass of the reduction adds up, registers and shared memory.
    let plastic = [
        (Layer::Plastic(Plastic::maze(9, 19)), Extent { steps: 9, batch: 37 }),
        (
            Layer::Plastic(Plastic { layer_norm: true, plastic_bias: true, ..Plastic::stpn(60, 70) }),
            Extent { steps: 5, batch: 2 },
        ),
        (
            Layer::Modulated(Modulated {
                input: 9,
                hidden: 19,
                modulation: Modulation::Retroactive,
                rule: Rule::SoftClamp,
            }),
            Extent { steps: 7, batch: 3 },
        ),
    ];
    let lstm = Gated { layer_norm: true, ..Gated::new(GatedKind::Lstm, 9, 19) };
    // Several parts of the weights' gradient; weights that do not fit into shared memory.
    let gated = [
        (lstm, Extent { steps: 9, batch: 70 }),
        (Gated::new(GatedKind::Gru, 9, 19), Extent { steps: 7, batch: 3 }),
        (Gated::new(GatedKind::Rnn, 9, 220), Extent { steps: 3, batch: 9 }),
    ];
    let layers = plastic.map(|(layer, extent)| (AnyLayer::from(layer), extent));
    for (layer, extent) in layers.into_iter().chain(gated.map(|(layer, extent)| (layer.into(), extent))) {
        let [got, want] = device_and_shim(&general, &layer, extent);
        let distance = distance(&got, &want);
        assert!(distance < 1e-5, "{layer:?}: {distance:e}");
    }
}

#[test]
fn on_device_a_dense_layer_and_the_optimiser() {
    let Some(device) = device() else { return };
    let general = General::<f32>::new(&device).unwrap();
    let layer = Dense::new(17, 70, Nonlinearity::Tanh);
    let rows = 600;
    let mut numbers = Numbers::new(37);
    let mut draw = |len: usize| -> Vec<f32> { numbers.vec(len, 0.5).into_iter().map(|v| v as f32).collect() };
    let (parameters, x, grad_y) = (draw(layer.parameters()), draw(rows * 17), draw(rows * 70));
    let [there, x_there, grad_y_there] = [&parameters, &x, &grad_y].map(|values| device.upload(values).unwrap());
    let dense = DenseLayer::new(&general, layer).unwrap();
    let y = dense.forward(rows, &there, &x_there).unwrap();
    let back = dense.backward(rows, [&there, &x_there, &y, &grad_y_there], true).unwrap();
    let values =
        |buffer: &Buffer<f32>| -> Vec<f64> { device.download(buffer).unwrap().into_iter().map(f64::from).collect() };
    let want = shim::dense(&layer, Machine::default(), &parameters, &x, &grad_y);
    let close = |what: &str, got: &Buffer<f32>, want: &[f32]| {
        let want: Vec<f64> = want.iter().copied().map(f64::from).collect();
        let distance = distance(&values(got), &want);
        assert!(distance < 1e-6, "{what}: {distance:e}");
    };
    close("y", &y, &want.y);
    close("gradient of the parameters", &back.parameters, &want.parameters);
    close("gradient of x", back.x.as_ref().unwrap(), &want.x);

    let settings = AdamSettings { learning_rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-5, max_norm: Some(0.5) };
    let len = layer.parameters();
    let piece = |range, factor, limit| AdamPiece { range, factor, limit };
    let pieces = [piece(0..300, 1.0, None), piece(300..900, 4.0, Some(0.2)), piece(900..len, 0.5, None)];
    let mut adam = Adam::new(&general, len).unwrap();
    let mut there = there;
    let gradient = device.upload(&want.parameters).unwrap();
    let gradients = [want.parameters.clone(), want.parameters];
    let stepped = shim::adam(&settings, Machine::default(), &pieces, &parameters, &gradients);
    for step in 0..2 {
        // From what was saved, as well as straight on.
        let [first, second] = [adam.first(), adam.second()].map(|moment| device.download(moment).unwrap());
        adam = Adam::restore(&general, &first, &second, adam.steps()).unwrap();
        let norms = adam.step(&settings, &pieces, &mut there, &gradient).unwrap();
        close("parameters", &there, &stepped.parameters[step]);
        // Parameters may differ in their last bits.
        assert!(distance(&norms, &stepped.norms[step]) < 1e-6, "{norms:?}");
        assert!(distance(&norms[..1], &stepped.norms[step][..1]) < 1e-12, "{norms:?}");
    }
    close("first moment", adam.first(), &stepped.moments[0]);
    close("second moment", adam.second(), &stepped.moments[1]);
    assert_eq!(adam.steps(), 2);
    let short = device.zeros::<f32>(3).unwrap();
    let refused = adam.step(&settings, &pieces, &mut there, &short);
    assert!(matches!(refused, Err(Error::Length { what: "gradient", .. })), "{refused:?}");
    let refused = adam.step(&settings, &pieces[1..], &mut there, &gradient);
    assert!(matches!(refused, Err(Error::Optimizer { .. })), "{refused:?}");
    let refused = Adam::restore(&general, &[0.0f32; 2], &[0.0; 3], 1);
    assert!(matches!(refused, Err(Error::Length { .. })), "{refused:?}");
}

#[test]
fn on_device_a_convolution() {
    let Some(device) = device() else { return };
    let general = General::<f32>::new(&device).unwrap();
    let (nonlinearity, scale) = (Nonlinearity::Relu, 1.5);
    let layer = Convolution { channels: 3, height: 14, width: 13, filters: 5, size: 4, stride: 2, nonlinearity, scale };
    let images = 40;
    let mut numbers = Numbers::new(53);
    let mut draw = |len: usize| -> Vec<f32> { numbers.vec(len, 0.5).into_iter().map(|v| v as f32).collect() };
    let operands = [layer.parameters(), images * layer.input(), images * layer.output()].map(&mut draw);
    let [parameters, x, grad_y] = operands.each_ref().map(|values| device.upload(values).unwrap());
    let on_device = ConvolutionLayer::new(&general, layer).unwrap();
    let y = on_device.forward(images, &parameters, &x).unwrap();
    let back = on_device.backward(images, [&parameters, &x, &y, &grad_y], true).unwrap();
    let want = shim::convolution(&layer, Machine::default(), operands.each_ref().map(Vec::as_slice), 1 << 20);
    let doubles = |values: &[f32]| -> Vec<f64> { values.iter().copied().map(f64::from).collect() };
    for (what, got, want) in [
        ("y", &y, &want.y),
        ("gradient of the parameters", &back.parameters, &want.parameters),
        ("gradient of x", back.x.as_ref().unwrap(), &want.x),
    ] {
        let distance = distance(&doubles(&device.download(got).unwrap()), &doubles(want));
        assert!(distance < 1e-6, "{what}: {distance:e}");
    }
    let refused = on_device.forward(images + 1, &parameters, &x);
    assert!(matches!(refused, Err(Error::Length { what: "x", .. })), "{refused:?}");
    let impossible = ConvolutionLayer::new(&general, Convolution { size: 15, ..layer });
    assert!(matches!(impossible, Err(Error::Layer { .. })), "{impossible:?}");
}

/// Encoder, cell and head together: the sum of an episode's inputs so far is learnt, on arrays that stay there.
#[test]
fn on_device_an_encoder_a_cell_and_a_head_learn() {
    let Some(device) = device() else { return };
    let general = General::<f32>::new(&device).unwrap();
    let extent = Extent { steps: 6, batch: 5 };
    let units = extent.steps * extent.batch;
    let encoder = DenseLayer::new(&general, Dense::new(1, 4, Nonlinearity::Tanh)).unwrap();
    let cell = AnyLayer::from(Gated::new(GatedKind::Lstm, 4, 8));
    let on_device = SequenceLayer::new(&general, cell.clone()).unwrap();
    let head = DenseLayer::new(&general, Dense::new(8, 1, Nonlinearity::Linear)).unwrap();

    let mut numbers = Numbers::new(41);
    let mut draw = |len: usize, scale: f64| -> Vec<f32> {
        numbers.vec(len, scale).into_iter().map(|value| value as f32).collect()
    };
    let x = draw(units, 1.0);
    let resets: Vec<u8> = (0..units).map(|at| u8::from(at < extent.batch || at % 11 == 7)).collect();
    let mut targets = vec![0f32; units];
    for at in 0..units {
        let before = if resets[at] == 1 { 0.0 } else { targets[at - extent.batch] };
        targets[at] = before + 0.3 * x[at];
    }
    let lens = [encoder.layer().parameters(), cell.parameters(), head.layer().parameters()];
    let mut parameters = lens.map(|len| device.upload(&draw(len, 0.4)).unwrap());
    let mut adams = lens.map(|len| Adam::new(&general, len).unwrap());
    let (x, resets) = (device.upload(&x).unwrap(), device.upload(&resets).unwrap());
    let start = device.zeros::<f32>(extent.batch * cell.state_len()).unwrap();
    let settings = AdamSettings { learning_rate: 0.03, beta1: 0.9, beta2: 0.999, epsilon: 1e-5, max_norm: Some(1.0) };

    let mut losses = Vec::new();
    for _ in 0..40 {
        let [of_encoder, of_cell, of_head] = &parameters;
        let encoded = encoder.forward(units, of_encoder, &x).unwrap();
        let sequence = Sequence { extent, parameters: of_cell, x: &encoded, resets: Some(&resets), start: &start };
        let forward = on_device.forward(sequence, true).unwrap();
        let y = head.forward(units, of_head, &forward.hidden).unwrap();
        let errors: Vec<f32> = device.download(&y).unwrap().iter().zip(&targets).map(|(y, want)| y - want).collect();
        losses.push(errors.iter().map(|error| error * error).sum::<f32>());
        let grad_y = device.upload(&errors).unwrap();
        let back_head = head.backward(units, [of_head, &forward.hidden, &y, &grad_y], true).unwrap();
        let back = on_device.backward(sequence, &forward, back_head.x.as_ref().unwrap(), &start).unwrap();
        let back_encoder = encoder.backward(units, [of_encoder, &x, &encoded, &back.x], false).unwrap();
        assert!(back_encoder.x.is_none());
        let gradients = [&back_encoder.parameters, &back.parameters, &back_head.parameters];
        for ((adam, parameters), gradient) in adams.iter_mut().zip(&mut parameters).zip(gradients) {
            adam.step(&settings, &[AdamPiece::whole(gradient.len())], parameters, gradient).unwrap();
        }
    }
    assert!(losses[39] < 0.05 * losses[0], "{losses:?}");
}

#[test]
fn on_device_arrays_of_other_lengths_are_refused() {
    let Some(device) = device() else { return };
    let layer = PlasticLayer::<f32>::new(&device, Layer::Plastic(Plastic::stpn(3, 4))).unwrap();
    let zeros = |len: usize| device.zeros::<f32>(len).unwrap();
    let extent = Extent { steps: 2, batch: 2 };
    let (parameters, x, start) = (zeros(layer.layer().parameters()), zeros(12), zeros(2 * layer.layer().state_len()));
    let sequence = Sequence { extent, parameters: &parameters, x: &x, resets: None, start: &start };
    let forward = layer.forward(sequence, false).unwrap();
    let without_tape = layer.backward(sequence, &forward, &zeros(16), &zeros(start.len()));
    assert!(matches!(without_tape, Err(Error::Length { what: "tape", .. })), "{without_tape:?}");
    let short = zeros(11);
    let refused = layer.forward(Sequence { x: &short, ..sequence }, true);
    assert!(matches!(refused, Err(Error::Length { what: "x", expected: 12, got: 11 })), "{refused:?}");
}

#[test]
fn on_device_too_many_environments_say_how_many_fit() {
    let Some(device) = device() else { return };
    let layer = PlasticLayer::<f32>::new(&device, Layer::Plastic(Plastic::maze(2, 55))).unwrap();
    // Operands that are small, a tape that is not.
    let extent = Extent { steps: 1, batch: 2 * (device.free().unwrap() >> 16) };
    let zeros = |len: usize| device.zeros::<f32>(len);
    let operands = zeros(2 * extent.batch).and_then(|x| Ok((x, zeros(extent.batch * layer.layer().state_len())?)));
    let Ok((x, start)) = operands else { panic!("the operands alone should fit: {operands:?}") };
    let parameters = zeros(layer.layer().parameters()).unwrap();
    let sequence = Sequence { extent, parameters: &parameters, x: &x, resets: None, start: &start };
    let error = layer.forward(sequence, true).unwrap_err();
    assert!(matches!(error, Error::Memory { fits, batch, .. } if fits > 0 && fits < batch), "{error}");
    assert!(error.to_string().contains("sequences would fit"), "{error}");
}

#[test]
fn on_device_passes_that_just_fit_were_refused() {
    let Some(device) = device() else { return };
    let layer = Layer::Plastic(Plastic::maze(2, 55));
    let on_device = PlasticLayer::<f32>::new(&device, layer.clone()).unwrap();
    let memory = device.free().unwrap().min(100_000_000) * 9 / 10;
    let extent = |batch| Extent { steps: 2, batch };
    let bytes =
        |batch| Plan::new(&layer, extent(batch), 4, device.shared()).unwrap().bytes(&layer, extent(batch), 4, true);
    let extent = (1..).map(extent).take_while(|extent| bytes(extent.batch) <= memory).last().unwrap();
    let zeros = |len: usize| device.zeros::<f32>(len).unwrap();
    let (parameters, x) = (zeros(layer.parameters()), zeros(2 * 2 * extent.batch));
    let (start, grad_hidden) = (zeros(extent.batch * layer.state_len()), zeros(2 * 55 * extent.batch));
    let sequence = Sequence { extent, parameters: &parameters, x: &x, resets: None, start: &start };
    for _ in 0..2 {
        let forward = on_device.forward(sequence, true).unwrap();
        let grad_end = zeros(start.len());
        on_device.backward(sequence, &forward, &grad_hidden, &grad_end).unwrap();
    }
}

/// What a process of its own says of opening a device: for the emulated driver with faults.
#[test]
fn faulty_driver() {
    let Ok(expected) = env::var("STPN_EXPECTED") else { return };
    let error = Device::open(0).and_then(|device| {
        let layer = PlasticLayer::<f32>::new(&device, Layer::Plastic(Plastic::stpn(3, 4)))?;
        let extent = Extent { steps: 16, batch: 64 };
        let [parameters, x, start] = [layer.layer().parameters(), 16 * 64 * 3, 64 * layer.layer().state_len()]
            .map(|len| device.zeros::<f32>(len).unwrap());
        let sequence = Sequence { extent, parameters: &parameters, x: &x, resets: None, start: &start };
        let forward = layer.forward(sequence, true)?;
        device.download(&forward.hidden)
    });
    let message = error.unwrap_err().to_string();
    assert!(message.contains(&expected), "{message}");
}

#[test]
#[cfg(target_os = "linux")]
fn an_emulated_driver_runs_all_of_this() {
    if env::var_os(EMULATED).is_some() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = |test: &str, settings: &[(&str, &str)]| -> Output {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args([test, "--nocapture"]).env("LD_LIBRARY_PATH", shim::EMULATED_DRIVER).env(EMULATED, "1");
        command.env("XDG_CACHE_HOME", folder.path().join("cache")).envs(settings.iter().copied()).output().unwrap()
    };
    let good = |output: Output| {
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{text}");
        text
    };
    let text = good(run("on_device", &[("STPN_EMULATED_MEMORY", "100000000")]));
    assert!(text.contains("on emulated device") && text.contains("18 passed"), "{text}");
    // The kernels are in the cache now.
    assert!(fs::read_dir(folder.path().join("cache/stpn/cuda")).unwrap().count() > 10);

    let faults = [
        ("STPN_EMULATED_VERSION", "11040", "serves CUDA 11.4"),
        ("STPN_EMULATED_DEVICES", "0", "no CUDA device 0: there are 0"),
        ("STPN_EMULATED_PTX", "222", "NVRTC 0.1 wrote"),
        ("STPN_EMULATED_FAILING_KERNEL", "plastic_forward", "unspecified launch failure"),
        ("STPN_EMULATED_MEMORY", "60000", "sequences would fit at a time instead of 64"),
    ];
    for (name, value, message) in faults {
        let text = good(run("faulty_driver", &[(name, value), ("STPN_EXPECTED", message)]));
        assert!(text.contains("1 passed"), "{text}");
    }
}
