//! Performance profiles: which share of all runs of all tasks lies above a score, score by score.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::aggregate::{Estimate, Scores};
use super::statistics::SHARE;
use crate::report::chart::{Chart, Line};
use crate::{Result, files};

/// The picture.
pub const PICTURE: &str = "profiles.svg";

/// The numbers behind it.
pub const NUMBERS: &str = "profiles.csv";

/// Steps between 0 and 1 at which a profile is told.
const STEPS: u32 = 50;

/// The profiles of several methods.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profiles(Vec<Profile>);

/// A method.
#[derive(Clone, Debug, PartialEq)]
struct Profile {
    name: String,
    /// Its place among all methods, those without a score included: its colour does not depend on the others' success.
    place: usize,
    /// The share of its runs above each score.
    shares: Vec<(f64, Estimate)>,
}

impl Profiles {
    /// Of methods with their scores, of which 0 and 1 are the ends; methods without a score are left out.
    pub fn of<'a>(methods: impl IntoIterator<Item = (&'a str, Scores)>) -> Self {
        let thresholds: Vec<f64> = (0..=STEPS).map(|step| f64::from(step) / f64::from(STEPS)).collect();
        let profile = |(place, (name, scores)): (usize, (&str, Scores))| {
            let shares = thresholds.iter().copied().zip(scores.profile(&thresholds)?).collect();
            Some(Profile { name: name.to_string(), place, shares })
        };
        Self(methods.into_iter().enumerate().filter_map(profile).collect())
    }

    /// A line a method, with the interval of each share by itself; none without a method.
    pub fn picture(&self, score: &str) -> Option<String> {
        let line = |Profile { name, place, shares }: &Profile| Line {
            name: name.clone(),
            style: *place,
            points: shares.iter().map(|(at, share)| (*at, share.value)).collect(),
            band: shares.iter().map(|(at, Estimate { interval: [low, high], .. })| (*at, *low, *high)).collect(),
            ..Line::default()
        };
        let chart = Chart {
            x_label: score.into(),
            y_label: "runs above it (share)".into(),
            possible_x: SHARE,
            possible_y: SHARE,
            lines: self.0.iter().map(line).collect(),
            ..Chart::default()
        };
        (!self.0.is_empty()).then(|| chart.svg())
    }

    /// Draws them into a folder; returns the picture's path, none without a method.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn draw(&self, score: &str, directory: &Path) -> Result<Option<PathBuf>> {
        let Some(svg) = self.picture(score) else { return Ok(None) };
        let path = directory.join(PICTURE);
        files::write(&path, svg)?;
        Ok(Some(path))
    }

    /// The numbers.
    pub fn csv(&self) -> String {
        let mut text = "cell,threshold,share,low,high\n".to_string();
        for Profile { name, shares, .. } in &self.0 {
            for (at, Estimate { value, interval: [low, high] }) in shares {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{name},{at},{value},{low},{high}");
            }
        }
        text
    }

    /// Share of the runs of a method above the threshold of a step.
    #[cfg(test)]
    pub fn at(&self, method: usize, step: usize) -> f64 {
        self.0[method].shares[step].1.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_fall_from_all_runs_to_none() {
        let scores = |values: &[f64]| Scores(vec![values.to_vec()]);
        let methods = [("stpn", scores(&[0.5, 0.75])), ("lstm", scores(&[0.0, 1.0])), ("gru", Scores::default())];
        let profiles = Profiles::of(methods);
        assert_eq!([0, 24, 25, 37, 38].map(|step| profiles.at(0, step)), [1.0, 1.0, 0.5, 0.5, 0.0]);
        assert_eq!([0, 49, 50].map(|step| profiles.at(1, step)), [0.5, 0.5, 0.0], "above it, not at it");
        let svg = profiles.picture("score").unwrap();
        assert!(svg.contains(">stpn<") && svg.contains(">lstm<") && !svg.contains(">gru<"), "{svg}");
        assert!(profiles.csv().starts_with("cell,threshold,share,low,high\nstpn,0,1,1,1\n"), "{}", profiles.csv());
        assert_eq!(profiles.csv().lines().count(), 1 + 2 * 51);
        assert_eq!(Profiles::default().picture("score"), None);
    }

    #[test]
    fn a_method_had_another_colour_if_one_before_it_had_no_score() {
        let scores = || Scores(vec![vec![0.5, 0.75]]);
        let of = |middle: Scores| Profiles::of([("stpn", scores()), ("stpnf", middle), ("lstm", scores())]);
        let colours = |profiles: Profiles| -> Vec<usize> { profiles.0.iter().map(|profile| profile.place).collect() };
        assert_eq!(colours(of(scores())), [0, 1, 2]);
        assert_eq!(colours(of(Scores::default())), [0, 2]);
        let svg = of(Scores::default()).picture("score").unwrap();
        assert!(svg.contains("<g class=\"s2\">") && !svg.contains("<g class=\"s1\">"), "{svg}");
    }
}
