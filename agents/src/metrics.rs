//! Named numbers of one update, in a fixed order.

/// Metrics by CleanRL's names (`charts/…`, `losses/…`), in the order in which they were set.
///
/// Every name that depends on the clock contains `seconds`, `per_second` or `time`; all others repeat bit for bit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    entries: Vec<(String, f64)>,
}

impl Metrics {
    /// Sets or replaces a metric.
    pub fn set(&mut self, name: &str, value: f64) {
        match self.entries.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.entries.push((name.to_string(), value)),
        }
    }

    /// The metric of that name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.entries.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, f64)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Takes over all of `other`.
    pub fn extend(&mut self, other: &Self) {
        other.iter().for_each(|(name, value)| self.set(name, value));
    }
}
