//! Checkpoints that were damaged on disk.

use std::fs::{self, OpenOptions};
use std::path::Path;

use stpn_agents::Error;
use stpn_agents::checkpoint::manifest::{FileEntry, MANIFEST, Manifest};
use stpn_agents::checkpoint::{self, Checkpoint, FORMAT, OLDEST, directory_name};

use crate::small;

/// Damages a file, given it and the same file of another checkpoint.
type Damage = fn(&Path, &Path);

/// Every kind of damage to one file.
const DAMAGES: [(&str, Damage); 9] = [
    ("cut in half", |file, _| resize(file, fs::metadata(file).unwrap().len() / 2)),
    ("cut by a byte", |file, _| resize(file, fs::metadata(file).unwrap().len() - 1)),
    ("emptied", |file, _| resize(file, 0)),
    ("a byte longer", |file, _| resize(file, fs::metadata(file).unwrap().len() + 1)),
    ("a terabyte long", |file, _| resize(file, 1 << 40)),
    ("with a flipped bit", |file, _| {
        let mut contents = fs::read(file).unwrap();
        let middle = contents.len() / 2;
        contents[middle] ^= 1;
        fs::write(file, contents).unwrap();
    }),
    ("missing", |file, _| fs::remove_file(file).unwrap()),
    ("another checkpoint's", |file, other| assert!(fs::copy(other, file).unwrap() > 0)),
    ("a folder", |file, _| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    }),
];

fn resize(file: &Path, bytes: u64) {
    OpenOptions::new().write(true).open(file).unwrap().set_len(bytes).unwrap();
}

/// What a checkpoint holds, apart from where.
fn contents(checkpoint: &Checkpoint) -> String {
    format!("{checkpoint:?}").replace(&format!("{:?}", checkpoint.path), "")
}

/// Runs `test` on a fresh copy of a run's checkpoints after updates 1, 2 and 3.
fn each(mut test: impl FnMut(&Path)) {
    let directory = tempfile::tempdir().unwrap();
    small::train(&directory.path().join("run"));
    let mut n = 0;
    each_copy(&directory.path().join("run/checkpoints"), &mut |copy| {
        n += 1;
        test(copy);
    });
    assert_eq!(n, 1);
}

fn each_copy(checkpoints: &Path, test: &mut dyn FnMut(&Path)) {
    let copy = tempfile::tempdir().unwrap();
    small::copy(checkpoints, copy.path());
    test(copy.path());
}

#[test]
fn every_damage_to_every_file_is_noticed_and_the_checkpoint_before_is_used() {
    each(|checkpoints| {
        let newest = checkpoints.join(directory_name(3));
        let before = contents(&checkpoint::read(&checkpoints.join(directory_name(2))).unwrap());
        let files: Vec<String> = Manifest::read(&newest).unwrap().files.into_iter().map(|file| file.name).collect();
        assert!(files.len() >= 5);
        for name in files.iter().map(String::as_str).chain([MANIFEST]) {
            for (what, damage) in DAMAGES {
                // The configuration is the same in both.
                if what == "another checkpoint's" && name == "config.toml" {
                    continue;
                }
                each_copy(checkpoints, &mut |checkpoints| {
                    let newest = checkpoints.join(directory_name(3));
                    damage(&newest.join(name), &checkpoints.join(directory_name(2)).join(name));
                    let error = checkpoint::read(&newest).expect_err(&format!("{name} {what} was not noticed"));
                    assert!(matches!(error, Error::Checkpoint { .. }), "{name} {what}: {error}");
                    assert!(error.to_string().contains("update-00000003"), "{name} {what}: {error}");
                    let (used, passed_over) = checkpoint::newest(checkpoints).unwrap();
                    assert_eq!(passed_over.len(), 1, "{name} {what}");
                    assert_eq!(used.progress.update, 2);
                    assert_eq!(contents(&used), before);
                });
            }
        }
    });
}

