//! A run as Markdown, for the page of a CI job.

use std::path::Path;

use super::around::around;
use super::cause::{Cause, called, commands};
use super::faults::{Entry, entries};
use super::rows::{Row, rows, scope};
use super::span::Outcome;
use super::words::{began, blame, label, left, limit, moment, time};
use super::{History, Summary};
use crate::compare;
use crate::comparison::Comparison;
use crate::event::Verdict;

/// The report of a run whose evidence lies in `evidence`.
pub fn markdown(history: &History, evidence: Option<&Path>) -> String {
    let summary = history.summary();
    let run = &summary.run;
    let sign = match summary.verdict {
        Verdict::Passed => "✅",
        Verdict::Failed => "❌",
        Verdict::Broken => "⚠️",
        Verdict::Interrupted => "⏹️",
    };
    let regressed = summary.comparisons.iter().any(Comparison::regressed);
    let but = if regressed { ", but worse than its baseline allows" } else { "" };
    let mut text = format!("## {sign} {}: {}{but}\n\n", plain(&run.scenario), summary.verdict);
    text.push_str(&format!("**{}**\n\n", plain(&summary.reason)));
    text.extend(blame(summary.verdict, summary.judged()).map(|blame| format!("{blame}\n\n")));
    let caveats: Vec<String> = summary.caveats.iter().map(|it| format!("- Also: {}\n", plain(it))).collect();
    text.push_str(&caveats.concat());
    text.push_str(if caveats.is_empty() { "" } else { "\n" });
    text.push_str(&place(history, &summary, evidence));
    text.push_str(&steps(&summary));
    let around: Vec<String> = around(&history.events, &summary)
        .iter()
        .map(|it| format!("| {} | {} |", moment(it.at), plain(&it.text)))
        .collect();
    text.push_str(&table("What happened around it", "| At | |\n|---:|---|", &around));
    text.push_str(&table("Faults", "| At | Fault | Proof |\n|---:|---|---|", &faults(&summary)));
    let notes: Vec<String> =
        summary.notes().map(|it| format!("| {} | {} |", moment(it.at), plain(&it.message))).collect();
    text.push_str(&table("Notes", "| At | |\n|---:|---|", &notes));
    text.push_str(&table("Key numbers", "| | | |\n|---|---:|---|", &numbers(&summary)));
    text.extend(scope(&summary).map(|scope| format!("{}.\n\n", plain(&scope))));
    text.extend(summary.comparisons.iter().map(compare::text::markdown));
    text.push_str(&path(&summary));
    text.push_str(&format!("Run `{}`, began at {}, {}", run.id, began(run), time(run.seconds)));
    if let Some(provider) = &summary.provider {
        text.push_str(&format!(", on {}", plain(&provider.name)));
    }
    for artifact in &summary.artifacts {
        text.push_str(&format!(
            ", {} {} from {}",
            plain(&artifact.name),
            plain(&artifact.version),
            plain(&artifact.source)
        ));
    }
    if let Some(folder) = evidence {
        text.push_str(&format!(". Evidence: `{}`", folder.display()));
    }
    text.push_str(".\n");
    text
}

/// When it went wrong, what is not known, and the commands that show more.
fn place(history: &History, summary: &Summary, evidence: Option<&Path>) -> String {
    let Some(cause) = Cause::of(summary) else { return String::new() };
    let mut text = format!("It went wrong {}.\n\n", plain(&cause.place(summary)));
    text.extend(left(&summary.run).map(|left| format!("W{}.\n\n", left.trim_start_matches('w'))));
    let commands = commands(&history.events, summary, &cause, &called(summary, evidence));
    if !commands.is_empty() {
        text.push_str(&format!("```console\n{}\n```\n\n", commands.join("\n")));
    }
    text
}

fn steps(summary: &Summary) -> String {
    let rows: Vec<String> = summary
        .steps
        .iter()
        .map(|step| {
            let outcome = match step.outcome {
                Outcome::Passed | Outcome::NotReached => step.outcome.to_string(),
                outcome => format!("**{outcome}**"),
            };
            let took = step.seconds.map_or(String::new(), time);
            let bound = step.deadline.map_or(String::new(), limit);
            format!("| {} | {} | {outcome} | {took} | {bound} | {} |", step.step + 1, plain(&step.title), step.line)
        })
        .collect();
    let head = "| | Step | Outcome | Time | Deadline | Line |\n|---:|---|---|---:|---:|---:|";
    table("Steps", head, &rows)
}

fn faults(summary: &Summary) -> Vec<String> {
    let row = |it: Entry| {
        let what = if it.violated { format!("**{}**", plain(&it.what)) } else { plain(&it.what) };
        format!("| {} | {what} | {} |", moment(it.at), plain(&it.proof))
    };
    entries(summary).into_iter().map(row).collect()
}

fn numbers(summary: &Summary) -> Vec<String> {
    let line = |row: &Row| format!("| {} | {} | {} |", plain(&row.name), row.value, plain(&row.more));
    rows(summary).iter().map(line).collect()
}

fn path(summary: &Summary) -> String {
    let path = &summary.whole;
    if path.links.is_empty() {
        return String::new();
    }
    let mut rows: Vec<String> = path
        .links
        .iter()
        .map(|it| {
            let waited = it.waited_for.as_deref().map_or(String::new(), plain);
            let what = plain(&label(it.step, it.machine.as_deref(), &it.title));
            format!("| {} | {what} | {waited} |", time(it.seconds))
        })
        .collect();
    rows.push(format!("| {} | *added by Quorate: {:.1} %* | |", time(path.overhead), path.overhead_percent));
    let table = table("", "| Time | What | Last waited for |\n|---:|---|---|", &rows);
    format!("<details><summary>Critical path: {}</summary>\n\n{table}</details>\n\n", time(path.seconds))
}

fn table(title: &str, head: &str, rows: &[String]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let title = if title.is_empty() { String::new() } else { format!("### {title}\n\n") };
    format!("{title}{head}\n{}\n\n", rows.join("\n"))
}

/// Text that Markdown leaves as it is, on one line.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for character in text.chars() {
        match character {
            '\n' | '\r' => plain.push(' '),
            '<' => plain.push_str("&lt;"),
            '&' => plain.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => plain.extend(['\\', character]),
            _ => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::support;

    #[test]
    fn the_markdown_of_every_verdict_stays_as_it_is() {
        for (name, events) in [
            ("markdown-passed", support::passed()),
            ("markdown-failed", support::failed()),
            ("markdown-broken", support::broken()),
            ("markdown-interrupted", support::interrupted()),
            ("markdown-regressed", support::regressed()),
        ] {
            insta::assert_snapshot!(name, markdown(&History { events, cut: None }, Some(Path::new("runs/x"))));
        }
    }

    #[test]
    fn what_the_cluster_says_does_not_become_markup() {
        assert_eq!(plain("a|b\n<b>*x*"), "a\\|b &lt;b>\\*x\\*");
    }
}
