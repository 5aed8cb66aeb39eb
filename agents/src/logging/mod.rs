//! What a run leaves behind for its reader: `metrics.jsonl` and TensorBoard event files.
//!
//! Both are set back to the checkpoint when a run resumes, so that neither has a gap or a double entry. Entries are
//! written as they come, and a disk that refuses them is warned of; training goes on.

mod append;
pub mod events;
pub mod histogram;
mod hparams;
pub mod jsonl;
pub mod record;
pub mod state;

pub use events::EventLog;
pub use histogram::Histogram;
pub use jsonl::MetricsLog;
pub use state::LogState;
