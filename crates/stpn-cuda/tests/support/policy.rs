//! Random steps of a policy with any distribution, and the terms of its actions by their definitions.

use std::f64::consts::PI;

use stpn_cuda::{A2cLoss, Actions, Distribution, Gaussian, OutputGradients, Outputs, PpoLoss, Std};

use super::Numbers;

/// A loss of A2C of which no part is left out.
pub const A2C: A2cLoss =
    A2cLoss { value: 0.3, entropy: 0.02, concentration: 0.01, mean: 0.1, inverse_deviation: 2.0, scale: 0.1 };

/// A loss of PPO of which no part is left out.
pub const PPO: PpoLoss = PpoLoss {
    clip: 0.2,
    value: 0.3,
    value_clip: Some(0.2),
    value_error_clamp: Some(1.5),
    entropy: 0.02,
    kl: Some(0.1),
    mean: 0.1,
    inverse_deviation: 2.0,
    scale: 0.1,
};

/// Every family and every form of it.
pub fn distributions() -> Vec<Distribution> {
    let gaussian = |std, log_halves: Option<[f64; 2]>| {
        Distribution::Gaussian(Gaussian { dims: 2, std, log_halves: log_halves.map(|all| all.to_vec()) })
    };
    let (softplus, squashed) = (Std::Softplus { least: 1e-4 }, Some([0.7, -0.4]));
    vec![
        Distribution::choice(4),
        Distribution::Categorical(vec![3, 1, 4]),
        Distribution::Bernoulli(3),
        gaussian(softplus, None),
        gaussian(softplus, squashed),
        gaussian(Std::StateIndependent, None),
        gaussian(Std::StateIndependent, squashed),
    ]
}

/// Steps of a policy that has moved away from the one that acted.
#[derive(Clone, Debug)]
pub struct PolicyCase {
    pub distribution: Distribution,
    pub steps: usize,
    /// Outputs of the policy's head, with a value each if there is no critic of its own.
    pub policy: Vec<f64>,
    pub values: Option<Vec<f64>>,
    pub free: Option<Vec<f64>>,
    pub choices: Vec<u32>,
    pub draws: Vec<f64>,
    /// `[N, P]` parameters of the policy that acted.
    pub behaviour: Vec<f64>,
    /// Values of that policy.
    pub old_values: Vec<f64>,
}

/// Terms of one action.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    pub log_prob: f64,
    pub entropy: f64,
    pub concentration: f64,
    pub kl: f64,
}

impl PolicyCase {
    pub fn new(distribution: &Distribution, separate: bool, steps: usize) -> Self {
        let mut numbers = Numbers::new(31 + distribution.parameters() as u64);
        let (dims, len, head) = (distribution.dims(), distribution.parameters(), distribution.head_parameters());
        let gaussian = matches!(distribution, Distribution::Gaussian(_));
        // Densities of a narrow distribution change much if it moves.
        let behaviour = numbers.vec(steps * len, if gaussian { 0.5 } else { 1.5 });
        let old_values = numbers.vec(steps, 2.0);
        let (mut policy, mut values) = (Vec::new(), Vec::new());
        for n in 0..steps {
            policy.extend(behaviour[n * len..][..head].iter().map(|old| old + 0.4 * numbers.next()));
            let value = old_values[n] + numbers.next();
            if separate { values.push(value) } else { policy.push(value) }
        }
        let among = |at: usize| match distribution {
            Distribution::Categorical(lists) => lists[at % dims],
            _ => 2,
        };
        let choices = (0..steps * dims).map(|at| (at * 7 % 11 % among(at)) as u32).collect();
        let draws = if gaussian { numbers.vec(steps * dims, 1.5) } else { Vec::new() };
        Self {
            distribution: distribution.clone(),
            steps,
            policy,
            values: separate.then_some(values),
            free: (head < len).then(|| numbers.vec(len - head, 0.5)),
            choices: if gaussian { Vec::new() } else { choices },
            draws,
            behaviour,
            old_values,
        }
    }

