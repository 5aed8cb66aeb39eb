//! Every case of the golden folder: activities, states after every step, energies, loss and all gradients.
//!
//! `STPN_GOLDEN_DIR` names the folder; by default it is the copy in this crate.

use std::collections::BTreeSet;

use crate::golden_cases::{Case, Path, load_cases};
use crate::support::{close, set_parameters};
use candle_core::{DType, Tensor, Var};
use stpn_core::cells::Decay;
use stpn_core::{Cell, CellConfig, Kernel, Sequence, State};

/// Bound on the error relative to the tensor's norm.
fn tolerance(case: &Case, dtype: DType) -> f64 {
    match (dtype, case.is_backpropamine()) {
        (DType::F64, _) => 1e-9,
        (_, false) => 2e-4,
        // Some of these are chaotic: they amplify rounding from step to step.
        (_, true) => 2e-3,
    }
}

/// Runs one case along one path and returns what is wrong with it.
fn check(case: &Case, dtype: DType, path: Path) -> Vec<String> {
    let cell = case.build(dtype, Kernel::Auto);
    let mut wrong = Vec::new();
    let run = |x: &Tensor, state: &State| -> Sequence {
        match path {
            Path::Composed => cell.sequence_composed(x, None, state).unwrap(),
            Path::Fused => cell.sequence(x, None, state).unwrap(),
        }
    };
    let mut compare = |what: &str, got: &Tensor, want: &Tensor| {
        wrong.extend(close(got, want, tolerance(case, dtype)).err().map(|why| format!("{what}: {why}")));
    };

    set_parameters(cell.as_ref(), |name| case.tensor(&format!("param.{name}"), dtype));
    let x = Var::from_tensor(&case.tensor("x", dtype)).unwrap();
    let initial: Vec<(&'static str, Var)> = cell
        .state_layout()
        .iter()
        .map(|field| (field.name, Var::from_tensor(&case.tensor(&format!("state0.{}", field.name), dtype)).unwrap()))
        .collect();
    let state0 =
        State::new(case.batch, initial.iter().map(|(name, var)| (*name, var.as_tensor().clone())).collect::<Vec<_>>());

    // States after every step are the final states of the sequence's beginnings.
    let mut before = state0.detach();
    let mut energies = Vec::new();
    for t in 0..case.steps {
        if case.has("energy_per_unit") {
            energies.push(cell.energy_per_unit(&x.get(t).unwrap(), &before, None).unwrap());
        }
        let part = run(&x.narrow(0, 0, t + 1).unwrap().detach(), &state0.detach());
        for (name, tensor) in part.state.iter() {
            let want = case.tensor(&format!("state.{name}"), dtype).get(t).unwrap();
            compare(&format!("state.{name} after step {t}"), tensor, &want);
        }
        before = part.state.detach();
    }
    if !energies.is_empty() {
        let energies = Tensor::stack(&energies, 0).unwrap();
        compare("energy_per_unit", &energies, &per_neuron(case, &case.tensor("energy_per_unit", dtype)));
        compare("energy", &energies.sum(2).unwrap(), &case.tensor("energy", dtype));
    }

    let out = run(x.as_tensor(), &state0);
    compare("h", &out.hidden, &case.tensor("h", dtype));
    let weighted = |weight: &str, values: &Tensor| {
        (case.tensor(weight, dtype) * values.sqr().unwrap()).unwrap().sum_all().unwrap()
    };
    let mut loss = weighted("loss_w.h", &out.hidden);
    for (name, tensor) in out.state.iter() {
        loss = (loss + weighted(&format!("loss_w.state.{name}"), tensor)).unwrap();
    }
    compare("loss", &loss.reshape(1).unwrap(), &case.tensor("loss", dtype).reshape(1).unwrap());

    let gradients = loss.backward().unwrap();
    let parameters = cell.parameters().iter().map(|(name, var)| (format!("param.{name}"), var));
    let states = initial.iter().map(|(name, var)| (format!("state0.{name}"), var));
    let mut seen = BTreeSet::new();
    for (name, var) in parameters.chain(states).chain([("x".to_string(), &x)]) {
        let name = format!("grad.{name}");
        match gradients.get(var) {
            Some(gradient) => compare(&name, gradient, &case.tensor(&name, dtype)),
            None => compare(&format!("{name} (missing)"), &var.zeros_like().unwrap(), &case.tensor(&name, dtype)),
        }
        seen.insert(name);
    }
    assert_eq!(seen, case.names_below("grad."), "{}: gradients compared and gradients given", case.name);
    assert_eq!(
        cell.parameters().iter().map(|(name, _)| format!("param.{name}")).collect::<BTreeSet<_>>(),
        case.names_below("param."),
        "{}: parameters",
        case.name
    );
    assert_eq!(
        cell.state_layout().iter().map(|field| format!("state.{}", field.name)).collect::<BTreeSet<_>>(),
        case.names_below("state."),
        "{}: state",
        case.name
    );
    wrong
}

/// Energies of the files count the gates of an LSTM one by one, gate after gate; a neuron is a unit with all of them.
fn per_neuron(case: &Case, energies: &Tensor) -> Tensor {
    let (steps, batch, hidden) = (case.steps, case.batch, case.hidden);
    energies.reshape((steps, batch, (), hidden)).unwrap().sum(2).unwrap()
}

/// Whether the cell takes another path than the composed one by itself.
fn paths(cell: &dyn Cell) -> Vec<Path> {
    if cell.fused().is_some() { vec![Path::Composed, Path::Fused] } else { vec![Path::Composed] }
}

fn check_all(dtype: DType) {
    let mut failures = Vec::new();
    for case in load_cases() {
        for path in paths(case.build(dtype, Kernel::Auto).as_ref()) {
            let wrong = check(&case, dtype, path);
            failures.extend(wrong.into_iter().map(|why| format!("{} {path:?}: {why}", case.name)));
        }
    }
    assert!(failures.is_empty(), "{} mismatches:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_case_in_double_precision() {
    check_all(DType::F64);
}

#[test]
fn every_case_in_single_precision() {
    check_all(DType::F32);
}

/// The comparison itself: another cell's equations must not pass.
#[test]
fn a_wrong_option_is_noticed() {
    let mut case = load_cases().into_iter().find(|case| matches!(case.config, CellConfig::Stpn(_))).unwrap();
    let CellConfig::Stpn(config) = &mut case.config else { unreachable!("found by its kind") };
    config.decay = Decay::All;
    let wrong = check(&case, DType::F64, Path::Composed);
    assert!(wrong.iter().any(|why| why.starts_with("h:")), "{wrong:?}");
    assert!(wrong.iter().any(|why| why.starts_with("grad.param.weight:")), "{wrong:?}");
}
