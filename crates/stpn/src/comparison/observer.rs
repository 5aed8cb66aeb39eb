//! Who watches a comparison: the library prints nothing.

/// What a comparison tells of itself while it runs, from several threads. Each of these does nothing unless it is written
/// otherwise.
pub trait Observer: Sync {
    /// Something to know, in a line.
    fn note(&self, _line: &str) {}

    /// A comparison has been made: its table.
    fn result(&self, _table: &str) {}

    /// Of so many runs, so many are done; the others follow.
    fn begin(&self, _runs: usize, _done: usize) {}

    /// A run begins.
    fn run_begins(&self, _run: &str) {}

    /// What a run said, line by line.
    fn run_says(&self, _run: &str, _line: &str) {}

    /// A run has ended, in its own time or not.
    fn run_ends(&self, _run: &str, _success: bool) {}

    /// No further run follows.
    fn end(&self) {}
}

/// Nobody watches.
impl Observer for () {}
