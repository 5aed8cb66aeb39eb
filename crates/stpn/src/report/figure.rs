//! A drawn figure with what is said about it.

/// One picture of a report.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Identifier, also the file name of `--plots`: `learning-curves`, `lambda`, …
    pub id: String,
    /// Heading.
    pub title: String,
    /// What it shows and how it was made, in a sentence or two.
    pub caption: String,
    /// Names of the series drawn in it; a browser test counts them.
    pub series: Vec<String>,
    /// The picture, a whole SVG document.
    pub svg: String,
}

/// Line colours, told apart by most forms of colour blindness; used in this order.
pub const COLORS: [(u8, u8, u8); 10] = [
    (209, 73, 91),
    (0, 121, 140),
    (237, 174, 73),
    (48, 99, 142),
    (106, 153, 78),
    (141, 90, 151),
    (120, 94, 70),
    (90, 90, 90),
    (230, 130, 180),
    (110, 190, 225),
];

/// The colour of series number `index`.
pub fn color(index: usize) -> (u8, u8, u8) {
    COLORS[index % COLORS.len()]
}
