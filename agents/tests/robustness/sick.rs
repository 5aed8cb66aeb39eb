//! Environments that fail in training.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use stpn_agents::config::EnvFailure;
use stpn_agents::run::Run;
use stpn_agents::training::Training;
use stpn_agents::{Error, RunConfig, Trainer, checkpoint};
use stpn_envs::{Action, Env, ObservationMut, Space, Step};
use stpn_random::Stream;

use crate::small;

/// What goes wrong in environment number 1.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Panic,
    Error,
    Reward,
    Observation,
    Hang,
}

/// Episodes of 8 steps of noise; the action is the reward.
struct Sick {
    fault: Option<(Fault, u64)>,
    observation_space: Space,
    action_space: Space,
    state: State,
}

#[derive(Serialize, Deserialize)]
struct State {
    stream: Stream,
    steps: u64,
}

impl Sick {
    fn new(fault: Option<(Fault, u64)>) -> Self {
        Self {
            fault,
            observation_space: Space::boxed(0.0, 1.0, [2]),
            action_space: Space::discrete(2),
            state: State { stream: Stream::from_seed(0), steps: 0 },
        }
    }

    fn observe(&mut self, observation: ObservationMut<'_>) -> stpn_envs::Result<()> {
        observation.f32(2)?.fill_with(|| self.state.stream.unit() as f32);
        Ok(())
    }
}

impl Env for Sick {
    fn name(&self) -> &str {
        "sick"
    }
    fn observation_space(&self) -> &Space {
        &self.observation_space
    }
    fn action_space(&self) -> &Space {
        &self.action_space
    }
    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> stpn_envs::Result<()> {
        if let Some(seed) = seed {
            self.state = State { stream: Stream::from_seed(seed), steps: 0 };
        }
        self.observe(observation)
    }
    fn step(&mut self, action: Action<'_>, mut observation: ObservationMut<'_>) -> stpn_envs::Result<Step> {
        let action = action.discrete(2)?;
        self.state.steps += 1;
        self.observe(observation.reborrow())?;
        let mut reward = action as f64;
        match self.fault {
            Some((fault, at)) if self.state.steps == at => match fault {
                Fault::None => {}
                Fault::Panic => panic!("the wheels came off"),
                Fault::Error => return Err(stpn_envs::state::refused("sick", "out of fuel")),
                Fault::Reward => reward = f64::NAN,
                Fault::Observation => observation.f32(2)?[1] = f32::NAN,
                Fault::Hang => std::thread::sleep(std::time::Duration::from_secs(3600)),
            },
            _ => {}
        }
        Ok(Step { reward, terminated: self.state.steps.is_multiple_of(8), ..Step::default() })
    }
    fn save_state(&self, bytes: &mut Vec<u8>) -> stpn_envs::Result<()> {
        stpn_envs::state::save("sick", &self.state, bytes)
    }
    fn restore_state(&mut self, bytes: &[u8]) -> stpn_envs::Result<()> {
        self.state = stpn_envs::state::restore("sick", bytes)?;
        Ok(())
    }
}

/// Trains in environments, of which number 1 has this fault in its `at`-th step.
fn sick(fault: Fault, at: u64) -> impl Fn(&RunConfig) -> stpn_agents::Result<Box<dyn Training>> {
    move |config| {
        let make = move |index| -> stpn_envs::Result<Box<dyn Env>> {
            Ok(Box::new(Sick::new((index == 1).then_some((fault, at)))))
        };
        Ok(Box::new(Trainer::with_environments(config.agent()?, make)?))
    }
}

/// Trains in environments that are well and evaluates in ones of which number 1 has this fault.
fn sick_in_evaluation(fault: Fault, at: u64) -> impl Fn(&RunConfig) -> stpn_agents::Result<Box<dyn Training>> {
    move |config| {
        let trained = AtomicBool::new(false);
        let make = move |index| -> stpn_envs::Result<Box<dyn Env>> {
            let evaluated = index == 1 && trained.fetch_or(true, Ordering::Relaxed);
            Ok(Box::new(Sick::new(evaluated.then_some((fault, at)))))
        };
        Ok(Box::new(Trainer::with_environments(config.agent()?, make)?))
    }
}

fn config(failure: EnvFailure, max_replacements: u64) -> RunConfig {
    let mut config = small::config();
    let RunConfig::Agent(agent) = &mut config else { panic!("an agent's") };
    agent.training.updates = 6;
    agent.checkpoint.every = 100;
    agent.rollout.env_failure = failure;
    if failure == EnvFailure::Replace {
        agent.rollout.max_replacements = max_replacements;
    }
    (agent.rollout.step_timeout, agent.rollout.environments) = (0.3, 24);
    config
}

fn start(directory: &Path, config: &RunConfig, fault: Fault, at: u64) -> Run {
    Run::start_with(config, directory, "test", sick(fault, at)).unwrap()
}

fn train(run: &mut Run) -> stpn_agents::Result<()> {
    run.train(|_, _| ControlFlow::Continue(())).map(|_| ())
}

/// Everything that training goes on from in the newest checkpoint, without what depends on the clock.
fn last(directory: &Path) -> Vec<Vec<u8>> {
    let (checkpoint, _) = checkpoint::newest(&directory.join("checkpoints")).unwrap();
    let shard = checkpoint::shard_name(0);
    let names = ["config.toml", "progress.json", "parameters.safetensors", "optimizer.safetensors", &shard];
    names.map(|name| std::fs::read(checkpoint.path.join(name)).unwrap()).to_vec()
}

fn undisturbed(directory: &Path) -> Vec<Vec<u8>> {
    let run = directory.join("undisturbed");
    train(&mut start(&run, &config(EnvFailure::Stop, 0), Fault::None, 0)).unwrap();
    last(&run)
}

