//! The configuration of an encoder.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_core::cells::Activation;

use super::bytes::ByteScaling;
use crate::memory::{NUMBER, Need};
use crate::{Error, Result};

/// Which encoder (`name`), with its options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum EncoderConfig {
    /// The observation itself, flat: the recurrent layer sees what the environment writes.
    Identity(IdentityConfig),
    /// Fully connected layers.
    Mlp(MlpConfig),
    /// The convolutions of the paper's Pong agent (and of Mnih et al. 2013): 16 of 8×8, stride 4, and 32 of 4×4,
    /// stride 2, with ReLU; 2,592 features for an 84×84 image.
    PaperCnn(PaperCnnConfig),
    /// The network of Mnih et al. 2015: 32 of 8×8, stride 4, 64 of 4×4, stride 2, 64 of 3×3, stride 1, and a linear
    /// layer, with ReLU.
    NatureCnn(NatureCnnConfig),
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self::Identity(IdentityConfig::default())
    }
}

/// Options of `identity`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityConfig {
    /// How bytes become numbers; refused if observations are numbers already.
    pub bytes: ByteScaling,
}

/// Options of `mlp`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MlpConfig {
    /// Units of each layer, first to last.
    #[schemars(extend("x-sb3" = "net_arch"))]
    pub sizes: Vec<usize>,
    /// The nonlinearity after every layer.
    #[schemars(extend("x-sb3" = "activation_fn"))]
    pub activation: Activation,
    /// How bytes become numbers.
    pub bytes: ByteScaling,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self { sizes: vec![64, 64], activation: Activation::Tanh, bytes: ByteScaling::Unit }
    }
}

/// Options of `paper-cnn`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PaperCnnConfig {
    /// How bytes become numbers.
    pub bytes: ByteScaling,
}

impl Default for PaperCnnConfig {
    fn default() -> Self {
        Self { bytes: ByteScaling::Centered }
    }
}

/// Options of `nature-cnn`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NatureCnnConfig {
    /// Units of the linear layer.
    pub features: usize,
    /// How bytes become numbers.
    pub bytes: ByteScaling,
}

impl Default for NatureCnnConfig {
    fn default() -> Self {
        Self { features: 512, bytes: ByteScaling::Unit }
    }
}

impl EncoderConfig {
    /// The registered name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Identity(_) => "identity",
            Self::Mlp(_) => "mlp",
            Self::PaperCnn(_) => "paper-cnn",
            Self::NatureCnn(_) => "nature-cnn",
        }
    }

    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key and what is allowed.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Mlp(config) if config.sizes.is_empty() || config.sizes.contains(&0) => Err(Error::config(
                "policy.encoder.sizes",
                format!("must name at least one layer, each of at least 1 unit, got {:?}", config.sizes),
            )),
            Self::NatureCnn(config) if config.features == 0 => {
                Err(Error::config("policy.encoder.features", "must be at least 1"))
            }
            _ => Ok(()),
        }
    }

    /// How bytes become numbers.
    pub fn bytes(&self) -> ByteScaling {
        match self {
            Self::Identity(config) => config.bytes,
            Self::Mlp(config) => config.bytes,
            Self::PaperCnn(config) => config.bytes,
            Self::NatureCnn(config) => config.bytes,
        }
    }

    /// What [`EncoderConfig::bytes`] is where nothing is said.
    pub(crate) fn default_bytes(&self) -> ByteScaling {
        match self {
            Self::Identity(_) => IdentityConfig::default().bytes,
            Self::Mlp(_) => MlpConfig::default().bytes,
            Self::PaperCnn(_) => PaperCnnConfig::default().bytes,
            Self::NatureCnn(_) => NatureCnnConfig::default().bytes,
        }
    }

    /// Refuses more weights than there is memory for, from observations of `input` elements.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub(super) fn check_memory(&self, input: usize) -> Result<()> {
        let mut need = Need::default();
        match self {
            Self::Mlp(config) => {
                let mut input = input as f64;
                for &size in &config.sizes {
                    need.bytes("policy.encoder.sizes", NUMBER * input * size as f64);
                    input = size as f64;
                }
            }
            // At least one feature comes in.
            Self::NatureCnn(config) => need.bytes("policy.encoder.features", NUMBER * config.features as f64),
            Self::Identity(_) | Self::PaperCnn(_) => {}
        }
        need.check()
    }
}
