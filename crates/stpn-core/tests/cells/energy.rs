//! Energy where no golden case has it, and the inputs that are left out.

use crate::support::{build, close, normal, random_state};
use candle_core::{DType, Device, Tensor};
use stpn_core::{Cell, CellName, State};

const INPUT: usize = 5;
const UNITS: usize = 4;

fn matrix(cell: &dyn Cell, name: &str) -> Vec<Vec<f64>> {
    cell.parameters().get(name).unwrap().to_vec2().unwrap()
}

/// Input weights alone for the MLP; input weights and W + αF for the plastic cells; by loops.
fn by_hand(cell: &dyn Cell, x: &Tensor, state: &State) -> Vec<Vec<f64>> {
    let x: Vec<Vec<f64>> = x.to_vec2().unwrap();
    let plastic = cell.parameters().get("alpha").is_ok();
    let input = matrix(cell, if plastic { "weight_ih" } else { "weight" });
    let mut energy: Vec<Vec<f64>> = (x.iter())
        .map(|x| input.iter().map(|row| row.iter().zip(x).map(|(w, x)| w.abs() * x * x).sum()).collect())
        .collect();
    if plastic {
        let (weight, alpha) = (matrix(cell, "weight_hh"), matrix(cell, "alpha"));
        let h: Vec<Vec<f64>> = state.get("h").unwrap().to_vec2().unwrap();
        let fast: Vec<Vec<Vec<f64>>> = state.get("F").unwrap().to_vec3().unwrap();
        for (b, energy) in energy.iter_mut().enumerate() {
            for (i, energy) in energy.iter_mut().enumerate() {
                *energy += (0..UNITS)
                    .map(|j| (weight[i][j] + alpha[i][j] * fast[b][i][j]).abs() * h[b][j].powi(2))
                    .sum::<f64>();
            }
        }
    }
    energy
}

#[test]
fn energy_without_a_golden_case_is_as_defined() {
    for name in [CellName::Mlp, CellName::DifferentiablePlasticity, CellName::BackpropamineRetroactive] {
        let cell = build(&name.config(), INPUT, UNITS, DType::F64);
        let (x, state) = (normal(&[3, INPUT], 1.0, 0, DType::F64), random_state(cell.as_ref(), 3));
        let want = Tensor::new(by_hand(cell.as_ref(), &x, &state), &Device::Cpu).unwrap();
        let got = cell.energy_per_unit(&x, &state, None).unwrap();
        close(&got, &want, 1e-12).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
}

/// The mean over its gates was published as the mean over its neurons: a quarter.
#[test]
fn the_energy_of_an_lstm_was_divided_by_its_gates() {
    let cell = build(&CellName::Lstm.config(), INPUT, UNITS, DType::F64);
    let (x, state) = (normal(&[3, INPUT], 1.0, 0, DType::F64), random_state(cell.as_ref(), 3));
    let z = Tensor::cat(&[&x, state.get("h").unwrap()], 1).unwrap();
    let (z, weight): (Vec<Vec<f64>>, _) = (z.to_vec2().unwrap(), matrix(cell.as_ref(), "weight"));
    let gate = |row: usize, z: &[f64]| weight[row].iter().zip(z).map(|(w, z)| w.abs() * z * z).sum::<f64>();
    let neuron = |unit: usize, z: &[f64]| (0..4).map(|index| gate(index * UNITS + unit, z)).sum::<f64>();
    let want: Vec<Vec<f64>> = z.iter().map(|z| (0..UNITS).map(|unit| neuron(unit, z)).collect()).collect();
    let got = cell.energy_per_unit(&x, &state, None).unwrap();
    close(&got, &Tensor::new(want, &Device::Cpu).unwrap(), 1e-12).unwrap();
}

#[test]
fn a_gru_neuron_is_a_unit_with_its_three_gates() {
    let cell = build(&CellName::Gru.config(), INPUT, UNITS, DType::F64);
    let (x, state) = (normal(&[3, INPUT], 1.0, 0, DType::F64), random_state(cell.as_ref(), 3));
    let rows: [Vec<Vec<f64>>; 2] = [&x, state.get("h").unwrap()].map(|tensor| tensor.to_vec2().unwrap());
    let weights = ["weight_ih", "weight_hh"].map(|name| matrix(cell.as_ref(), name));
    let neuron = |element: usize, unit: usize| {
        let gate = |weight: &[Vec<f64>], z: &[f64], gate: usize| {
            weight[gate * UNITS + unit].iter().zip(z).map(|(w, z)| w.abs() * z * z).sum::<f64>()
        };
        (0..3).map(|g| gate(&weights[0], &rows[0][element], g) + gate(&weights[1], &rows[1][element], g)).sum::<f64>()
    };
    let want: Vec<Vec<f64>> = (0..3).map(|element| (0..UNITS).map(|unit| neuron(element, unit)).collect()).collect();
    let got = cell.energy_per_unit(&x, &state, None).unwrap();
    close(&got, &Tensor::new(want, &Device::Cpu).unwrap(), 1e-12).unwrap();
}

#[test]
fn a_masked_input_costs_nothing() {
    let mask = Tensor::new(&[1f64, 1.0, 0.0, 1.0, 1.0], &Device::Cpu).unwrap();
    for name in CellName::ALL {
        let cell = build(&name.config(), INPUT, UNITS, DType::F64);
        let (x, state) = (normal(&[3, INPUT], 1.0, 0, DType::F64), random_state(cell.as_ref(), 3));
        let energy = |x: &Tensor, mask: Option<&Tensor>| cell.energy_per_unit(x, &state, mask).unwrap();
        let (full, masked) = (energy(&x, None), energy(&x, Some(&mask)));
        assert_eq!(full.dims(), [3, UNITS], "{name}");
        let saved: Vec<f64> = (full - &masked).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert!(saved.iter().all(|saved| *saved > 0.0), "{name}: {saved:?}");
        // What these cells read later in the same step still depends on the input, so only the other cells' energy is
        // that of x·mask.
        let reads_later =
            [CellName::FastWeights, CellName::LinearRecurrent, CellName::LinearAttention, CellName::DeltaRule];
        if !reads_later.contains(&name) {
            let without = energy(&x.broadcast_mul(&mask).unwrap(), None);
            close(&masked, &without, 1e-12).unwrap_or_else(|why| panic!("{name}: {why}"));
        }
    }
}
