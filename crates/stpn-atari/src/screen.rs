//! Screens and colours.

/// What the television shows: one palette index a pixel, row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen<'a> {
    /// Palette indices, `height` × `width`.
    pub pixels: &'a [u8],
    /// Rows: 210 for most games, 250 for European ones.
    pub height: usize,
    /// Columns: 160.
    pub width: usize,
}

/// The colours of palette indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette {
    /// Red, green, blue.
    pub rgb: [[u8; 3]; 256],
    /// The emulator's luminance: 0.2989 red + 0.5870 green + 0.1140 blue, rounded.
    pub gray: [u8; 256],
}

impl Palette {
    /// From the emulator's table, where even entries are colours and the odd ones behind them their gray.
    pub(crate) fn new(table: &[u32; 256]) -> Self {
        let rgb = table.map(|colour| [(colour >> 16) as u8, (colour >> 8) as u8, colour as u8]);
        let gray = std::array::from_fn(|index| table[(index + 1).min(255)] as u8);
        Self { rgb, gray }
    }
}
