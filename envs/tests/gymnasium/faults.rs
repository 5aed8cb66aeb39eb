//! Environments that break: named, and survived where they are replaced.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stpn_envs::gymnasium::GymnasiumConfig;
use stpn_envs::vector::{ActionRows, Maker, OnFailure};
use stpn_envs::{Action, EnvConfig, EnvGroup, Space};

use crate::{Played, ours};

/// Every fault, and what is said of it.
const FAULTS: [(&str, &str); 8] = [
    ("exception", "RuntimeError: the robot fell over"),
    ("exit", "ended with exit code 3"),
    ("hang", "it has not returned for 1.0 s (rollout.step_timeout), and was killed"),
    ("nan", "element 1 of its observation is NaN"),
    ("shape", "an observation has the shape (3,), where Box"),
    ("dtype", "an observation has the dtype <U1, where Box"),
    ("segfault", "ended by signal 11, a segmentation fault"),
    ("leak", "more than env.memory_limit = 1024"),
];

fn faulty(fault: &str, flag: &Path) -> GymnasiumConfig {
    let kwargs = serde_json::json!({ "fault": fault, "flag": flag.to_string_lossy() });
    GymnasiumConfig { memory_limit: if fault == "leak" { 1024 } else { 0 }, ..ours("Faulty", kwargs) }
}

fn group(config: &GymnasiumConfig) -> (EnvGroup, Maker) {
    let hangs = config.kwargs["fault"] == "hang";
    let env = EnvConfig::Gymnasium(config.clone());
    let make: Maker = Arc::new(move |_| env.make());
    let mut group = EnvGroup::new(&|index| make(index), 4, 3, 1).unwrap();
    group.set_call_limit(Some(Duration::from_secs(if hangs { 1 } else { 60 })));
    (group, make)
}

/// Steps with actions that break the environment in the middle alone.
fn breaking(space: &Space) -> ActionRows {
    let mut actions = ActionRows::of(space);
    [0, 1, 0].into_iter().for_each(|choice| actions.push(Action::Discrete(choice)));
    actions
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn every_fault_is_named_with_its_environment() {
    for (fault, said) in FAULTS {
        let folder = tempfile::tempdir().unwrap();
        let mut played = Played::of(group(&faulty(fault, &folder.path().join("flag"))).0);
        let actions = breaking(played.group.action_space());
        let (start, mut failed) = (Instant::now(), None);
        for _ in 0..300 {
            if let Err(error) = played.step_with(&actions) {
                failed = Some(error.to_string());
                break;
            }
        }
        let error = failed.unwrap_or_else(|| panic!("{fault}: nothing failed"));
        assert!(error.contains(said), "{fault}: {error}");
        assert!(error.contains("environments.py:Faulty") && error.contains("seed "), "{fault}: {error}");
        // Whichever of its process comes first tells of a death.
        let shared = error.contains("it shared a process");
        assert!(shared || error.contains("environment 5 "), "{fault}: {error}");
        assert!(start.elapsed() < Duration::from_secs(50), "{fault}");
    }
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn every_fault_is_survived_where_environments_are_replaced() {
    for (fault, said) in FAULTS {
        let folder = tempfile::tempdir().unwrap();
        let (mut group, make) = group(&faulty(fault, &folder.path().join("flag")));
        group.set_on_failure(OnFailure::Replace { make, cap: 10 });
        let mut played = Played::of(group);
        let actions = breaking(played.group.action_space());
        for number in 0..300 {
            played.step_with(&actions).unwrap_or_else(|error| panic!("{fault}, step {number}: {error}"));
            for &row in played.group.replaced() {
                assert!(played.truncated[row] && !played.terminated[row], "{fault}");
            }
        }
        let failures: Vec<String> = played.group.drain_failures().map(|error| error.to_string()).collect();
        assert!((1..=3).contains(&failures.len()), "{fault}: {failures:?}");
        assert!(failures.iter().any(|failure| failure.contains(said)), "{fault}: {failures:?}");
    }
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn a_process_that_ends_takes_nothing_of_the_file_with_it() {
    let names = || {
        let entries = std::fs::read_dir("/dev/shm").into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("stpn-envs-")).collect::<BTreeSet<_>>()
    };
    // A program that was killed in the moment in which its file had a name has left it.
    let left = names();
    // Other tests run beside this one, and theirs have a name for a moment.
    let none = || {
        let mut looks = (0..100).map(|_| {
            std::thread::sleep(Duration::from_millis(20));
            names()
        });
        assert!(looks.any(|names| names.is_subset(&left)), "a shared file keeps its name");
    };
    let folder = tempfile::tempdir().unwrap();
    let mut played = Played::of(group(&faulty("segfault", &folder.path().join("flag"))).0);
    none();
    let actions = breaking(played.group.action_space());
    while played.step_with(&actions).is_ok() {}
    none();
}
