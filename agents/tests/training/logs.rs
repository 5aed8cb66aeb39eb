//! What a run's logs hold: nothing is lost between entries or by resuming, and schedules know how long the run is.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};
use stpn_agents::collective::Collective;
use stpn_agents::metrics::depends_on_the_clock;
use stpn_agents::run::Run;
use stpn_agents::{Metrics, RunConfig, Trainer};

/// Short episodes, so that several end in one update and none in another; evaluations that fall between entries.
const TEXT: &str = "
    env = { name = 'cartpole' }
    rollout = { environments = 3, steps = 11 }
    policy = { hidden = 5, cell = { name = 'lstm' } }
    algorithm = { name = 'ppo', epochs = 2, minibatch_size = 11 }
    optimizer = { learning_rate = { initial = 1e-2, last = 0.0 } }
    training = { updates = 10 }
    evaluation = { every = 3, episodes = 2 }
    checkpoint = { every = 100 }
    log = { every = 4 }";

fn config(text: &str) -> RunConfig {
    RunConfig::from_table(text.parse().unwrap()).unwrap()
}

fn lines(run: &Path) -> Vec<Map<String, Value>> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn timeless(run: &Path) -> Vec<Map<String, Value>> {
    let mut lines = lines(run);
    lines.iter_mut().for_each(|line| line.retain(|key, _| !depends_on_the_clock(key)));
    lines
}

/// Trains up to `stop`, or to the end; returns every update's metrics.
fn train(run: &mut Run, stop: u64) -> Vec<Metrics> {
    let mut seen = Vec::new();
    run.train(|training, metrics| {
        seen.push(metrics.clone());
        if training.progress().update == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    seen
}

#[test]
fn logging_lost_what_happened_between_entries() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let mut run = Run::start(&config(TEXT), &path, "test").unwrap();
    let updates = train(&mut run, u64::MAX);
    let lines = lines(&path);
    let number = |line: &Map<String, Value>, key: &str| line.get(key).and_then(Value::as_f64);
    let of: Vec<_> =
        lines.iter().map(|line| (line["update"].as_u64().unwrap(), line["updates"].as_u64().unwrap())).collect();
    // Entries of four updates, evaluations by themselves, and what was left over.
    assert_eq!(of, [(3, 0), (4, 4), (6, 0), (8, 4), (9, 0), (10, 2)]);
    assert_eq!(lines.last().unwrap()["tail"], true);
    for (update, metrics) in updates.iter().enumerate().map(|(i, metrics)| (i as u64 + 1, metrics)) {
        let line = lines.iter().find(|line| line["update"] == update);
        let logged = line.and_then(|line| number(line, "eval/episodic_return"));
        assert_eq!(logged, metrics.get("eval/episodic_return"), "the evaluation of update {update}");
    }
    let mut first = 0;
    for line in lines.iter().filter(|line| line["updates"] != 0) {
        let last = line["update"].as_u64().unwrap() as usize;
        let part = &updates[first..last];
        let episodes: f64 = part.iter().filter_map(|m| m.get("charts/episodes")).sum();
        assert_eq!(number(line, "charts/episodes"), Some(episodes));
        let weighted = |m: &Metrics| Some(m.get("charts/episodic_return")? * m.get("charts/episodes")?);
        let expected = part.iter().filter_map(weighted).sum::<f64>() / episodes;
        assert!(
            (number(line, "charts/episodic_return").unwrap() - expected).abs() < 1e-9,
            "every episode weighs as much"
        );
        let loss = part.iter().filter_map(|m| m.get("losses/value_loss")).sum::<f64>() / part.len() as f64;
        assert!((number(line, "losses/value_loss").unwrap() - loss).abs() < 1e-9 * loss.abs().max(1.0));
        assert_eq!(number(line, "charts/learning_rate"), part.last().unwrap().get("charts/learning_rate"));
        first = last;
    }
    assert_eq!(first, updates.len());
}

#[test]
fn resuming_between_entries_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (whole, parts) = (directory.path().join("whole"), directory.path().join("parts"));
    train(&mut Run::start(&config(TEXT), &whole, "test").unwrap(), u64::MAX);
    train(&mut Run::start(&config(TEXT), &parts, "test").unwrap(), 3);
    for stop in [6, 7, u64::MAX] {
        train(&mut Run::resume(&parts, |_| {}).unwrap().0, stop);
    }
    assert_eq!(timeless(&whole), timeless(&parts));
    let progress = |run: &Path| fs::read(run.join("checkpoints/update-00000010/progress.json")).unwrap();
    assert_eq!(progress(&whole), progress(&parts));
    // Nothing is left to do: what was left over is there again.
    train(&mut Run::resume(&parts, |_| {}).unwrap().0, u64::MAX);
    assert_eq!(timeless(&whole), timeless(&parts));
}

