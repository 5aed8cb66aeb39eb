//! The wish to stop, shared between who asks for it and who trains.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::{Error, Result};

/// A wish to stop. Copies share it; it grows more urgent and is never taken back.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicU8>);

/// The update under way is still finished.
const AFTER_THE_UPDATE: u8 = 1;
/// It is not.
const AT_ONCE: u8 = 2;

impl Stop {
    /// Asks for an end after the update under way.
    pub fn ask(&self) {
        self.0.fetch_max(AFTER_THE_UPDATE, Ordering::SeqCst);
    }

    /// Asks for an end now: the update under way is given up, and the state before it is what counts.
    pub fn abandon(&self) {
        self.0.fetch_max(AT_ONCE, Ordering::SeqCst);
    }

    /// True if an end was asked for, now or after the update.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= AFTER_THE_UPDATE
    }

    /// Asked by whatever takes long, at every step or block of it: whether to go on.
    ///
    /// # Errors
    /// [`Error::Stopped`] if the update is to be given up.
    pub fn go_on(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) >= AT_ONCE { Err(Error::Stopped) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_shared_and_only_grows() {
        let (stop, copy) = (Stop::default(), Stop::default().clone());
        assert!(!stop.asked() && !copy.asked());
        let copy = stop.clone();
        stop.ask();
        assert!(copy.asked() && copy.go_on().is_ok());
        copy.abandon();
        stop.ask();
        assert!(matches!(stop.go_on(), Err(Error::Stopped)));
    }
}
