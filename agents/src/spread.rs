//! How far a network's activity tells states apart before it has learned anything.
//!
//! A policy learns to act differently in different states only from what differs between them. If little differs, the
//! first gradients teach what all states have in common, and nothing seems to happen for a long time.

use candle_core::{DType, Device};
use serde::Serialize;
use stpn_envs::vector::{MakeEnv, Transition};
use stpn_envs::{EnvGroup, ObservationMut};
use stpn_random::{Purpose, Stream};

use crate::Result;
use crate::actor::{Actor, Subject};
use crate::algorithms::AlgorithmConfig;
use crate::config::AgentConfig;
use crate::optimizer::Clock;
use crate::policy::ActorCritic;
use crate::policy::distribution::ActionBuffer;
use crate::policy::inference::{CELL, HEADS};
use crate::rollout::{Normalization, Observations};
use crate::statistics::Moments;

/// Most environments that are played: more of them hardly change the result.
const ENVIRONMENTS: usize = 16;

/// Share of a layer's mean activity that has to differ between states. The cells of the two presets for Pong, which begin
/// to learn late, have about as much or less; those of all other presets have four times as much or more.
pub const LEAST_RATIO: f64 = 0.1;

/// The parts of an untrained network, by how much differs between states.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// States that were seen: environments × steps.
    pub states: u64,
    /// Every layer, from the observations on.
    pub layers: Vec<LayerSpread>,
    /// Mean entropy of the policy in nats.
    pub entropy: f64,
    /// Fewest gradient steps after which the outputs of the policy's head can differ by 1 between two states, if only the
    /// head learns; none if nothing differs.
    pub head_steps: Option<f64>,
    /// Gradient steps of the whole training.
    pub gradient_steps: u64,
}

/// The activity of one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerSpread {
    /// Which layer.
    pub layer: &'static str,
    /// Its outputs.
    pub units: usize,
    /// Mean absolute activity over units and states.
    pub magnitude: f64,
    /// Standard deviation of a unit's activity between states, mean over units.
    pub deviation: f64,
}

impl LayerSpread {
    /// Deviation as a share of the magnitude; none of a silent layer.
    pub fn ratio(&self) -> Option<f64> {
        (self.magnitude > 0.0).then(|| self.deviation / self.magnitude)
    }

    /// Whether what differs between states is small beside what they share.
    pub fn is_flat(&self) -> bool {
        self.ratio().is_none_or(|ratio| ratio < LEAST_RATIO)
    }
}

impl Spread {
    /// Of the untrained policy of a configuration, in the first `steps` steps of its environments under random actions.
    /// If observations are normalised, as many steps before these give the statistics.
    ///
    /// # Errors
    /// Fails on an impossible configuration or an environment that fails.
    pub fn of(config: &AgentConfig, steps: usize) -> Result<Self> {
        Self::in_environments(config, &|_| config.env.make(), steps)
    }

    /// [`Spread::of`] in environments of your own.
    ///
    /// # Errors
    /// As [`Spread::of`].
    pub fn in_environments(config: &AgentConfig, make: &MakeEnv<'_>, steps: usize) -> Result<Self> {
        config.check()?;
        let count = config.rollout.environments.min(ENVIRONMENTS);
        let group = EnvGroup::new(make, 0, count, config.seed)?;
        let (observations, actions) = (group.observation_space().clone(), group.action_space().clone());
        config.check_spaces(&observations, &actions)?;
        let policy = ActorCritic::new(&config.policy, &observations, &actions, config.seed, DType::F32, &Device::Cpu)?;
        let mut normalization = Normalization::new(&config.normalization, &observations)?;
        let mut play = Play::new(group, &policy, config.seed)?;
        if !normalization.observations.is_empty() {
            let mut moments = vec![Moments::default(); observations.len()];
            for _ in 0..steps {
                if let ObservationMut::F32(raw) = play.observations.all_mut() {
                    let rows = raw.chunks_exact(moments.len());
                    rows.for_each(|row| moments.iter_mut().zip(row).for_each(|(sum, x)| sum.push(f64::from(*x))));
                }
                play.step()?;
            }
            normalization.merge_observations([&moments[..]]);
        }
        let prepared = policy.prepare()?;
        let mut actor = Actor::new(Subject { policy: &prepared, normalization: &normalization }, count)?;
        let (mut layers, mut entropy) = (Vec::new(), Moments::default());
        for _ in 0..steps {
            actor.observe(play.observations.all_mut(), &play.starts)?;
            let session = actor.session();
            for (place, (layer, activity)) in session.layers().into_iter().enumerate() {
                if layers.len() == place {
                    // Standard deviations of actions may be parameters of their own, the same in every state.
                    let outputs = activity.len() / count;
                    let units = if layer == HEADS[0] { policy.distribution().head_len() } else { outputs };
                    layers.push(Tally::new(layer, outputs, units));
                }
                layers[place].push(activity);
            }
            for row in 0..count {
                let action = play.chosen.get(row, policy.distribution().action_len());
                let parameters = session.distribution(row);
                entropy.push(policy.distribution().terms(parameters, action, None, &mut play.scratch).entropy);
            }
            play.step()?;
        }
        let layers: Vec<LayerSpread> = layers.iter().map(Tally::spread).collect();
        let rate = config.optimizer.learning_rate.at(Clock { now: 0, end: 1 });
        let cell = layers.iter().find(|layer| layer.layer == CELL);
        let differs = cell.map_or(0.0, |cell| cell.units as f64 * cell.deviation);
        Ok(Self {
            states: (count * steps) as u64,
            layers,
            entropy: entropy.mean(),
            head_steps: (differs > 0.0).then(|| 1.0 / (rate * differs)),
            gradient_steps: gradient_steps(config),
        })
    }

