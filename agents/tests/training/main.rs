//! Agents, trainings and logs as a whole.
//!
//! One program: each one more would be linked with everything below it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accelerator;
mod agent;
mod corpus;
mod custom;
mod device_advantages;
mod device_rollouts;
#[path = "../environments/echo.rs"]
mod echo;
mod logs;
mod options;
mod own_device;
mod own_learning;
mod spaces;
mod spread;
mod trainer;
