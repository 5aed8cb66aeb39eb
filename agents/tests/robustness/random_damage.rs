//! Random damage to a checkpoint: it is noticed, or it changed nothing. Never other numbers, never a panic.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use stpn_agents::Error;
use stpn_agents::checkpoint::manifest::MANIFEST;
use stpn_agents::checkpoint::{self, directory_name};
use stpn_random::{Purpose, Stream};

use crate::small;

const CASES: u64 = 240;

/// The files of a checkpoint by name.
type Files = BTreeMap<String, Vec<u8>>;

fn files(checkpoint: &Path) -> Files {
    let entries = fs::read_dir(checkpoint).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

/// A place to begin and a length, in a file of `len` bytes.
fn range(stream: &mut Stream, len: usize) -> std::ops::Range<usize> {
    let start = stream.below(len);
    // Often short, sometimes all that is left.
    let most = if stream.chance(0.7) { 16 } else { len };
    start..(start + 1 + stream.below(most)).min(len)
}

fn noise(stream: &mut Stream) -> Vec<u8> {
    (0..1 + stream.below(300)).map(|_| stream.next_u64() as u8).collect()
}

/// Damages the file `name`, given the files of an older checkpoint; says how.
fn damage(stream: &mut Stream, name: &str, files: &mut Files, older: &Files) -> &'static str {
    let names: Vec<String> = files.keys().cloned().collect();
    let Some(contents) = files.get_mut(name).filter(|contents| !contents.is_empty()) else { return "left alone" };
    let len = contents.len();
    match stream.below(11) {
        0 => {
            contents.truncate(stream.below(len));
            "truncated"
        }
        1 => {
            for _ in 0..1 + stream.below(8) {
                let bit = stream.below(8 * len);
                contents[bit / 8] ^= 1 << (bit % 8);
            }
            "with flipped bits"
        }
        2 => {
            contents[range(stream, len)].fill(0);
            "with zeros"
        }
        3 => {
            let noise = noise(stream);
            contents[range(stream, len)].iter_mut().zip(noise).for_each(|(byte, noise)| *byte = noise);
            "with noise"
        }
        4 => {
            contents.extend(noise(stream));
            "grown at its end"
        }
        5 => {
            let at = stream.below(len);
            contents.splice(at..at, noise(stream));
            "grown in the middle"
        }
        6 => {
            contents.drain(range(stream, len));
            "with a gap"
        }
        7 => {
            let (one, other) = (stream.below(len), stream.below(len));
            contents.swap(one, other);
            "with two bytes swapped"
        }
        8 => {
            let moved = range(stream, len);
            let piece = contents[moved].to_vec();
            let at = stream.below(len - piece.len() + 1);
            contents[at..at + piece.len()].copy_from_slice(&piece);
            "with a part in another's place"
        }
        9 => {
            let other = &names[stream.below(names.len())];
            let contents = [name, other].map(|name| files.remove(name));
            for (name, contents) in [other, name].into_iter().zip(contents) {
                files.extend(contents.map(|contents| (name.to_string(), contents)));
            }
            "swapped with another file"
        }
        _ => {
            files.remove(name);
            if stream.chance(0.5) {
                files.extend(older.get(name).map(|contents| (name.to_string(), contents.clone())));
                return "of an older checkpoint";
            }
            "removed"
        }
    }
}

#[test]
fn whatever_happens_to_its_files_a_checkpoint_is_sound_or_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    small::train(&directory.path().join("run"));
    let checkpoints = directory.path().join("run/checkpoints");
    let (before, newest) = (checkpoints.join(directory_name(2)), checkpoints.join(directory_name(3)));
    let contents =
        |path: &Path| checkpoint::read(path).map(|read| format!("{read:?}").replace(&format!("{:?}", read.path), ""));
    let (sound_before, sound) = (contents(&before).unwrap(), contents(&newest).unwrap());
    let (older, whole) = (files(&before), files(&newest));
    let names: Vec<&String> = whole.keys().collect();
    assert!(names.len() >= 6 && whole.contains_key(MANIFEST));
    let (mut refused, mut harmless) = (0, 0);
    for case in 0..CASES {
        let mut stream = Stream::new(1, Purpose::Test, case);
        let mut damaged = whole.clone();
        // Every file in turn, and sometimes more of them.
        let mut how = Vec::new();
        for hit in 0..1 + case as usize % 3 {
            let index = if hit == 0 { case as usize } else { stream.below(names.len()) };
            let name = names[index % names.len()];
            how.push(format!("{name} {}", damage(&mut stream, name, &mut damaged, &older)));
        }
        fs::remove_dir_all(&newest).unwrap();
        fs::create_dir(&newest).unwrap();
        damaged.iter().for_each(|(name, contents)| fs::write(newest.join(name), contents).unwrap());
        let what = format!("case {case}: {}", how.join(", "));

        let used = checkpoint::newest(&checkpoints);
        match contents(&newest) {
            Ok(read) => {
                assert!(read == sound, "{what}: other contents were accepted");
                assert_eq!(used.unwrap().1.len(), 0, "{what}");
                // All that no checksum covers says nothing about the contents.
                let changed: Vec<&String> = whole.keys().filter(|&name| whole[name] != damaged[name]).collect();
                assert!(changed.is_empty() || changed == [MANIFEST], "{what}: {changed:?} went unnoticed");
                harmless += 1;
            }
            Err(error) => {
                let said = error.to_string();
                let culprit = |name: &&String| damaged.get(*name) != whole.get(*name) && said.contains(name.as_str());
                // By a manifest with other checksums any file is another than when it was written.
                let other_manifest = damaged.get(MANIFEST) != whole.get(MANIFEST) && said.contains("when written");
                let named = other_manifest || names.iter().any(culprit);
                assert!(said.contains(&directory_name(3)) && named, "{what}: {said}");
                refused += 1;
                match (error, used) {
                    (Error::Checkpoint { .. }, Ok((used, passed_over))) => {
                        assert_eq!(passed_over.len(), 1, "{what}");
                        let used = format!("{used:?}").replace(&format!("{:?}", used.path), "");
                        assert!(used == sound_before, "{what}: the one before is not what it was");
                    }
                    (Error::Format { .. }, Err(Error::Format { .. })) => {}
                    (error, used) => panic!("{what}: {error}, then {used:?}"),
                }
            }
        }
    }
    println!("{refused} of {CASES} refused, {harmless} harmless");
    assert!(refused > CASES * 9 / 10, "{refused} of {CASES} were damaged");
}
