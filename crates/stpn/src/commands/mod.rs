//! The subcommands, one a file.

pub mod bench;
pub mod check_env;
pub mod compare;
pub mod config;
pub mod doctor;
pub mod draw;
pub mod eval;
pub mod explain;
pub mod export;
pub mod list;
pub mod play;
pub mod report;
pub mod reproduce;
pub mod resume;
pub mod shell;
pub mod train;
mod training;
pub mod tune;
mod watching;
