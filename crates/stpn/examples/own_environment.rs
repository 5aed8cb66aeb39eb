//! An environment of one's own under the whole command line: name the symbol that was shown one step ago.
//! `cargo run --release -p stpn --example own_environment -- train echo`; `eval`, `resume`, `play`, `report` work too.

use std::process::ExitCode;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use stpn::Stream;
use stpn::envs::{Action, Env, Error, ObservationMut, Result, Space, Step, state};

const SYMBOLS: usize = 3;

static OBSERVATIONS: LazyLock<Space> = LazyLock::new(|| Space::boxed(0.0, 1.0, [SYMBOLS]));
static ANSWERS: LazyLock<Space> = LazyLock::new(|| Space::discrete(SYMBOLS));

/// What a configuration may set below `env.options`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct EchoConfig {
    /// Of an episode: 20 if it is left out.
    steps: Option<u32>,
}

/// All that changes, so that a checkpoint can hold it.
#[derive(Serialize, Deserialize)]
struct Echo {
    stream: Stream,
    /// Before the present symbol, and the present one.
    symbols: [usize; 2],
    left: u32,
    steps: u32,
}

impl Env for Echo {
    fn name(&self) -> &str {
        "echo"
    }

    fn observation_space(&self) -> &Space {
        &OBSERVATIONS
    }

    fn action_space(&self) -> &Space {
        &ANSWERS
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        self.stream = seed.map_or_else(|| self.stream.clone(), Stream::from_seed);
        self.symbols = [0; 2];
        self.left = self.steps + 1;
        self.step(Action::Discrete(0), observation).map(drop)
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        let (answer, one_hot) = (action.discrete(SYMBOLS)?, observation.f32(SYMBOLS)?);
        self.left = self.left.checked_sub(1).ok_or(Error::ResetNeeded { environment: "echo".into() })?;
        let reward = f64::from(answer == self.symbols[0]);
        self.symbols = [self.symbols[1], self.stream.below(SYMBOLS)];
        one_hot.fill(0.0);
        one_hot[self.symbols[1]] = 1.0;
        Ok(Step { reward, terminated: self.left == 0, ..Step::default() })
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        state::save("echo", self, bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        *self = state::restore("echo", bytes)?;
        Ok(())
    }
}

/// An experiment by name; a guess gives 6.7, always knowing 19.3.
const PRESET: &str = "
training.updates = 600
env = { name = 'custom', id = 'echo' }
rollout = { environments = 32, steps = 20 }
policy = { hidden = 16, cell.name = 'stpn' }
algorithm = { name = 'a2c', gamma = 0.5, entropy_coefficient = 0.01 }
optimizer = { learning_rate = 1e-2, max_grad_norm = 1.0 }";

fn main() -> ExitCode {
    stpn::cli::main_with(|registry| {
        registry.register("echo", |config: EchoConfig| {
            let steps = config.steps.unwrap_or(20);
            Ok(Echo { stream: Stream::from_seed(0), symbols: [0; 2], left: 0, steps })
        })?;
        registry.preset("echo", "name the symbol shown one step ago", PRESET)
    })
}
