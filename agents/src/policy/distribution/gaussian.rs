//! Continuous actions: a normal distribution per dimension, all independent.

use std::f64::consts::{LN_2, PI};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_core::kernels::Real;
use stpn_random::Stream;

use super::exponential::softplus;
use super::{ActionRef, Terms};
use crate::{Error, Result};

/// Options of policies for continuous actions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianConfig {
    /// Where the standard deviation comes from.
    pub std: Std,
    /// Squash actions into the space by tanh; otherwise they are clipped on their way to the environment.
    #[schemars(extend("x-sb3" = "squash_output"))]
    pub squash: bool,
    /// Standard deviation at the start of training; Stable-Baselines3 sets its logarithm.
    #[schemars(extend("x-sb3" = "log_std_init"))]
    pub initial_std: f64,
}

impl Default for GaussianConfig {
    fn default() -> Self {
        Self { std: Std::Softplus, squash: false, initial_std: 1.0 }
    }
}

/// Where the standard deviation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Std {
    /// softplus of an output of the policy head (the published InvertedPendulum runs).
    Softplus,
    /// e to a trained number that does not depend on the observation (Stable-Baselines3, CleanRL).
    StateIndependent,
}

impl GaussianConfig {
    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key and what is allowed.
    pub fn check(&self) -> Result<()> {
        if self.initial_std.is_finite() && self.initial_std > Gaussian::MIN_STD {
            return Ok(());
        }
        let problem = format!("must be finite and above {}, got {}", Gaussian::MIN_STD, self.initial_std);
        Err(Error::config("policy.gaussian.initial_std", problem))
    }

    /// The parameter that gives the initial standard deviation: an addend to the head's output, or the trained number.
    pub(crate) fn initial_parameter(&self) -> f64 {
        match self.std {
            Std::Softplus => (self.initial_std - Gaussian::MIN_STD).exp_m1().ln(),
            Std::StateIndependent => self.initial_std.ln(),
        }
    }
}

/// A diagonal Gaussian. Its parameters are A means, then A numbers that give the standard deviations.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    low: Vec<f32>,
    high: Vec<f32>,
    std: Std,
    squash: bool,
}

/// Mean, standard deviation and its derivative in the parameter, of one dimension.
struct Normal {
    mean: f64,
    std: f64,
    slope: f64,
}

impl Gaussian {
    /// Smallest standard deviation of a softplus policy: below it densities overflow in f32.
    pub const MIN_STD: f64 = 1e-4;

    /// A distribution over a space with these bounds.
    ///
    /// # Errors
    /// [`Error::Config`] if squashing is asked for in an unbounded space.
    pub fn new(low: &[f32], high: &[f32], config: &GaussianConfig) -> Result<Self> {
        config.check()?;
        if config.squash && low.iter().chain(high).any(|bound| !bound.is_finite()) {
            let problem = "needs an action space with finite bounds; set it to false";
            return Err(Error::config("policy.gaussian.squash", problem));
        }
        Ok(Self { low: low.to_vec(), high: high.to_vec(), std: config.std, squash: config.squash })
    }

    /// Dimensions A.
    pub fn dims(&self) -> usize {
        self.low.len()
    }

    pub(super) fn len(&self) -> usize {
        2 * self.dims()
    }

    pub(super) fn head_len(&self) -> usize {
        match self.std {
            Std::Softplus => self.len(),
            Std::StateIndependent => self.dims(),
        }
    }

    /// What the head's outputs are shifted by at the start of training, so that standard deviations begin as asked.
    pub(crate) fn initial_outputs(&self, config: &GaussianConfig) -> Vec<f64> {
        let mut outputs = vec![0.0; self.head_len()];
        outputs[self.dims()..].fill(config.initial_parameter());
        outputs
    }

    fn normal<T: Real>(&self, parameters: &[T], d: usize) -> Normal {
        let (mean, raw) = (parameters[d].wide(), parameters[self.dims() + d].wide());
        let (std, slope) = match self.std {
            Std::Softplus => (softplus(raw) + Self::MIN_STD, 1.0 / (1.0 + (-raw).exp())),
            Std::StateIndependent => (raw.exp(), raw.exp()),
        };
        Normal { mean, std, slope }
    }

    /// Where the standard deviation comes from.
    pub fn std(&self) -> Std {
        self.std
    }

    /// ln of half the width of each dimension, if actions are squashed.
    pub fn log_halves(&self) -> Option<Vec<f64>> {
        self.squash.then(|| (0..self.dims()).map(|d| self.half(d).ln()).collect())
    }

    /// Half the width of dimension d, the scale of a squashed action.
    fn half(&self, d: usize) -> f64 {
        0.5 * (f64::from(self.high[d]) - f64::from(self.low[d]))
    }

    pub(super) fn act(&self, parameters: &[f32], mut stream: Option<&mut Stream>, action: &mut [f32]) -> f64 {
        let noise = |_| stream.as_mut().map_or(0.0, |stream| stream.normal());
        self.act_with_noise(parameters, noise, action)
    }

