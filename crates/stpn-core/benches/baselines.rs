//! Training steps of the baseline cells on random inputs of the tasks' shapes: forward over the sequence, a loss on
//! policy and value heads, backward. Convolutions and the optimiser are left out.
//!
//! `cargo bench -p stpn-core --bench baselines -- 1-thread/maze-lstm`
#![allow(clippy::unwrap_used, missing_docs, reason = "a failing unwrap ends the benchmark")]

use candle_core::{D, DType, Device, Tensor, Var};
use criterion::{Criterion, criterion_group, criterion_main};
use stpn_core::{Cell, CellName, Initializer, Kernel};
use stpn_random::{Purpose, Stream};

/// Name, cell, T, B, I, H, actions.
type Case = (&'static str, CellName, [usize; 5]);

const CASES: [Case; 15] = [
    ("maze-lstm", CellName::Lstm, [200, 512, 17, 47, 4]),
    ("maze-gru", CellName::Gru, [200, 512, 17, 54, 4]),
    ("maze-rnn", CellName::Rnn, [200, 512, 17, 100, 4]),
    ("maze-backpropamine", CellName::Backpropamine, [200, 512, 17, 73, 4]),
    ("maze-retroactive", CellName::BackpropamineRetroactive, [200, 512, 17, 73, 4]),
    ("maze-fast-weights", CellName::FastWeights, [200, 512, 17, 73, 4]),
    ("maze-linear-recurrent", CellName::LinearRecurrent, [200, 512, 17, 69, 4]),
    ("maze-linear-attention", CellName::LinearAttention, [200, 512, 17, 150, 4]),
    ("maze-delta-rule", CellName::DeltaRule, [200, 512, 17, 150, 4]),
    ("art-lstm", CellName::Lstm, [9, 128, 37, 9, 37]),
    ("art-backpropamine", CellName::Backpropamine, [9, 128, 37, 17, 37]),
    ("art-fast-weights", CellName::FastWeights, [9, 128, 37, 20, 37]),
    ("pong-lstm", CellName::Lstm, [50, 64, 2592, 48, 6]),
    ("pong-gru", CellName::Gru, [50, 64, 2592, 64, 6]),
    ("pendulum-mlp", CellName::Mlp, [20, 103, 4, 64, 2]),
];

struct Agent {
    cell: Box<dyn Cell>,
    heads: [Var; 2],
    x: Var,
    chosen: Tensor,
}

impl Agent {
    fn new(name: CellName, [steps, batch, input, hidden, actions]: [usize; 5]) -> Self {
        let mut stream = Stream::new(1, Purpose::Test, 0);
        let mut init = Initializer::new(&mut stream, DType::F32, &Device::Cpu);
        let cell = name.config().build(input, hidden, Kernel::Auto, &mut init).unwrap();
        let head =
            |init: &mut Initializer, outputs| Var::from_tensor(&init.uniform((hidden, outputs), -0.1, 0.1).unwrap());
        let heads = [head(&mut init, actions).unwrap(), head(&mut init, 1).unwrap()];
        let x = Var::from_tensor(&init.uniform((steps, batch, input), 0.0, 1.0).unwrap()).unwrap();
        let chosen: Vec<u32> = (0..steps * batch).map(|index| (index % actions) as u32).collect();
        let chosen = Tensor::from_vec(chosen, (steps * batch, 1), &Device::Cpu).unwrap();
        Self { cell, heads, x, chosen }
    }

    /// One training step; only Pong's inputs come from a trained layer.
    fn step(&self) {
        let (steps, batch, input) = self.x.dims3().unwrap();
        let x = if input > 1000 { self.x.as_tensor().clone() } else { self.x.as_detached_tensor() };
        let hidden = self.cell.sequence(&x, None, &self.cell.zero_state(batch).unwrap()).unwrap().hidden;
        let hidden = hidden.reshape((steps * batch, ())).unwrap();
        let [logits, values] = self.heads.each_ref().map(|head| hidden.matmul(head).unwrap());
        let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1).unwrap().detach()).unwrap();
        let normalizer = shifted.exp().unwrap().sum_keepdim(D::Minus1).unwrap().log().unwrap();
        let log_prob = (shifted.gather(&self.chosen, 1).unwrap() - normalizer).unwrap();
        let advantage = (0.5 - values).unwrap();
        let policy_loss = (log_prob * advantage.detach()).unwrap().mean_all().unwrap();
        let value_loss = (advantage.sqr().unwrap().mean_all().unwrap() * 0.1).unwrap();
        let loss = (value_loss - policy_loss).unwrap();
        std::hint::black_box(loss.backward().unwrap());
    }
}

fn training_steps(criterion: &mut Criterion) {
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut group = criterion.benchmark_group(format!("{threads}-thread"));
        group.sample_size(10);
        for (name, cell, sizes) in CASES {
            // Built when its turn comes: the filter of the command line may leave it out.
            let mut agent = None;
            group.bench_function(name, |bencher| {
                let agent = agent.get_or_insert_with(|| Agent::new(cell, sizes));
                pool.install(|| bencher.iter(|| agent.step()));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, training_steps);
criterion_main!(benches);
