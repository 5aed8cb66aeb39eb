//! The shapes that the fused plastic kernel is measured on, with operands to run it.

#![allow(dead_code, reason = "each program that includes this uses its own part")]

use std::sync::Arc;
use std::time::Instant;

use candle_core::{DType, Device};
use stpn_core::cells::{NormalizeState, StpnConfig};
use stpn_core::kernels::blocks::{self, BatchTape, Forward, Operands, Sizes};
use stpn_core::kernels::{Extent, Kernel, Prepared, SequenceKernel};
use stpn_core::{CellConfig, Initializer, StateField};
use stpn_random::{Purpose, Stream};

/// One layer and the extent of its sequences.
#[derive(Clone)]
pub struct Case {
    /// Name in the output.
    pub name: &'static str,
    /// Time steps T.
    pub steps: usize,
    /// Batch elements B.
    pub batch: usize,
    /// Input size I.
    pub input: usize,
    /// Units H.
    pub hidden: usize,
    /// The cell's options.
    pub config: StpnConfig,
}

/// The published maze, with a part of its batch of 512.
pub fn maze() -> Case {
    let config = StpnConfig { normalize_state: NormalizeState::After, clamp: Some(1.0), ..StpnConfig::default() };
    Case { name: "maze", steps: 200, batch: 32, input: 17, hidden: 55, config }
}

/// The four tasks' shapes.
pub fn cases() -> Vec<Case> {
    let pendulum = StpnConfig {
        recurrent: false,
        normalize_forward: false,
        normalize_state: NormalizeState::None,
        clamp: Some(0.1),
        ..StpnConfig::default()
    };
    let before = StpnConfig::default;
    vec![
        maze(),
        Case { name: "pong", steps: 50, batch: 64, input: 2592, hidden: 64, config: before() },
        Case { name: "art", steps: 9, batch: 128, input: 37, hidden: 11, config: before() },
        Case { name: "pendulum", steps: 20, batch: 103, input: 4, hidden: 64, config: pendulum },
    ]
}

impl Case {
    /// Time steps × batch elements × synapses.
    pub fn synapse_steps(&self) -> usize {
        let columns = if self.config.recurrent { self.input + self.hidden } else { self.input };
        self.steps * self.batch * self.hidden * columns
    }
}

/// Operands of a case in f32, parameters at their usual initial values.
pub struct Workload {
    pub case: Case,
    pub parameters: Vec<f32>,
    pub prepared: Arc<dyn Prepared<f32>>,
    sizes: Sizes,
    x: Vec<f32>,
    state: Vec<f32>,
    grad_hidden: Vec<f32>,
}

impl Workload {
    /// Random operands.
    pub fn new(case: &Case) -> Self {
        let mut stream = Stream::new(1, Purpose::Test, 0);
        let mut init = Initializer::new(&mut stream, DType::F32, &Device::Cpu);
        let cell = CellConfig::Stpn(case.config.clone()).build(case.input, case.hidden, Kernel::Auto, &mut init);
        let cell = cell.expect("options and sizes are possible");
        let packed = cell.parameters().packed().and_then(|packed| Ok(packed.to_vec1::<f32>()?));
        let parameters = packed.expect("parameters on the CPU");
        let mut draw = |len: usize, low: f64, high: f64| -> Vec<f32> {
            (0..len).map(|_| stream.uniform(low, high) as f32).collect()
        };
        let elements = case.steps * case.batch;
        let x = draw(elements * case.input, 0.0, 1.0);
        let grad_hidden = draw(elements * case.hidden, -1.0, 1.0);
        let kernel = cell.fused().expect("the kernel serves every case");
        let prepared = SequenceKernel::<f32>::prepare(kernel.as_ref(), &parameters);
        let state = cell.state_layout().iter().map(StateField::len).sum();
        let sizes = Sizes { input: case.input, hidden: case.hidden, state, parameters: parameters.len() };
        let state = vec![0.0; case.batch * sizes.state];
        Self { case: case.clone(), parameters, prepared, sizes, x, state, grad_hidden }
    }

    fn operands(&self) -> Operands<'_, f32> {
        let extent = Extent { steps: self.case.steps, batch: self.case.batch };
        Operands { extent, sizes: self.sizes, x: &self.x, resets: None }
    }

    /// Forward from the zero state.
    pub fn forward(&self, tape: bool) -> Forward<f32> {
        blocks::forward(self.prepared.as_ref(), self.operands(), &self.state, tape)
    }

    /// Backward of it, recomputation included.
    pub fn backward(&self, hidden: &[f32], tape: &BatchTape) -> Vec<f32> {
        let (kernel, operands) = (self.prepared.as_ref(), self.operands());
        blocks::backward(kernel, operands, hidden, tape, &self.grad_hidden, None, false).parameters
    }

    /// Forward with tape, then backward: what a training step needs.
    pub fn both(&self) -> Vec<f32> {
        let mut out = self.forward(true);
        let tape = out.tape.take().expect("a tape was asked for");
        self.backward(&out.hidden, &tape)
    }
}

/// Least seconds of `rounds` calls: other programs on the machine can only slow a round down.
pub fn least_seconds<R>(rounds: usize, mut call: impl FnMut() -> R) -> f64 {
    let time = |call: &mut dyn FnMut() -> R| {
        let start = Instant::now();
        let result = call();
        let seconds = start.elapsed().as_secs_f64();
        drop(std::hint::black_box(result));
        seconds
    };
    (0..rounds).map(|_| time(&mut call)).fold(f64::INFINITY, f64::min)
}
