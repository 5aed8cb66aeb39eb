//! The report on a set of runs: figures drawn once, shown on a page or written as files.
//!
//! [`overview::Report`] is all of it, [`recorded::draw`] draws again what was recorded. Behind them,
//! [`runs`] reads run directories, [`curves`], [`plasticity`] and [`maze`] turn them into [`figure::Figure`]s by way of
//! [`chart`], [`bars`] and [`heatmap`], which draw on a [`sheet`], and [`page`] puts them on one self-contained HTML page.

pub mod axis;
pub mod bars;
pub mod chart;
pub mod curves;
pub mod episode;
pub mod figure;
pub mod grouping;
pub mod heatmap;
pub mod legend;
pub mod maze;
pub mod overview;
pub mod page;
pub mod pictures;
pub mod plasticity;
pub mod recorded;
pub mod runs;
pub mod sheet;
