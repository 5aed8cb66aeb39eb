//! Trainings as a whole: exact continuation, evaluation beside them, observations of any kind.

use std::ops::ControlFlow;

use candle_core::{DType, Device};
use stpn_agents::actor::Subject;
use stpn_agents::evaluation::{EvaluationOptions, evaluate};
use stpn_agents::metrics::depends_on_the_clock;
use stpn_agents::optimizer::Schedule;
use stpn_agents::policy::PolicyConfig;
use stpn_agents::policy::encoder::ObservationRef;
use stpn_agents::policy::inference::PreparedPolicy;
use stpn_agents::rollout::Normalization;
use stpn_agents::run::Run;
use stpn_agents::saved::SavedTrainer;
use stpn_agents::training::Best;
use stpn_agents::{ActorCritic, AgentConfig, Metrics, RunConfig, Trainer, Training, checkpoint};
use stpn_core::Kernel;
use stpn_core::cells::CellName;
use stpn_envs::vector::{Actions, Transition};
use stpn_envs::{Action, Env, EnvConfig, EnvGroup, ObservationMut, Space, Step, state};
use stpn_random::{Purpose, Stream};

/// A small training; `more` is appended to its configuration.
fn config(env: &str, cell: &str, more: &str) -> AgentConfig {
    let text = format!(
        "[env]\nname = '{env}'\n[rollout]\nenvironments = 6\nsteps = 20\nsequence_length = 8\n\
         [policy]\nhidden = 5\n[policy.cell]\nname = '{cell}'\n{more}"
    );
    match RunConfig::from_table(text.parse().unwrap()).unwrap() {
        RunConfig::Agent(config) => config,
        RunConfig::Supervised(_) => panic!("an agent's configuration"),
    }
}

const PPO: &str = "[algorithm]\nname = 'ppo'\nepochs = 3\nminibatch_size = 32\nkl_penalty = {}\nvalue_clip = 0.2\n\
                   recompute_states = true\nrecompute_advantages = true\n\
                   [normalization]\nobservations = true\nrewards = true\n\
                   [evaluation]\nevery = 2\nepisodes = 3\n";
const A2C: &str = "[algorithm]\nname = 'a2c'\nconcentration_coefficient = 0.0\nentropy_coefficient = 0.01\n";

/// `updates` updates; their metrics without those that depend on the clock.
fn train(trainer: &mut Trainer, updates: usize, threads: usize) -> Vec<Vec<(String, f64)>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let timeless = |metrics: Metrics| {
        let timeless = metrics.iter().filter(|(name, _)| !depends_on_the_clock(name));
        timeless.map(|(name, value)| (name.to_string(), value)).collect()
    };
    (0..updates).map(|_| timeless(pool.install(|| trainer.update()).unwrap())).collect()
}

fn assert_resumes(config: &AgentConfig, make: impl Fn() -> Trainer) {
    let mut whole = make();
    let metrics = train(&mut whole, 4, 1);
    for stop in [1, 3] {
        let mut first = make();
        train(&mut first, stop, 2);
        let saved: SavedTrainer = first.save().unwrap();
        let mut second = make();
        second.restore(saved).unwrap();
        assert_eq!(train(&mut second, 4 - stop, 3), metrics[stop..], "{:?} after {stop}", config.policy.cell);
        assert!(second.save().unwrap() == whole.save().unwrap(), "{:?} after {stop}", config.policy.cell);
    }
}

/// A random cartpole stands for some 20 steps. The mean is that of 50 updates: until there are as many, it is of too few.
#[test]
fn a_training_ends_when_it_reaches_the_return_it_aims_at() {
    for (target, updates) in [("10.0", 50), ("450.0", 55), ("none", 55)] {
        let target = if target == "none" { String::new() } else { format!("target_return = {target}\n") };
        let config = config("cartpole", "rnn", &format!("{A2C}[training]\nupdates = 55\n{target}"));
        let mut trainer = Trainer::new(&config).unwrap();
        while !trainer.finished() {
            trainer.update().unwrap();
        }
        assert_eq!(trainer.progress().update, updates, "{target}");
        // What is saved says the same, to whoever resumes or compares.
        assert!(config.finished(&trainer.save().unwrap().progress));
    }
    let refused = |text: &str| RunConfig::from_table(text.parse().unwrap()).unwrap_err().to_string();
    let endless = refused("env = 'cartpole'\nalgorithm = 'a2c'\npolicy.cell = 'rnn'\ntraining.target_return = inf");
    assert!(endless.contains("training.target_return") && endless.contains("finite"), "{endless}");
    let supervised = refused("task = 'art'\npolicy.cell = 'rnn'\ntraining.target_return = 0.9");
    assert!(supervised.contains("task.patience"), "{supervised}");
}

