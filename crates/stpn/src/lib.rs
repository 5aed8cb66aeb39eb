//! Reinforcement learning with short-term plasticity neurons: the front door.
//!
//! Train a preset, load its agent, measure it, save it and let it act:
//!
//! ```
//! use stpn::envs::{Env, ObservationMut};
//! use stpn::{Agent, EvaluationOptions, ObservationRef, Run};
//!
//! # fn main() -> stpn::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let (run, saved) = (folder.path().join("run"), folder.path().join("agent"));
//! let mut config = stpn::preset("cartpole")?;
//! config.training_mut().updates = 2;
//! Run::start(&config, &run, "from a program")?.finish()?;
//! let agent = Agent::load(&run)?;
//! println!("mean return {}", agent.evaluate(&EvaluationOptions::new(10))?.mean_return());
//! agent.save(&saved)?;
//! let (agent, mut env) = (Agent::load(&saved)?, agent.config().env.make()?);
//! let (mut memory, mut observation) = (agent.memory(1, 0), vec![0.0; env.observation_space().len()]);
//! env.reset(Some(7), ObservationMut::F32(&mut observation))?;
//! let action = agent.act(ObservationRef::F32(&observation), &mut memory, true)?;
//! let step = env.step(action, ObservationMut::F32(&mut observation))?;
//! assert_eq!(step.reward, 1.0);
//! # Ok(())
//! # }
//! ```
//!
//! A layer of short-term plasticity neurons in a candle model of your own, trained by one step:
//!
//! ```
//! use candle_core::{DType, Device, Tensor, Var};
//! use candle_nn::{Linear, Module, Optimizer, SGD};
//! use stpn::cells::{CellName, Initializer, Kernel};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut stream = stpn::Stream::from_seed(1);
//! let mut init = Initializer::new(&mut stream, DType::F32, &Device::Cpu);
//! let cell = CellName::Stpn.config().build(3, 8, Kernel::Auto, &mut init)?; // 3 inputs, 8 units
//! let weight = Var::from_tensor(&init.uniform((1, 8), -0.3, 0.3)?)?;
//! let readout = Linear::new(weight.as_tensor().clone(), None);
//!
//! let x = Tensor::ones((5, 2, 3), DType::F32, &Device::Cpu)?; // 5 steps of 2 sequences
//! let hidden = cell.sequence(&x, None, &cell.zero_state(2)?)?.hidden;
//! let loss = (readout.forward(&hidden)? - 1.0)?.sqr()?.mean_all()?;
//! let trained = cell.parameters().iter().map(|(_, var)| var.clone()).chain([weight]);
//! SGD::new(trained.collect(), 0.01)?.backward_step(&loss)?;
//! # let hidden = cell.sequence(&x, None, &cell.zero_state(2)?)?.hidden;
//! # let after = (readout.forward(&hidden)? - 1.0)?.sqr()?.mean_all()?;
//! # assert!(after.to_scalar::<f32>()? < loss.to_scalar::<f32>()?);
//! # Ok(())
//! # }
//! ```
//!
//! [`agents::Trainer`] trains without files, [`TrainingRequest`] changes an experiment as the command line does, and with
//! [`cli::main_with`] a program has the command line for environments ([`envs::Rules`]) and cells ([`cells::Cell`]) of its
//! own.

#![forbid(unsafe_code)]

mod algorithm;
mod baselines;
mod cell;
pub mod cli;
pub mod comparison;
pub mod error;
mod files;
mod film;
mod key_reference;
mod machine;
mod overrides;
mod paths;
pub mod presets;
mod program;
mod progress;
mod ranks;
pub mod report;
pub mod reproduction;
mod say;
mod settings;
mod shutdown;
mod table;
mod task_label;
mod terminal;
mod threads;
mod training_request;
pub mod tuning;
mod variant;

pub use error::{Error, Result};
pub use overrides::Override;
/// The learning algorithms, rollouts, checkpoints and logs behind [`Run`] and [`Agent`].
pub use stpn_agents as agents;
pub use stpn_agents::evaluation::{Evaluation, EvaluationOptions};
pub use stpn_agents::policy::encoder::ObservationRef;
pub use stpn_agents::run::Run;
pub use stpn_agents::{Agent, AgentConfig, Memory, ProcessSettings, RunConfig};
/// Plastic and other recurrent layers for candle.
pub use stpn_core as cells;
/// Environments, and the trait of one's own.
pub use stpn_envs as envs;
pub use stpn_random::Stream;
pub use training_request::TrainingRequest;

/// The configuration of a preset; `stpn list` names them.
///
/// # Errors
/// [`Error::Unknown`], with the nearest name; [`Error::NotBuilt`] if this build lacks the preset's environment.
pub fn preset(name: &str) -> Result<RunConfig> {
    Ok(RunConfig::from_table(presets::get(name)?.table()?)?)
}
