//! Policies on a CUDA device that is emulated on the CPU. Its driver must be there when a process starts, so
//! each test runs itself again with it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod advantages;
#[path = "../environments/echo.rs"]
mod echo;
mod gradients;
mod images;
mod losses;
mod supervised;

use std::env;
use std::process::Command;

use stpn_agents::config::ComputeDevice;
use stpn_agents::evaluation::EvaluationOptions;
use stpn_agents::rollout::Fragment;
use stpn_agents::saved::SavedTrainer;
use stpn_agents::start::training;
use stpn_agents::{Agent, AgentConfig, Metrics, RunConfig, Trainer};

/// Set where the driver is the emulated one.
const EMULATED: &str = "STPN_EMULATED";

/// Runs the test of that name with the emulated driver; true in the process that has it.
fn emulated(test: &str) -> bool {
    if env::var_os(EMULATED).is_some() {
        return true;
    }
    let cache = tempfile::tempdir().unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]).env(EMULATED, "1").env("XDG_CACHE_HOME", cache.path());
    let done = command.env("LD_LIBRARY_PATH", stpn_cuda::shim::EMULATED_DRIVER).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && text.contains("1 passed"), "{text}");
    false
}

/// Largest difference, relative to the largest value.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(1e-6_f32, |most, value| most.max(value.abs()));
    a.iter().zip(b).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs())) / largest
}

#[test]
fn an_update_on_the_device_has_the_losses_of_the_cpu() {
    if !emulated("an_update_on_the_device_has_the_losses_of_the_cpu") {
        return;
    }
    let maze = |cell: &str, sequences: &str| {
        format!(
            "env = {{ name = 'maze', size = 5, episode_length = 25 }}
             rollout = {{ environments = 6, steps = 30{sequences} }}
             policy = {{ hidden = 5, cell = '{cell}' }}
             optimizer = {{ epsilon = 1.0 }}
             algorithm = {{ name = 'a2c', normalize_advantages = true, entropy_coefficient = 0.02,
                            concentration_coefficient = 0.03 }}"
        )
    };
    // A device is told what comes, but for the action before, or plays; what it keeps of the rollout gives the gradient.
    let popgym = |task: &str, cell: &str| {
        format!(
            "env = {{ name = 'popgym', task = '{task}', previous_action = true, antialias = true }}
             rollout = {{ environments = 6, steps = 30 }}
             policy = {{ hidden = 5, cell = '{cell}' }}
             optimizer = {{ epsilon = 1.0 }}
             algorithm = {{ name = 'a2c', entropy_coefficient = 0.02 }}"
        )
    };
    let experiments = [
        maze("stpn", ""),
        maze("gru", ""),
        // Of several sequences, nothing is kept on the device.
        maze("lstm", ", sequence_length = 7"),
        popgym("repeat-first", "stpn"),
        popgym("repeat-first", "gru"),
        // Two lists of choices; episodes are cut off.
        popgym("mine-sweeper", "stpn"),
        // With a shared trunk.
        "env = { name = 'cartpole' }
         rollout = { environments = 5, steps = 12, sequence_length = 5 }
         policy = { hidden = 5, encoder = { name = 'mlp', sizes = [4] }, cell = 'stpn' }
         algorithm = { name = 'ppo', epochs = 2, minibatch_size = 20, value_clip = 0.1, entropy_coefficient = 0.02,
                       kl_penalty = { coefficient = 0.3 } }"
            .to_string(),
        // Sequences of several lengths in one minibatch, which are padded.
        "env = { name = 'pendulum' }
         rollout = { environments = 5, steps = 12, sequence_length = 5 }
         policy = { hidden = 5, critic = 'separate', encoder = { name = 'mlp', sizes = [4] }, cell = 'lstm' }
         algorithm = { name = 'ppo', epochs = 2, minibatch_size = 20, recompute_states = true,
                       recompute_advantages = true }"
            .to_string(),
    ];
    for text in experiments {
        let updated = |device: &str| {
            let config = format!("training = {{ device = '{device}' }}\n{text}");
            let mut training = training(&RunConfig::from_table(config.parse().unwrap()).unwrap()).unwrap();
            let before = training.save().unwrap().parameters;
            let metrics = training.update().unwrap();
            let after = training.save().unwrap().parameters;
            let moved: Vec<f32> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
            training.update().unwrap();
            (metrics, training.save().unwrap().parameters, moved)
        };
        let ((here, ended_here, moved_here), (there, ended_there, moved_there)) = (updated("cpu"), updated("cuda"));
        if text.contains("epsilon") {
            // So large an epsilon makes a step proportional to the gradient, and small.
            assert!(distance(&moved_there, &moved_here) < 1e-3, "{:e}", distance(&moved_there, &moved_here));
        } else {
            assert!(ended_here != ended_there, "other bits, since the sums have another order");
        }
        let more: &[&str] = match text.contains("ppo") {
            true => &["losses/approx_kl", "losses/clipfrac", "losses/old_approx_kl"],
            false => &[],
        };
        let names = ["losses/total_loss", "losses/value_loss", "losses/entropy", "losses/grad_norm"];
        for name in names.iter().chain(more) {
            let [here, there] = [&here, &there].map(|metrics| metrics.get(name).unwrap());
            assert!((here - there).abs() < 1e-4 * here.abs().max(1.0), "{name}: {there} for {here}");
        }
        assert_eq!(updated("cuda").1, ended_there, "the same bits every time");
    }
}

