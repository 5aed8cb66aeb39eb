//! What decays must not end among the subnormal numbers, on which many processors take a hundred times as long.

use crate::support::{build, kernel};
use candle_core::DType;
use stpn_core::CellName;
use stpn_core::kernels::blocks::{self, Operands, Sizes};
use stpn_core::kernels::{Extent, Instructions, SequenceKernel};
use stpn_random::{Purpose, Stream};

const STEPS: usize = 200;
const INPUT: usize = 5;
const HIDDEN: usize = 19;

/// Activities and gradients of the STPNf on a sequence whose last inputs are always zero, where the weights of the last
/// input are all `tiny`. The only loss is that of the last step.
fn passes(instructions: Instructions, tiny: f32) -> Vec<Vec<f32>> {
    let config = CellName::Stpnf.config();
    let cell = build(&config, INPUT, HIDDEN, DType::F32);
    let mut stream = Stream::new(7, Purpose::Test, 0);
    let mut draw = |len: usize| -> Vec<f32> { (0..len).map(|_| stream.uniform(0.1, 0.9) as f32).collect() };
    let mut parameters = draw(cell.parameters().count());
    parameters[..HIDDEN * INPUT].iter_mut().skip(INPUT - 1).step_by(INPUT).for_each(|weight| *weight = tiny);
    let state_len = cell.state_layout().iter().map(stpn_core::StateField::len).sum();
    let (mut x, state) = (draw(STEPS * INPUT), vec![0.0; state_len]);
    x.chunks_mut(INPUT).for_each(|x| x[INPUT - 2..].fill(0.0));
    let mut grad_hidden = vec![0.0; STEPS * HIDDEN];
    grad_hidden[(STEPS - 1) * HIDDEN..].fill(1.0);
    let kernel = kernel(&config, INPUT, HIDDEN, instructions);
    let prepared = SequenceKernel::<f32>::prepare(kernel.as_ref(), &parameters);
    let operands = Operands {
        extent: Extent { steps: STEPS, batch: 1 },
        sizes: Sizes { input: INPUT, hidden: HIDDEN, state: state_len, parameters: parameters.len() },
        x: &x,
        resets: None,
    };
    let out = blocks::forward(prepared.as_ref(), operands, &state, true);
    let tape = out.tape.unwrap();
    let back = blocks::backward(prepared.as_ref(), operands, &out.hidden, &tape, &grad_hidden, None, true);
    vec![out.hidden, out.state, back.x.unwrap(), back.state, back.parameters]
}

#[test]
fn decayed_weights_and_gradients_made_training_five_times_slower() {
    for instructions in Instructions::available() {
        let with_zero = passes(instructions, 0.0);
        assert_eq!(passes(instructions, 1e-42), with_zero, "{instructions:?}: a weight that has decayed");
        let [.., state, _] = &with_zero[..] else { panic!() };
        let subnormal = state.iter().filter(|gradient| gradient.is_subnormal()).count();
        assert_eq!(subnormal, 0, "{instructions:?}: gradients of the first fast weights, of {}", state.len());
        assert!(with_zero.iter().flatten().all(|value| value.is_finite()), "{instructions:?}");
        // The test is one of values that decay, not of zeros alone.
        assert!(with_zero[4].iter().any(|gradient| gradient.abs() > 1e-6), "{instructions:?}: no gradient at all");
    }
}
