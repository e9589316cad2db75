//! Apps, and how their Lua runs: bundles, workers' VMs, the scheduler, budgets, environments.
//!
//! An [`app::App`] is read once and shared by all workers. Each worker makes an [`vm::AppVm`] of it and
//! starts a coroutine per request with [`vm::AppVm::start`]; the [`scheduler::Scheduler`] decides whose
//! slice is next. Nothing here knows HTTP.
#![forbid(unsafe_code)]

pub mod alarm;
pub mod app;
pub mod coroutine;
pub mod deploy;
pub mod dict;
mod host;
pub mod kv;
pub mod light;
pub mod log;
pub mod manifest;
pub mod modules;
pub mod net;
pub mod problem;
mod recent;
pub mod route;
pub mod scheduler;
pub mod task;
pub mod units;
pub mod vm;