fn agent_config(text: &str) -> AgentConfig {
    let RunConfig::Agent(config) = RunConfig::from_table(text.parse().unwrap()).unwrap() else { panic!("{text}") };
    config
}

#[test]
fn a_rollout_on_the_device_is_that_of_the_cpu() {
    if !emulated("a_rollout_on_the_device_is_that_of_the_cpu") {
        return;
    }
    let maze = "{ name = 'maze', size = 7, episode_length = 25, wall_penalty = 0.25, view_radius = 2 }";
    compare_rollouts(&[
        (maze, 28, "{ hidden = 5, cell = 'stpn' }", "{ name = 'a2c', gae_lambda = 0.9 }"),
        (
            maze,
            28,
            "{ hidden = 6, cell = { name = 'stpn', recurrent = false, initial_rate = 0.5 } }",
            "{ name = 'ppo', epochs = 2 }",
        ),
        (maze, 28, "{ hidden = 5, cell = 'lstm' }", "{ name = 'a2c' }"),
        (maze, 28, "{ hidden = 5, cell = 'backpropamine' }", "{ name = 'a2c' }"),
        (maze, 28, "{ hidden = 5, cell = 'gru' }", "{ name = 'a2c' }"),
        (maze, 3, "{ hidden = 5, encoder = { name = 'mlp', sizes = [7] }, cell = 'hebbff' }", "{ name = 'a2c' }"),
    ]);
}

#[test]
fn a_rollout_that_shows_the_action_before_is_that_of_the_cpu() {
    if !emulated("a_rollout_that_shows_the_action_before_is_that_of_the_cpu") {
        return;
    }
    let popgym = |task: &str, flag: bool| {
        format!("{{ name = 'popgym', task = '{task}', previous_action = true, antialias = {flag} }}")
    };
    let rates = "initial_rate = 0.5";
    let tanh = "encoder = { name = 'mlp', sizes = [6] }, input_scale = 2.0";
    let relu = "encoder = { name = 'mlp', sizes = [5, 4], activation = 'relu' }";
    compare_rollouts(&[
        (&popgym("repeat-previous", true), 5, &format!("{{ hidden = 5, cell = {{ name = 'stpn', {rates} }} }}"), A2C),
        (&popgym("count-recall", true), 0, "{ hidden = 6, cell = 'lstm' }", PPO),
        (&popgym("autoencode", false), 1, "{ hidden = 5, cell = 'backpropamine' }", A2C),
        (&popgym("higher-lower", true), 14, "{ hidden = 5, cell = 'gru' }", A2C),
        (&popgym("repeat-first", false), 7, "{ hidden = 5, cell = 'hebbff' }", PPO),
        (&popgym("repeat-previous", true), 5, &format!("{{ hidden = 5, {tanh}, cell = 'gru' }}"), PPO),
        (
            &popgym("count-recall", false),
            2,
            &format!("{{ hidden = 5, {relu}, cell = {{ name = 'stpn', {rates} }} }}"),
            A2C,
        ),
    ]);
}

