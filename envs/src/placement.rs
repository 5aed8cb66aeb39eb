//! Which environments step together: those of one group of a vector are best made in one process.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// A group of environments that is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// Tells it from all others of this process.
    number: u64,
    /// How many groups its vector has.
    pub of: usize,
}

thread_local! {
    static GROUP: Cell<Option<Group>> = const { Cell::new(None) };
}

/// Makes a group, one of so many of its vector: until it is made, this thread's [`group`] is that one.
pub(crate) fn together<T>(of: usize, make: impl FnOnce() -> T) -> T {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let before = GROUP.replace(Some(Group { number: NEXT.fetch_add(1, Ordering::Relaxed), of }));
    let made = make();
    GROUP.set(before);
    made
}

/// The group that this thread makes; none if it makes an environment by itself.
pub(crate) fn group() -> Option<Group> {
    GROUP.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_told_apart_and_end() {
        assert_eq!(group(), None);
        let (one, within) = together(2, || (group(), together(3, group)));
        let other = together(2, group);
        assert!(one.is_some() && one != other && within.is_some_and(|group| group.of == 3));
        assert_eq!(group(), None);
    }
}
