//! Quorate: does failover of your highly available Kubernetes still work?

pub mod event;
pub mod paths;
pub mod process;
pub mod record;
pub mod report;
pub mod scenario;
