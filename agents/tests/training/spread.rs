//! Whether untrained policies tell states apart.

use stpn_agents::spread::Spread;
use stpn_agents::{AgentConfig, RunConfig};
use stpn_envs::{Action, Env, ObservationMut, Result, Space, Step};
use stpn_random::{Purpose, Stream};

/// Frames like those of Pong: a plain field with two paddles and a ball, which move.
struct Frames {
    observations: Space,
    actions: Space,
    stream: Stream,
    /// Whether anything moves.
    moves: bool,
}

const SIDE: usize = 84;

impl Frames {
    fn new(index: u64, moves: bool) -> Self {
        let observations = Space::pixels([1, SIDE, SIDE]);
        Self { observations, actions: Space::Discrete { n: 6 }, stream: Stream::new(1, Purpose::Test, index), moves }
    }

    fn draw(&mut self, observation: ObservationMut<'_>) {
        let ObservationMut::U8(pixels) = observation else { panic!("frames are bytes") };
        pixels.fill(87);
        let mut place = |room: usize| if self.moves { self.stream.below(room) } else { room / 2 };
        let (left, right, ball) = (place(SIDE - 8), place(SIDE - 8), (place(SIDE - 2), place(SIDE - 2)));
        let mut block = |(top, height): (usize, usize), (at, width): (usize, usize), value| {
            for y in top..top + height {
                pixels[y * SIDE + at..y * SIDE + at + width].fill(value);
            }
        };
        block((left, 8), (8, 2), 130);
        block((right, 8), (74, 2), 120);
        block((ball.0, 2), (ball.1, 2), 236);
    }
}

impl Env for Frames {
    fn name(&self) -> &str {
        "frames"
    }

    fn observation_space(&self) -> &Space {
        &self.observations
    }

    fn action_space(&self) -> &Space {
        &self.actions
    }

    fn reset(&mut self, _seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        self.draw(observation);
        Ok(())
    }

    fn step(&mut self, _action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        self.draw(observation);
        Ok(Step::default())
    }

    fn save_state(&self, _bytes: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    fn restore_state(&mut self, _bytes: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// The network and the optimiser of the published Pong runs; the environment is not used.
fn pong(cell: &str) -> AgentConfig {
    let text = format!(
        "
        training.updates = 31250
        env.name = 'cartpole'
        rollout = {{ environments = 4, steps = 50 }}
        policy = {{ hidden = 64, encoder.name = 'paper-cnn', cell.name = '{cell}' }}
        algorithm.name = 'a2c'
        optimizer.learning_rate = 7e-4
        "
    );
    RunConfig::from_table(text.parse().unwrap()).unwrap().agent().unwrap().clone()
}

fn of_frames(config: &AgentConfig, moves: bool) -> Spread {
    Spread::in_environments(config, &|index| Ok(Box::new(Frames::new(index as u64, moves))), 20).unwrap()
}

#[test]
fn what_the_untrained_stpn_sees_of_pong_was_not_known() {
    let [stpn, lstm] = ["stpn", "lstm"].map(|cell| of_frames(&pong(cell), true));
    for spread in [&stpn, &lstm] {
        assert_eq!(spread.layers.iter().map(|layer| layer.units).collect::<Vec<_>>(), [2592, 64, 6, 1]);
        assert_eq!((spread.states, spread.gradient_steps), (4 * 20, 31_250));
        assert!((spread.entropy - 6f64.ln()).abs() < 0.1, "{spread:?}");
        assert!(spread.layers[0].deviation > 0.0);
    }
    // The STPN divides by the norm of its rows, which grows with the inputs.
    assert!(stpn.layers[1].deviation < lstm.layers[1].deviation, "{stpn:?}");
    assert!(stpn.head_steps.unwrap() > lstm.head_steps.unwrap());
    assert!(stpn.flat().any(|layer| layer.layer == "cell"), "{stpn:?}");
}

#[test]
fn states_that_are_all_the_same_are_flat() {
    let spread = of_frames(&pong("mlp"), false);
    assert_eq!(spread.flat().map(|layer| layer.layer).collect::<Vec<_>>(), ["encoder", "cell"]);
    assert!(spread.layers[1].deviation < 1e-6 && spread.head_steps.is_none_or(|steps| steps > 1e7), "{spread:?}");
}

#[test]
fn the_states_of_a_maze_are_told_apart() {
    let text = "
        training.updates = 5000
        env.name = 'maze'
        rollout = { environments = 8, steps = 20 }
        policy = { hidden = 16, cell.name = 'stpn' }
        algorithm = { name = 'ppo', epochs = 2, minibatch_size = 40 }
        normalization.observations = true
        ";
    let config = RunConfig::from_table(text.parse().unwrap()).unwrap();
    let spread = Spread::of(config.agent().unwrap(), 30).unwrap();
    assert_eq!((spread.states, spread.gradient_steps), (8 * 30, 5000 * 2 * 4));
    assert_eq!(spread.flat().count(), 0, "{spread:?}");
    assert!((spread.layers[0].deviation - 1.0).abs() < 0.5, "observations are normalised: {spread:?}");
    assert!((spread.entropy - 4f64.ln()).abs() < 0.1);
    assert_eq!(spread, Spread::of(config.agent().unwrap(), 30).unwrap(), "it repeats");
}
