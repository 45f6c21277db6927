//! Quorate: does failover of your highly available Kubernetes still work?

pub mod artifact;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod compare;
pub mod comparison;
pub mod event;
pub mod fault;
pub mod machine;
mod member;
pub mod pack;
pub mod paths;
pub mod plan;
pub mod probe;
pub mod process;
pub mod provision;
pub mod record;
pub mod report;
pub mod run;
pub mod scenario;
mod template;
