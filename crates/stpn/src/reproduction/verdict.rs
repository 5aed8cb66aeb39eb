//! The verdict on a claim, from what was recorded of its experiment.

use std::fmt;

use stpn_core::cells::CellName;

use super::claims::{Claim, Measure};
use crate::comparison::Comparison;
use crate::comparison::results::CellResult;
use crate::comparison::statistics::Mean;
use crate::progress::thousands;

/// How verdicts are made; Markdown, below the table.
pub const RULE: &str = "\
A cell is *clearly* ahead of another one if its 95 % interval over seeds lies apart from the other's, on the claimed \
side. A claim **holds** if the cell is clearly ahead of every rival. It **holds partly** if its mean is ahead of every \
rival's but not every interval is apart, or if it is clearly ahead of some rivals only. It **does not hold** otherwise. \
There is **not enough evidence** if a cell was not run or has a single seed, if runs are shorter than the published \
ones, or if settings were changed: the table then says what is missing, and which cells are ahead so far. *Best rival* is \
the one with the best mean. Energy is that of the trained networks: per symbol and summed over neurons in associative \
retrieval, per neuron and step in policies. The claims are in our words. The paper says that the STPN needs the least \
energy of all models; we check this in every experiment that measures energy.";

/// Says in a comparison's note that settings were changed, and which.
pub const CHANGED: &str = "**Changed**:";

/// What is said of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Clearly ahead of every rival.
    Holds,
    /// Ahead of every rival, not of every one clearly; or clearly ahead of some.
    HoldsPartly,
    /// Neither.
    DoesNotHold,
    /// Something is missing.
    NotEnoughEvidence,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Holds => "holds",
            Self::HoldsPartly => "holds partly",
            Self::DoesNotHold => "does not hold",
            Self::NotEnoughEvidence => "not enough evidence",
        })
    }
}

/// What was found of a claim: a row of the table.
#[derive(Debug, PartialEq)]
pub struct Finding {
    /// The verdict.
    pub verdict: Verdict,
    /// What is missing, if something is, and how the cell stands to its rivals.
    pub why: String,
    /// The cell's result beside that of its best rival; none if the cell was not run.
    pub result: Option<String>,
    /// Fewest seeds of a cell that the claim is about.
    pub seeds: usize,
    /// Fewest updates of a run of these.
    pub updates: u64,
}

/// How a cell stands to one rival.
#[derive(Clone, Copy, PartialEq)]
enum Standing {
    ClearlyAhead,
    Ahead,
    NotAhead,
}

impl Finding {
    /// Of a claim, given the results of its experiment, if it was run, and the updates of a published run.
    pub fn of(claim: &Claim, comparison: Option<&Comparison>, published: u64) -> Self {
        let nothing =
            |why: String| Self { verdict: Verdict::NotEnoughEvidence, why, result: None, seeds: 0, updates: 0 };
        let Some(comparison) = comparison else { return nothing("not run".into()) };
        let measured = |cell: CellName| {
            let found = comparison.cells.iter().find(|found| found.cell == cell.as_str())?;
            Some((found, claim.measure.of(found)?))
        };
        let Some((cell, own)) = measured(claim.cell) else { return nothing(format!("{} not run", claim.cell)) };
        let rivals: Vec<(&CellResult, Mean)> = claim.rivals.iter().filter_map(|cell| measured(*cell)).collect();
        let absent = claim.rivals.iter().filter(|cell| measured(**cell).is_none()).map(|cell| cell.as_str());
        let absent: Vec<&str> = absent.collect();

        let about = || rivals.iter().map(|(rival, _)| *rival).chain([cell]);
        let seeds = about().map(|cell| cell.result.count).min().unwrap_or(0);
        let of_cells = comparison.runs.iter().filter(|run| about().any(|cell| cell.cell == run.cell));
        // A run that diverged is at its end.
        let updates = of_cells.filter(|run| !run.diverged).map(|run| run.updates).min().unwrap_or(0);
        let mut missing = Vec::new();
        if !absent.is_empty() {
            missing.push(format!("{} not run", absent.join(", ")));
        }
        if seeds < 2 {
            missing.push("one seed".into());
        }
        if updates < published {
            missing.push(format!("{} of {} updates", thousands(updates), thousands(published)));
        }
        if comparison.note.contains(CHANGED) {
            missing.push("changed settings".into());
        }

        let standings: Vec<(&str, Standing)> =
            rivals.iter().map(|(rival, theirs)| (&*rival.cell, claim.measure.standing(&own, theirs))).collect();
        let stands = described(&standings);
        let (verdict, why) = match missing.is_empty() {
            true => (decided(&standings), stands),
            false if rivals.is_empty() => (Verdict::NotEnoughEvidence, missing.join(", ")),
            false => (Verdict::NotEnoughEvidence, format!("{}; so far {stands}", missing.join(", "))),
        };
        let decimals = match claim.measure {
            Measure::Result => comparison.decimals(),
            Measure::Energy => 3,
        };
        let named = |name: &str, mean: &Mean| format!("{name} {}", mean.display(decimals));
        let best = rivals.iter().max_by(|(_, a), (_, b)| claim.measure.up(a.mean).total_cmp(&claim.measure.up(b.mean)));
        let beside = best.map_or(String::new(), |(rival, mean)| format!("; best rival {}", named(&rival.cell, mean)));
        let what = if claim.measure == Measure::Energy { "energy" } else { &comparison.measure };
        let result = Some(format!("{what}: {}{beside}", named(&cell.cell, &own)));
        Self { verdict, why, result, seeds, updates }
    }
}