#[test]
fn files_swapped_within_a_checkpoint_and_whole_checkpoints_swapped_are_noticed() {
    each(|checkpoints| {
        let (second, third) = (checkpoints.join(directory_name(2)), checkpoints.join(directory_name(3)));
        let aside = checkpoints.join("aside");
        let swap = |a: &Path, b: &Path| {
            fs::rename(a, &aside).unwrap();
            fs::rename(b, a).unwrap();
            fs::rename(&aside, b).unwrap();
        };
        swap(&third.join("parameters.safetensors"), &third.join("optimizer.safetensors"));
        assert!(checkpoint::read(&third).is_err());
        swap(&third.join("parameters.safetensors"), &third.join("optimizer.safetensors"));
        checkpoint::read(&third).unwrap();

        swap(&second, &third);
        let error = checkpoint::read(&third).unwrap_err().to_string();
        assert!(error.contains("is of update 2") && error.contains("moved here"), "{error}");
        let (used, passed_over) = checkpoint::newest(checkpoints).unwrap();
        assert_eq!((used.progress.update, passed_over.len()), (1, 2));
    });
}

#[test]
fn a_bit_flipped_anywhere_in_the_manifest_changes_nothing_that_is_used() {
    each(|checkpoints| {
        let path = checkpoints.join(directory_name(3));
        let sound = contents(&checkpoint::read(&path).unwrap());
        let manifest = fs::read(path.join(MANIFEST)).unwrap();
        let mut accepted = 0;
        for bit in 0..manifest.len() * 8 {
            let mut damaged = manifest.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(path.join(MANIFEST), &damaged).unwrap();
            if let Ok(checkpoint) = checkpoint::read(&path) {
                assert_eq!(contents(&checkpoint), sound, "bit {bit}");
                accepted += 1;
            }
        }
        // The version of stpn that wrote it says nothing about the contents.
        assert!(accepted <= 8 * env!("CARGO_PKG_VERSION").len(), "{accepted} flipped bits went unnoticed");
    });
}

#[test]
fn a_checkpoint_of_another_format_ends_the_search_by_name() {
    each(|checkpoints| {
        let manifest = checkpoints.join(directory_name(3)).join(MANIFEST);
        for (version, stpn) in [(1, "0.0.9"), (99, "7.0.0")] {
            let text = format!(r#"{{"format": {version}, "stpn": "{stpn}", "shards": [1, 2]}}"#);
            fs::write(&manifest, text).unwrap();
            let error = checkpoint::newest(checkpoints).unwrap_err();
            assert!(matches!(error, Error::Format { found, .. } if found == version), "{error}");
            let error = error.to_string();
            let found = format!("has format {version} (written by stpn {stpn})");
            let remedy = format!("this stpn reads formats {OLDEST} to {FORMAT}: use the stpn that wrote it");
            for said in [manifest.to_str().unwrap(), &found, &remedy] {
                assert!(error.contains(said), "no `{said}` in: {error}");
            }
        }
    });
}

#[test]
fn without_a_sound_checkpoint_the_reason_is_the_newest_ones() {
    each(|checkpoints| {
        for update in 1..=3 {
            resize(&checkpoints.join(directory_name(update)).join("parameters.safetensors"), 10 * update);
        }
        let error = checkpoint::newest(checkpoints).unwrap_err().to_string();
        assert!(error.contains("no sound checkpoint") && error.contains("30 bytes long"), "{error}");
    });
}

#[test]
fn a_whole_checkpoint_that_this_program_cannot_use_was_called_damaged() {
    each(|checkpoints| {
        let newest = checkpoints.join(directory_name(3));
        let written = fs::read_to_string(newest.join("config.toml")).unwrap();
        let mut config: toml::Table = written.parse().unwrap();
        config.insert("env".into(), "name = 'custom'\nid = 'elsewhere'".parse::<toml::Table>().unwrap().into());
        // The first line is the number of the arithmetic.
        let config = format!("{}\n{}", written.lines().next().unwrap(), toml::to_string(&config).unwrap());
        fs::write(newest.join("config.toml"), &config).unwrap();
        let mut manifest = Manifest::read(&newest).unwrap();
        let entry = manifest.files.iter_mut().find(|entry| entry.name == "config.toml").unwrap();
        *entry = FileEntry::of("config.toml", config.as_bytes());
        fs::write(newest.join(MANIFEST), serde_json::to_string(&manifest).unwrap()).unwrap();
        let error = checkpoint::newest(checkpoints).unwrap_err();
        assert!(matches!(error, Error::Environment(_)), "{error}");
        assert!(error.to_string().contains("custom::register"), "{error}");
    });
}