#[test]
fn ppo_and_a2c_continue_bit_for_bit_on_any_number_of_threads() {
    for cell in ["stpn", "lstm", "mlp", "backpropamine"] {
        for (env, algorithm) in [("cartpole-masked", PPO), ("pendulum", PPO), ("pendulum", A2C)] {
            let config = config(env, cell, algorithm);
            assert_resumes(&config, || Trainer::new(&config).unwrap());
        }
    }
}

#[test]
fn memories_that_are_cleared_next_filled_checkpoints() {
    let mut config = config("maze", "stpn", A2C);
    let EnvConfig::Maze(maze) = &mut config.env else { panic!("a maze") };
    maze.episode_length = 40;
    let mut whole = Trainer::new(&config).unwrap();
    train(&mut whole, 1, 1);
    let amid = whole.save().unwrap();
    train(&mut whole, 1, 1);
    let between = whole.save().unwrap();
    assert!(amid.workers.iter().all(|worker| !worker.state.is_empty()));
    assert!(between.workers.iter().all(|worker| worker.state.is_empty()));
    // Before format 4, they were saved, whatever they were.
    let mut older = between.clone();
    for (worker, amid) in older.workers.iter_mut().zip(&amid.workers) {
        worker.state = vec![0.5; amid.state.len()];
    }
    let metrics = train(&mut whole, 2, 1);
    for saved in [between, older] {
        let mut trainer = Trainer::new(&config).unwrap();
        trainer.restore(saved).unwrap();
        assert_eq!(train(&mut trainer, 2, 2), metrics);
    }
    let mut short = amid;
    short.workers[0].state.pop();
    let error = Trainer::new(&config).unwrap().restore(short).unwrap_err().to_string();
    assert!(error.contains("recurrent state"), "{error}");
}

#[test]
fn a_critic_of_its_own_and_an_encoder_continue_bit_for_bit() {
    let separate = format!("[policy.encoder]\nname = 'mlp'\nsizes = [7]\n{PPO}");
    let mut config = config("pendulum", "stpn", &separate);
    config.policy.critic = stpn_agents::policy::Critic::Separate;
    assert_resumes(&config, || Trainer::new(&config).unwrap());
}

#[test]
fn correlated_noise_continues_bit_for_bit() {
    let mut config = config("pendulum", "lstm", PPO);
    let mut plain = Trainer::new(&config).unwrap();
    let independent = train(&mut plain, 2, 1);
    config.rollout.noise_correlation = 0.7;
    assert_resumes(&config, || Trainer::new(&config).unwrap());
    let mut correlated = Trainer::new(&config).unwrap();
    assert_ne!(train(&mut correlated, 2, 2), independent);
    let mut saved = correlated.save().unwrap();
    // A run that goes on with another correlation has no noise to go on from, or none to use.
    Trainer::new(&config).unwrap().restore(plain.save().unwrap()).unwrap();
    plain.restore(saved.clone()).unwrap();
    saved.workers[0].noise.push(0.0);
    let error = correlated.restore(saved).unwrap_err().to_string();
    assert!(error.contains("noise"), "{error}");
    config.rollout.noise_correlation = 1.0;
    let error = config.check().unwrap_err().to_string();
    assert!(error.contains("rollout.noise_correlation") && error.contains("below 1"), "{error}");
}

