//! PPO over images: bytes on the device, of which each minibatch takes some sequences.

use stpn_agents::Trainer;
use stpn_envs::{Action, Env, ObservationMut, Result, Space, Step, state};
use stpn_random::Stream;

use crate::{agent_config, distance, emulated};

/// The smallest side of which every convolution has something left.
const SIDE: usize = 36;

/// Random pixels; the reward is 1 for saying whether the first one is bright.
struct Pixels {
    observations: Space,
    actions: Space,
    stream: Stream,
    bright: bool,
}

impl Pixels {
    fn boxed() -> Box<dyn Env> {
        let (observations, actions) = (Space::pixels([1, SIDE, SIDE]), Space::discrete(2));
        Box::new(Self { observations, actions, stream: Stream::from_seed(0), bright: false })
    }

    fn show(&mut self, observation: ObservationMut<'_>) -> Result<()> {
        let pixels = observation.u8(SIDE * SIDE)?;
        pixels.fill_with(|| self.stream.below(256) as u8);
        self.bright = pixels[0] > 127;
        Ok(())
    }
}

impl Env for Pixels {
    fn name(&self) -> &str {
        "pixels"
    }

    fn observation_space(&self) -> &Space {
        &self.observations
    }

    fn action_space(&self) -> &Space {
        &self.actions
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        if let Some(seed) = seed {
            self.stream = Stream::from_seed(seed);
        }
        self.show(observation)
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        let reward = f64::from(u8::from((action.discrete(2)? == 1) == self.bright));
        self.show(observation)?;
        Ok(Step { reward, terminated: self.stream.below(5) == 0, ..Step::default() })
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        state::save("pixels", &(&self.stream, self.bright), bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        (self.stream, self.bright) = state::restore("pixels", bytes)?;
        Ok(())
    }
}

#[test]
fn ppo_learns_from_images_as_on_the_cpu() {
    if !emulated("images::ppo_learns_from_images_as_on_the_cpu") {
        return;
    }
    for (critic, again) in [("shared", ""), ("separate", ", recompute_states = true")] {
        let learned = |device: &str| {
            let text = format!(
                "training.device = '{device}'\nenv = 'cartpole'
                 algorithm = {{ name = 'ppo', epochs = 2, minibatch_size = 12{again} }}
                 rollout = {{ environments = 5, steps = 7, sequence_length = 4 }}
                 optimizer = {{ epsilon = 0.1, learning_rate = 0.1 }}
                 policy = {{ hidden = 5, critic = '{critic}', encoder = 'paper-cnn', input_scale = 2.5, cell = 'gru' }}"
            );
            let mut trainer = Trainer::with_environments(&agent_config(&text), |_| Ok(Pixels::boxed())).unwrap();
            let metrics = trainer.update().unwrap();
            (metrics, trainer.save().unwrap().parameters)
        };
        let ((here, parameters_here), (there, parameters_there)) = (learned("cpu"), learned("cuda"));
        for name in ["losses/total_loss", "losses/value_loss", "losses/grad_norm", "losses/approx_kl"] {
            let [here, there] = [&here, &there].map(|metrics| metrics.get(name).unwrap());
            assert!((here - there).abs() < 1e-4 * here.abs().max(1.0), "{critic} {name}: {there} for {here}");
        }
        let apart = distance(&parameters_there, &parameters_here);
        assert!(apart < 2e-4, "{critic}: {apart:e}");
    }
}
