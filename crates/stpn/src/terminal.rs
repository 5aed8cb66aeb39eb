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

/// The colours that a terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// All.
    Full,
    /// The 216 of the cube that every terminal of today knows.
    Few,
}

impl Colours {
    /// Those of a stream; none if it is no terminal, or they are not wanted.
    pub fn of(stream: &impl IsTerminal) -> Option<Self> {
        let full = std::env::var("COLORTERM").is_ok_and(|value| matches!(value.as_str(), "truecolor" | "24bit"));
        colours(stream).then_some(if full { Self::Full } else { Self::Few })
    }

    /// What makes the following text this colour.
    pub fn foreground(self, color: [u8; 3]) -> String {
        self.code(38, color)
    }

    /// What makes the ground of the following text this colour.
    pub fn background(self, color: [u8; 3]) -> String {
        self.code(48, color)
    }

    /// The text in this colour.
    pub fn paint(self, color: [u8; 3], text: &str) -> String {
        format!("{}{text}\x1b[0m", self.foreground(color))
    }

    fn code(self, ground: u8, color: [u8; 3]) -> String {
        let [r, g, b] = color;
        match self {
            Self::Full => format!("\x1b[{ground};2;{r};{g};{b}m"),
            Self::Few => {
                // Levels of the cube: 0, 95, 135, 175, 215, 255.
                let level = |c: u8| if c < 48 { 0 } else { ((u32::from(c).max(75) - 35) / 40).min(5) };
                format!("\x1b[{ground};5;{}m", 16 + 36 * level(r) + 6 * level(g) + level(b))
            }
        }
    }
}

/// Columns and lines of the terminal on standard output; 80 × 24 where there is none.
pub fn size() -> (usize, usize) {
    #[cfg(unix)]
    if let Ok(size) = rustix::termios::tcgetwinsize(std::io::stdout())
        && size.ws_col > 0
        && size.ws_row > 0
    {
        return (size.ws_col.into(), size.ws_row.into());
    }
    (80, 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_colours_are_the_nearest_of_the_cube() {
        let code = |color| Colours::Few.foreground(color);
        assert_eq!(code([0, 0, 0]), "\x1b[38;5;16m");
        assert_eq!(code([255, 255, 255]), "\x1b[38;5;231m");
        assert_eq!(code([95, 135, 255]), format!("\x1b[38;5;{}m", 16 + 36 + 2 * 6 + 5));
        assert_eq!(Colours::Full.paint([1, 2, 3], "x"), "\x1b[38;2;1;2;3mx\x1b[0m");
    }
}
