//! The learner: a network, its parameters as one flat buffer, and the optimiser that moves them.

use std::ops::Range;
use std::sync::Arc;

use candle_core::Tensor;
use rayon::prelude::*;
use stpn_core::Parameters;

use crate::collective::{Collective, agree};
use crate::optimizer::flat::{PART, clip_norm, norm};
use crate::optimizer::{Adam, AdamConfig, FlatLayout};
use crate::policy::ActorCritic;
use crate::policy::accelerator::{AdamPiece, DeviceOptimizer, GradientOf, Kept, ParameterDevice};
use crate::policy::inference::PreparedPolicy;
use crate::{Error, Result};

/// What to do where numbers stop being finite.
pub(crate) const LOWER_RATE: &str = "resume the run with a lower optimizer.learning_rate or optimizer.max_grad_norm: it \
     goes on from the last good state; if that fails at once, remove the newest of its checkpoints and go on from the \
     one before";

/// A gradient of all parameters, flat, in their fixed order.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradient(pub Vec<f32>);

impl Gradient {
    /// The sum of block gradients by a binary tree over block numbers: the order depends on their number alone.
    pub fn sum(mut blocks: Vec<Self>) -> Self {
        let mut stride = 1;
        while stride < blocks.len() {
            for left in (0..blocks.len() - stride).step_by(2 * stride) {
                let right = std::mem::take(&mut blocks[left + stride].0);
                let parts = blocks[left].0.par_chunks_mut(PART).zip(right.par_chunks(PART));
                parts.for_each(|(left, right)| left.iter_mut().zip(right).for_each(|(l, r)| *l += r));
            }
            stride *= 2;
        }
        blocks.into_iter().next().unwrap_or(Self(Vec::new()))
    }
}

/// A gradient where it was computed.
#[derive(Clone, Debug)]
pub enum PlacedGradient {
    /// In memory.
    Here(Gradient),
    /// On the network's device.
    There(Kept),
}

impl From<Gradient> for PlacedGradient {
    fn from(gradient: Gradient) -> Self {
        Self::Here(gradient)
    }
}

/// A network that has parameters to train.
pub trait Trainable {
    /// All of them, in a fixed order.
    fn parameters(&self) -> &Parameters;

    /// What holds its parameters in place of the CPU.
    fn device(&self) -> Option<Arc<dyn ParameterDevice>> {
        None
    }
}

impl Trainable for ActorCritic {
    fn parameters(&self) -> &Parameters {
        Self::parameters(self)
    }

    fn device(&self) -> Option<Arc<dyn ParameterDevice>> {
        self.accelerator().map(|accelerator| Arc::clone(accelerator) as Arc<dyn ParameterDevice>)
    }
}

/// A network under training: an agent's policy unless said otherwise.
#[derive(Debug)]
pub struct Learner<N = ActorCritic> {
    network: N,
    layout: FlatLayout,
    values: Vec<f32>,
    adam: Adam,
    config: AdamConfig,
    /// Where the decays and rates of plastic synapses lie, if they have a learning rate of their own.
    plastic: Vec<Range<usize>>,
    /// Where decays lie, if they are limited.
    decays: Vec<Range<usize>>,
    /// The optimiser with the parameters, if they are on a device: `values` and `adam` are then what they were at the
    /// last [`Learner::synchronize`].
    device: Option<Box<dyn DeviceOptimizer>>,
}

/// Names of decays and rates, below those of the parts of a network.
const PLASTIC: [&str; 4] = ["lambda", "gamma", "bias_lambda", "bias_gamma"];

/// Those of decays.
const DECAYS: [&str; 2] = ["lambda", "bias_lambda"];

/// Where the parameters of these names lie, because of `key`.
fn places(layout: &FlatLayout, names: &[&str], key: &str) -> Result<Vec<Range<usize>>> {
    let is_one = |name: &str| name.rsplit('.').next().is_some_and(|last| names.contains(&last));
    let places: Vec<Range<usize>> =
        layout.entries().filter(|(name, ..)| is_one(name)).map(|(.., place)| place).collect();
    match places.is_empty() {
        true => {
            let problem = "does nothing with a cell that has no decays λ and rates γ: leave it out";
            Err(Error::Unused { key: key.into(), problem: problem.into() })
        }
        false => Ok(places),
    }
}

