//! Training and evaluation on a CUDA device that is emulated on the CPU.
#![cfg(all(feature = "cuda-shim", target_os = "linux"))]

use std::fs;
use std::path::Path;
use std::process::Command;

use stpn_core::NUMERICS;

use crate::binary::{Finished, finished, metrics, small};

/// Runs `stpn` with the emulated driver.
fn run(arguments: &[String], cache: &Path, faults: &[(&str, &str)]) -> Finished {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stpn"));
    command.args(arguments).env("LD_LIBRARY_PATH", stpn_cuda::shim::EMULATED_DRIVER).env("XDG_CACHE_HOME", cache);
    finished(command.envs(faults.iter().copied()))
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(String::from).collect()
}

#[test]
fn a_run_on_the_device_goes_on_bit_for_bit_and_also_on_the_cpu() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, whole, parts) =
        (directory.path().join("cache"), directory.path().join("whole"), directory.path().join("parts"));
    let train = |updates: u64, run: &Path| {
        small(
            &format!(
                "train maze-small --device cuda --updates {updates} --set rollout.steps=20 --set \
                     env.episode_length=20 --set checkpoint.every=2"
            ),
            run,
        )
    };
    let go = |arguments: &[String]| {
        let done = run(arguments, &cache, &[]);
        assert!(done.status.success(), "{}", done.error);
        done
    };
    go(&train(4, &whole));
    go(&train(2, &parts));
    let config = fs::read_to_string(parts.join("config.toml")).unwrap();
    let there = 1000 * stpn_cuda::NUMERICS + NUMERICS;
    assert!(config.starts_with(&format!("# numerics {there}\n")) && config.contains("device = \"cuda\""), "{config}");
    let copied = directory.path().join("copied");
    copy(&parts, &copied);
    let resumed = go(&words(&format!("resume {} --updates 4", parts.display())));
    assert!(!resumed.error.contains("another arithmetic"), "{}", resumed.error);
    assert_eq!(metrics(&parts), metrics(&whole));
    let parameters = |run: &Path| fs::read(run.join("checkpoints/update-00000004/parameters.safetensors")).unwrap();
    assert_eq!(parameters(&parts), parameters(&whole));

    // On the CPU it goes on too, which is said.
    let here = go(&words(&format!("resume {} --updates 4 --device cpu", copied.display())));
    assert!(here.error.contains(&format!("number {there}")) && here.error.contains("bit for bit"), "{}", here.error);
    let config = fs::read_to_string(copied.join("config.toml")).unwrap();
    assert!(config.starts_with(&format!("# numerics {NUMERICS}\n")), "{config}");
    let evaluated = |device: &str| {
        let done = go(&words(&format!("eval {} --episodes 3 --json{device}", whole.display())));
        serde_json::from_str::<serde_json::Value>(&done.output).unwrap()
    };
    let (here, there) = (evaluated(""), evaluated(" --device cuda"));
    assert_eq!(here["mean_return"], there["mean_return"]);
    let [here, there] = [here, there].map(|measured| measured["energy_per_unit_step"].as_f64().unwrap());
    assert!((here - there).abs() < 1e-4 * here && here != there, "measured in two places: {here}, {there}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let to = to.join(from.file_name().unwrap());
        if from.is_dir() { copy(&from, &to) } else { assert!(fs::copy(&from, &to).is_ok()) }
    }
}

#[test]
fn a_device_that_fails_leaves_the_last_good_state() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, run_dir) = (directory.path().join("cache"), directory.path().join("run"));
    let line = "train maze-small --device cuda --updates 2 --set rollout.steps=20 --set env.episode_length=20";
    let arguments = small(line, &run_dir);
    let failed = run(&arguments, &cache, &[("STPN_EMULATED_FAILING_KERNEL", "plastic_backward")]);
    assert_eq!(failed.status.code(), Some(1), "{}", failed.error);
    assert!(failed.error.contains("unspecified launch failure"), "{}", failed.error);
    assert!(run_dir.join("checkpoints/update-00000000/manifest.json").exists());
    let resumed = run(&words(&format!("resume {}", run_dir.display())), &cache, &[]);
    assert!(resumed.status.success(), "{}", resumed.error);
    assert_eq!(metrics(&run_dir).len(), 2);

    for (fault, message) in [
        (("STPN_EMULATED_DEVICES", "0"), "no CUDA device 0: there are 0"),
        (("STPN_EMULATED_VERSION", "11040"), "serves CUDA 11.4"),
        (("STPN_EMULATED_MEMORY", "60000"), "sequences would fit"),
    ] {
        let other = directory.path().join(fault.0);
        let refused = run(&small(line, &other), &cache, &[fault]);
        assert_eq!(refused.status.code(), Some(1), "{}", refused.error);
        assert!(refused.error.contains(message), "{}", refused.error);
    }
    let composed = small(&format!("{line} --kernel composed"), &directory.path().join("composed"));
    let refused = run(&composed, &cache, &[]);
    assert_eq!(refused.status.code(), Some(2), "{}", refused.error);
    assert!(refused.error.contains("training.device to \"cpu\""), "{}", refused.error);
    let composed = words("train art --device cuda --kernel composed");
    let refused = run(&composed, &cache, &[]);
    assert_eq!(refused.status.code(), Some(2), "{}", refused.error);
    assert!(refused.error.contains("training.device to \"cpu\""), "{}", refused.error);
}

#[test]
fn a_supervised_run_on_the_device_goes_on_bit_for_bit_and_is_measured_on_the_cpu() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, whole, parts) =
        (directory.path().join("cache"), directory.path().join("whole"), directory.path().join("parts"));
    let train = |updates: u64, run: &Path| {
        let line = format!(
            "train art --cell stpn --hidden 4 --device cuda --updates {updates} --set task.training_sequences=32 --set \
             task.validation_sequences=8 --set task.test_sequences=8 --set task.batch_size=16 --run-dir {}",
            run.display()
        );
        words(&line)
    };
    let go = |arguments: &[String]| {
        let done = run(arguments, &cache, &[]);
        assert!(done.status.success(), "{}", done.error);
        done
    };
    let said = go(&train(3, &whole)).error;
    assert!(said.contains("the network is on cuda, which is given whole batches"), "{said}");
    go(&train(2, &parts));
    let config = fs::read_to_string(parts.join("config.toml")).unwrap();
    assert!(config.starts_with(&format!("# numerics {}\n", 1000 * stpn_cuda::NUMERICS + NUMERICS)), "{config}");
    go(&words(&format!("resume {} --updates 3", parts.display())));
    assert_eq!(metrics(&parts), metrics(&whole));
    let measured = |device: &str| {
        let done = go(&words(&format!("eval {} --json{device}", whole.display())));
        serde_json::from_str::<serde_json::Value>(&done.output).unwrap()
    };
    let (here, there) = (measured(""), measured(" --device cuda"));
    assert_eq!(here["accuracy"], there["accuracy"]);
    let [here, there] = [here, there].map(|measured| measured["loss"].as_f64().unwrap());
    assert!((here - there).abs() < 1e-5 * here, "measured in two places: {here}, {there}");
    let eval = words(&format!("eval {} --device cuda", whole.display()));
    let refused = run(&eval, &cache, &[("STPN_EMULATED_DEVICES", "0")]);
    assert!(refused.error.contains("no CUDA device 0"), "{}", refused.error);
}
