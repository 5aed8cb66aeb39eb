//! Agents in environments of every kind of space: they learn, are evaluated, and continue bit for bit.

use stpn_agents::actor::Subject;
use stpn_agents::evaluation::{EvaluationOptions, evaluate};
use stpn_agents::{ActorCritic, AgentConfig, RunConfig, Trainer};
use stpn_envs::{Action, Env, ObservationMut, Result, Space, Step};

use crate::echo::Echo;

fn spaces() -> [Space; 3] {
    [Space::discrete(4), Space::MultiDiscrete { counts: vec![2, 3] }, Space::MultiBinary { n: 3 }]
}

fn config(algorithm: &str) -> AgentConfig {
    let text = format!(
        "env.name = 'cartpole'
         rollout = {{ environments = 16, steps = 16, sequence_length = 8 }}
         policy = {{ hidden = 16, cell.name = 'mlp' }}
         optimizer.learning_rate = 0.01
         {algorithm}"
    );
    match RunConfig::from_table(text.parse().unwrap()).unwrap() {
        RunConfig::Agent(config) => config,
        RunConfig::Supervised(_) => panic!("an agent's configuration"),
    }
}

const PPO: &str = "algorithm = { name = 'ppo', epochs = 4, minibatch_size = 64, kl_penalty = {} }";
const A2C: &str = "algorithm = { name = 'a2c', concentration_coefficient = 0.02, entropy_coefficient = 0.001 }";

fn trainer(space: &Space, config: &AgentConfig) -> Trainer {
    let space = space.clone();
    Trainer::with_environments(config, move |_| Echo::boxed(&space)).unwrap()
}

#[test]
fn every_environment_of_choices_keeps_the_rules() {
    for space in spaces() {
        let report = stpn_envs::check_env::check_env(|| Echo::boxed(&space)).unwrap();
        assert!(report.passed(), "{space}: {report}");
    }
}

#[test]
fn agents_learn_to_choose_and_are_evaluated() {
    for space in spaces() {
        for algorithm in [PPO, A2C] {
            let mut trainer = trainer(&space, &config(algorithm));
            let updates = if algorithm == PPO { 60 } else { 250 };
            (0..updates).for_each(|_| trainer.update().map(drop).unwrap());
            let policy: &ActorCritic = trainer.learner().policy();
            let (prepared, normalization) = (policy.prepare().unwrap(), &trainer.progress().normalization);
            let subject = Subject { policy: &prepared, normalization };
            let options =
                EvaluationOptions { episodes: 40, seed: 0, deterministic: true, energy_skip_inputs: Vec::new() };
            let measure = |subject| evaluate(&|_| Echo::boxed(&space), subject, &options).unwrap().mean_return();
            let (trained, random) = (measure(Some(&subject)), measure(None));
            assert!(trained > 7.5 && random < 5.0, "{space} {algorithm}: {trained} against {random}");
        }
    }
}

#[test]
fn agents_of_every_space_continue_bit_for_bit() {
    for space in spaces() {
        for algorithm in [PPO, A2C] {
            let config = config(algorithm);
            let mut whole = trainer(&space, &config);
            (0..4).for_each(|_| whole.update().map(drop).unwrap());
            let mut first = trainer(&space, &config);
            (0..2).for_each(|_| first.update().map(drop).unwrap());
            let mut second = trainer(&space, &config);
            second.restore(first.save().unwrap()).unwrap();
            (0..2).for_each(|_| second.update().map(drop).unwrap());
            assert!(second.save().unwrap() == whole.save().unwrap(), "{space} {algorithm}");
        }
    }
}

#[test]
fn a_choice_that_does_not_exist_is_the_environments_failure() {
    /// Shows 4, of Discrete(4).
    struct Beyond(Box<dyn Env>);
    impl Env for Beyond {
        fn name(&self) -> &str {
            "beyond"
        }
        fn observation_space(&self) -> &Space {
            self.0.observation_space()
        }
        fn action_space(&self) -> &Space {
            self.0.action_space()
        }
        fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
            self.0.reset(seed, observation)
        }
        fn step(&mut self, _: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
            observation.f32(1)?.fill(4.0);
            Ok(Step::default())
        }
        fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
            self.0.save_state(bytes)
        }
        fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
            self.0.restore_state(bytes)
        }
    }
    let space = Space::discrete(4);
    let make = move |_| -> Result<Box<dyn Env>> { Ok(Box::new(Beyond(Echo::boxed(&space)?))) };
    let error = Trainer::with_environments(&config(A2C), make).unwrap().update().unwrap_err().to_string();
    assert!(error.contains("element 0 of its observation, 4, is not in Discrete(4)"), "{error}");
}