impl Learner {
    /// The policy.
    pub fn policy(&self) -> &ActorCritic {
        &self.network
    }

    /// A gradient that is on the policy's device.
    ///
    /// # Errors
    /// Fails if the device does, or there is none.
    pub(crate) fn read(&self, gradient: &Kept) -> Result<Vec<f32>> {
        let none = || Error::config("training.device", "the policy is not on a device");
        self.network.accelerator().ok_or_else(none)?.read(gradient)
    }

    /// The policy's present parameters, laid out for work on slices.
    ///
    /// # Errors
    /// Fails if candle cannot copy parameters out.
    pub fn prepare(&self) -> Result<PreparedPolicy> {
        match &self.device {
            Some(device) => Ok(self.network.prepare_there(device.parameters())),
            None => self.network.prepare_from(&self.values),
        }
    }
}

impl<N: Trainable> Learner<N> {
    /// A learner at the first step.
    ///
    /// # Errors
    /// Fails if the parameters cannot be read; [`Error::Unused`] if decays and rates are to have a learning rate of
    /// their own or a limit, and the network has none.
    pub fn new(network: N, config: &AdamConfig) -> Result<Self> {
        let layout = FlatLayout::new(network.parameters());
        let values = layout.values()?;
        let adam = Adam::new(layout.len());
        let plastic = match config.plasticity_rate == 1.0 {
            true => Vec::new(),
            false => places(&layout, &PLASTIC, "optimizer.plasticity_rate")?,
        };
        let decays = match config.max_decay {
            None => Vec::new(),
            Some(_) => places(&layout, &DECAYS, "optimizer.max_decay")?,
        };
        let device = match network.device() {
            None => None,
            Some(device) => {
                let pieces = pieces(&layout, config, [&plastic, &decays]);
                Some(device.optimizer(&pieces, &values, &adam)?)
            }
        };
        Ok(Self { network, layout, values, adam, config: config.clone(), plastic, decays, device })
    }

    /// The network.
    pub fn network(&self) -> &N {
        &self.network
    }

    /// The present parameters, if they are on a device.
    pub(crate) fn parameters_there(&self) -> Option<Kept> {
        self.device.as_ref().map(|device| device.parameters())
    }

    /// Where each parameter lies in flat buffers.
    pub fn layout(&self) -> &FlatLayout {
        &self.layout
    }

    /// Brings parameters and the optimiser's state here, if they are on a device.
    ///
    /// # Errors
    /// Fails if the device does, or candle cannot copy.
    pub fn synchronize(&mut self) -> Result<()> {
        if let Some(device) = &self.device {
            (self.values, self.adam) = device.read()?;
            self.layout.assign(&self.values)?;
        }
        Ok(())
    }

    /// All parameter values, flat.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The optimiser's state.
    pub fn adam(&self) -> &Adam {
        &self.adam
    }

    /// Takes over saved parameters and optimiser state.
    ///
    /// # Errors
    /// [`Error::Config`] if their length is not that of the network.
    pub fn restore(&mut self, values: Vec<f32>, adam: Adam) -> Result<()> {
        for len in [values.len(), adam.first_moment.len(), adam.second_moment.len()] {
            if len != self.layout.len() {
                let problem = format!("{len} saved values where the network has {} parameters", self.layout.len());
                return Err(Error::config("checkpoint", problem));
            }
        }
        self.layout.assign(&values)?;
        self.device.iter_mut().try_for_each(|device| device.write(&values, &adam))?;
        self.values = values;
        self.adam = adam;
        Ok(())
    }

    /// Back-propagates a scalar loss.
    ///
    /// # Errors
    /// Fails if a tensor operation has no backward.
    pub fn gradient(&self, loss: &Tensor) -> Result<Gradient> {
        Ok(Gradient(self.layout.gradients(&loss.backward()?)?))
    }

