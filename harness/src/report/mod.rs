//! Everything that a person or a pipeline reads about a run, computed from its events alone.
//!
//! [`history`] reads the events back, [`summary`] is the one fold that judges, measures and orders them, and the other
//! modules only write a [`Summary`] down: on the terminal while it happens, as JSON, as Markdown, as text, as a page.

pub mod always;
pub mod api;
mod around;
mod cause;
mod caveat;
pub mod critical;
mod faults;
pub mod history;
pub mod html;
pub mod json;
pub mod junit;
pub mod logs;
pub mod markdown;
pub mod numbers;
pub mod observed;
mod paint;
mod rows;
pub mod schema;
pub mod span;
pub mod summary;
pub mod terminal;
pub mod text;
mod told;
mod words;

#[cfg(test)]
pub(crate) mod support;

pub use history::History;
pub use summary::Summary;
