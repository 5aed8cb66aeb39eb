//! Checksums of what every cell's kernel computes in single precision, forward and backward, on every instruction set.
//!
//! `tests/numerics.txt` holds them, with the number of the arithmetic they belong to. A change that alters bits raises
//! `NUMERICS` and writes the file anew: `STPN_WRITE_NUMERICS=1 cargo test -p stpn-core --test cells numerics`. That drops
//! the lines of instruction sets that the processor has not got; run again on one that has them, it adds them. A set
//! without lines is not compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::support::{build, kernel};
use candle_core::DType;
use stpn_core::cells::{NormalizeState, StpnConfig};
use stpn_core::kernels::blocks::{self, Operands, Sizes};
use stpn_core::kernels::{Extent, Instructions, SequenceKernel};
use stpn_core::{CellConfig, CellName, NUMERICS};
use stpn_random::{Purpose, Stream};

/// T, B, I, H: units and elements fill neither vectors nor groups.
const SHAPE: [usize; 4] = [13, 7, 9, 19];

/// The cells with kernels by name, and the maze's STPN, whose passes are others.
fn cells() -> Vec<(String, CellConfig)> {
    let maze = StpnConfig { normalize_state: NormalizeState::After, clamp: Some(1.0), ..StpnConfig::default() };
    let has_kernel = |name: &CellName| build(&name.config(), 2, 2, DType::F32).fused().is_some();
    let named = CellName::ALL.into_iter().filter(has_kernel).map(|name| (name.to_string(), name.config()));
    named.chain([("stpn-maze".to_string(), CellConfig::Stpn(maze))]).collect()
}

/// A file's first line and its sums by cell and instruction set.
type Sums = (u32, BTreeMap<(String, String), u64>);

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/numerics.txt")
}

fn committed() -> Sums {
    let text = fs::read_to_string(path()).unwrap();
    let mut lines = text.lines();
    let number = lines.next().unwrap().strip_prefix("numerics ").unwrap().parse().unwrap();
    let sum = |line: &str| {
        let fields: Vec<&str> = line.split(' ').collect();
        let &[cell, instructions, sum] = &fields[..] else { panic!("{line}") };
        ((cell.to_string(), instructions.to_string()), u64::from_str_radix(sum, 16).unwrap())
    };
    (number, lines.map(sum).collect())
}

/// FNV-1a of the values' bits. That of a zero does not depend on its sign, which no result depends on.
fn add(sum: u64, values: &[f32]) -> u64 {
    values.iter().fold(sum, |sum, value| {
        let bits = if *value == 0.0 { 0 } else { value.to_bits() };
        bits.to_le_bytes().into_iter().fold(sum, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    })
}

/// The sum of activities, final state and all gradients of one sequence.
fn checksum(config: &CellConfig, instructions: Instructions) -> u64 {
    let [steps, batch, input, hidden] = SHAPE;
    let cell = build(config, input, hidden, DType::F32);
    // Uniform draws are multiples of a power of two: no function of the standard library is in them.
    let mut stream = Stream::new(5, Purpose::Test, 0);
    let mut draw =
        |len: usize, low: f64, high: f64| -> Vec<f32> { (0..len).map(|_| stream.uniform(low, high) as f32).collect() };
    let parameters = draw(cell.parameters().count(), -0.5, 0.5);
    let state_len = cell.state_layout().iter().map(stpn_core::StateField::len).sum();
    let (x, state) = (draw(steps * batch * input, -1.0, 1.0), draw(batch * state_len, -0.3, 0.3));
    let (grad_hidden, grad_state) = (draw(steps * batch * hidden, -1.0, 1.0), draw(batch * state_len, -1.0, 1.0));
    let resets: Vec<u8> = (0..steps * batch).map(|index| u8::from(index % 23 == 3)).collect();
    let kernel = kernel(config, input, hidden, instructions);
    let prepared = SequenceKernel::<f32>::prepare(kernel.as_ref(), &parameters);
    let operands = Operands {
        extent: Extent { steps, batch },
        sizes: Sizes { input, hidden, state: state_len, parameters: parameters.len() },
        x: &x,
        resets: Some(&resets),
    };
    let out = blocks::forward(prepared.as_ref(), operands, &state, true);
    let tape = out.tape.unwrap();
    let back = blocks::backward(prepared.as_ref(), operands, &out.hidden, &tape, &grad_hidden, Some(&grad_state), true);
    let results = [&out.hidden, &out.state, &back.x.unwrap(), &back.state, &back.parameters];
    assert!(results.iter().all(|values| values.iter().all(|value| value.is_finite())), "{config:?}");
    results.into_iter().fold(0xcbf2_9ce4_8422_2325, |sum, values| add(sum, values))
}

#[test]
fn bits_change_only_with_their_number() {
    let (number, known) = committed();
    let mut sums = BTreeMap::new();
    for (name, config) in cells() {
        for instructions in Instructions::available() {
            let set = format!("{instructions:?}").to_lowercase();
            sums.insert((name.clone(), set), checksum(&config, instructions));
        }
    }
    let changed: Vec<_> = sums.iter().filter(|(key, sum)| known.get(key).is_some_and(|known| known != *sum)).collect();
    if std::env::var_os("STPN_WRITE_NUMERICS").is_some() {
        assert!(changed.is_empty() || NUMERICS > number, "bits have changed: raise NUMERICS above {number} first");
        let kept = if changed.is_empty() { known } else { BTreeMap::new() };
        let mut text = format!("numerics {NUMERICS}\n");
        let all: BTreeMap<_, _> = kept.into_iter().chain(sums).collect();
        all.iter().for_each(|((cell, set), sum)| writeln!(text, "{cell} {set} {sum:016x}").unwrap());
        fs::write(path(), text).unwrap();
        return;
    }
    assert_eq!(
        number, NUMERICS,
        "tests/numerics.txt is of another number: see the head of this test for how it is made"
    );
    assert!(changed.is_empty(), "bits have changed, raise NUMERICS and write the sums anew: {changed:?}");
    let has_lines = |set: &String| known.keys().any(|(_, known)| known == set);
    let missing: Vec<_> = sums.keys().filter(|key| has_lines(&key.1) && !known.contains_key(*key)).collect();
    assert!(missing.is_empty(), "cells without sums, write them: {missing:?}");
}
