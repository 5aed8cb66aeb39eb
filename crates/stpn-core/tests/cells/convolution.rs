//! The convolution kernel against candle's, against finite differences, and on any number of threads.
use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};
use stpn_core::kernels::convolution::{Filters, Image, Pixels, Prepared, Stack, features};
use stpn_core::{Initializer, Parameters};
use stpn_random::{Purpose, Stream};

const fn filters(count: usize, size: usize, stride: usize) -> Filters {
    Filters { count, size, stride }
}

const fn image(channels: usize, height: usize, width: usize) -> Image {
    Image { channels, height, width }
}

/// Images and layers: strides that divide the filters and that do not, pixels left over, single outputs.
fn cases() -> Vec<(Image, Vec<Filters>)> {
    vec![
        (image(1, 84, 84), vec![filters(16, 8, 4), filters(32, 4, 2)]),
        (image(4, 44, 51), vec![filters(8, 8, 4), filters(6, 4, 2), filters(5, 3, 1)]),
        (image(3, 11, 17), vec![filters(5, 3, 2)]),
        (image(1, 9, 14), vec![filters(7, 5, 2), filters(3, 2, 3)]),
        (image(2, 7, 5), vec![filters(3, 2, 4)]),
        (image(1, 4, 4), vec![filters(2, 4, 4), filters(3, 1, 1)]),
        (image(2, 6, 9), vec![filters(1, 1, 1), filters(4, 6, 1)]),
    ]
}

struct Case {
    stack: Arc<Stack>,
    parameters: Parameters,
    x: Var,
    factors: Tensor,
}

impl Case {
    fn new(input: Image, layers: &[Filters], images: usize, dtype: DType) -> Self {
        let stack = Arc::new(Stack::new(input, layers).unwrap());
        let mut stream = Stream::new(1, Purpose::Test, 0);
        let mut init = Initializer::new(&mut stream, dtype, &Device::Cpu);
        let mut parameters = Parameters::default();
        for (index, (input, Filters { count, size, .. })) in stack.layers().enumerate() {
            let shape = (count, input.channels, size, size);
            let bound = 1.0 / ((input.channels * size * size) as f64).sqrt();
            parameters.add(&format!("weight{index}"), &init.uniform(shape, -bound, bound).unwrap()).unwrap();
            parameters.add(&format!("bias{index}"), &init.uniform(count, -bound, bound).unwrap()).unwrap();
        }
        let x = Var::from_tensor(&init.uniform((images, input.len()), -1.0, 1.0).unwrap()).unwrap();
        let factors = init.uniform((images, stack.output().len()), -1.0, 1.0).unwrap();
        Self { stack, parameters, x, factors }
    }

    fn kernel(&self) -> Tensor {
        features(&self.stack, &self.parameters, &self.x).unwrap()
    }

    fn candle(&self) -> Tensor {
        let Image { channels, height, width } = self.stack.input();
        let mut x = self.x.reshape(((), channels, height, width)).unwrap();
        let variables: Vec<&Var> = self.parameters.iter().map(|(_, var)| var).collect();
        for ((input, Filters { count, size, stride }), layer) in self.stack.layers().zip(variables.chunks_exact(2)) {
            // candle's backward pass is only right where nothing is left over.
            let used = |extent: usize| (extent - size) / stride * stride + size;
            let cut = x.narrow(2, 0, used(input.height)).unwrap().narrow(3, 0, used(input.width)).unwrap();
            let bias = layer[1].reshape((1, count, 1, 1)).unwrap();
            x = cut.conv2d(layer[0], 0, stride, 1, 1).unwrap().broadcast_add(&bias).unwrap().relu().unwrap();
        }
        x.flatten_from(1).unwrap()
    }

    fn loss(&self, features: &Tensor) -> Tensor {
        (features * &self.factors).unwrap().sum_all().unwrap()
    }

    fn variables(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.parameters.iter().chain([("x", &self.x)])
    }
}

fn flat(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap()
}

fn assert_close(what: &str, got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    let norm = want.iter().map(|v| v * v).sum::<f64>().sqrt();
    let error = got.iter().zip(want).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
    assert!(error <= tolerance * norm, "{what}: off by {error:e} of {norm:e}");
}

