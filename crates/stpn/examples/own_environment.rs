//! An environment of one's own under the whole command line: name the symbol that was shown one step ago.
//! `cargo run --release -p stpn --example own_environment -- train echo`; `eval`, `resume`, `play`, `report` work too.

use stpn::Stream;
use stpn::envs::{Action, Result, Rules, RulesEnv, Space, Step};

const SYMBOLS: usize = 3;

/// The task, and what a configuration may set below `env.options`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Echo {
    steps: Option<usize>,
}

impl Rules for Echo {
    /// What changes within an episode: the symbol before, the present one, steps taken. Checkpoints hold it.
    type State = [usize; 3];
    const NAME: &'static str = "echo";

    fn observation_space(&self) -> Space {
        Space::boxed(0.0, 1.0, [SYMBOLS])
    }

    fn action_space(&self) -> Space {
        Space::discrete(SYMBOLS)
    }

    fn start(&self, stream: &mut Stream) -> Self::State {
        [0, stream.below(SYMBOLS), 0]
    }

    fn step(&self, state: &mut Self::State, action: Action<'_>, stream: &mut Stream) -> Result<Step> {
        let (answer, [before, now, steps]) = (action.discrete(SYMBOLS)?, *state);
        *state = [now, stream.below(SYMBOLS), steps + 1];
        let (reward, terminated) = (f64::from(answer == before), steps + 1 >= self.steps.unwrap_or(20));
        Ok(Step { reward, terminated, ..Step::default() })
    }

    fn observe(&self, &[_, now, _]: &Self::State, observation: &mut [f32]) {
        observation.fill(0.0);
        observation[now] = 1.0;
    }
}

/// An experiment by name; a guess gives 6.7, always knowing 19.3.
pub const PRESET: &str = "
training.updates = 600
env = { name = 'custom', id = 'echo' }
rollout = { environments = 32, steps = 20 }
policy = { hidden = 16, cell.name = 'stpn' }
algorithm = { name = 'a2c', gamma = 0.5, entropy_coefficient = 0.01 }
optimizer = { learning_rate = 1e-2, max_grad_norm = 1.0 }";

fn main() -> std::process::ExitCode {
    stpn::cli::main_with(|registry| {
        registry.register("echo", |echo: Echo| Ok(RulesEnv::new(echo)))?;
        registry.preset("echo", "name the symbol shown one step ago", PRESET)
    })
}
