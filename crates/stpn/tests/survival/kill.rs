//! A run that is killed again and again ends as the one that never was: parameters, metrics and event files.

use std::fs;
use std::path::Path;
use std::time::Duration;

use stpn_random::{Purpose, Stream};

use crate::binary::{depends_on_the_clock, metrics, stpn};
use crate::events;
use crate::run::{TRAIN, arguments, newest, start};

const KILLS: u64 = 20;

fn writes_a_checkpoint(run: &Path) -> bool {
    let Ok(mut names) = fs::read_dir(run.join("checkpoints")) else { return false };
    names.any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().ends_with(".partial")))
}

#[test]
fn a_run_killed_twenty_times_ends_as_if_it_had_not_been() {
    let directory = tempfile::tempdir().unwrap();
    let (whole, killed) = (directory.path().join("whole"), directory.path().join("killed"));
    let mut stream = Stream::new(std::process::id().into(), Purpose::Test, 0);
    let mut writing = 0;
    for kill in 0..KILLS {
        // Killed before its configuration was written, a run has nothing to resume.
        let mut child = if killed.join("config.toml").exists() {
            start("resume RUN --updates 1000000", &killed)
        } else {
            start(&format!("{TRAIN} --updates 1000000"), &killed)
        };
        let before = newest(&killed).unwrap_or(0);
        if kill % 4 > 0 {
            // Some way into the run, not its start alone.
            while newest(&killed).unwrap_or(0) < before + 3 && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        std::thread::sleep(Duration::from_micros(stream.below(30_000) as u64));
        while kill % 2 == 1 && !writes_a_checkpoint(&killed) && child.try_wait().unwrap().is_none() {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_none(), "life {kill} ended by itself: {error}");
        assert!(!error.contains("damaged"), "a kill damaged a checkpoint: {error}");
        writing += u64::from(writes_a_checkpoint(&killed));
    }
    let updates = newest(&killed).unwrap_or(0) + 3;
    let resumed = stpn(&arguments(&format!("resume RUN --updates {updates}"), &killed));
    assert!(resumed.status.success(), "{}", resumed.error);
    let trained = stpn(&arguments(&format!("{TRAIN} --updates {updates}"), &whole));
    assert!(trained.status.success(), "{}", trained.error);
    println!("{KILLS} kills within {updates} updates, {writing} of them while a checkpoint was written");
    assert!(writing > 0, "no kill hit a checkpoint");

    assert_eq!(metrics(&whole).len() as u64, updates);
    assert_eq!(metrics(&whole), metrics(&killed));
    let last = format!("checkpoints/update-{updates:08}");
    for name in ["parameters.safetensors", "optimizer.safetensors", "workers-00000.safetensors", "progress.json"] {
        let read = |run: &Path| fs::read(run.join(&last).join(name)).unwrap();
        assert!(read(&whole) == read(&killed), "{name} differs");
    }
    let expected = events::read(&whole);
    assert_eq!(expected.scalars["charts/learning_rate"].len() as u64, updates);
    let events = events::read(&killed);
    assert_eq!(events.scalars.keys().collect::<Vec<_>>(), expected.scalars.keys().collect::<Vec<_>>());
    for (tag, values) in expected.scalars.iter().filter(|(tag, _)| !depends_on_the_clock(tag)) {
        assert_eq!(&events.scalars[tag], values, "{tag}");
    }
    assert_eq!(events.histograms, expected.histograms);
    // That its length was changed on resume is told beside them.
    let texts = events.texts.iter().filter(|(tag, _)| !tag.starts_with("changes/"));
    assert!(texts.eq(&expected.texts));
    let leftovers = fs::read_dir(killed.join("checkpoints")).unwrap().map(|entry| entry.unwrap().file_name());
    let leftovers: Vec<_> = leftovers.filter(|name| name.to_string_lossy().starts_with('.')).collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
}
