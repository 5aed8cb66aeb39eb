//! Evaluation beside training: a copy of the policy, measured while the original collects and learns.

use std::time::Instant;

use candle_core::{DType, Device};
use stpn_envs::Env;
use stpn_envs::vector::Maker;
use stpn_random::{Purpose, Stream};

use crate::Result;
use crate::actor::Subject;
use crate::config::AgentConfig;
use crate::evaluation::{EvaluationOptions, evaluate_until};
use crate::metrics::{Metrics, Over};
use crate::optimizer::FlatLayout;
use crate::policy::ActorCritic;
use crate::rollout::Normalization;
use crate::saved::SavedTrainer;
use crate::stop::Stop;

/// Measures copies of a policy on episodes of its own: the same ones every time, of other streams than training's.
pub struct Evaluator {
    policy: ActorCritic,
    layout: FlatLayout,
    values: Vec<f32>,
    normalization: Normalization,
    options: EvaluationOptions,
    make: Maker,
    stop: Stop,
}

impl Evaluator {
    /// An evaluator of the configured policy in environments that `make` makes.
    ///
    /// # Errors
    /// Fails if an environment cannot be made, and as [`ActorCritic::new`].
    pub fn new(config: &AgentConfig, make: Maker) -> Result<Self> {
        let first: Box<dyn Env> = make(0)?;
        let (observations, actions) = (first.observation_space(), first.action_space());
        let policy = ActorCritic::new(&config.policy, observations, actions, config.seed, DType::F32, &Device::Cpu)?;
        let policy = policy.on(config.training.device, &config.policy)?;
        let options = EvaluationOptions {
            episodes: config.evaluation.episodes,
            // Not the run's seed itself, so that `stpn eval --seed` with that seed meets other episodes.
            seed: Stream::new(config.seed, Purpose::Evaluation, 1).next_u64(),
            deterministic: config.evaluation.deterministic,
            energy_skip_inputs: config.log.energy_skip_inputs.clone(),
        };
        let layout = FlatLayout::new(policy.parameters());
        let (values, normalization) = (layout.values()?, Normalization::default());
        Ok(Self { policy, layout, values, normalization, options, make, stop: Stop::default() })
    }

    /// From now on evaluations ask `stop` whether to go on.
    pub fn set_stop(&mut self, stop: Stop) {
        self.stop = stop;
    }

    /// Takes a copy of the policy in `saved`, with the statistics by which it sees observations.
    ///
    /// # Errors
    /// Fails if candle cannot copy parameters.
    pub fn load(&mut self, saved: &SavedTrainer) -> Result<()> {
        self.values.copy_from_slice(&saved.parameters);
        self.normalization.clone_from(&saved.progress.normalization);
        self.layout.assign(&self.values)
    }

    /// Measures the copy: `eval/…`.
    ///
    /// # Errors
    /// Fails if an environment does, and with [`Error::Stopped`](crate::Error::Stopped) if it is to be given up.
    pub fn evaluate(&self) -> Result<Metrics> {
        let start = Instant::now();
        let policy = self.policy.prepare_from(&self.values)?;
        let subject = Subject { policy: &policy, normalization: &self.normalization };
        let result = evaluate_until(self.make.as_ref(), Some(&subject), &self.options, &self.stop)?;
        let mut metrics = Metrics::default();
        metrics.set_over(MEAN_RETURN, result.mean_return(), Over::Event);
        if let Some(deviation) = result.std_return() {
            metrics.set_over("eval/episodic_return_std", deviation, Over::Event);
        }
        metrics.set_over("eval/episodic_length", result.mean_length(), Over::Event);
        metrics.set_over("time/evaluation_seconds", start.elapsed().as_secs_f64(), Over::Event);
        Ok(metrics)
    }
}

/// By which the best policy is chosen.
pub const MEAN_RETURN: &str = "eval/episodic_return";
