//! The exact return of the oracle, which knows the goal and always walks a shortest path.

use super::{Grid, MazeConfig};
use crate::Result;

/// The exact expected return of an episode under the optimal policy that knows where the goal is.
///
/// For every goal, V(t) is the expected return with t steps left right after a relocation:
/// V(t) = Σ_d p(d)·\[d ≤ t\]·(reward + V(t−d)), where p(d) is the share of free cells other than the goal that lie d
/// steps away. The return of an episode of length T is reward + V(T−d₀), d₀ the distance from the centre, averaged
/// over the goals; an agent that starts on the goal has to leave and come back, d₀ = 2. No policy does better: no
/// action changes where one is put, and arriving later leaves less time.
///
/// # Errors
/// [`crate::Error::Config`] for impossible settings.
pub fn expected_return(config: &MazeConfig) -> Result<f64> {
    config.validate()?;
    let grid = Grid::new(config.size);
    let horizon = config.episode_length as usize;
    let others = grid.free().len() - 1;
    let from_centre = grid.distances(grid.centre());
    let mut sum = 0.0;
    for (&goal, &start) in grid.free().iter().zip(&from_centre) {
        let distances = grid.distances(goal);
        let longest = distances.iter().max().copied().unwrap_or_default() as usize;
        let mut share = vec![0.0; longest + 1];
        for distance in distances {
            share[distance as usize] += 1.0 / others as f64;
        }
        // The goal itself is the one cell at distance 0.
        share[0] = 0.0;

        let mut value = vec![0.0; horizon + 1];
        for left in 1..=horizon {
            value[left] =
                (1..=longest.min(left)).map(|steps| share[steps] * (config.reward + value[left - steps])).sum();
        }
        let first = if start == 0 { 2 } else { start as usize };
        if first <= horizon {
            sum += config.reward + value[horizon - first];
        }
    }
    Ok(sum / grid.free().len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oracle(size: usize, episode_length: u32) -> f64 {
        expected_return(&MazeConfig { size, episode_length, ..Default::default() }).unwrap()
    }

    #[test]
    fn published_sizes() {
        let (published, small) = (oracle(13, 200), oracle(9, 200));
        assert!((published - 271.0).abs() < 1.0, "{published}");
        assert!((small - 419.0).abs() < 1.0, "{small}");
    }

    #[test]
    fn short_horizons_by_hand() {
        // Size 5: nine free cells without pillars. One step reaches the 4 neighbours of the centre.
        assert_eq!(oracle(5, 1), 10.0 * 4.0 / 9.0);
        // Two steps reach every goal once, the centre included. Where the goal is one of the 4 neighbours there is
        // a step left, and 3 of the 8 cells next to it.
        let expected = 10.0 * (1.0 + 4.0 / 9.0 * 3.0 / 8.0);
        assert!((oracle(5, 2) - expected).abs() < 1e-12);
    }

    #[test]
    fn proportional_to_the_reward_and_blind_to_the_penalty() {
        let config = MazeConfig { reward: 2.5, wall_penalty: 1.0, ..Default::default() };
        assert!((expected_return(&config).unwrap() - oracle(13, 200) / 4.0).abs() < 1e-9);
    }
}
