//! Writes the log of an hour with 100,000 events, for looking at the page that is made of it:
//! `cargo run --package quorate-scenarios --example hour > events.jsonl`.

use std::io::Write;

use quorate_scenarios::story;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(&story::jsonl(&story::hour()))
}
