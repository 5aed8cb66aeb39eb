//! The stacks of convolutions of the policies' encoders on random bytes, on one thread: forward as in a rollout,
//! forward with its tape, backward. Throughput is in multiply-adds of the layers by themselves.
//!
//! `cargo bench -p stpn-core --bench convolutions -- nature`
#![allow(clippy::unwrap_used, missing_docs, reason = "a failing unwrap ends the benchmark")]

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stpn_core::kernels::convolution::{Filters, Image, Pixels, Prepared, Stack};
use stpn_random::{Purpose, Stream};

/// Name, channels of the images, filters with their sizes and strides.
type Case = (&'static str, usize, &'static [[usize; 3]]);

const CASES: [Case; 4] = [
    ("paper", 1, &[[16, 8, 4], [32, 4, 2]]),
    ("paper-stacked", 4, &[[16, 8, 4], [32, 4, 2]]),
    ("nature", 1, &[[32, 8, 4], [64, 4, 2], [64, 3, 1]]),
    ("nature-stacked", 4, &[[32, 8, 4], [64, 4, 2], [64, 3, 1]]),
];

const IMAGES: usize = 64;

fn multiply_adds(stack: &Stack) -> usize {
    let extents = |(image, Filters { count, size, stride }): (Image, Filters)| {
        let along = |extent: usize| (extent - size) / stride + 1;
        along(image.height) * along(image.width) * count * image.channels * size * size
    };
    stack.layers().map(extents).sum()
}

fn convolutions(criterion: &mut Criterion) {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().unwrap();
    for (name, channels, layers) in CASES {
        let filters: Vec<Filters> =
            layers.iter().map(|&[count, size, stride]| Filters { count, size, stride }).collect();
        let stack = Arc::new(Stack::new(Image { channels, height: 84, width: 84 }, &filters).unwrap());
        let mut stream = Stream::new(1, Purpose::Test, 0);
        let mut uniform = |len: usize| -> Vec<f32> { (0..len).map(|_| stream.uniform(-0.1, 0.1) as f32).collect() };
        let prepared = Prepared::new(&stack, &uniform(stack.parameters()));
        let bytes: Vec<u8> = uniform(IMAGES * stack.input().len()).iter().map(|v| (v * 1270.0) as i8 as u8).collect();
        let x = Pixels::Bytes { bytes: &bytes, factor: 1.0 / 255.0, summand: 0.0 };
        let mut out = vec![0.0; IMAGES * stack.output().len()];
        let grad_out = uniform(out.len());
        let mut grad_parameters = vec![0.0; stack.parameters()];

        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements((IMAGES * multiply_adds(&stack)) as u64));
        group.bench_function(BenchmarkId::from_parameter("inference"), |bencher| {
            bencher.iter(|| prepared.forward(x, &mut out, false));
        });
        group.bench_function(BenchmarkId::from_parameter("forward"), |bencher| {
            bencher.iter(|| prepared.forward(x, &mut out, true));
        });
        let tape = prepared.forward(x, &mut out, true).unwrap();
        group.bench_function(BenchmarkId::from_parameter("backward"), |bencher| {
            bencher.iter(|| prepared.backward(x, &out, &tape, &grad_out, &mut grad_parameters, None));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = convolutions
}
criterion_main!(benches);