    /// One optimiser step; returns the gradient's norm before clipping.
    ///
    /// # Errors
    /// [`Error::NotFinite`] if the gradient or the step it leads to is not finite; parameters and optimiser are then
    /// of no use, and the caller goes back to saved ones.
    pub fn step(&mut self, gradient: impl Into<PlacedGradient>, learning_rate: f64, update: u64) -> Result<f64> {
        let gradient = gradient.into();
        if let Some(device) = &mut self.device {
            let gradient = match &gradient {
                PlacedGradient::Here(gradient) => GradientOf::Here(&gradient.0),
                PlacedGradient::There(kept) => GradientOf::There(kept),
            };
            let [size, parameters] = device.step(&self.config, learning_rate, gradient)?;
            self.check_gradient(size, update)?;
            return if parameters.is_finite() { Ok(size) } else { Err(not_finite("a parameter", update)) };
        }
        let PlacedGradient::Here(mut gradient) = gradient else {
            return Err(Error::config("training.device", "the gradient is on a device that the network is not on"));
        };
        let size = clip_norm(&mut gradient.0, self.config.max_grad_norm);
        self.check_gradient(size, update)?;
        let before: Vec<Vec<f32>> = self.plastic.iter().map(|place| self.values[place.clone()].to_vec()).collect();
        self.adam.step(&self.config, learning_rate, &mut self.values, &gradient.0);
        let factor = self.config.plasticity_rate as f32;
        for (place, before) in self.plastic.iter().zip(before) {
            // Adam's step is proportional to its rate.
            let moved = self.values[place.clone()].iter_mut().zip(before);
            moved.for_each(|(value, before)| *value = before + factor * (*value - before));
        }
        if let Some(limit) = self.config.max_decay {
            let values = &mut self.values;
            self.decays
                .iter()
                .flat_map(|place| place.clone())
                .for_each(|at| values[at] = values[at].clamp(0.0, limit as f32));
        }
        if !norm(&self.values).is_finite() {
            return Err(not_finite("a parameter", update));
        }
        self.layout.assign(&self.values)?;
        Ok(size)
    }

    /// [`Learner::step`] with the same gradient on all ranks, whose devices may fail one by one.
    ///
    /// # Errors
    /// As [`Learner::step`], on all ranks if it fails on one.
    pub(crate) fn step_on_ranks(
        &mut self,
        gradient: PlacedGradient,
        learning_rate: f64,
        update: u64,
        collective: &dyn Collective,
    ) -> Result<f64> {
        let norm = self.step(gradient, learning_rate, update);
        // On the CPU, all ranks do the same.
        if self.device.is_some() { agree(collective, norm) } else { norm }
    }

    /// Refuses a gradient of that norm if it is of no use.
    fn check_gradient(&self, size: f64, update: u64) -> Result<()> {
        if !size.is_finite() {
            return Err(not_finite("the gradient's norm", update));
        }
        // A squared gradient that overflows would stand still its parameter for ever, every number of it finite.
        if size.min(self.config.max_grad_norm.unwrap_or(size)).powi(2) > f64::from(f32::MAX) {
            return Err(not_finite("the square of the gradient's norm", update));
        }
        Ok(())
    }
}

fn not_finite(what: &str, update: u64) -> Error {
    Error::NotFinite { what: what.to_string(), update, remedy: LOWER_RATE.into() }
}

