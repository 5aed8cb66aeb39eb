//! Observations made of parts.

/// Writes parts one after another.
pub(super) struct Writer<'a> {
    left: &'a mut [f64],
}

impl<'a> Writer<'a> {
    pub fn new(observation: &'a mut [f64]) -> Self {
        Self { left: observation }
    }

    /// Appends all of `part`.
    ///
    /// # Panics
    /// If there is no room: the task's observation is longer than it said.
    pub fn put(&mut self, part: &[f64]) {
        self.put_with(part, |number| number);
    }

    /// Appends `change` of every number of `part`.
    ///
    /// # Panics
    /// As [`Writer::put`].
    pub fn put_with(&mut self, part: &[f64], change: impl Fn(f64) -> f64) {
        let (now, left) = std::mem::take(&mut self.left).split_at_mut(part.len());
        now.iter_mut().zip(part).for_each(|(into, &number)| *into = change(number));
        self.left = left;
    }
}