impl Measure {
    /// A cell's value.
    fn of(self, cell: &CellResult) -> Option<Mean> {
        match self {
            Self::Result => Some(cell.result),
            Self::Energy => cell.energy,
        }
    }

    /// A value such that more is ahead.
    fn up(self, value: f64) -> f64 {
        match self {
            Self::Result => value,
            Self::Energy => -value,
        }
    }

    fn standing(self, own: &Mean, theirs: &Mean) -> Standing {
        let ends = |mean: &Mean| mean.interval.map(|ends| ends.map(|end| self.up(end)));
        let apart = match (ends(own), ends(theirs)) {
            (Some([a, b]), Some([c, d])) => a.min(b) > c.max(d),
            _ => false,
        };
        match apart {
            true => Standing::ClearlyAhead,
            false if self.up(own.mean) > self.up(theirs.mean) => Standing::Ahead,
            false => Standing::NotAhead,
        }
    }
}

/// The verdict if nothing is missing.
fn decided(standings: &[(&str, Standing)]) -> Verdict {
    let all = |wanted: &[Standing]| standings.iter().all(|(_, standing)| wanted.contains(standing));
    if all(&[Standing::ClearlyAhead]) {
        Verdict::Holds
    } else if all(&[Standing::ClearlyAhead, Standing::Ahead]) || !all(&[Standing::Ahead, Standing::NotAhead]) {
        Verdict::HoldsPartly
    } else {
        Verdict::DoesNotHold
    }
}