    /// Layers in which too little differs between states, by name.
    pub fn flat(&self) -> impl Iterator<Item = &LayerSpread> {
        // What heads put out is theirs to learn.
        self.layers.iter().filter(|layer| !HEADS.contains(&layer.layer) && layer.is_flat())
    }
}

/// Gradient steps of a whole training.
fn gradient_steps(config: &AgentConfig) -> u64 {
    let updates = config.training.updates.saturating_sub(config.training.warmup_updates);
    let of_update = match &config.algorithm {
        AlgorithmConfig::Ppo(ppo) => {
            let steps = config.rollout.environments * config.rollout.steps;
            ppo.epochs * ppo.minibatches(steps)
        }
        _ => 1,
    };
    updates * of_update as u64
}

/// A group of environments under random actions.
struct Play<'p> {
    group: EnvGroup,
    policy: &'p ActorCritic,
    streams: Vec<Stream>,
    observations: Observations,
    final_observations: Observations,
    /// `[B]` 1 before the first step of an episode.
    starts: Vec<u8>,
    /// The actions taken next.
    chosen: ActionBuffer,
    scratch: Vec<f64>,
}

impl<'p> Play<'p> {
    fn new(mut group: EnvGroup, policy: &'p ActorCritic, seed: u64) -> Result<Self> {
        let (count, space) = (group.len(), group.observation_space());
        let mut observations = Observations::zeros(space.dtype(), count * space.len());
        group.reset(observations.all_mut())?;
        let mut play = Self {
            final_observations: observations.clone(),
            observations,
            policy,
            streams: (0..count as u64).map(|index| Stream::new(seed, Purpose::Actions, index)).collect(),
            starts: vec![1; count],
            chosen: policy.distribution().buffer(count),
            scratch: Vec::new(),
            group,
        };
        play.choose();
        Ok(play)
    }

    fn choose(&mut self) {
        for (index, stream) in self.streams.iter_mut().enumerate() {
            self.policy.distribution().act_uniformly(stream, &mut self.chosen, index);
        }
    }

    fn step(&mut self) -> Result<()> {
        let count = self.starts.len();
        let (mut rewards, mut terminated, mut truncated) = (vec![0f32; count], vec![false; count], vec![false; count]);
        let mut transition = Transition {
            observations: self.observations.all_mut(),
            final_observations: self.final_observations.all_mut(),
            rewards: &mut rewards,
            terminated: &mut terminated,
            truncated: &mut truncated,
        };
        let mut scratch = Vec::new();
        let chosen = self.policy.distribution().for_environment(&self.chosen, 0, count, &mut scratch);
        self.group.step(chosen, &mut transition)?;
        for (start, (terminated, truncated)) in self.starts.iter_mut().zip(terminated.iter().zip(&truncated)) {
            *start = u8::from(*terminated || *truncated);
        }
        self.choose();
        Ok(())
    }
}

/// Sums of one layer's activity.
struct Tally {
    layer: &'static str,
    /// Numbers of a state, of which the first ones are the units.
    outputs: usize,
    magnitude: Moments,
    units: Vec<Moments>,
}

impl Tally {
    fn new(layer: &'static str, outputs: usize, units: usize) -> Self {
        Self { layer, outputs, magnitude: Moments::default(), units: vec![Moments::default(); units] }
    }

    /// Takes in activities `[B, outputs]`.
    fn push(&mut self, activity: &[f32]) {
        for row in activity.chunks_exact(self.outputs.max(1)) {
            for (unit, value) in self.units.iter_mut().zip(row) {
                unit.push(f64::from(*value));
                self.magnitude.push(f64::from(value.abs()));
            }
        }
    }

    fn spread(&self) -> LayerSpread {
        let deviations: Moments = self.units.iter().map(|unit| unit.variance().sqrt()).collect();
        LayerSpread {
            layer: self.layer,
            units: self.units.len(),
            magnitude: self.magnitude.mean(),
            deviation: deviations.mean(),
        }
    }
}
