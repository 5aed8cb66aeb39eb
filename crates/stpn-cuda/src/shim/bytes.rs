//! Bytes as numbers behind the shim.

use super::machine::{Machine, Problems};
use super::runner::{ShimReal, ShimRunner};
use crate::bytes;
use crate::spec::RawSpec;

/// `byte * factor + summand`, and what is wrong.
///
/// # Panics
/// If the shim does.
pub fn numbers_of_bytes<T: ShimReal>(machine: Machine, bytes: &[u8], factor: f64, summand: f64) -> (Vec<T>, Problems) {
    let runner = ShimRunner::new(RawSpec::general(), machine);
    let there = runner.array(bytes);
    let of = (ShimRunner::address_of(&there), bytes.len());
    let numbers = bytes::numbers::<T, _>(&runner, of, factor, summand).expect("the shim");
    (numbers.values(), runner.problems())
}
