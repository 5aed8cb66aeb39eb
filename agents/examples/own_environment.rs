//! An environment of one's own, and an agent that learns it: name the symbol that was shown one step ago.
//!
//! `cargo run --release -p stpn-agents --example own_environment`

use std::sync::LazyLock;

use serde::{Deserialize, Serialize, de::IgnoredAny};
use stpn_agents::{Trainer, config::AgentConfig};
use stpn_envs::{Action, Env, Error, ObservationMut, Result, Space, Step, custom, state};
use stpn_random::Stream;

static SYMBOLS: LazyLock<Space> = LazyLock::new(|| Space::boxed(0.0, 1.0, [3]));
static ANSWERS: LazyLock<Space> = LazyLock::new(|| Space::discrete(3));

/// All that changes, so that a checkpoint can hold it: the last two symbols and the steps left.
#[derive(Serialize, Deserialize)]
struct Echo(Stream, [usize; 2], u32);

#[rustfmt::skip]
impl Env for Echo {
    fn name(&self) -> &str { "echo" }
    fn observation_space(&self) -> &Space { &SYMBOLS }
    fn action_space(&self) -> &Space { &ANSWERS }
    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        *self = Self(seed.map_or(self.0.clone(), Stream::from_seed), self.1, 21);
        self.step(Action::Discrete(0), observation).map(drop)
    }
    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        let (answer, symbols) = (action.discrete(3)?, observation.f32(3)?);
        self.2 = self.2.checked_sub(1).ok_or(Error::ResetNeeded { environment: "echo".into() })?;
        let reward = f64::from(answer == self.1[0]);
        self.1 = [self.1[1], self.0.below(3)];
        (0..3).for_each(|symbol| symbols[symbol] = f32::from(symbol == self.1[1]));
        Ok(Step { reward, terminated: self.2 == 0, ..Step::default() })
    }
    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> { state::save("echo", self, bytes) }
    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> { state::restore("echo", bytes).map(|echo| *self = echo) }
}

const CONFIG: &str = "training.updates = 600
env = { name = 'custom', id = 'echo' }
rollout = { environments = 32, steps = 20 }
policy = { hidden = 16, cell.kind = 'stpn' }
algorithm = { name = 'a2c', gamma = 0.5, entropy_coefficient = 0.01 }
optimizer = { learning_rate = 1e-2, max_grad_norm = 1.0 }";

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // Settings of its own would be a type that reads `env.options`.
    custom::register("echo", |_: IgnoredAny| Ok(Echo(Stream::from_seed(0), [0; 2], 0)))?;
    let config: AgentConfig = toml::from_str(CONFIG)?;
    let mut trainer = Trainer::new(&config)?;
    for _ in 0..config.training.updates {
        trainer.update()?;
    }
    let mean = trainer.progress().recent_return().unwrap_or(0.0);
    println!("mean return {mean:.1}; guessing gives 6.7, always knowing 19.3");
    if mean > 17.0 { Ok(()) } else { Err("the agent did not learn".into()) }
}