    /// Draws with the standard normal noise that is given for each dimension.
    pub(super) fn act_with_noise(
        &self,
        parameters: &[f32],
        mut noise: impl FnMut(usize) -> f64,
        action: &mut [f32],
    ) -> f64 {
        for (d, action) in action.iter_mut().enumerate() {
            let Normal { mean, std, .. } = self.normal(parameters, d);
            let noise = noise(d);
            // The mode is the mean however wide the distribution.
            *action = if noise == 0.0 { mean as f32 } else { (mean + std * noise) as f32 };
        }
        // Of the action as it is stored, after rounding.
        (0..self.dims()).map(|d| self.log_prob(&self.normal(parameters, d), f64::from(action[d]), d)).sum()
    }

    /// Log-density of draw `u` in dimension d, of the squashed action where actions are squashed.
    fn log_prob(&self, normal: &Normal, u: f64, d: usize) -> f64 {
        let z = (u - normal.mean) / normal.std;
        let density = -0.5 * z * z - normal.std.ln() - 0.5 * (2.0 * PI).ln();
        if self.squash { density - log_slope(u) - self.half(d).ln() } else { density }
    }

    pub(super) fn act_uniformly(&self, stream: &mut Stream, action: &mut [f32]) {
        for (d, action) in action.iter_mut().enumerate() {
            let (low, high) = (f64::from(self.low[d]), f64::from(self.high[d]));
            *action = if !(low.is_finite() && high.is_finite()) {
                stream.normal() as f32
            } else if self.squash {
                stream.uniform(-1.0, 1.0).atanh() as f32
            } else {
                stream.uniform(low, high) as f32
            };
        }
    }

    /// Draws `[N, A]` as actions of the space.
    pub(super) fn to_space(&self, draws: &[f32], actions: &mut Vec<f32>) {
        actions.clear();
        for draw in draws.chunks_exact(self.dims()) {
            for ((&u, &low), &high) in draw.iter().zip(&self.low).zip(&self.high) {
                let action = if self.squash { low + 0.5 * (high - low) * (u.tanh() + 1.0) } else { u };
                actions.push(action.clamp(low, high));
            }
        }
    }

    pub(super) fn terms<T: Real>(
        &self,
        parameters: &[T],
        action: ActionRef<'_>,
        behaviour: Option<&[f32]>,
        _: &mut Vec<f64>,
    ) -> Terms {
        let action = draws(action);
        let mut terms = Terms::default();
        for (d, &draw) in action.iter().enumerate() {
            let normal = self.normal(parameters, d);
            terms.log_prob += self.log_prob(&normal, f64::from(draw), d);
            terms.entropy += normal.std.ln() + 0.5 * (2.0 * PI).ln() + 0.5;
            if self.squash {
                terms.entropy += self.half(d).ln() + expected_log_slope(&normal).0;
            }
            if let Some(behaviour) = behaviour {
                let old = self.normal(behaviour, d);
                let distance = old.std * old.std + (old.mean - normal.mean).powi(2);
                terms.kl += (normal.std / old.std).ln() + distance / (2.0 * normal.std * normal.std) - 0.5;
            }
        }
        terms
    }

    pub(super) fn gradient<T: Real>(
        &self,
        parameters: &[T],
        action: ActionRef<'_>,
        behaviour: Option<&[f32]>,
        derivatives: &Terms,
        gradient: &mut [T],
    ) {
        let action = draws(action);
        for (d, &draw) in action.iter().enumerate() {
            let normal = self.normal(parameters, d);
            let Normal { mean, std, slope } = normal;
            let z = (f64::from(draw) - mean) / std;
            let mut by_mean = derivatives.log_prob * z / std;
            let mut by_std = (derivatives.log_prob * (z * z - 1.0) + derivatives.entropy) / std;
            if self.squash && derivatives.entropy != 0.0 {
                let (_, slope_by_mean, slope_by_std) = expected_log_slope(&normal);
                by_mean += derivatives.entropy * slope_by_mean;
                by_std += derivatives.entropy * slope_by_std;
            }
            if let Some(behaviour) = behaviour {
                let old = self.normal(behaviour, d);
                let distance = old.std * old.std + (old.mean - mean).powi(2);
                by_mean += derivatives.kl * (mean - old.mean) / (std * std);
                by_std += derivatives.kl * (1.0 / std - distance / std.powi(3));
            }
            gradient[d] = T::of(by_mean);
            gradient[self.dims() + d] = T::of(by_std * slope);
        }
    }
}

fn draws(action: ActionRef<'_>) -> &[f32] {
    match action {
        ActionRef::Continuous(values) => values,
        _ => unreachable!("a Gaussian has continuous actions"),
    }
}

/// ln(1 − tanh² u), the logarithm of the slope of tanh.
fn log_slope(u: f64) -> f64 {
    2.0 * (LN_2 - u - softplus(-2.0 * u))
}