#[test]
fn features_and_gradients_are_those_of_candle() {
    for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 2e-5)] {
        for (number, (input, layers)) in cases().into_iter().enumerate() {
            for images in [1, 3, 40] {
                if images * input.len() > 100_000 && dtype == DType::F64 {
                    continue;
                }
                let what = format!("case {number}, {images} images, {dtype:?}");
                let case = Case::new(input, &layers, images, dtype);
                let (kernel, candle) = (case.kernel(), case.candle());
                assert_close(&what, &flat(&kernel), &flat(&candle), tolerance);
                let (got, want) = (case.loss(&kernel).backward().unwrap(), case.loss(&candle).backward().unwrap());
                for (name, var) in case.variables() {
                    let (got, want) = (got.get(var).expect(name), want.get(var).expect(name));
                    assert_close(&format!("{what}: {name}"), &flat(got), &flat(want), tolerance);
                }
            }
        }
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    for (input, layers) in &cases()[2..] {
        let case = Case::new(*input, layers, 2, DType::F64);
        let store = case.loss(&case.kernel()).backward().unwrap();
        for (name, var) in case.variables() {
            let (gradient, values) = (flat(store.get(var).expect(name)), flat(var));
            for i in (0..values.len()).step_by(values.len().div_ceil(13)) {
                let at = |value: f64| {
                    let mut moved = values.clone();
                    moved[i] = value;
                    var.set(&Tensor::from_vec(moved, var.shape(), &Device::Cpu).unwrap()).unwrap();
                    case.loss(&case.kernel()).to_scalar::<f64>().unwrap()
                };
                let difference = (at(values[i] + 1e-6) - at(values[i] - 1e-6)) / 2e-6;
                at(values[i]);
                assert!((gradient[i] - difference).abs() < 1e-7, "{name}[{i}]: {} {difference}", gradient[i]);
            }
        }
    }
}

/// Features and gradients of 70 images of bytes in a pool of `threads`, on slices.
fn on_threads(threads: usize, tape: bool) -> (Vec<f32>, Vec<f32>) {
    let (input, layers) = &cases()[0];
    let stack = Arc::new(Stack::new(*input, layers).unwrap());
    let mut stream = Stream::new(4, Purpose::Test, 0);
    let mut uniform = |n: usize| (0..n).map(|_| stream.uniform(-0.1, 0.1) as f32).collect::<Vec<_>>();
    let parameters = uniform(stack.parameters());
    let grad = uniform(70 * stack.output().len());
    let bytes: Vec<u8> = uniform(70 * input.len()).iter().map(|v| (v * 1270.0) as i8 as u8).collect();
    let x = Pixels::Bytes { bytes: &bytes, factor: 1.0 / 128.0, summand: -1.0 };
    let prepared = Prepared::new(&stack, &parameters);
    let (mut out, mut gradient) = (vec![f32::NAN; grad.len()], vec![f32::NAN; parameters.len()]);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
        match prepared.forward(x, &mut out, tape) {
            Some(tape) => prepared.backward(x, &out, &tape, &grad, &mut gradient, None),
            None => gradient.clear(),
        }
    });
    (out, gradient)
}

#[test]
fn results_do_not_depend_on_threads_or_tapes() {
    let (features, gradient) = on_threads(1, true);
    assert!(features.iter().chain(&gradient).all(|v| v.is_finite()));
    assert!(gradient.iter().any(|v| *v != 0.0));
    assert_eq!(on_threads(3, true), (features.clone(), gradient));
    assert_eq!(on_threads(2, false).0, features);
}

#[test]
fn layers_that_do_not_fit_are_refused() {
    let refused = |input, layers: &[Filters]| Stack::new(input, layers).expect_err("impossible").to_string();
    assert!(refused(image(1, 20, 20), &[filters(16, 8, 4), filters(32, 5, 2)]).contains("layer 2"));
    assert!(refused(image(1, 20, 20), &[filters(16, 8, 0)]).contains("stride 0"));
    assert!(refused(image(1, 20, 20), &[]).contains("none"));
}