#[test]
fn seconds_began_again_at_zero_after_resume() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let text = TEXT.replace("every = 4", "every = 1");
    let pause = |training: &dyn stpn_agents::Training, _: &Metrics| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        if training.progress().update == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    Run::start(&config(&text), &path, "test").unwrap().train(pause).unwrap();
    Run::resume(&path, |_| {}).unwrap().0.train(pause).unwrap();
    let seconds: Vec<f64> = lines(&path).iter().map(|line| line["time/elapsed_seconds"].as_f64().unwrap()).collect();
    assert_eq!(seconds.len(), 10);
    assert!(seconds.windows(2).all(|pair| pair[0] < pair[1]), "{seconds:?}");
    assert!(seconds[9] > 0.35, "{seconds:?}");
}

#[test]
fn the_last_fifty_updates_were_those_in_which_an_episode_ended() {
    let text = TEXT.replace("updates = 10", "updates = 60").replace("every = 3, episodes = 2", "every = 0");
    let RunConfig::Agent(config) = config(&text) else { panic!("an agent's") };
    let mut trainer = Trainer::new(&config).unwrap();
    let mut ended = Vec::new();
    for _ in 0..60 {
        let metrics = trainer.update().unwrap();
        let episodes = metrics.get("charts/episodes").unwrap();
        ended.push((episodes, metrics.get("charts/episodic_return").unwrap_or(0.0) * episodes));
        let last = &ended[ended.len().saturating_sub(50)..];
        let (episodes, returns) = last.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let expected = (episodes > 0.0).then(|| returns / episodes);
        let recent = metrics.get("charts/episodic_return_recent");
        assert_eq!(recent.is_some(), expected.is_some());
        assert!((recent.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() < 1e-9, "{recent:?} {expected:?}");
    }
    assert!(ended.iter().any(|(episodes, _)| *episodes == 0.0), "the case did not come up");
    assert_eq!(trainer.progress().recent.len(), 50);
}

fn rates(metrics: &[Metrics]) -> Vec<f64> {
    metrics.iter().map(|metrics| metrics.get("charts/learning_rate").unwrap()).collect()
}

fn line(updates: u64, range: std::ops::Range<u64>) -> Vec<f64> {
    range.map(|done| 1e-2 * (1.0 - done as f64 / updates as f64)).collect()
}

fn assert_close(rates: &[f64], expected: &[f64]) {
    assert_eq!(rates.len(), expected.len());
    assert!(rates.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{rates:?} {expected:?}");
}

#[test]
fn a_schedule_ended_long_before_or_after_its_run() {
    let directory = tempfile::tempdir().unwrap();
    for updates in [4, 10] {
        let text = TEXT.replace("updates = 10", &format!("updates = {updates}"));
        let path = directory.path().join(updates.to_string());
        assert_close(
            &rates(&train(&mut Run::start(&config(&text), &path, "").unwrap(), u64::MAX)),
            &line(updates, 0..updates),
        );
    }
    // More updates on resume: from there on as in a run of that length.
    let (mut run, _) = Run::resume(&directory.path().join("4"), |config| config.training_mut().updates = 8).unwrap();
    assert_close(&rates(&train(&mut run, u64::MAX)), &line(8, 4..8));
    // A horizon of its own is kept.
    let text = TEXT.replace("last = 0.0", "last = 0.0, horizon = 165");
    let path = directory.path().join("horizon");
    let seen = rates(&train(&mut Run::start(&config(&text), &path, "").unwrap(), u64::MAX));
    assert_close(&seen[..6], &[line(5, 0..5), vec![0.0]].concat());
}

/// Two ranks of which the other does as this one.
#[derive(Debug)]
struct Twins;

impl Collective for Twins {
    fn rank(&self) -> usize {
        0
    }
    fn size(&self) -> usize {
        2
    }
    fn sum_f32(&self, values: &mut [f32]) {
        values.iter_mut().for_each(|value| *value *= 2.0);
    }
    fn sum_f64(&self, values: &mut [f64]) {
        values.iter_mut().for_each(|value| *value *= 2.0);
    }
    fn gather_f32(&self, values: &[f32]) -> Vec<Vec<f32>> {
        vec![values.to_vec(); 2]
    }
    fn gather_bytes(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        vec![bytes.to_vec(); 2]
    }
    fn barrier(&self) {}
    fn abort(&self, code: i32) -> ! {
        std::process::exit(code)
    }
}

#[test]
fn several_ranks_reached_the_end_of_a_schedule_sooner() {
    let RunConfig::Agent(config) =
        config(&TEXT.replace("name = 'ppo', epochs = 2, minibatch_size = 11", "name = 'a2c'"))
    else {
        panic!("an agent's")
    };
    let mut trainer = Trainer::on_ranks(&config, Arc::new(Twins)).unwrap();
    let metrics: Vec<Metrics> = (0..10).map(|_| trainer.update().unwrap()).collect();
    assert_close(&rates(&metrics), &line(10, 0..10));
    assert_eq!(trainer.progress().env_steps, 10 * 2 * 33, "steps are those of both");
}
