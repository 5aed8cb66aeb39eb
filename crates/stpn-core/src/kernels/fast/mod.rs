//! Square matrices of fast weights, one a batch element, with the postsynaptic units on the lanes.
//!
//! Elements go in groups, vector by vector next to one another, so that a pass over a group loads every shared
//! parameter once. What is left over of a block goes in groups of one.

use std::iter::repeat_n;
use std::ops::Range;

use super::Real;
use super::lanes::Lanes;

/// Calls a pass for a group's number of elements.
macro_rules! of_width {
    ($group:expr, $pass:ident($($operand:expr),* $(,)?)) => {
        match $group.width {
            4 => $pass::<L, 4>($($operand),*),
            2 => $pass::<L, 2>($($operand),*),
            _ => $pass::<L, 1>($($operand),*),
        }
    };
}

pub(super) use of_width;

/// The vectors of E elements, which lie next to one another.
#[inline(always)]
pub fn groups<L: Lanes, const E: usize>(values: &[L::Real]) -> &[[L::Vector; E]] {
    L::vectors(values).as_chunks::<E>().0
}

/// [`groups`], to be changed.
#[inline(always)]
pub fn groups_mut<L: Lanes, const E: usize>(values: &mut [L::Real]) -> &mut [[L::Vector; E]] {
    L::vectors_mut(values).as_chunks_mut::<E>().0
}

/// Sizes of a block's matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FastLayout {
    /// Units H.
    pub hidden: usize,
    /// Vectors of a column.
    pub blocks: usize,
    /// Lanes of a vector.
    width: usize,
    /// Elements of a full group.
    group: usize,
}

/// Elements that a pass takes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// The first one.
    pub first: usize,
    /// How many: [`Lanes::GROUP`] or 1.
    pub width: usize,
}

impl FastLayout {
    /// Of matrices of `hidden` × `hidden`.
    pub fn new<L: Lanes>(hidden: usize) -> Self {
        Self { hidden, blocks: hidden.div_ceil(L::WIDTH), width: L::WIDTH, group: L::GROUP }
    }

    /// Scalars of a padded row of units.
    pub fn row(self) -> usize {
        self.blocks * self.width
    }

    /// Scalars of one matrix: `[blocks, H]` of vectors.
    pub fn matrix(self) -> usize {
        self.row() * self.hidden
    }

    /// The groups of a block.
    pub fn groups(self, batch: usize) -> impl Iterator<Item = Group> {
        let full = batch / self.group;
        let widths = repeat_n(self.group, full).chain(repeat_n(1, batch - full * self.group));
        widths.scan(0, |next, width| {
            let group = Group { first: *next, width };
            *next += width;
            Some(group)
        })
    }

    /// The matrices of a group inside those of its block.
    pub fn matrices(self, group: Group) -> Range<usize> {
        group.first * self.matrix()..(group.first + group.width) * self.matrix()
    }

    /// Takes over the matrices at `start` of each element of packed `[B, S]`.
    pub fn load<T: Real>(self, packed: &[T], [state_len, start]: [usize; 2], matrices: &mut [T]) {
        self.each(packed.len() / state_len, |element, place, index| {
            matrices[place] = packed[element * state_len + start + index]
        });
    }

    /// Packs the matrices to `start` of each element of `[B, S]`.
    pub fn store<T: Real>(self, matrices: &[T], packed: &mut [T], [state_len, start]: [usize; 2]) {
        self.each(packed.len() / state_len, |element, place, index| {
            packed[element * state_len + start + index] = matrices[place]
        });
    }

    /// Calls `exchange` with every element, place and index in the row-major matrix.
    fn each(self, batch: usize, mut exchange: impl FnMut(usize, usize, usize)) {
        for group in self.groups(batch) {
            for e in 0..group.width {
                for post in 0..self.hidden {
                    let (block, lane) = (post / self.width, post % self.width);
                    for pre in 0..self.hidden {
                        let vector = (block * self.hidden + pre) * group.width + e;
                        let place = group.first * self.matrix() + vector * self.width + lane;
                        exchange(group.first + e, place, post * self.hidden + pre);
                    }
                }
            }
        }
    }

    /// Adds Σ_j |F_ij| v_j² to energies `[B, row]`; the v of an element begin `stride` scalars after those before.
    pub fn add_energy<L: Lanes>(
        self,
        lanes: L,
        fast: &[L::Real],
        (values, stride): (&[L::Real], usize),
        energy: &mut [L::Real],
    ) {
        for group in self.groups(energy.len() / self.row()) {
            let fast = L::vectors(&fast[self.matrices(group)]);
            lanes.vectorize(
                #[inline(always)]
                || {
                    for (index, fast) in fast.iter().enumerate() {
                        let (element, column) = (group.first + index % group.width, index / group.width);
                        let (block, j) = (column / self.hidden, column % self.hidden);
                        let value = values[element * stride + j];
                        let energy = &mut energy[element * self.row()..(element + 1) * self.row()];
                        let energy = &mut L::vectors_mut(energy)[block];
                        *energy = lanes.mul_add(lanes.abs(*fast), lanes.splat(value * value), *energy);
                    }
                },
            );
        }
    }

    /// Zeroes the matrix of an element.
    pub fn clear<T: Real>(self, batch: usize, element: usize, matrices: &mut [T]) {
        let Some(group) = self.groups(batch).find(|group| element < group.first + group.width) else { return };
        let vectors = matrices[self.matrices(group)].chunks_exact_mut(self.width);
        for vector in vectors.skip(element - group.first).step_by(group.width) {
            vector.fill(T::ZERO);
        }
    }
}
