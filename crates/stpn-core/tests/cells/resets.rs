//! Episodes inside sequences, sequences against steps, and states as values: for every cell.

use crate::support::{build, close, normal, random_state, values};
use candle_core::{DType, Device, Tensor};
use stpn_core::{Cell, CellName, State};

const STEPS: usize = 6;
const BATCH: usize = 3;
const TOLERANCE: f64 = 1e-10;

/// Every cell, small, with its input sequence.
fn cells() -> impl Iterator<Item = (CellName, Box<dyn Cell>, Tensor)> {
    CellName::ALL
        .into_iter()
        .map(|name| (name, build(&name.config(), 5, 4, DType::F64), normal(&[STEPS, BATCH, 5], 1.0, 0, DType::F64)))
}

/// One batch element of a state.
fn element(state: &State, index: usize) -> State {
    State::new(1, state.iter().map(|(name, tensor)| (name, tensor.narrow(0, index, 1).unwrap())).collect())
}

fn assert_same_state(what: &str, got: &State, want: &State) {
    assert_eq!(got.iter().len(), want.iter().len(), "{what}: number of fields");
    for ((name, got), (want_name, want)) in got.iter().zip(want.iter()) {
        assert_eq!(name, want_name, "{what}");
        close(got, want, TOLERANCE).unwrap_or_else(|why| panic!("{what}, {name}: {why}"));
    }
}

/// Element 0 restarts at step 2, element 1 at steps 3 and 4, element 2 never.
#[test]
fn a_reset_inside_a_sequence_equals_separate_sequences() {
    let mut mask = [[0u8; BATCH]; STEPS];
    (mask[2][0], mask[3][1], mask[4][1]) = (1, 1, 1);
    let episodes: [&[(usize, usize)]; BATCH] = [&[(0, 2), (2, 6)], &[(0, 3), (3, 4), (4, 6)], &[(0, 6)]];
    let resets = Tensor::new(&mask, &Device::Cpu).unwrap();
    for (name, cell, x) in cells() {
        let start = random_state(cell.as_ref(), BATCH);
        for composed in [false, true] {
            let run = |x: &Tensor, resets: Option<&Tensor>, state: &State| match composed {
                true => cell.sequence_composed(x, resets, state).unwrap(),
                false => cell.sequence(x, resets, state).unwrap(),
            };
            let whole = run(&x, Some(&resets), &start);
            for (index, episodes) in episodes.iter().enumerate() {
                let mut state = element(&start, index);
                for &(from, to) in *episodes {
                    if from > 0 {
                        state = cell.zero_state(1).unwrap();
                    }
                    let part = |tensor: &Tensor| {
                        tensor.narrow(0, from, to - from).unwrap().narrow(1, index, 1).unwrap().contiguous().unwrap()
                    };
                    let alone = run(&part(&x), None, &state);
                    close(&part(&whole.hidden), &alone.hidden, TOLERANCE)
                        .unwrap_or_else(|why| panic!("{name}, element {index}, steps {from} to {to}: {why}"));
                    state = alone.state;
                }
                assert_same_state(&format!("{name}, element {index}"), &element(&whole.state, index), &state);
            }
        }
    }
}

#[test]
fn a_nan_in_the_old_state_does_not_leak_into_the_new_episode() {
    let mut mask = [[0u8; BATCH]; STEPS];
    mask[0] = [1; BATCH];
    let resets = Tensor::new(&mask, &Device::Cpu).unwrap();
    for (name, cell, x) in cells() {
        let nan = |(name, tensor): (&'static str, &Tensor)| (name, (tensor.zeros_like().unwrap() + f64::NAN).unwrap());
        let zero = cell.zero_state(BATCH).unwrap();
        let broken = State::new(BATCH, zero.iter().map(nan).collect());
        let fresh = cell.sequence(&x, None, &zero).unwrap();
        for out in [cell.sequence(&x, Some(&resets), &broken), cell.sequence_composed(&x, Some(&resets), &broken)] {
            let out = out.unwrap();
            close(&out.hidden, &fresh.hidden, TOLERANCE).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert_same_state(name.as_str(), &out.state, &fresh.state);
        }
    }
}

#[test]
fn a_sequence_equals_its_steps() {
    for (name, cell, x) in cells() {
        let start = random_state(cell.as_ref(), BATCH);
        let mut state = start.clone();
        let mut hidden = Vec::new();
        for t in 0..STEPS {
            let step = cell.step(&x.get(t).unwrap(), &state).unwrap();
            hidden.push(step.hidden);
            state = step.state;
        }
        let hidden = Tensor::stack(&hidden, 0).unwrap();
        for out in [cell.sequence(&x, None, &start), cell.sequence_composed(&x, None, &start)] {
            let out = out.unwrap();
            close(&out.hidden, &hidden, TOLERANCE).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert_same_state(name.as_str(), &out.state, &state);
        }
    }
}

#[test]
fn stepping_leaves_the_given_state_as_it_was() {
    for (name, cell, x) in cells() {
        let state = random_state(cell.as_ref(), BATCH);
        let read = || state.iter().map(|(_, tensor)| values(tensor)).collect::<Vec<_>>();
        let before = read();
        let step = cell.step(&x.get(0).unwrap(), &state).unwrap();
        cell.energy_per_unit(&x.get(0).unwrap(), &state, None).unwrap();
        cell.sequence(&x, None, &state).unwrap();
        assert_eq!(before, read(), "{name}");
        let after: Vec<_> = step.state.iter().map(|(_, tensor)| values(tensor)).collect();
        assert!(before.is_empty() || before != after, "{name}: the step moved the state");
    }
}

#[test]
fn a_state_survives_packing() {
    for (name, cell, _) in cells() {
        if cell.state_layout().is_empty() {
            continue;
        }
        let state = random_state(cell.as_ref(), BATCH);
        let packed = state.packed().unwrap();
        assert_same_state(name.as_str(), &State::unpacked(cell.state_layout(), &packed).unwrap(), &state);
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    for (name, cell, x) in cells() {
        let state = cell.zero_state(BATCH).unwrap();
        let narrow = x.narrow(2, 0, 4).unwrap();
        assert!(cell.step(&narrow.get(0).unwrap(), &state).is_err(), "{name}: too few inputs");
        assert!(cell.sequence(&narrow, None, &state).is_err(), "{name}: too few inputs in a sequence");
        // One element's state would broadcast over the batch.
        assert!(cell.sequence(&x, None, &cell.zero_state(1).unwrap()).is_err(), "{name}: another batch");
        let resets = Tensor::zeros((STEPS, BATCH + 1), DType::U8, &Device::Cpu).unwrap();
        assert!(cell.sequence(&x, Some(&resets), &state).is_err(), "{name}: resets of another batch");
        if !cell.state_layout().is_empty() {
            let error = cell.step(&x.get(0).unwrap(), &cell.zero_state(1).unwrap()).unwrap_err();
            assert!(error.to_string().starts_with("state."), "{name}: {error}");
        }
    }
}
