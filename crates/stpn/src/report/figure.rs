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
