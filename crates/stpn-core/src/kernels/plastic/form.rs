//! Extents and row numbers shared by the passes and by what runs between them.

/// Columns in a chunk: a multiple of nothing in particular, but small enough that a chunk of the table (24 KiB in
/// f32 with AVX-512) stays in the first-level cache.
pub const CHUNK: usize = 128;

/// Vectors of sums that a forward pass makes for each batch element; which, [`super::spec::Sums`] says.
pub const SUMS: usize = 4;

/// G·z; where the sums are apart, W·z.
pub const SUM_DOT: usize = 0;
/// ‖G‖².
pub const SUM_SQUARE: usize = 1;
/// Φ·z, where the sums are apart.
pub const SUM_PHI_DOT: usize = 1;
/// W·Φ, where the sums are apart.
pub const SUM_W_PHI: usize = 2;
/// ‖Φ‖², where the sums are apart.
pub const SUM_PHI_SQUARE: usize = 3;

/// Activity h.
pub const ROW_H: usize = 0;
/// Scale r of Φ in the update: F̂ = r·Φ.
pub const ROW_R: usize = 1;
/// Scale s of Φ in the state: F = s·Φ.
pub const ROW_S: usize = 2;
/// 1/n of the forward pass, or 1.
pub const ROW_INVERSE: usize = 3;
/// State of the plastic bias.
pub const ROW_BIAS: usize = 4;
/// First of the [`SUMS`] sums.
pub const ROW_SUM: usize = 5;
/// Rows of vectors for each block of neurons.
pub const ROWS: usize = ROW_SUM + SUMS;

/// Added to every norm, so that an all-zero row divides to zero.
pub const NORM_EPSILON: f64 = 1e-16;

/// Added to the variance in layer normalisation.
pub const VARIANCE_EPSILON: f64 = 1e-5;
