//! Columns of arrays behind the shim.

use super::machine::{Machine, Problems};
use super::runner::ShimRunner;
use crate::gather::{Gather, Gathered};
use crate::spec::RawSpec;

/// The columns of the first `rows` rows of an array `[rows, of, width]`, together, and what is wrong.
///
/// # Panics
/// If the shim does, and for numbers in double precision.
pub fn gather<E: Gathered + Default>(
    machine: Machine,
    from: &[E],
    [rows, of, width]: [usize; 3],
    columns: &[u32],
) -> (Vec<E>, Problems) {
    assert!(size_of::<E>() <= size_of::<f32>(), "numbers are in single precision here");
    let runner = ShimRunner::new(RawSpec::general(), machine);
    let gather = Gather { rows, of, count: columns.len(), width };
    let (columns, from) = (runner.array(columns), runner.array(from));
    let to = runner.array(&vec![E::default(); gather.len()]);
    let addresses = [ShimRunner::address_of(&columns), ShimRunner::address_of(&from), ShimRunner::address_of(&to)];
    gather.launch::<E, f32, _>(&runner, addresses).expect("the shim");
    (to.values(), runner.problems())
}
