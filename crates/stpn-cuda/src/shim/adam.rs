//! The optimiser behind the shim.

use super::machine::{Machine, Problems};
use super::runner::{ShimReal, ShimRunner};
use crate::adam::{self, AdamPiece, AdamSettings, AdamState};
use crate::spec::RawSpec;

/// Parameters after each of some steps of the optimiser, with norms, and what is wrong.
#[derive(Clone, Debug)]
pub struct AdamResults<T> {
    /// Parameters after each step.
    pub parameters: Vec<Vec<T>>,
    /// Both moments after the last.
    pub moments: [Vec<T>; 2],
    /// The norm that the gradient of each step had, and that of the parameters after it.
    pub norms: Vec<[f64; 2]>,
    /// What is wrong.
    pub problems: Problems,
}

/// Steps of the optimiser with these gradients, from moments of zero.
///
/// # Panics
/// If gradients or pieces do not fit the parameters.
pub fn adam<T: ShimReal>(
    settings: &AdamSettings,
    machine: Machine,
    pieces: &[AdamPiece],
    parameters: &[T],
    gradients: &[Vec<T>],
) -> AdamResults<T> {
    let len = parameters.len();
    adam::check(pieces, len).expect("pieces that fit");
    let runner = ShimRunner::new(RawSpec::general(), machine);
    let parameters = runner.array(parameters);
    let zeros = || runner.array(&vec![T::default(); len]);
    let mut state = AdamState { first: zeros(), second: zeros(), len, step: 0 };
    let (mut after, mut norms) = (Vec::new(), Vec::new());
    for gradient in gradients {
        assert_eq!(gradient.len(), len, "gradient");
        let gradient = runner.array(gradient);
        let both = adam::step(&runner, settings, pieces, &mut state, [&parameters, &gradient]).expect("the shim");
        after.push(parameters.values());
        norms.push([both.values()[0], both.values()[1]]);
    }
    let moments = [state.first.values(), state.second.values()];
    AdamResults { parameters: after, moments, norms, problems: runner.problems() }
}
