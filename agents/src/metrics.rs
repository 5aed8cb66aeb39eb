//! Named numbers of one update, in a fixed order.

use serde::{Deserialize, Deserializer, Serialize};

/// Metrics by CleanRL's names (`charts/…`, `losses/…`), in the order in which they were set.
///
/// All that do not [depend on the clock](depends_on_the_clock) repeat bit for bit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    name: String,
    #[serde(deserialize_with = "number")]
    value: f64,
    over: Over,
}

/// What the values of several updates come to where they share an entry of the logs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Over {
    /// Their mean, each with the weight of as many observations as it is a mean of.
    Mean(f64),
    /// Their sum.
    Sum,
    /// The last of them: a counter or a setting.
    Last,
    /// Nothing: each is a measurement by itself, and is written at its own update.
    Event,
}

/// Whether a metric of that name differs from run to run.
pub fn depends_on_the_clock(name: &str) -> bool {
    ["seconds", "per_second", "time", "SPS"].iter().any(|word| name.contains(word))
}

impl Metrics {
    /// Sets or replaces a metric, of which several updates come to their mean.
    pub fn set(&mut self, name: &str, value: f64) {
        self.set_over(name, value, Over::Mean(1.0));
    }

    /// Sets or replaces a metric.
    pub fn set_over(&mut self, name: &str, value: f64, over: Over) {
        match self.entries.iter_mut().find(|entry| entry.name == name) {
            Some(entry) => (entry.value, entry.over) = (value, over),
            None => self.entries.push(Entry { name: name.to_string(), value, over }),
        }
    }

    /// The metric of that name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.entries.iter().find(|entry| entry.name == name).map(|entry| entry.value)
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, f64)> {
        self.entries.iter().map(|entry| (entry.name.as_str(), entry.value))
    }

    /// Takes over all of `other`.
    pub fn extend(&mut self, other: &Self) {
        other.entries.iter().for_each(|entry| self.set_over(&entry.name, entry.value, entry.over));
    }

    /// Adds a later update's metrics, but for its events, to those of the updates before it.
    pub fn accumulate(&mut self, later: &Self) {
        for Entry { name, value, over } in later.entries.iter().filter(|entry| entry.over != Over::Event) {
            let Some(entry) = self.entries.iter_mut().find(|entry| entry.name == *name) else {
                self.set_over(name, *value, *over);
                continue;
            };
            match (entry.over, *over) {
                (Over::Mean(before), Over::Mean(weight)) => {
                    let whole = before + weight;
                    if whole > 0.0 {
                        entry.value += (value - entry.value) * (weight / whole);
                    }
                    entry.over = Over::Mean(whole);
                }
                (_, Over::Sum) => entry.value += value,
                (_, over) => (entry.value, entry.over) = (*value, over),
            }
        }
    }

    /// The measurements among them that are written at their own update.
    pub fn events(&self) -> Self {
        Self { entries: self.entries.iter().filter(|entry| entry.over == Over::Event).cloned().collect() }
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// A number as JSON has it: what is not finite is written as null.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_come_to_means_over_what_they_counted() {
        let mut entry = Metrics::default();
        for (episodes, mean, loss) in [(1.0, 10.0, 1.0), (0.0, 0.0, 2.0), (3.0, 2.0, 6.0)] {
            let mut update = Metrics::default();
            if episodes > 0.0 {
                update.set_over("charts/episodic_return", mean, Over::Mean(episodes));
            }
            update.set_over("charts/episodes", episodes, Over::Sum);
            update.set("losses/policy_loss", loss);
            update.set_over("charts/learning_rate", loss, Over::Last);
            update.set_over("eval/episodic_return", 7.0, Over::Event);
            entry.accumulate(&update);
            assert_eq!(update.events().iter().collect::<Vec<_>>(), [("eval/episodic_return", 7.0)]);
        }
        let names = ["charts/episodic_return", "charts/episodes", "losses/policy_loss", "charts/learning_rate"];
        assert_eq!(names.map(|name| entry.get(name)), [4.0, 4.0, 3.0, 6.0].map(Some), "each episode counts as much");
        assert_eq!(entry.get("eval/episodic_return"), None);
    }

    #[test]
    fn metrics_are_the_same_once_saved() {
        let mut metrics = Metrics::default();
        metrics.set_over("a", 0.1 + 0.2, Over::Mean(3.0));
        metrics.set_over("b", -1e-300, Over::Sum);
        let text = serde_json::to_string(&metrics).unwrap();
        assert_eq!(serde_json::from_str::<Metrics>(&text).unwrap(), metrics);
        metrics.set("c", f64::INFINITY);
        let text = serde_json::to_string(&metrics).unwrap();
        assert!(serde_json::from_str::<Metrics>(&text).unwrap().get("c").unwrap().is_nan());
    }
}