#[test]
fn evaluation_does_not_disturb_training() {
    let quiet = config("cartpole", "stpn", &PPO.replace("every = 2\nepisodes = 3", "every = 0"));
    let evaluated = config("cartpole", "stpn", &PPO.replace("every = 2", "every = 1"));
    let (mut one, mut other) = (Trainer::new(&quiet).unwrap(), Trainer::new(&evaluated).unwrap());
    let (without, with) = (train(&mut one, 3, 2), train(&mut other, 3, 1));
    for (without, with) in without.iter().zip(&with) {
        assert!(with.iter().any(|(name, _)| name == "eval/episodic_return"));
        let with: Vec<_> = with.iter().filter(|(name, _)| !name.starts_with("eval/")).cloned().collect();
        assert_eq!(without, &with);
    }
    assert!(one.save().unwrap() == other.save().unwrap());
}

/// What the trainer's present policy gives in the episodes of its evaluations.
fn evaluated_by_hand(trainer: &Trainer) -> [f64; 3] {
    let (config, policy) = (trainer.config(), trainer.learner().prepare().unwrap());
    let subject = Subject { policy: &policy, normalization: &trainer.progress().normalization };
    let seed = Stream::new(config.seed, Purpose::Evaluation, 1).next_u64();
    let result =
        evaluate(&|_| config.env.make(), Some(&subject), &EvaluationOptions { seed, ..options(3, false) }).unwrap();
    [result.mean_return(), result.std_return().unwrap(), result.mean_length()]
}

fn logged_evaluation(metrics: &Metrics) -> Option<[f64; 3]> {
    let names = ["eval/episodic_return", "eval/episodic_return_std", "eval/episodic_length"];
    let [Some(mean), Some(std), Some(length)] = names.map(|name| metrics.get(name)) else { return None };
    Some([mean, std, length])
}

#[test]
fn what_is_evaluated_beside_an_update_is_the_policy_before_it() {
    for kernel in [Kernel::Auto, Kernel::Composed] {
        // So fast that three episodes show it.
        let mut config = config("cartpole-masked", "stpn", &format!("{PPO}[optimizer]\nlearning_rate = 0.3\n"));
        // The composed path reads the network's own tensors, which the update changes meanwhile.
        config.policy.kernel = kernel;
        let mut trainer = Trainer::new(&config).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        for update in 1..=4 {
            let before = evaluated_by_hand(&trainer);
            let metrics = pool.install(|| trainer.update()).unwrap();
            let logged = logged_evaluation(&metrics);
            assert_eq!(logged, (update % 2 == 0).then_some(before), "{kernel:?}, update {update}");
            assert_ne!(logged, Some(evaluated_by_hand(&trainer)), "{kernel:?}, update {update}");
        }
    }
}

#[test]
fn the_best_state_is_that_of_the_best_evaluation() {
    let config = config("cartpole", "stpn", &PPO.replace("every = 2", "every = 1"));
    let mut trainer = Trainer::new(&config).unwrap();
    let mut best = f64::NEG_INFINITY;
    for _ in 0..6 {
        let mean = trainer.update().unwrap().get("eval/episodic_return").unwrap();
        assert_eq!(trainer.note_best(true), (mean > best).then_some(Best::Before));
        best = best.max(mean);
        assert_eq!(trainer.progress().best_return, Some(best));
    }
}