#[test]
fn a_rollout_of_games_is_that_of_the_cpu() {
    if !emulated("a_rollout_of_games_is_that_of_the_cpu") {
        return;
    }
    let game = |task: &str, shown: &str| format!("{{ name = 'popgym', task = '{task}'{shown} }}");
    let (both, start) = (", previous_action = true, antialias = true", ", antialias = true");
    let hard = ", level = 'hard', previous_action = true";
    let rates = "initial_rate = 0.5";
    let stpn = &format!("{{ hidden = 5, cell = {{ name = 'stpn', {rates} }} }}");
    let dense = "encoder = { name = 'mlp', sizes = [6] }";
    compare_rollouts(&[
        (&game("battleship", both), 1, stpn, A2C),
        (&game("concentration", both), 5, &format!("{{ hidden = 5, {dense}, cell = 'lstm' }}"), PPO),
        (&game("mine-sweeper", hard), 0, "{ hidden = 5, cell = 'backpropamine' }", A2C),
        (&game("multiarmed-bandit", both), 3, "{ hidden = 5, cell = 'gru' }", A2C),
        (&game("labyrinth-escape", start), 2, "{ hidden = 5, cell = 'rnn' }", PPO),
        (&game("labyrinth-explore", ""), 2, stpn, A2C),
    ]);
}

const A2C: &str = "{ name = 'a2c' }";
const PPO: &str = "{ name = 'ppo', epochs = 2 }";

/// Makes two updates. Returns metrics, fragments and state of the first, and the trainer after the second.
fn updated_twice(mut trainer: Trainer) -> (Metrics, Vec<Fragment>, SavedTrainer, Trainer) {
    let first = trainer.update().unwrap();
    let fragments = trainer.workers().iter().map(|worker| worker.fragment().clone()).collect();
    let saved = trainer.save().unwrap();
    trainer.update().unwrap();
    (first, fragments, saved, trainer)
}

/// Compares rollouts on the device with those of the CPU, in environments, without the energy of one input, under
/// policies, with algorithms.
fn compare_rollouts(experiments: &[(&str, usize, &str, &str)]) {
    // Episodes end within fragments and within sequences, and the last sequence is shorter.
    let games = ["battleship", "concentration", "mine-sweeper", "bandit", "labyrinth"];
    for (env, skipped, policy, algorithm) in experiments {
        let steps = match env {
            maze if maze.contains("maze") => 30,
            game if games.iter().any(|name| game.contains(name)) => 70,
            _ => 110,
        };
        let lived = |device: &str| {
            let text = format!(
                "training.device = '{device}'\nenv = {env}\npolicy = {policy}\nalgorithm = {algorithm}
                 rollout = {{ environments = 12, steps = {steps}, sequence_length = 13 }}
                 log = {{ energy_skip_inputs = [{skipped}] }}"
            );
            let trainer = Trainer::new(&agent_config(&text)).unwrap();
            assert_eq!(trainer.rollouts_here().is_none(), device == "cuda");
            updated_twice(trainer)
        };
        let (here, there) = (lived("cpu"), lived("cuda"));
        let mut rewarded = 0;
        for (here, there) in here.1.iter().zip(&there.1) {
            assert_eq!(there.actions, here.actions);
            assert_eq!((&there.rewards, &there.terminated), (&here.rewards, &here.terminated));
            assert_eq!(there.truncated, here.truncated);
            assert_eq!((&there.episode_starts, &there.episodes), (&here.episode_starts, &here.episodes));
            assert_eq!(there.observations, here.observations);
            rewarded += here.rewards.iter().filter(|reward| **reward > 0.0).count();
            for (what, there, here) in [
                ("log-probabilities", &there.log_probs, &here.log_probs),
                ("distributions", &there.distributions, &here.distributions),
                ("values", &there.estimates.values, &here.estimates.values),
                ("final values", &there.estimates.final_values, &here.estimates.final_values),
                ("last values", &there.estimates.last_values, &here.estimates.last_values),
                ("states", &there.sequence_states, &here.sequence_states),
            ] {
                assert!(distance(there, here) < 2e-5, "{what}: {:e}", distance(there, here));
            }
        }
        assert!(rewarded > 0, "no reward: {env}");
        for name in ["charts/energy", "charts/episodic_return", "losses/total_loss"] {
            let [here, there] = [&here.0, &there.0].map(|metrics| metrics.get(name));
            // No episode has ended.
            if (here, there, name) == (None, None, "charts/episodic_return") {
                continue;
            }
            let (here, there) = (here.unwrap(), there.unwrap());
            assert!((here - there).abs() < 1e-4 * here.abs().max(1.0), "{name}: {there} for {here}");
        }
        // Environments, streams and memories are those of the CPU's workers, so that either goes on.
        for (here, there) in here.2.workers.iter().zip(&there.2.workers) {
            assert_eq!((&there.environments, &there.streams), (&here.environments, &here.streams));
            assert!(distance(&there.state, &here.state) < 2e-5);
        }
        let (_, _, saved, mut trainer) = there;
        let wanted = trainer.save().unwrap().parameters;
        trainer.restore(saved).unwrap();
        trainer.update().unwrap();
        assert_eq!(trainer.save().unwrap().parameters, wanted, "a restored run goes on with the same bits");
    }
}

