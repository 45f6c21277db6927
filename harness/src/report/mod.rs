//! Everything that a person or a pipeline reads about a run, computed from its events alone.
//!
//! [`history`] reads the events back, [`summary`] is the one fold that judges, measures and orders them, and the other
//! modules only write a [`Summary`] down: on the terminal while it happens, as JSON, as Markdown, as text.

pub mod api;
pub mod critical;
pub mod history;
pub mod json;
pub mod markdown;
pub mod numbers;
pub mod observed;
mod paint;
pub mod span;
pub mod summary;
pub mod terminal;
pub mod text;
mod words;

#[cfg(test)]
mod support;

pub use history::History;
pub use summary::Summary;
