//! How the layers before and behind the cell begin. Cells have starts of their own.

use candle_core::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_core::Initializer;
use stpn_random::Stream;

use crate::Result;

/// How the weights of encoders and heads begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Initialization {
    /// Uniform in ±1/√inputs, biases too, as PyTorch's layers and the published runs.
    #[default]
    Uniform,
    /// Orthogonal weights (Saxe, McClelland and Ganguli 2014) and zero biases, with the gains of Stable-Baselines3 and
    /// CleanRL: √2 in encoders, 0.01 in the policy head, 1 in the value head.
    Orthogonal,
}

/// What a layer is for. The size of its first weights depends on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// A layer of an encoder.
    Hidden,
    /// The policy's head, with the factor `policy.policy_gain`.
    Policy(f64),
    /// A head for values or answers.
    Output,
}

impl Initialization {
    /// Weights of `shape` `[out, in, …]` and biases `[out]`.
    ///
    /// # Errors
    /// Fails if candle cannot allocate.
    pub fn layer(self, role: Role, shape: &[usize], init: &mut Initializer<'_>) -> Result<(Tensor, Tensor)> {
        let (output, fan_in) = (shape[0], shape[1..].iter().product());
        Ok(match self {
            Self::Uniform => {
                let gain = if let Role::Policy(factor) = role { factor } else { 1.0 };
                let bound = gain / (fan_in as f64).sqrt();
                (init.uniform(shape, -bound, bound)?, init.uniform(output, -bound, bound)?)
            }
            Self::Orthogonal => {
                let gain = match role {
                    Role::Hidden => std::f64::consts::SQRT_2,
                    Role::Policy(factor) => 0.01 * factor,
                    Role::Output => 1.0,
                };
                let weights =
                    orthogonal(output, fan_in, init.stream()).into_iter().map(|weight| gain * weight).collect();
                (init.tensor(weights, shape)?, init.constant(output, 0.0)?)
            }
        })
    }
}

/// A random matrix `[rows, columns]` whose rows are orthonormal, or its columns if these are fewer.
fn orthogonal(rows: usize, columns: usize, stream: &mut Stream) -> Vec<f64> {
    let (count, len) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    while vectors.len() < count {
        let mut vector: Vec<f64> = (0..len).map(|_| stream.normal()).collect();
        let before = norm(&vector);
        // What rounding leaves of the others after one pass is of the size of its result: small results need a second.
        for _ in 0..2 {
            for other in &vectors {
                let share = dot(&vector, other);
                vector.iter_mut().zip(other).for_each(|(value, other)| *value -= share * other);
            }
            if norm(&vector) > 0.5 * before {
                break;
            }
        }
        let length = norm(&vector);
        // One that lies among the others, which practically does not happen, is drawn anew.
        if length > 1e-6 * before {
            vector.iter_mut().for_each(|value| *value /= length);
            vectors.push(vector);
        }
    }
    if rows <= columns {
        return vectors.concat();
    }
    (0..len).flat_map(|row| vectors.iter().map(move |vector| vector[row])).collect()
}

fn norm(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}

/// Eight sums side by side, which processors add at a time: layers of pictures have millions of weights.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use stpn_random::Purpose;

    #[test]
    fn orthogonal_layers_have_the_gains_of_the_field_and_no_biases() {
        let mut stream = Stream::new(3, Purpose::Test, 0);
        let mut init = Initializer::new(&mut stream, DType::F64, &Device::Cpu);
        for (role, gain) in [(Role::Hidden, 2f64.sqrt()), (Role::Policy(2.0), 0.02), (Role::Output, 1.0)] {
            for shape in [&[3, 17][..], &[17, 3], &[9, 9], &[4, 2, 3, 3], &[1, 5]] {
                let (weight, bias) = Initialization::Orthogonal.layer(role, shape, &mut init).unwrap();
                assert_eq!(weight.dims(), shape);
                let weight = weight.flatten_from(1).unwrap();
                let wide = if weight.dims()[0] > weight.dims()[1] { weight.t().unwrap() } else { weight };
                let products = wide.contiguous().unwrap().matmul(&wide.t().unwrap()).unwrap().to_vec2::<f64>().unwrap();
                for (i, row) in products.iter().enumerate() {
                    for (j, product) in row.iter().enumerate() {
                        let expected = if i == j { gain * gain } else { 0.0 };
                        assert!((product - expected).abs() < 1e-12, "{shape:?} {i} {j}: {product}");
                    }
                }
                assert!(bias.to_vec1::<f64>().unwrap().iter().all(|&bias| bias == 0.0));
            }
        }
    }
}