/// Continues the run in environments that are well.
fn continue_healed(directory: &Path) -> Vec<Vec<u8>> {
    let (mut run, damaged) = Run::resume_with(directory, |_| {}, sick(Fault::None, 0)).unwrap();
    assert!(damaged.is_empty());
    train(&mut run).unwrap();
    last(directory)
}

#[test]
fn a_sick_environment_stops_the_run_with_a_checkpoint_of_the_state_before() {
    let directory = tempfile::tempdir().unwrap();
    let undisturbed = undisturbed(directory.path());
    for (fault, said) in [
        (Fault::Panic, "panicked: the wheels came off"),
        (Fault::Error, "out of fuel"),
        (Fault::Reward, "its reward is NaN"),
        (Fault::Observation, "element 1 of its observation is NaN"),
    ] {
        let run = directory.path().join(format!("{fault:?}"));
        let error = train(&mut start(&run, &config(EnvFailure::Stop, 0), fault, 25)).unwrap_err();
        assert!(matches!(error, Error::Environment(stpn_envs::Error::Worker { .. })), "{error}");
        let error = error.to_string();
        assert!(error.contains("environment 1 (`sick`, worker 0, seed") && error.contains("step 24"), "{error}");
        assert!(error.contains(said), "{error}");
        let (saved, _) = checkpoint::newest(&run.join("checkpoints")).unwrap();
        assert_eq!(saved.progress.update, 2, "the failing update is undone");
        assert!(continue_healed(&run) == undisturbed, "{fault:?}: continues as if nothing had been");
    }
}

#[test]
fn an_evaluation_that_fails_stops_the_run_with_a_checkpoint_of_the_policy_it_evaluated() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(EnvFailure::Stop, 0);
    let RunConfig::Agent(agent) = &mut config else { panic!("an agent's") };
    (agent.evaluation.every, agent.evaluation.episodes) = (3, 4);
    let path = directory.path().join("undisturbed");
    train(&mut start(&path, &config, Fault::None, 0)).unwrap();
    let undisturbed = last(&path);
    let path = directory.path().join("run");
    let mut run = Run::start_with(&config, &path, "test", sick_in_evaluation(Fault::Panic, 5)).unwrap();
    let error = train(&mut run).unwrap_err().to_string();
    assert!(error.contains("environment 1 (`sick`, worker 0, seed") && error.contains("step 4"), "{error}");
    assert!(error.contains("the wheels came off"), "{error}");
    drop(run);
    let (saved, _) = checkpoint::newest(&path.join("checkpoints")).unwrap();
    assert_eq!(saved.progress.update, 2, "the update beside the failing evaluation is undone");
    assert!(continue_healed(&path) == undisturbed);
}

#[test]
fn a_sick_environment_is_replaced_where_that_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    // Fails and is replaced again and again: steps 11, 22, 33, 44, 55 of 60.
    let config = config(EnvFailure::Replace, 10);
    let mut results = Vec::new();
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let run = directory.path().join(format!("{threads}"));
        pool.install(|| {
            let mut training = start(&run, &config, Fault::Panic, 11);
            let mut replaced = Vec::new();
            let observe = |_: &dyn Training, metrics: &stpn_agents::Metrics| {
                replaced.extend(metrics.get("charts/env_replacements"));
                // Half of it in a process of its own.
                if replaced.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            training.train(observe).unwrap();
            assert_eq!(replaced, [0.0, 1.0, 2.0]);
            drop(training);
            let (mut training, _) = Run::resume_with(&run, |_| {}, sick(Fault::Panic, 11)).unwrap();
            train(&mut training).unwrap();
        });
        results.push(last(&run));
    }
    let whole = directory.path().join("whole");
    train(&mut start(&whole, &config, Fault::Panic, 11)).unwrap();
    results.push(last(&whole));
    assert!(results[0] == results[1] && results[0] == results[2], "threads and interruptions change nothing");
}

#[test]
fn replacing_has_a_cap() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    let error = train(&mut start(&run, &config(EnvFailure::Replace, 2), Fault::Error, 11)).unwrap_err().to_string();
    assert!(error.contains("environment 1 (`sick`") && error.contains("2 environments were replaced"), "{error}");
    let (saved, _) = checkpoint::newest(&run.join("checkpoints")).unwrap();
    assert_eq!(saved.progress.update, 3);
}

/// The test runs itself as the process that has to end.
#[test]
fn a_hang_ends_the_process_with_a_checkpoint_and_names_the_environment() {
    const CHILD: &str = "STPN_TEST_HANG_IN";
    if let Some(directory) = std::env::var_os(CHILD) {
        let mut run = start(Path::new(&directory), &config(EnvFailure::Stop, 0), Fault::Hang, 25);
        run.on_hang(|error| {
            eprintln!("{error}");
            std::process::exit(7);
        });
        train(&mut run).unwrap();
        panic!("nothing hung");
    }
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    let name = "sick::a_hang_ends_the_process_with_a_checkpoint_and_names_the_environment";
    let mut child = Command::new(std::env::current_exe().unwrap());
    let output = child.args(["--exact", name, "--nocapture"]).env(CHILD, &run).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{error}");
    assert!(error.contains("environment 1 (`sick`, worker 0, seed") && error.contains("step 24"), "{error}");
    assert!(error.contains("has not returned for 0.3 s"), "{error}");
    let (saved, _) = checkpoint::newest(&run.join("checkpoints")).unwrap();
    assert_eq!(saved.progress.update, 2);
    assert!(continue_healed(&run) == undisturbed(directory.path()));
}