/// All parameters, in pieces that are moved in the same way: `plastic` ones at a rate of their own, `decays` up to a
/// limit.
fn pieces(layout: &FlatLayout, config: &AdamConfig, [plastic, decays]: [&[Range<usize>]; 2]) -> Vec<AdamPiece> {
    let mut pieces: Vec<AdamPiece> = Vec::new();
    for (.., range) in layout.entries() {
        let factor = if plastic.contains(&range) { config.plasticity_rate } else { 1.0 };
        let limit = config.max_decay.filter(|_| decays.contains(&range));
        match pieces.last_mut() {
            Some(last) if (last.factor, last.limit) == (factor, limit) => last.range.end = range.end,
            _ => pieces.push(AdamPiece { range, factor, limit }),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gradient_whose_square_overflowed_stopped_its_parameter_for_good() {
        let mut parameters = Parameters::default();
        parameters.add("p", &Tensor::new(&[1f32], &candle_core::Device::Cpu).unwrap()).unwrap();
        struct Network(Parameters);
        impl Trainable for Network {
            fn parameters(&self) -> &Parameters {
                &self.0
            }
        }
        let step = |max_grad_norm| {
            let config = AdamConfig { max_grad_norm, ..AdamConfig::default() };
            Learner::new(Network(parameters.clone()), &config).unwrap().step(Gradient(vec![1e25]), 1e-3, 7)
        };
        assert!(step(Some(0.5)).is_ok());
        let error = step(None).unwrap_err().to_string();
        assert!(error.contains("square of the gradient's norm") && error.contains("update 7"), "{error}");
    }

    #[test]
    fn decays_and_rates_have_a_learning_rate_of_their_own() {
        struct Network(Parameters);
        impl Trainable for Network {
            fn parameters(&self) -> &Parameters {
                &self.0
            }
        }
        let moved = |names: &[&str], plasticity_rate: f64| {
            let mut parameters = Parameters::default();
            for name in names {
                parameters.add(name, &Tensor::new(&[1f32], &candle_core::Device::Cpu).unwrap()).unwrap();
            }
            let config = AdamConfig { plasticity_rate, ..AdamConfig::default() };
            let mut learner = Learner::new(Network(parameters), &config)?;
            learner.step(Gradient(vec![0.1; names.len()]), 1e-3, 1)?;
            Ok::<_, Error>(learner.values().iter().map(|value| 1.0 - value).collect::<Vec<f32>>())
        };
        let names = ["cell.weight", "cell.lambda", "critic.cell.gamma", "cell.gamma_log"];
        let plain = moved(&names, 1.0).unwrap();
        let ten = moved(&names, 10.0).unwrap();
        for (i, factor) in [1.0, 10.0, 10.0, 1.0].into_iter().enumerate() {
            assert!((ten[i] - factor * plain[i]).abs() < 1e-6, "{}: {ten:?} for {plain:?}", names[i]);
        }
        let refused = moved(&names[..1], 10.0).unwrap_err().to_string();
        assert!(refused.contains("optimizer.plasticity_rate"), "{refused}");
    }

    #[test]
    fn decays_stay_between_zero_and_their_limit() {
        struct Network(Parameters);
        impl Trainable for Network {
            fn parameters(&self) -> &Parameters {
                &self.0
            }
        }
        let learner = |names: &[&str], max_decay| {
            let mut parameters = Parameters::default();
            for name in names {
                parameters.add(name, &Tensor::new(&[0.5f32, 0.02, 0.98], &candle_core::Device::Cpu).unwrap()).unwrap();
            }
            Learner::new(Network(parameters), &AdamConfig { max_decay, ..AdamConfig::default() })
        };
        let names = ["cell.lambda", "critic.cell.bias_lambda", "cell.gamma"];
        let stepped = |max_decay| {
            let mut learner = learner(&names, max_decay).unwrap();
            let gradient = [0.0, 1.0, -1.0].repeat(3);
            (0..5).for_each(|_| assert!(learner.step(Gradient(gradient.clone()), 0.01, 1).is_ok()));
            learner.values().to_vec()
        };
        let (free, limited) = (stepped(None), stepped(Some(1.0)));
        assert!(free[1] < 0.0 && free[2] > 1.0, "{free:?}");
        assert_eq!(limited[..6], [0.5, 0.0, 1.0, 0.5, 0.0, 1.0]);
        assert_eq!(limited[6..], free[6..], "rates have no limit");
        let refused = learner(&names[2..], Some(1.0)).map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains("optimizer.max_decay"), "{refused}");
    }

    #[test]
    fn the_sum_of_blocks_is_their_sum() {
        for n in 1..9 {
            let blocks = (0..n).map(|i| Gradient(vec![i as f32, 1.0])).collect();
            assert_eq!(Gradient::sum(blocks), Gradient(vec![(n * (n - 1) / 2) as f32, n as f32]));
        }
    }
}