/// How a cell stands, in words: `clearly ahead of lstm; ahead of rnn; not ahead of mlp`.
fn described(standings: &[(&str, Standing)]) -> String {
    let words = [
        (Standing::ClearlyAhead, "clearly ahead of"),
        (Standing::Ahead, "ahead of"),
        (Standing::NotAhead, "not ahead of"),
    ];
    let parts = words.into_iter().filter_map(|(wanted, words)| {
        let names: Vec<&str> =
            standings.iter().filter(|(_, standing)| *standing == wanted).map(|(name, _)| *name).collect();
        (!names.is_empty()).then(|| format!("{words} {}", names.join(", ")))
    });
    parts.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::CellName::{Lstm, Rnn, Stpn};
    use super::*;
    use crate::comparison::measure::RunResult;
    use crate::comparison::statistics::ANY;

    const CLAIM: Claim =
        Claim { text: "", experiment: "art", cell: Stpn, rivals: &[Lstm, Rnn], measure: Measure::Result };

    /// Made up: cells with the results of their seeds, and energies a tenth of these, after 20 updates.
    fn comparison(cells: &[(&str, &[f64])]) -> Comparison {
        let run = |cell: &str, (seed, result): (u64, &f64)| RunResult {
            cell: cell.into(),
            seed,
            directory: String::new(),
            result: *result,
            energy: Some(result / 10.0),
            updates: 20,
            diverged: false,
            seconds: 1.0,
            curve: Vec::new(),
        };
        let runs = cells.iter().flat_map(|(cell, results)| (1..).zip(results.iter()).map(|one| run(cell, one)));
        let mean = |values: &[f64]| Mean::of(values, &ANY).unwrap();
        let of = |(cell, results): &(&str, &[f64])| CellResult {
            cell: cell.to_string(),
            units: 1,
            parameters: 1,
            state: None,
            multiply_adds: None,
            result: mean(results),
            energy: Some(mean(&results.iter().map(|result| result / 10.0).collect::<Vec<_>>())),
            updates: mean(&[20.0]),
            seconds: mean(&[1.0]),
        };
        Comparison {
            task: "task".into(),
            measure: "mean return".into(),
            energy_measure: "per unit and step".into(),
            possible: [None, None],
            random: None,
            oracle: None,
            statistics: String::new(),
            note: String::new(),
            provenance: String::new(),
            compared: Vec::new(),
            cells: cells.iter().map(of).collect(),
            runs: runs.collect(),
        }
    }

    fn finding(claim: &Claim, cells: &[(&str, &[f64])]) -> Finding {
        Finding::of(claim, Some(&comparison(cells)), 20)
    }

    #[test]
    fn a_claim_holds_if_the_cell_is_clearly_ahead_of_every_rival() {
        let found = finding(&CLAIM, &[("stpn", &[9.0, 9.1]), ("lstm", &[1.0, 1.1]), ("rnn", &[2.0, 2.1])]);
        assert_eq!((found.verdict, &*found.why), (Verdict::Holds, "clearly ahead of lstm, rnn"));
        assert_eq!((found.seeds, found.updates), (2, 20));
        let result = found.result.unwrap();
        assert!(result.starts_with("mean return: stpn 9.05 [8.41, 9.69]; best rival rnn 2.05 ["), "{result}");
    }

    #[test]
    fn a_run_that_diverged_was_taken_for_one_that_was_cut_short() {
        let mut compared = comparison(&[("stpn", &[9.0, 9.1]), ("lstm", &[1.0, 1.1]), ("rnn", &[2.0, 2.1])]);
        compared.runs[2].updates = 7;
        assert_eq!(Finding::of(&CLAIM, Some(&compared), 20).verdict, Verdict::NotEnoughEvidence);
        compared.runs[2].diverged = true;
        let found = Finding::of(&CLAIM, Some(&compared), 20);
        assert_eq!((found.verdict, found.updates), (Verdict::Holds, 20));
    }

    #[test]
    fn a_claim_holds_partly_if_intervals_overlap_or_some_rivals_are_not_behind() {
        let found = finding(&CLAIM, &[("stpn", &[9.0, 5.0]), ("lstm", &[1.0, 1.1]), ("rnn", &[2.0, 2.1])]);
        assert_eq!((found.verdict, &*found.why), (Verdict::HoldsPartly, "ahead of lstm, rnn"));
        let found = finding(&CLAIM, &[("stpn", &[9.0, 9.1]), ("lstm", &[1.0, 1.1]), ("rnn", &[11.0, 12.1])]);
        assert_eq!((found.verdict, &*found.why), (Verdict::HoldsPartly, "clearly ahead of lstm; not ahead of rnn"));
    }

    #[test]
    fn a_claim_does_not_hold_if_the_cell_is_clearly_ahead_of_none_and_behind_one() {
        let found = finding(&CLAIM, &[("stpn", &[9.0, 5.0]), ("lstm", &[1.0, 1.1]), ("rnn", &[12.0, 12.1])]);
        assert_eq!((found.verdict, &*found.why), (Verdict::DoesNotHold, "ahead of lstm; not ahead of rnn"));
        // Level at the greatest possible value is not ahead.
        let found = finding(&CLAIM, &[("stpn", &[9.0, 9.0]), ("lstm", &[9.0, 9.0]), ("rnn", &[9.0, 9.0])]);
        assert_eq!(found.verdict, Verdict::DoesNotHold);
    }

    #[test]
    fn less_energy_is_ahead() {
        let cells: [(&str, &[f64]); 3] = [("stpn", &[1.0, 1.1]), ("lstm", &[9.0, 9.1]), ("rnn", &[2.0, 2.1])];
        let claim = Claim { measure: Measure::Energy, ..CLAIM };
        let found = finding(&claim, &cells);
        assert_eq!(found.verdict, Verdict::HoldsPartly, "{found:?}");
        assert!(found.result.unwrap().contains("best rival rnn 0.205"));
        assert_eq!(finding(&CLAIM, &cells).verdict, Verdict::DoesNotHold);
    }

    #[test]
    fn what_is_missing_leaves_too_little_evidence_and_is_named() {
        let cells: [(&str, &[f64]); 3] = [("stpn", &[9.0, 9.1]), ("lstm", &[1.0, 1.1]), ("rnn", &[2.0, 2.1])];
        let open = |found: &Finding, why: &str| {
            assert_eq!((found.verdict, &*found.why), (Verdict::NotEnoughEvidence, why));
        };
        open(&Finding::of(&CLAIM, None, 20), "not run");
        open(&finding(&CLAIM, &cells[1..]), "stpn not run");
        open(&finding(&CLAIM, &cells[..1]), "lstm, rnn not run");
        open(&finding(&CLAIM, &cells[..2]), "rnn not run; so far clearly ahead of lstm");
        let short = Finding::of(&CLAIM, Some(&comparison(&cells)), 50_000);
        open(&short, "20 of 50,000 updates; so far clearly ahead of lstm, rnn");
        let single = finding(&CLAIM, &[("stpn", &[9.0]), ("lstm", &[1.0]), ("rnn", &[2.0])]);
        open(&single, "one seed; so far ahead of lstm, rnn");
        let changed = Comparison { note: format!("At its length. {CHANGED} a=1."), ..comparison(&cells) };
        open(&Finding::of(&CLAIM, Some(&changed), 20), "changed settings; so far clearly ahead of lstm, rnn");
        let mut without = comparison(&cells);
        without.cells[0].energy = None;
        let claim = Claim { measure: Measure::Energy, ..CLAIM };
        open(&Finding::of(&claim, Some(&without), 20), "stpn not run");
    }
}