#[test]
fn environments_on_the_cpu_step_with_the_network_on_the_device() {
    if !emulated("environments_on_the_cpu_step_with_the_network_on_the_device") {
        return;
    }
    let maze = "{ name = 'maze', size = 5, episode_length = 8 }";
    let chosen = "stpn', initial_rate = 0.5";
    for (env, policy, rest, why) in [
        (maze, "hidden = 4, cell = 'mlp'", "", "recurrent cells"),
        (
            maze,
            &format!(
                "hidden = 4, encoder = {{ name = 'mlp', sizes = [3, 3, 3, 3, 3] }}, cell = {{ name = '{chosen} }}"
            ),
            "",
            "more than four layers",
        ),
        (maze, "hidden = 4, critic = 'separate', cell = 'gru'", "", "policy.critic"),
        (maze, "hidden = 4, input_scale = 2.0, cell = 'stpn'", "", "policy.input_scale"),
        (maze, "hidden = 4, cell = 'lstm'", "normalization.observations = true", "normalization.observations"),
        // Given in advance, for they ignore actions: whole sequences, with starts of episodes within.
        ("{ name = 'memory' }", "hidden = 4, cell = 'backpropamine'", "", "this environment"),
        (
            "{ name = 'popgym', task = 'count-recall', antialias = true }",
            "hidden = 4, encoder = 'mlp', cell = 'stpn'",
            "",
            "",
        ),
        ("{ name = 'memory', delay = 2 }", "hidden = 4, critic = 'separate', cell = 'mlp'", "", ""),
        ("{ name = 'memory' }", "hidden = 4, cell = 'lstm'", "normalization.observations = true", ""),
        // Continuous actions, whose deviations no head puts out; episodes are cut off within a fragment.
        ("{ name = 'pendulum' }", "hidden = 4, cell = 'rnn'", "", "not choices"),
        ("{ name = 'cartpole' }", "hidden = 4, critic = 'separate', cell = 'mlp'", "", "recurrent cells"),
        ("{ name = 'cartpole' }", "hidden = 4, cell = 'gru'", "", "this environment"),
        (
            "{ name = 'popgym', task = 'repeat-previous', previous_action = true }",
            "hidden = 4, critic = 'separate', encoder = 'mlp', cell = 'gru'",
            "",
            "policy.critic",
        ),
    ] {
        let steps = if env.contains("pendulum") { 210 } else { 30 };
        let lived = |device: &str| {
            let text = format!(
                "training.device = '{device}'\nenv = {env}\npolicy = {{ {policy} }}\n{rest}
                 algorithm = {{ name = 'a2c' }}\nrollout = {{ environments = 5, steps = {steps}, sequence_length = 13 }}
                 log = {{ energy_skip_inputs = [0] }}\noptimizer = {{ epsilon = 1.0 }}"
            );
            let trainer = Trainer::new(&agent_config(&text)).unwrap();
            assert!(trainer.rollouts_here().is_some_and(|reason| device == "cpu" || reason.contains(why)), "{text}");
            updated_twice(trainer)
        };
        let (here, there) = (lived("cpu"), lived("cuda"));
        for (here, there) in here.1.iter().zip(&there.1) {
            assert_eq!(there.episode_starts, here.episode_starts, "{env}");
            for (what, there, here) in [
                ("log-probabilities", &there.log_probs, &here.log_probs),
                ("rewards", &there.rewards, &here.rewards),
                ("distributions", &there.distributions, &here.distributions),
                ("values", &there.estimates.values, &here.estimates.values),
                ("final values", &there.estimates.final_values, &here.estimates.final_values),
                ("last values", &there.estimates.last_values, &here.estimates.last_values),
                ("states", &there.sequence_states, &here.sequence_states),
            ] {
                assert!(distance(there, here) < 1e-4, "{env} {policy} {what}: {:e}", distance(there, here));
            }
        }
        for name in ["charts/energy", "losses/total_loss", "losses/grad_norm"] {
            let [here, there] = [&here.0, &there.0].map(|metrics| metrics.get(name).unwrap());
            assert!((here - there).abs() < 1e-3 * here.abs().max(1.0), "{env} {policy} {name}: {there} for {here}");
        }
        // The optimiser took the step of the CPU's.
        let (here, (_, _, saved, mut trainer)) = (here.2, there);
        assert!(distance(&saved.parameters, &here.parameters) < 1e-5, "{env} {policy}");
        assert!(distance(&saved.adam.first_moment, &here.adam.first_moment) < 1e-3, "{env} {policy}");
        assert_eq!(saved.adam.step, here.adam.step);
        let wanted = trainer.save().unwrap();
        trainer.restore(saved).unwrap();
        trainer.update().unwrap();
        let again = trainer.save().unwrap();
        assert_eq!(
            (again.parameters, again.adam),
            (wanted.parameters, wanted.adam),
            "a restored run has the same bits"
        );
    }
}

