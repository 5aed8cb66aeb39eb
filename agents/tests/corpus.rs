//! The fuzzer's corpus, as an ordinary test: every input worth keeping, each cut at every length, and each damaged at
//! random. `STPN_FUZZ_ROUNDS` sets how often; without coverage to guide it, this is no replacement for the fuzzer.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::fs;
use std::path::Path;

use stpn_agents::hostile;
use stpn_random::{Purpose, Stream};

fn corpus(target: &str, read: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let rounds = std::env::var("STPN_FUZZ_ROUNDS").map_or(200, |rounds| rounds.parse().unwrap());
    let mut stream = Stream::new(1, Purpose::Test, 0);
    let mut inputs = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let input = fs::read(entry.unwrap().path()).unwrap();
        read(&input);
        for length in 0..input.len().min(512) {
            read(&input[..length]);
        }
        for _ in 0..rounds {
            read(&damaged(&input, &mut stream));
        }
        inputs += 1;
    }
    assert!(inputs >= 3, "{} holds {inputs} inputs", folder.display());
}

/// A few bits flipped, bytes replaced, pieces copied, removed or repeated.
fn damaged(input: &[u8], stream: &mut Stream) -> Vec<u8> {
    const TELLING: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'9', b'['];
    let mut bytes = input.to_vec();
    for _ in 0..1 + stream.below(4) {
        let at = stream.below(bytes.len().max(1));
        let end = (at + 1 + stream.below(16)).min(bytes.len());
        match stream.below(5) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << stream.below(8),
            1 if !bytes.is_empty() => bytes[at] = TELLING[stream.below(TELLING.len())],
            2 if !bytes.is_empty() => drop(bytes.drain(at..end)),
            3 if !bytes.is_empty() => {
                let piece = bytes[at..end].to_vec();
                let to = stream.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => bytes.push(TELLING[stream.below(TELLING.len())]),
        }
    }
    bytes
}

#[test]
fn manifests() {
    corpus("manifest", hostile::manifest);
}

#[test]
fn configurations() {
    corpus("config", hostile::config);
}

#[test]
fn tensors() {
    corpus("tensors", hostile::tensors);
}

#[test]
fn logs() {
    corpus("logs", hostile::logs);
}
