//! What the other end of an output can do.

use std::io::IsTerminal;

/// Whether it is a terminal on which text can be moved and drawn over; `TERM=dumb` says that it is none.
pub fn draws(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether it shows colours, and they are wanted: <https://no-color.org>.
pub fn colours(stream: &impl IsTerminal) -> bool {
    draws(stream) && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