#[test]
fn the_best_checkpoint_is_of_the_policy_that_was_evaluated() {
    // Checkpoints at other updates than evaluations, and at all of them.
    for (checkpoints, stops) in [(100, [6, 12]), (1, [5, 12])] {
        let settings = format!("[checkpoint]\nevery = {checkpoints}\nkeep = 1\n{PPO}");
        let mut config = config("cartpole", "lstm", &settings.replace("kl_penalty = {}\n", ""));
        config.optimizer.learning_rate = Schedule::Constant(0.02);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run");
        let mut best: Option<(f64, u64)> = None;
        for stop in stops {
            config.training.updates = stop;
            let run_config = RunConfig::Agent(config.clone());
            let mut run = match stop == stops[0] {
                true => Run::start(&run_config, &path, "test").unwrap(),
                false => Run::resume(&path, |config| *config = run_config).unwrap().0,
            };
            let observe = |training: &dyn Training, metrics: &Metrics| {
                let mean = metrics.get("eval/episodic_return");
                if let Some(mean) = mean.filter(|&mean| best.is_none_or(|(best, _)| mean > best)) {
                    best = Some((mean, training.progress().update - 1));
                }
                ControlFlow::Continue(())
            };
            run.train(observe).unwrap();
        }
        let (mean, update) = best.unwrap();
        assert!(update > 1, "no later policy is better than the first: the test shows nothing");
        let saved = checkpoint::best(&path.join("checkpoints")).unwrap().unwrap();
        assert_eq!(saved.progress.update, update);
        let mut trainer = Trainer::new(&config).unwrap();
        let state = saved.trainer(trainer.learner().layout()).unwrap();
        trainer.restore(state).unwrap();
        assert_eq!(evaluated_by_hand(&trainer)[0], mean);
        let names = checkpoint::read::directory_names(&path.join("checkpoints")).unwrap();
        assert_eq!(names, [checkpoint::directory_name(update), checkpoint::directory_name(12)], "and no other is kept");
    }
}

#[test]
fn statistics_of_normalisation_move_in_training_and_stand_still_in_evaluation() {
    let mut trainer = Trainer::new(&config("pendulum", "lstm", PPO)).unwrap();
    train(&mut trainer, 1, 1);
    let after_one: Normalization = trainer.progress().normalization.clone();
    assert!(after_one.observations.iter().all(|running| running.count == 120.0 && running.deviations > 0.0));
    assert_eq!(after_one.returns.unwrap().count, 120.0);
    let policy = trainer.learner().prepare().unwrap();
    let subject = Subject { policy: &policy, normalization: &after_one };
    let env = EnvConfig::from_name("pendulum").unwrap();
    let options = options(4, true);
    let first = evaluate(&|_| env.make(), Some(&subject), &options).unwrap();
    let raw = Subject { normalization: &Normalization::default(), ..subject };
    assert_eq!(first, evaluate(&|_| env.make(), Some(&subject), &options).unwrap());
    assert_ne!(first, evaluate(&|_| env.make(), Some(&raw), &options).unwrap(), "the policy sees them normalised");
}

fn options(episodes: usize, deterministic: bool) -> EvaluationOptions {
    EvaluationOptions { episodes, seed: 7, deterministic, energy_skip_inputs: Vec::new() }
}

#[test]
fn evaluation_carries_the_recurrent_state() {
    let env = EnvConfig::from_name("cartpole-masked").unwrap();
    let make = |_| env.make();
    let made = env.make().unwrap();
    // A wide policy head, so that actions change within an episode.
    let config = PolicyConfig { policy_gain: 10.0, ..PolicyConfig::new(CellName::Lstm.config(), 8) };
    let (observations, actions) = (made.observation_space(), made.action_space());
    let policies: Vec<ActorCritic> = (0..20)
        .map(|seed| ActorCritic::new(&config, observations, actions, seed, DType::F32, &Device::Cpu).unwrap())
        .collect();
    let played = |prepared: &PreparedPolicy, carry: bool| -> Vec<f64> {
        let seed = Stream::new(7, Purpose::Evaluation, 0).next_u64();
        let play = |episode: usize| {
            let mut group = EnvGroup::new(&make, episode, 1, seed).unwrap();
            let width = observations.len();
            let (mut now, mut last) = (vec![0f32; width], vec![0f32; width]);
            group.reset(ObservationMut::F32(&mut now)).unwrap();
            let mut session = prepared.session(1).unwrap();
            let mut total = 0.0;
            for step in 0.. {
                session.step(ObservationRef::F32(&now), &[u8::from(step == 0 || !carry)]).unwrap();
                let logits = session.distribution(0);
                let choice = [u32::from(logits[1] > logits[0])];
                let (mut reward, mut terminated, mut truncated) = ([0f32], [false], [false]);
                let mut transition = Transition {
                    observations: ObservationMut::F32(&mut now),
                    final_observations: ObservationMut::F32(&mut last),
                    rewards: &mut reward,
                    terminated: &mut terminated,
                    truncated: &mut truncated,
                };
                group.step(Actions::Discrete(&choice), &mut transition).unwrap();
                total += f64::from(reward[0]);
                if terminated[0] || truncated[0] {
                    break;
                }
            }
            total
        };
        (0..8).map(play).collect()
    };
    let mut matters = 0;
    for policy in &policies {
        let prepared = policy.prepare::<f32>().unwrap();
        let subject = Subject { policy: &prepared, normalization: &Normalization::default() };
        let returns = evaluate(&make, Some(&subject), &options(8, true)).unwrap().returns;
        assert_eq!(returns, played(&prepared, true));
        matters += usize::from(returns != played(&prepared, false));
    }
    assert!(matters > 0, "no policy whose state matters");
}

