//! A layer's operands with random values and resets, and the comparison with a reference that is differentiated by
//! numbers with a derivative.

use stpn_cuda::Extent;
use stpn_cuda::shim::Inputs;

use super::dual::Dual;
use super::golden::Results;
use super::{Numbers, distance};

const TOLERANCE: f64 = 1e-9;

/// Numbers of a layer: parameters, I, H, S.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub parameters: usize,
    pub input: usize,
    pub hidden: usize,
    pub state: usize,
}

/// Values for everything.
pub struct Values {
    sizes: Sizes,
    pub extent: Extent,
    pub parameters: Vec<f64>,
    pub x: Vec<f64>,
    pub resets: Vec<u8>,
    pub start: Vec<f64>,
    pub grad_hidden: Vec<f64>,
    pub grad_end: Vec<f64>,
}

impl Values {
    pub fn new(sizes: Sizes, extent: Extent, seed: u64) -> Self {
        let mut numbers = Numbers::new(seed);
        let units = extent.steps * extent.batch;
        let state = extent.batch * sizes.state;
        let parameters = numbers.vec(sizes.parameters, 0.8);
        let x = numbers.vec(units * sizes.input, 1.0);
        let start = numbers.vec(state, 0.4);
        // One in six, also at the first step; one environment has none.
        let resets = (0..units).map(|at| u8::from(at % extent.batch != 1 && numbers.next() < -0.66)).collect();
        let grad_hidden = numbers.vec(units * sizes.hidden, 1.0);
        let grad_end = numbers.vec(state, 1.0);
        Self { sizes, extent, parameters, x, resets, start, grad_hidden, grad_end }
    }

    pub fn inputs(&self) -> Inputs<'_, f64> {
        Inputs {
            extent: self.extent,
            parameters: &self.parameters,
            x: &self.x,
            resets: Some(&self.resets),
            start: &self.start,
        }
    }

    /// Rows of environment `env` in `[T, B, len]`.
    fn rows<V: Copy>(&self, values: &[V], env: usize, len: usize) -> Vec<V> {
        let batch = self.extent.batch;
        (0..self.extent.steps).flat_map(|t| &values[(t * batch + env) * len..][..len]).copied().collect()
    }

    /// Panics unless the results are those of `reference`: activities and final state of one environment from
    /// parameters, x, resets and state.
    pub fn compare(
        &self,
        results: &Results,
        context: &str,
        reference: impl Fn(&[Dual], &[Dual], &[u8], &[Dual]) -> (Vec<Dual>, Vec<Dual>),
    ) {
        let Sizes { input, hidden: size, state, .. } = self.sizes;
        let duals = |values: &[f64]| -> Vec<Dual> { values.iter().copied().map(Dual::from).collect() };
        let mut of_parameters = vec![0.0; self.parameters.len()];
        let close = |what: &str, got: &[f64], want: &[f64]| {
            let distance = distance(got, want);
            assert!(distance < TOLERANCE, "{what}: {distance:e}\n{context}");
        };
        for env in 0..self.extent.batch {
            let resets = self.rows(&self.resets, env, 1);
            let of_state = env * state..(env + 1) * state;
            let mut values =
                [duals(&self.parameters), duals(&self.rows(&self.x, env, input)), duals(&self.start[of_state.clone()])];
            let [parameters, x, start] = &values;
            let (hidden, end) = reference(parameters, x, &resets, start);
            let plain = |values: &[Dual]| -> Vec<f64> { values.iter().map(|value| value.value).collect() };
            close("hidden", &self.rows(&results.hidden, env, size), &plain(&hidden));
            close("end", &results.end[of_state.clone()], &plain(&end));

            let grad_hidden = self.rows(&self.grad_hidden, env, size);
            let grad_end = &self.grad_end[of_state.clone()];
            let mut gradients: [Vec<f64>; 3] = std::array::from_fn(|which| vec![0.0; values[which].len()]);
            for which in 0..3 {
                for at in 0..values[which].len() {
                    values[which][at].slope = 1.0;
                    let [parameters, x, start] = &values;
                    let (hidden, end) = reference(parameters, x, &resets, start);
                    let outputs = hidden.iter().zip(&grad_hidden).chain(end.iter().zip(grad_end));
                    gradients[which][at] = outputs.map(|(output, grad)| output.slope * grad).sum();
                    values[which][at].slope = 0.0;
                }
            }
            of_parameters.iter_mut().zip(&gradients[0]).for_each(|(sum, gradient)| *sum += gradient);
            close("gradient of x", &self.rows(&results.grad_x, env, input), &gradients[1]);
            close("gradient of the state", &results.grad_start[of_state], &gradients[2]);
        }
        close("gradient of the parameters", &results.grad_parameters, &of_parameters);
    }
}
