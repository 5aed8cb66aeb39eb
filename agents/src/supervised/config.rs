//! The configuration of a run on a supervised task.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_core::{CellConfig, Kernel};
use stpn_envs::Space;

use super::art::{self, ArtConfig};
use super::familiarity::FamiliarityConfig;
use crate::config::{CheckpointConfig, LogConfig, TrainingConfig, hidden, one};
use crate::memory::Need;
use crate::optimizer::AdamConfig;
use crate::policy::encoder::EncoderConfig;
use crate::policy::initialization::Initialization;
use crate::policy::trunk::TrunkConfig;
use crate::saved::Progress;

/// A network on a supervised task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SupervisedConfig {
    /// Seed of every random stream, that of the data included.
    #[serde(default = "one")]
    pub seed: u64,
    /// How long to train, and on what. An update is one epoch.
    #[serde(default)]
    pub training: TrainingConfig,
    /// The task.
    pub task: TaskConfig,
    /// The network.
    pub policy: NetworkConfig,
    /// The optimiser; its schedule counts epochs.
    #[serde(default)]
    pub optimizer: AdamConfig,
    /// When checkpoints are written and which are kept, beside one whenever validation is better than ever before.
    #[serde(default)]
    pub checkpoint: CheckpointConfig,
    /// What is logged how often.
    #[serde(default)]
    pub log: LogConfig,
}

/// The network of a task: encoder and recurrent layer, as an agent's, under a linear readout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Units of the recurrent layer.
    #[serde(default = "hidden")]
    #[schemars(extend("x-sb3" = "lstm_hidden_size"))]
    pub hidden: usize,
    /// Which implementation runs sequences through the recurrent layer.
    #[serde(default)]
    pub kernel: Kernel,
    /// From the task's inputs to the recurrent layer's.
    #[serde(default)]
    pub encoder: EncoderConfig,
    /// The recurrent layer.
    pub cell: CellConfig,
}

impl NetworkConfig {
    /// A network of the published form.
    pub fn new(cell: CellConfig, hidden: usize) -> Self {
        Self { hidden, kernel: Kernel::Auto, encoder: EncoderConfig::default(), cell }
    }

    pub(super) fn trunk(&self) -> TrunkConfig<'_> {
        TrunkConfig {
            hidden: self.hidden,
            kernel: self.kernel,
            initialization: Initialization::Uniform,
            input_scale: 1.0,
            encoder: &self.encoder,
            cell: &self.cell,
        }
    }
}

/// Which task, with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum TaskConfig {
    /// Associative retrieval.
    Art(ArtConfig),
    /// Continual familiarity detection.
    Familiarity(FamiliarityConfig),
}

impl TaskConfig {
    /// The registered name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Art(_) => "art",
            Self::Familiarity(_) => "familiarity",
        }
    }

    /// Epochs without a better validation accuracy after which training stops.
    pub fn patience(&self) -> Option<u64> {
        match self {
            Self::Art(config) => config.patience,
            Self::Familiarity(config) => config.patience,
        }
    }

    /// The memory of its data.
    pub(crate) fn need(&self) -> Need {
        let mut need = Need::default();
        match self {
            Self::Art(config) => {
                let sequence = (art::STEPS + 1) as f64;
                // Of the training data also the order in which an epoch goes through them.
                need.bytes("task.training_sequences", config.training_sequences as f64 * (sequence + 4.0));
                need.bytes("task.validation_sequences", config.validation_sequences as f64 * sequence);
                need.bytes("task.test_sequences", config.test_sequences as f64 * sequence);
            }
            Self::Familiarity(config) => {
                // Training and validation.
                let most = if config.dimension > config.steps { "task.dimension" } else { "task.steps" };
                need.bytes(most, 2.0 * config.steps as f64 * (4.0 * config.dimension as f64 + 1.0));
            }
        }
        need
    }

    /// What the network sees at a step.
    pub fn inputs(&self) -> Space {
        match self {
            Self::Art(_) => Space::boxed(0.0, 1.0, [art::SYMBOLS]),
            Self::Familiarity(config) => Space::boxed(-1.0, 1.0, [config.dimension]),
        }
    }

    /// Number of the network's outputs.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Art(_) => art::SYMBOLS,
            Self::Familiarity(_) => 1,
        }
    }
}

impl SupervisedConfig {
    /// True after the last update, or if patience has run out.
    pub fn finished(&self, progress: &Progress) -> bool {
        let waited = progress.best_validation.map(|best| progress.update - best.update);
        let impatient = waited.zip(self.task.patience()).is_some_and(|(waited, patience)| waited >= patience);
        progress.update >= self.training.updates || impatient
    }
}