/// A picture of which one half is lit; the action should name it.
struct Light {
    observation_space: Space,
    action_space: Space,
    state: (Stream, u8, u32),
}

impl Light {
    fn new() -> Self {
        let state = (Stream::from_seed(0), 0, 0);
        Self { observation_space: Space::pixels([1, 36, 36]), action_space: Space::discrete(2), state }
    }

    fn show(&mut self, observation: ObservationMut<'_>) -> stpn_envs::Result<()> {
        let pixels = observation.u8(36 * 36)?;
        self.state.1 = self.state.0.below(2) as u8;
        pixels.fill(10);
        pixels[usize::from(self.state.1) * 648..][..648].fill(240);
        Ok(())
    }
}

impl Env for Light {
    fn name(&self) -> &str {
        "light"
    }
    fn observation_space(&self) -> &Space {
        &self.observation_space
    }
    fn action_space(&self) -> &Space {
        &self.action_space
    }
    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> stpn_envs::Result<()> {
        if let Some(seed) = seed {
            self.state.0 = Stream::from_seed(seed);
        }
        self.state.2 = 0;
        self.show(observation)
    }
    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> stpn_envs::Result<Step> {
        let right = action.discrete(2)? == usize::from(self.state.1);
        self.state.2 += 1;
        self.show(observation)?;
        Ok(Step { reward: f64::from(right), terminated: self.state.2 == 7, ..Step::default() })
    }
    fn save_state(&self, bytes: &mut Vec<u8>) -> stpn_envs::Result<()> {
        state::save("light", &self.state, bytes)
    }
    fn restore_state(&mut self, bytes: &[u8]) -> stpn_envs::Result<()> {
        self.state = state::restore("light", bytes)?;
        Ok(())
    }
}

#[test]
fn pixels_stay_bytes_through_rollout_convolutions_and_checkpoints() {
    let ppo = PPO.replace("observations = true", "observations = false");
    for algorithm in [&ppo, A2C] {
        let config = config("cartpole", "lstm", &format!("[policy.encoder]\nname = 'paper-cnn'\n{algorithm}"));
        let make = || Trainer::with_environments(&config, |_| Ok(Box::new(Light::new()))).unwrap();
        assert_resumes(&config, make);
        let mut trainer = make();
        let first = train(&mut trainer, 1, 2)[0].clone();
        assert!(first.iter().any(|(name, value)| name == "losses/policy_loss" && value.is_finite()));
        let saved = trainer.save().unwrap();
        assert_eq!(saved.workers[0].observations.dtype(), stpn_envs::Dtype::U8);
    }
}

#[test]
fn what_does_not_go_together_is_refused_with_the_remedy() {
    let refused = |config: AgentConfig| Trainer::new(&config).err().unwrap().to_string();
    let concentrated = A2C.replace("concentration_coefficient = 0.0", "concentration_coefficient = 0.1");
    let error = refused(config("pendulum", "lstm", &concentrated));
    assert!(error.contains("algorithm.concentration_coefficient"), "{error}");
    let text = "[env]\nname = 'cartpole'\n[rollout]\nenvironments = 2\nsteps = 8\n[policy]\nhidden = 5\n\
                [policy.cell]\nname = 'lstm'\n[algorithm]\nname = 'ppo'\nminibatch_size = 17\n";
    let error = RunConfig::from_table(text.parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("algorithm.minibatch_size") && error.contains("16"), "{error}");
}
