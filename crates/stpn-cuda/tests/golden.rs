//! The golden cases of the cells on the kernels behind the shim: activities, states, all gradients.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use stpn_cuda::shim::{self, Inputs, Machine};
use stpn_cuda::{Extent, Gated, Layer};
use support::golden::{Case, Results, cases, gated_cases};
use support::{distance, gated_plan, gated_there_and_back, plan, there_and_back};

const TOLERANCE: f64 = 1e-9;

fn check(case: &Case) {
    let (layer, extent) = (&case.layer, case.extent);
    let inputs = Inputs { extent, parameters: &case.parameters, x: &case.x, resets: None, start: &case.start };
    let plan = plan::<f64>(layer, extent);
    let machine = Machine::default();
    let (forward, backward) = there_and_back(layer, &plan, machine, inputs, &case.grad_hidden, &case.grad_end);
    let results = Results {
        hidden: forward.hidden,
        end: forward.end,
        grad_x: backward.x,
        grad_start: backward.state,
        grad_parameters: backward.parameters,
    };
    case.compare(&results, TOLERANCE);

    // States after each step are the final ones of the sequence's beginnings.
    for steps in 1..extent.steps {
        let extent = Extent { steps, ..extent };
        let x = &case.x[..steps * extent.batch * layer.input()];
        let part = shim::forward(layer, &support::plan::<f64>(layer, extent), machine, Inputs { extent, x, ..inputs });
        assert_eq!(part.problems.count, 0, "{}: {}", case.name, part.problems.first);
        let distance = distance(&part.end, case.state_after(steps));
        assert!(distance < TOLERANCE, "{} state after {steps}: {distance:e}", case.name);
    }
}

/// In single precision: some of the modulated cells amplify rounding from step to step.
fn check_single(case: &Case) {
    let (layer, extent) = (&case.layer, case.extent);
    let single = |values: &[f64]| -> Vec<f32> { values.iter().map(|value| *value as f32).collect() };
    let double = |values: Vec<f32>| -> Vec<f64> { values.into_iter().map(f64::from).collect() };
    let [parameters, x, start, grad_hidden, grad_end] =
        [&case.parameters, &case.x, &case.start, &case.grad_hidden, &case.grad_end].map(|values| single(values));
    let inputs = Inputs { extent, parameters: &parameters, x: &x, resets: None, start: &start };
    let plan = plan::<f32>(layer, extent);
    let (forward, backward) = there_and_back(layer, &plan, Machine::default(), inputs, &grad_hidden, &grad_end);
    let results = Results {
        hidden: double(forward.hidden),
        end: double(forward.end),
        grad_x: double(backward.x),
        grad_start: double(backward.state),
        grad_parameters: double(backward.parameters),
    };
    case.compare(&results, if matches!(layer, Layer::Plastic(_)) { 2e-4 } else { 2e-3 });
}

#[test]
fn every_golden_case_in_single_precision() {
    let cases = cases();
    cases.iter().for_each(check_single);
    assert_eq!(cases.len(), 34);
}

/// Checks the cases that `wanted` takes, and returns their names.
fn check_all(wanted: impl Fn(&Layer) -> bool) -> Vec<String> {
    let cases = cases().into_iter().filter(|case| wanted(&case.layer));
    cases.inspect(check).map(|case| case.name).collect()
}

#[test]
fn every_golden_case_of_the_stpn_family() {
    let checked = check_all(|layer| matches!(layer, Layer::Plastic(_)));
    assert_eq!(checked.len(), 25, "{checked:?}");
}

#[test]
fn every_golden_case_of_differentiable_plasticity_and_backpropamine() {
    let checked = check_all(|layer| matches!(layer, Layer::Modulated(_)));
    assert_eq!(checked.len(), 9, "{checked:?}");
}

fn check_gated(case: &Case<Gated>) {
    let (layer, extent) = (&case.layer, case.extent);
    let inputs = Inputs { extent, parameters: &case.parameters, x: &case.x, resets: None, start: &case.start };
    let plan = gated_plan::<f64>(layer, extent);
    let machine = Machine::default();
    let (forward, backward) = gated_there_and_back(layer, &plan, machine, inputs, &case.grad_hidden, &case.grad_end);
    let results = Results {
        hidden: forward.hidden,
        end: forward.end,
        grad_x: backward.x,
        grad_start: backward.state,
        grad_parameters: backward.parameters,
    };
    case.compare(&results, TOLERANCE);
    for steps in 1..extent.steps {
        let extent = Extent { steps, ..extent };
        let x = &case.x[..steps * extent.batch * layer.input];
        let part = shim::gated_forward(layer, &plan, machine, Inputs { extent, x, ..inputs });
        assert_eq!(part.problems.count, 0, "{}: {}", case.name, part.problems.first);
        let distance = distance(&part.end, case.state_after(steps));
        assert!(distance < TOLERANCE, "{} state after {steps}: {distance:e}", case.name);
    }
}

fn check_gated_single(case: &Case<Gated>) {
    let (layer, extent) = (&case.layer, case.extent);
    let [parameters, x, start, grad_hidden, grad_end] =
        [&case.parameters, &case.x, &case.start, &case.grad_hidden, &case.grad_end]
            .map(|values| values.iter().map(|value| *value as f32).collect::<Vec<_>>());
    let double = |values: Vec<f32>| -> Vec<f64> { values.into_iter().map(f64::from).collect() };
    let inputs = Inputs { extent, parameters: &parameters, x: &x, resets: None, start: &start };
    let plan = gated_plan::<f32>(layer, extent);
    let (forward, backward) = gated_there_and_back(layer, &plan, Machine::default(), inputs, &grad_hidden, &grad_end);
    let results = Results {
        hidden: double(forward.hidden),
        end: double(forward.end),
        grad_x: double(backward.x),
        grad_start: double(backward.state),
        grad_parameters: double(backward.parameters),
    };
    case.compare(&results, 2e-5);
}

#[test]
fn every_golden_case_of_lstm_gru_and_rnn() {
    let cases = gated_cases();
    cases.iter().for_each(check_gated);
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["gru", "lstm-layer-norm", "lstm-two-biases", "lstm", "rnn-two-matrices", "rnn"]);
}

#[test]
fn every_golden_case_of_lstm_gru_and_rnn_in_single_precision() {
    gated_cases().iter().for_each(check_gated_single);
}