#[test]
fn rates_and_limits_of_plastic_synapses_hold_on_the_device() {
    if !emulated("rates_and_limits_of_plastic_synapses_hold_on_the_device") {
        return;
    }
    let trained = |device: &str| {
        let text = format!(
            "training.device = '{device}'\nenv = {{ name = 'maze', size = 5, episode_length = 8 }}
             policy = {{ hidden = 4, cell = {{ name = 'stpn', initial_rate = 0.5 }} }}
             optimizer = {{ epsilon = 1.0, learning_rate = 1.0, plasticity_rate = 30.0, max_decay = 0.3 }}
             algorithm = {{ name = 'a2c' }}\nrollout = {{ environments = 2, steps = 8 }}"
        );
        let mut trainer = Trainer::new(&agent_config(&text)).unwrap();
        trainer.update().unwrap();
        let decays = trainer.learner().layout().entries().find(|(name, ..)| *name == "cell.lambda").unwrap().2;
        let saved = trainer.save().unwrap();
        (saved.parameters[decays].to_vec(), saved.parameters)
    };
    let ((decays, here), (_, there)) = (trained("cpu"), trained("cuda"));
    assert!(decays.contains(&0.3), "the limit was reached");
    assert!(distance(&there, &here) < 1e-4, "{:e}", distance(&there, &here));
}

#[test]
fn an_agent_is_evaluated_on_the_device() {
    if !emulated("an_agent_is_evaluated_on_the_device") {
        return;
    }
    for policy in [
        "hidden = 5, cell = { name = 'stpn', initial_rate = 0.5 }",
        "hidden = 5, encoder = 'mlp', cell = 'mlp'",
        "hidden = 5, critic = 'separate', cell = 'lstm'",
        "hidden = 5, cell = { name = 'backpropamine', modulation = 'retroactive' }",
    ] {
        let text = format!(
            "env = {{ name = 'maze', size = 7, episode_length = 25 }}\npolicy = {{ {policy} }}
             algorithm = {{ name = 'a2c' }}\nlog = {{ energy_skip_inputs = [3] }}"
        );
        let config = agent_config(&text);
        let mut options = EvaluationOptions::new(20);
        options.energy_skip_inputs = config.log.energy_skip_inputs.clone();
        let measured = |device| Agent::new(&config).unwrap().on(device).unwrap().evaluate(&options).unwrap();
        let (here, there) = (measured(ComputeDevice::Cpu), measured(ComputeDevice::Cuda(0)));
        assert_eq!((&there.returns, &there.lengths), (&here.returns, &here.lengths), "{policy}");
        let [here, there] = [here, there].map(|evaluation| evaluation.energy_per_unit_step.unwrap());
        assert!(here > 0.0 && (here - there).abs() < 1e-4 * here, "{policy}: {there} for {here}");
    }
}
