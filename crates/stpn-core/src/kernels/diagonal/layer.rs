//! Parameters in the kernel's layout: real parts in a row of units, and imaginary parts in a second one behind it.

use std::sync::Arc;

use super::spec::DiagonalSpec;
use crate::kernels::Real;
use crate::kernels::aligned::{Aligned, Pool};
use crate::kernels::dense::Projection;
use crate::kernels::lanes::Lanes;

/// The layer with its parameters in place.
#[derive(Debug)]
pub struct DiagonalLayer<L: Lanes> {
    pub lanes: L,
    pub spec: DiagonalSpec,
    pub pool: Arc<Pool<L::Real>>,
    /// Scalars of a row of units, padded to whole vectors.
    pub row: usize,
    /// From inputs to what drives the complex numbers, γ B: `[2·row, I]`.
    pub input: Projection<L::Real>,
    /// From complex numbers to units, Re(C s): `[H, 2·row]`.
    pub output: Projection<L::Real>,
    /// From inputs to units, with the bias.
    pub skip: Projection<L::Real>,
    /// Real parts of λ and then imaginary ones, `[2, row]`.
    pub eigenvalues: Aligned<L::Real>,
    /// The packed parameters, for their gradients.
    pub packed: Vec<L::Real>,
}

impl<L: Lanes> DiagonalLayer<L> {
    /// Lays out packed parameters.
    pub fn lay_out(lanes: L, spec: &DiagonalSpec, packed: &[L::Real], pool: &Arc<Pool<L::Real>>) -> Self {
        let (input, size, places) = (spec.input, spec.hidden, &spec.places);
        let row = size.next_multiple_of(L::WIDTH);
        let mut eigenvalues = Aligned::zeros(2 * row);
        let mut driving = vec![L::Real::ZERO; 2 * row * input];
        let mut reading = vec![L::Real::ZERO; size * 2 * row];
        for unit in 0..size {
            let Number { re, im, gamma } = Number::new(spec, packed, unit);
            (eigenvalues[unit], eigenvalues[row + unit]) = (L::Real::of(re), L::Real::of(im));
            for (part, place) in places.input.iter().enumerate() {
                for column in 0..input {
                    let weight = L::Real::of(gamma) * packed[place.at(unit, column)];
                    driving[(part * row + unit) * input + column] = weight;
                }
            }
            for column in 0..size {
                let weights = &mut reading[unit * 2 * row..(unit + 1) * 2 * row];
                weights[column] = packed[places.output[0].at(unit, column)];
                weights[row + column] = L::Real::ZERO - packed[places.output[1].at(unit, column)];
            }
        }
        let skip = places.skip.places(size, input).map(|place| packed[place]).collect();
        Self {
            lanes,
            spec: spec.clone(),
            pool: Arc::clone(pool),
            row,
            input: Projection::new::<L>(driving, &vec![L::Real::ZERO; 2 * row]),
            output: Projection::new::<L>(reading, &vec![L::Real::ZERO; size]),
            skip: Projection::new::<L>(skip, &packed[places.bias.clone()]),
            eigenvalues,
            packed: packed.to_vec(),
        }
    }
}

/// What the logarithms of a unit stand for, in double precision.
pub struct Number {
    /// Real and imaginary part of λ.
    pub re: f64,
    pub im: f64,
    pub gamma: f64,
}

impl Number {
    /// That of a unit.
    pub fn new<T: Real>(spec: &DiagonalSpec, packed: &[T], unit: usize) -> Self {
        let places = &spec.places;
        let exp = |start: usize| packed[start + unit].wide().exp();
        let (radius, phase) = ((-exp(places.nu_log.start)).exp(), exp(places.theta_log.start));
        Self { re: radius * phase.cos(), im: radius * phase.sin(), gamma: exp(places.gamma_log.start) }
    }
}
