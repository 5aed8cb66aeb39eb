//! What the joystick can do.

/// A position of the joystick and its button, in the emulator's numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Action {
    Noop,
    Fire,
    Up,
    Right,
    Left,
    Down,
    UpRight,
    UpLeft,
    DownRight,
    DownLeft,
    UpFire,
    RightFire,
    LeftFire,
    DownFire,
    UpRightFire,
    UpLeftFire,
    DownRightFire,
    DownLeftFire,
}

impl Action {
    /// All 18, in order.
    pub const ALL: [Self; 18] = [
        Self::Noop,
        Self::Fire,
        Self::Up,
        Self::Right,
        Self::Left,
        Self::Down,
        Self::UpRight,
        Self::UpLeft,
        Self::DownRight,
        Self::DownLeft,
        Self::UpFire,
        Self::RightFire,
        Self::LeftFire,
        Self::DownFire,
        Self::UpRightFire,
        Self::UpLeftFire,
        Self::DownRightFire,
        Self::DownLeftFire,
    ];

    /// Those whose bits are set.
    pub(crate) fn of_bits(bits: u32) -> Vec<Self> {
        Self::ALL.into_iter().filter(|&action| bits >> action as u8 & 1 == 1).collect()
    }
}
