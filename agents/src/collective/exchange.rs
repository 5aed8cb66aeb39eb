//! What ranks tell one another while they learn: gradients, and small sums in a fixed order.

use std::sync::Arc;

use super::{Collective, Local};
use crate::learner::Gradient;
use crate::statistics::Moments;
use crate::stop::Stop;

/// How many processes learn together, and how their parts become one.
#[derive(Clone, Debug)]
pub struct Exchange {
    collective: Arc<dyn Collective>,
    canonical: bool,
    stop: Stop,
}

impl Default for Exchange {
    /// One process alone.
    fn default() -> Self {
        Self::new(Arc::new(Local), false)
    }
}

impl Exchange {
    /// Exchange over `collective`. `canonical`: gradients are summed block by block in an order that does not depend
    /// on how the blocks are spread over ranks, which moves every block's gradient to every rank.
    pub fn new(collective: Arc<dyn Collective>, canonical: bool) -> Self {
        Self { collective, canonical, stop: Stop::default() }
    }

    /// From now on what learns here asks `stop` whether to go on.
    pub fn set_stop(&mut self, stop: Stop) {
        self.stop = stop;
    }

    /// The wish to stop of this process.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// The processes.
    pub fn collective(&self) -> &dyn Collective {
        self.collective.as_ref()
    }

    /// Whether gradients are summed in an order that does not depend on the number of ranks.
    pub fn canonical(&self) -> bool {
        self.canonical
    }

    /// Number of processes.
    pub fn size(&self) -> usize {
        self.collective.size()
    }

    /// The owner of each of the blocks that are numbered rank by rank, `own` of them on every rank.
    pub fn owners(&self, own: usize) -> Vec<usize> {
        (0..self.size()).flat_map(|rank| std::iter::repeat_n(rank, own)).collect()
    }

    /// The sum of every rank's block gradients of `len` elements. `owners` names the rank of every block, in their
    /// common order; `own` are this rank's.
    pub fn gradient(&self, own: Vec<Gradient>, owners: &[usize], len: usize) -> Gradient {
        let mut sum = if self.canonical && self.size() > 1 {
            let flat: Vec<f32> = own.into_iter().flat_map(|gradient| gradient.0).collect();
            let ranks = self.collective.gather_f32(&flat);
            let mut blocks: Vec<_> = ranks.iter().map(|rank| rank.chunks_exact(len)).collect();
            let in_order = owners.iter().filter_map(|&owner| blocks[owner].next());
            return Gradient::sum(in_order.map(|block| Gradient(block.to_vec())).collect());
        } else {
            Gradient::sum(own)
        };
        // A rank may own no part of a minibatch.
        sum.0.resize(len, 0.0);
        self.collective.sum_f32(&mut sum.0);
        sum
    }

    /// Every rank's rows in their common order. Exact: a row is added to nothing but zeros.
    pub fn rows<const K: usize>(&self, own: &[[f64; K]], owners: &[usize]) -> Vec<[f64; K]> {
        if self.size() == 1 {
            return own.to_vec();
        }
        let (rank, mut next) = (self.collective.rank(), own.iter());
        let mut place = |&owner: &usize| if owner == rank { next.next().copied() } else { None };
        let mut all: Vec<[f64; K]> = owners.iter().map(|owner| place(owner).unwrap_or([0.0; K])).collect();
        self.collective.sum_f64(all.as_flattened_mut());
        all
    }

    /// Every rank's moments, rank by rank; all ranks have the same number of them.
    pub fn moments(&self, own: &[Moments]) -> Vec<Moments> {
        let rows: Vec<[f64; 3]> = own.iter().map(|m| [m.count, m.sum, m.squares]).collect();
        let rows = self.rows(&rows, &self.owners(own.len()));
        rows.into_iter().map(|[count, sum, squares]| Moments { count, sum, squares }).collect()
    }

    /// The moments of all ranks' numbers together, from those of each of this rank's parts.
    pub fn total(&self, own: &[Moments]) -> Moments {
        let mut total = Moments::default();
        self.moments(own).iter().for_each(|part| total.add(part));
        total
    }
}
