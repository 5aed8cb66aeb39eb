//! Environments around environments, each changing one thing.
//!
//! Wrappers take any [`crate::Env`], a boxed one too, keep the name of the one inside, and save its state behind their
//! own.

mod antialias;
mod appended;
mod frame_stack;
mod mask;
mod previous_action;
mod record_episode_statistics;
mod reward_clip;
mod time_limit;

pub use antialias::Antialias;
pub use frame_stack::FrameStack;
pub use mask::Mask;
pub use previous_action::PreviousAction;
pub use record_episode_statistics::RecordEpisodeStatistics;
pub use reward_clip::RewardClip;
pub use time_limit::TimeLimit;
