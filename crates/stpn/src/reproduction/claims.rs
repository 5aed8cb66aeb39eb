//! What the paper claims, in our words: what `reproduction/README.md` opens with a verdict on.

use stpn_core::cells::CellName;
use stpn_core::cells::CellName::{
    Backpropamine, FastWeights, HebbFf, Lstm, Mlp, Rnn, Stpn, StpnScalar, Stpnf, StpnfScalar,
};

/// A claim: at the end of training at the published length, `cell` is ahead of each of `rivals`.
#[derive(Debug)]
pub struct Claim {
    /// In a few words.
    pub text: &'static str,
    /// Name of the experiment that tests it.
    pub experiment: &'static str,
    /// The cell that it is about.
    pub cell: CellName,
    /// The cells that it is compared with.
    pub rivals: &'static [CellName],
    /// By what.
    pub measure: Measure,
}

/// What a claim compares cells by, and which side of it is ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Accuracy or return: more is ahead.
    Result,
    /// Energy of the trained network: less is ahead.
    Energy,
}

/// Its own reduced forms: one λ and γ for all synapses, no recurrence, neither, and HebbFF.
const REDUCED: &[CellName] = &[StpnScalar, Stpnf, StpnfScalar, HebbFf];

/// The other models of associative retrieval.
const RETRIEVERS: &[CellName] = &[Lstm, Rnn, FastWeights, Backpropamine];

/// The other models of the maze.
const EXPLORERS: &[CellName] = &[Lstm, Rnn, Backpropamine];

/// The other models of InvertedPendulum.
const BALANCERS: &[CellName] = &[Lstm, Rnn, Mlp];

/// The other models of familiarity detection.
const RECOGNISERS: &[CellName] = &[HebbFf, Lstm];

/// All of them, in the order of the experiments.
pub const CLAIMS: &[Claim] = &[
    result(
        "The STPN retrieves associations better than RNN, LSTM, fast weights and Backpropamine",
        "art",
        Stpn,
        RETRIEVERS,
    ),
    energy("The STPN retrieves associations with the least energy per symbol", "art", Stpn, RETRIEVERS),
    result("All parts of the STPN are needed to retrieve associations (ablations)", "art", Stpn, REDUCED),
    result("The STPN recognises repeats best: R = 3, fresh data", "familiarity-fresh-r3", Stpn, RECOGNISERS),
    result("The STPN recognises repeats best: R = 3, fixed data", "familiarity-fixed-r3", Stpn, RECOGNISERS),
    result("The STPN recognises repeats best: R = 6, fresh data", "familiarity-fresh-r6", Stpn, RECOGNISERS),
    result("The STPN explores mazes better than LSTM, RNN and Backpropamine", "maze", Stpn, EXPLORERS),
    energy("In the maze, the STPN's trained policy needs the least energy per neuron", "maze", Stpn, EXPLORERS),
    result("All parts of the STPN are needed to explore mazes (ablations)", "maze", Stpn, REDUCED),
    result(
        "The STPNf (no recurrence) balances the pendulum better than LSTM, RNN and MLP",
        "pendulum",
        Stpnf,
        BALANCERS,
    ),
    energy(
        "On the pendulum, the STPNf's trained policy needs the least energy per neuron",
        "pendulum",
        Stpnf,
        BALANCERS,
    ),
    result("The STPN plays Pong better than the LSTM", "pong", Stpn, &[Lstm]),
    energy("On Pong, the STPN's trained policy needs less energy per neuron", "pong", Stpn, &[Lstm]),
];

const fn result(text: &'static str, experiment: &'static str, cell: CellName, rivals: &'static [CellName]) -> Claim {
    Claim { text, experiment, cell, rivals, measure: Measure::Result }
}

const fn energy(text: &'static str, experiment: &'static str, cell: CellName, rivals: &'static [CellName]) -> Claim {
    Claim { text, experiment, cell, rivals, measure: Measure::Energy }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;
    use crate::reproduction::EXPERIMENTS;

    #[test]
    fn every_claim_is_about_cells_that_its_experiment_compares() {
        for claim in CLAIMS {
            let experiment = EXPERIMENTS.iter().find(|experiment| experiment.name == claim.experiment).unwrap();
            let compared: Vec<CellName> = presets::find(experiment.preset).unwrap().compared_cells().collect();
            for cell in claim.rivals.iter().chain([&claim.cell]) {
                assert!(compared.contains(cell), "{}: {cell}", claim.text);
            }
            assert!(!claim.rivals.is_empty() && !claim.rivals.contains(&claim.cell), "{}", claim.text);
        }
        for experiment in EXPERIMENTS {
            assert!(CLAIMS.iter().any(|claim| claim.experiment == experiment.name), "{}", experiment.name);
        }
    }
}
