//! Working on pictures.

mod area;

pub use area::AreaResize;
