//! The same training however it is cut up.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::binary::{metrics, stpn};
use crate::{ENVIRONMENTS, configure, words};

/// Processes that this one started and that are still there.
fn children(process: u32) -> Vec<u32> {
    let parent = |stat: &str| stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|id| {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            parent(&stat) == Some(process)
        })
        .collect()
}

/// Whether they all end before long.
fn all_end(processes: &[u32]) -> bool {
    let start = Instant::now();
    // A process that ended and is not waited for by anybody here has no command line.
    let runs = |id: &u32| std::fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| !line.is_empty());
    while processes.iter().any(runs) {
        // One that is still starting notices once Python has begun, which a busy machine takes its time for.
        if start.elapsed() > Duration::from_secs(60) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

fn started(arguments: &[String]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stpn"));
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn a_maze_in_python_trains_the_same_on_any_workers_and_after_kills() {
    let folder = tempfile::tempdir().unwrap();
    for kwargs in ["kwargs = { hooks = true }", "kwargs = { hooks = false }"] {
        let config = configure(folder.path(), &format!("make = '{ENVIRONMENTS}:Maze', {kwargs}"));
        let run = |name: &str| folder.path().join(format!("{name}{}", kwargs.len()));
        let train = |workers: usize, name: &str| {
            let line = format!("train {config} --set env.workers={workers} --run-dir");
            words(&line, &[&run(name)])
        };
        let (one, four) = (stpn(&train(1, "one")), stpn(&train(4, "four")));
        assert!(one.status.success() && four.status.success(), "{}{}", one.error, four.error);
        let expected = metrics(&run("one"));
        assert_eq!(expected.len(), 20);
        assert_eq!(metrics(&run("four")), expected);

        let mut running = started(&train(2, "killed"));
        // At instants that differ from run to run, the first before there is a checkpoint.
        for number in 0..30 {
            let pause = 150 + (std::process::id() as u64 * 7919 + number * 5303) % 2500;
            std::thread::sleep(Duration::from_millis(pause));
            if running.try_wait().unwrap().is_some_and(|status| status.success()) {
                break;
            }
            let workers = children(running.id());
            running.kill().unwrap();
            running.wait().unwrap();
            assert!(all_end(&workers), "workers outlive the program that was killed");
            let begun = run("killed").join("config.toml").exists();
            let again = words("resume --trust-env-code", &[&run("killed")]);
            running = started(&if begun { again } else { train(2, "killed") });
        }
        assert!(running.wait().unwrap().success());
        assert_eq!(metrics(&run("killed")), expected);
    }
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn episodes_that_are_played_again_resume_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    for id in ["LunarLander-v3", "InvertedPendulum-v5"] {
        let config = configure(folder.path(), &format!("id = '{id}'"));
        let run = |name: &str| folder.path().join(format!("{name}-{id}"));
        let train = |updates: u64, name: &str| {
            // What is for choices alone would be refused of the pendulum.
            let line = format!(
                "train {config} --set algorithm.concentration_coefficient=0 --set optimizer.learning_rate=3e-3 --updates {updates} --run-dir"
            );
            let trained = stpn(&words(&line, &[&run(name)]));
            assert!(trained.status.success(), "{}", trained.error);
        };
        train(9, "whole");
        train(4, "cut");
        let resumed = stpn(&words("resume --updates 9", &[&run("cut")]));
        assert!(resumed.status.success(), "{}", resumed.error);
        assert_eq!(metrics(&run("cut")), metrics(&run("whole")), "{id}");
    }
}

/// Files in shared memory that the workers of a process have.
fn segments(process: u32) -> Vec<String> {
    let maps = children(process).into_iter().filter_map(|id| std::fs::read_to_string(format!("/proc/{id}/maps")).ok());
    let lines: Vec<String> = maps.flat_map(|maps| maps.lines().map(String::from).collect::<Vec<_>>()).collect();
    // Device and inode, then what Linux shows of a file without a name.
    lines
        .iter()
        .filter(|line| line.contains("/dev/shm/#"))
        .filter_map(|line| Some(line.splitn(4, ' ').nth(3)?.into()))
        .collect()
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn two_runs_at_once_share_no_segment_and_go_as_each_alone() {
    let folder = tempfile::tempdir().unwrap();
    let config = configure(folder.path(), &format!("make = '{ENVIRONMENTS}:Maze', workers = 2"));
    let train = |name: &str| words(&format!("train {config} --run-dir"), &[&folder.path().join(name)]);
    assert!(stpn(&train("alone")).status.success());
    let mut both = ["one", "other"].map(|name| started(&train(name)));
    let mut seen = [Vec::new(), Vec::new()];
    while both.iter_mut().any(|run| run.try_wait().unwrap().is_none()) {
        for (seen, run) in seen.iter_mut().zip(&both) {
            seen.extend(segments(run.id()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(seen.iter().all(|segments| !segments.is_empty()), "no segment was seen");
    assert!(seen[0].iter().all(|segment| !seen[1].contains(segment)), "{seen:?}");
    let alone = metrics(&folder.path().join("alone"));
    assert!(["one", "other"].iter().all(|name| metrics(&folder.path().join(name)) == alone));
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn an_end_that_is_asked_for_leaves_no_worker() {
    let folder = tempfile::tempdir().unwrap();
    let config = configure(folder.path(), "id = 'CartPole-v1'");
    let run = folder.path().join("run");
    let mut running = started(&words(&format!("train {config} --updates 100000 --run-dir"), &[&run]));
    let start = Instant::now();
    while !run.join("metrics.jsonl").exists() || children(running.id()).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60), "nothing was trained");
        std::thread::sleep(Duration::from_millis(50));
    }
    let workers = children(running.id());
    let interrupted = Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    assert_eq!(running.wait().unwrap().code(), Some(130));
    assert!(all_end(&workers));
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn what_cannot_be_saved_begins_new_episodes_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let config = configure(folder.path(), &format!("make = '{ENVIRONMENTS}:Unsavable'"));
    let run = folder.path().join("run");
    let trained = stpn(&words(&format!("train {config} --updates 3 --run-dir"), &[&run]));
    assert!(trained.status.success(), "{}", trained.error);
    let resumed = stpn(&words("resume --trust-env-code --updates 6", &[&run]));
    assert!(resumed.status.success(), "{}", resumed.error);
    assert!(resumed.error.contains("cannot be saved: they begin new episodes"), "{}", resumed.error);
    assert_eq!(metrics(&run).len(), 6);
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn pictures_are_gymnasiums_and_check_env_tells_all() {
    let folder = tempfile::tempdir().unwrap();
    let config = configure(folder.path(), "id = 'CartPole-v1'");
    let (run, film) = (folder.path().join("run"), folder.path().join("film.gif"));
    let trained = stpn(&words(&format!("train {config} --updates 1 --run-dir"), &[&run]));
    assert!(trained.status.success(), "{}", trained.error);
    let played = stpn(&words("play --frames 5 --gif", &[&film, &run]));
    assert!(played.status.success(), "{}", played.error);
    let bytes = std::fs::read(&film).unwrap();
    // 600 × 400, as Gymnasium draws it.
    assert_eq!(&bytes[..10], b"GIF89a\x58\x02\x90\x01");
    let page = folder.path().join("report.html");
    let drawn = stpn(&words("report --out", &[&page, &run]));
    assert!(drawn.status.success(), "{}", drawn.error);
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains("Pictures of an episode") && page.matches("data:image/png").count() >= 6, "{}", page.len());

    let checked = stpn(&words("check-env gym CartPole-v1", &[]));
    for said in ["14 of 14 checks passed", "ok      Gymnasium's own check_env", "saved by pickle", "through us"] {
        assert!(checked.output.contains(said), "{said}: {}{}", checked.output, checked.error);
    }
}