    pub fn outputs(&self) -> Outputs<'_, [f64]> {
        Outputs { policy: &self.policy, values: self.values.as_deref(), free: self.free.as_deref() }
    }

    pub fn actions(&self) -> Actions<'_, f64> {
        if self.draws.is_empty() { Actions::Choices(&self.choices) } else { Actions::Draws(&self.draws) }
    }

    /// Parameters of step `n`, then its value.
    pub fn row(&self, n: usize) -> Vec<f64> {
        let head = self.distribution.head_parameters();
        let width = self.policy.len() / self.steps;
        let row = &self.policy[n * width..(n + 1) * width];
        let value = self.values.as_ref().map_or(row[width - 1], |values| values[n]);
        let free = self.free.iter().flatten().copied();
        row[..head].iter().copied().chain(free).chain([value]).collect()
    }

    /// The same of the policy that acted.
    pub fn old_row(&self, n: usize) -> &[f64] {
        let len = self.distribution.parameters();
        &self.behaviour[n * len..(n + 1) * len]
    }

    /// What the action of step `n` has under these parameters; the divergence is that from the policy that acted.
    pub fn terms(&self, n: usize, parameters: &[f64]) -> Terms {
        let dims = self.distribution.dims();
        match &self.distribution {
            Distribution::Gaussian(gaussian) => {
                let draws = &self.draws[n * dims..(n + 1) * dims];
                normal_terms(gaussian, draws, parameters, self.old_row(n))
            }
            discrete => {
                let choices = &self.choices[n * dims..(n + 1) * dims];
                let chosen = choices
                    .iter()
                    .zip(lists(discrete, parameters))
                    .fold(0, |at, (&choice, list)| at * list.len() + choice as usize);
                joint_terms(chosen, &joint(discrete, parameters), &joint(discrete, self.old_row(n)))
            }
        }
    }

    /// The gradient of a loss of every step that counts by finite differences, times `scale`. `loss` takes a step's
    /// number and its row.
    pub fn differences(
        &self,
        counts: &[u8],
        scale: f64,
        loss: impl Fn(usize, &[f64]) -> f64,
    ) -> OutputGradients<Vec<f64>> {
        let (head, len) = (self.distribution.head_parameters(), self.distribution.parameters());
        let (mut policy, mut values, mut free) = (Vec::new(), Vec::new(), vec![0.0; len - head]);
        assert_eq!(counts.len(), self.steps);
        for (n, count) in counts.iter().enumerate() {
            let row = self.row(n);
            let slope = |i: usize| {
                let at = |by: f64| {
                    let mut moved = row.clone();
                    moved[i] += by;
                    loss(n, &moved)
                };
                // So near that hardly a step has a kink of the loss between them.
                if *count == 0 { 0.0 } else { (at(1e-6) - at(-1e-6)) / 2e-6 * scale }
            };
            policy.extend((0..head).map(slope));
            if self.values.is_some() {
                values.push(slope(len))
            } else {
                policy.push(slope(len))
            }
            free.iter_mut().enumerate().for_each(|(i, free)| *free += slope(head + i));
        }
        OutputGradients { policy, values: self.values.as_ref().map(|_| values), free: self.free.as_ref().map(|_| free) }
    }
}

/// All parts of a gradient, one after another.
pub fn flat(grads: &OutputGradients<Vec<f64>>) -> Vec<f64> {
    grads.policy.iter().chain(grads.values.iter().flatten()).chain(grads.free.iter().flatten()).copied().collect()
}

/// Logits of each list; a switch is a choice between off, of logit 0, and on.
fn lists(distribution: &Distribution, parameters: &[f64]) -> Vec<Vec<f64>> {
    match distribution {
        Distribution::Categorical(lists) => {
            let mut rest = parameters;
            let list = |&among: &usize| {
                let (own, others) = rest.split_at(among);
                rest = others;
                own.to_vec()
            };
            lists.iter().map(list).collect()
        }
        Distribution::Bernoulli(switches) => parameters[..*switches].iter().map(|&logit| vec![0.0, logit]).collect(),
        Distribution::Gaussian(_) => panic!("discrete"),
    }
}

/// Probabilities of all combinations of choices, the last list fastest.
fn joint(distribution: &Distribution, parameters: &[f64]) -> Vec<f64> {
    lists(distribution, parameters).iter().fold(vec![1.0], |joint, logits| {
        let total: f64 = logits.iter().map(|logit| logit.exp()).sum();
        let own: Vec<f64> = logits.iter().map(|logit| logit.exp() / total).collect();
        joint.iter().flat_map(|before| own.iter().map(move |p| before * p)).collect()
    })
}

fn joint_terms(chosen: usize, p: &[f64], old: &[f64]) -> Terms {
    Terms {
        log_prob: p[chosen].ln(),
        entropy: -p.iter().map(|p| p * p.ln()).sum::<f64>(),
        concentration: p.iter().map(|p| p * p).sum(),
        kl: old.iter().zip(p).map(|(old, p)| old * (old / p).ln()).sum(),
    }
}

/// Nodes and weights of the Gauss–Hermite rule with ten points.
const RULE: [(f64, f64); 5] = [
    (0.484_935_707_515_497_6, 0.344_642_334_932_019_1),
    (1.465_989_094_391_158, 0.135_483_702_980_267_7),
    (2.484_325_841_638_955, 0.019_111_580_500_770_28),
    (3.581_823_483_551_927, 7.580_709_343_122_177e-4),
    (4.859_462_828_332_313, 4.310_652_630_718_287e-6),
];

fn normal_terms(gaussian: &Gaussian, draws: &[f64], parameters: &[f64], old: &[f64]) -> Terms {
    let std = |raw: f64| match gaussian.std {
        Std::Softplus { least } => (1.0 + raw.exp()).ln() + least,
        Std::StateIndependent => raw.exp(),
    };
    let mut terms = Terms::default();
    for (d, draw) in draws.iter().enumerate() {
        let (mean, std, old_mean, old_std) =
            (parameters[d], std(parameters[gaussian.dims + d]), old[d], std(old[gaussian.dims + d]));
        let density = (-0.5 * ((draw - mean) / std).powi(2)).exp() / (std * (2.0 * PI).sqrt());
        terms.log_prob += density.ln();
        terms.entropy += 0.5 * (2.0 * PI * std * std).ln() + 0.5;
        terms.kl += (std / old_std).ln() + (old_std.powi(2) + (old_mean - mean).powi(2)) / (2.0 * std * std) - 0.5;
        if let Some(log_halves) = &gaussian.log_halves {
            // Of low + half (tanh u + 1), whose slope is half (1 − tanh² u).
            let log_slope = |u: f64| (log_halves[d].exp() * (1.0 - u.tanh().powi(2))).ln();
            terms.log_prob -= log_slope(*draw);
            let both = |node: f64| log_slope(mean + std * node) + log_slope(mean - std * node);
            terms.entropy += RULE.iter().map(|(node, weight)| weight * both(*node)).sum::<f64>();
        }
    }
    terms
}
