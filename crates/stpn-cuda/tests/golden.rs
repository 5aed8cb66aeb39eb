//! The golden cases of the plastic cells on the kernels behind the shim: activities, states, all gradients.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use stpn_cuda::shim::{self, Inputs, Machine};
use stpn_cuda::{Extent, Layer};
use support::golden::{Case, Results, cases};
use support::{distance, plan, there_and_back};

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