/// Positive nodes of the 10-point Gauss–Hermite rule for the standard normal weight, with their weights.
const NODES: [(f64, f64); 5] = [
    (0.484_935_707_515_497_6, 0.344_642_334_932_019_1),
    (1.465_989_094_391_158, 0.135_483_702_980_267_7),
    (2.484_325_841_638_955, 0.019_111_580_500_770_28),
    (3.581_823_483_551_927, 7.580_709_343_122_177e-4),
    (4.859_462_828_332_313, 4.310_652_630_718_287e-6),
];

/// E ln(1 − tanh² u) over u ~ N(mean, std²), and its derivatives in both. It has no closed form: this is the 10-point
/// Gauss–Hermite rule, exact to 1e-3 for standard deviations up to 1 and to a few per cent up to 3.
fn expected_log_slope(normal: &Normal) -> (f64, f64, f64) {
    let (mut value, mut by_mean, mut by_std) = (0.0, 0.0, 0.0);
    for (node, weight) in NODES.iter().flat_map(|&(node, weight)| [(node, weight), (-node, weight)]) {
        let u = normal.mean + normal.std * node;
        let slope = -2.0 * u.tanh();
        value += weight * log_slope(u);
        by_mean += weight * slope;
        by_std += weight * slope * node;
    }
    (value, by_mean, by_std)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stpn_random::Purpose;

    fn gaussian(std: Std, squash: bool) -> Gaussian {
        let config = GaussianConfig { std, squash, initial_std: 0.5 };
        Gaussian::new(&[-3.0, 0.0], &[3.0, 1.0], &config).unwrap()
    }

    #[test]
    fn draws_have_the_mean_and_deviation_of_the_parameters() {
        let mut stream = Stream::new(1, Purpose::Test, 0);
        for std in [Std::Softplus, Std::StateIndependent] {
            let raw = GaussianConfig { std, squash: false, initial_std: 0.5 }.initial_parameter() as f32;
            let (n, mut draw) = (100_000, [0.0; 2]);
            let (mut sum, mut squares) = ([0.0; 2], [0.0; 2]);
            for _ in 0..n {
                gaussian(std, false).act(&[1.0, -2.0, raw, raw], Some(&mut stream), &mut draw);
                for d in 0..2 {
                    sum[d] += f64::from(draw[d]) / f64::from(n);
                    squares[d] += f64::from(draw[d]).powi(2) / f64::from(n);
                }
            }
            for (d, mean) in [1.0, -2.0].into_iter().enumerate() {
                assert!((sum[d] - mean).abs() < 0.01, "{sum:?}");
                assert!(((squares[d] - sum[d] * sum[d]).sqrt() - 0.5).abs() < 0.01, "{squares:?}");
            }
        }
    }

    #[test]
    fn actions_reach_the_environment_clipped_or_squashed_into_the_space() {
        let mut actions = Vec::new();
        gaussian(Std::Softplus, false).to_space(&[5.0, 0.25, -9.0, -1.0], &mut actions);
        assert_eq!(actions, [3.0, 0.25, -3.0, 0.0]);
        gaussian(Std::Softplus, true).to_space(&[0.0, 0.0, 50.0, -50.0], &mut actions);
        assert_eq!(actions, [0.0, 0.5, 3.0, 0.0]);
    }

    #[test]
    fn the_quadrature_integrates_polynomials_exactly_and_the_slope_closely() {
        let moment = |power: i32| -> f64 { NODES.iter().map(|(node, weight)| 2.0 * weight * node.powi(power)).sum() };
        for (power, expected) in [(0, 1.0), (2, 1.0), (4, 3.0), (6, 15.0), (8, 105.0)] {
            assert!((moment(power) - expected).abs() < 1e-9 * expected, "{power}: {}", moment(power));
        }
        for (mean, std, tolerance) in [(0.0, 0.3, 1e-3), (0.7, 1.0, 1e-3), (-1.0, 3.0, 0.1)] {
            let n = 200_000;
            let width = 20.0 * std / f64::from(n);
            let exact: f64 = (0..n)
                .map(|i| {
                    let z = -10.0 + (f64::from(i) + 0.5) * width / std;
                    log_slope(mean + std * z) * (-0.5 * z * z).exp() / (2.0 * PI).sqrt() * width / std
                })
                .sum();
            let estimate = expected_log_slope(&Normal { mean, std, slope: 1.0 }).0;
            assert!((estimate - exact).abs() < tolerance, "N({mean}, {std}²): {estimate} {exact}");
        }
    }

    #[test]
    fn squashing_an_unbounded_space_is_refused() {
        let config = GaussianConfig { squash: true, ..GaussianConfig::default() };
        let error = Gaussian::new(&[f32::NEG_INFINITY], &[f32::INFINITY], &config).unwrap_err().to_string();
        assert!(error.contains("policy.gaussian.squash"), "{error}");
    }

    #[test]
    fn the_mode_is_the_mean_however_wide_the_distribution() {
        let config = GaussianConfig { std: Std::StateIndependent, ..GaussianConfig::default() };
        let gaussian = Gaussian::new(&[-1.0], &[1.0], &config).unwrap();
        let mut action = [0.0];
        gaussian.act(&[0.25, 2000.0], None, &mut action);
        assert_eq!(action, [0.25]);
    }
}
