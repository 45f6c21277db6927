//! A run as text: the end of the live progress, and `quorate report`.

use std::path::Path;

use crate::compare;
use crate::event::{Event, Verdict};
use crate::pack;

use super::around::around;
use super::cause::{Cause, called, commands};
use super::critical::CriticalPath;
use super::faults::entries;
use super::paint::Paint;
use super::rows::{Row, rows, scope};
use super::span::{Outcome, Step};
pub use super::words::time;
use super::words::{began, blame, label, left, limit, mark, moment, numbered};
use super::{History, Summary};

/// The least that is left of a step's title on a narrow terminal.
const TITLE: usize = 24;

/// How text is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Whether there is colour.
    pub color: bool,
    /// Columns, to wrap and cut lines to. Nothing for as long as they are.
    pub width: Option<usize>,
}

/// The whole report of a run whose evidence lies in `evidence`.
pub fn report(history: &History, evidence: Option<&Path>, style: Style) -> Vec<String> {
    let summary = history.summary();
    let paint = Paint { color: style.color };
    let run = &summary.run;
    let mut lines = vec![
        format!("{}  run {}  {}", paint.bold(&run.scenario), run.id, paint.dim(&run.path)),
        format!("began at {}", began(run)),
    ];
    if let Some(provider) = &summary.provider {
        lines.push(format!("on {}: {}", provider.name, provider.reason));
    }
    lines.extend(summary.artifacts.iter().map(|it| format!("with {} {} from {}", it.name, it.version, it.source)));
    if !summary.steps.is_empty() {
        lines.extend([String::new(), paint.bold("Steps")]);
        lines.extend(step_lines(&summary.steps, style));
    }
    let injected: Vec<String> = entries(&summary)
        .into_iter()
        .map(|it| match it.violated {
            true => format!("{:>9}  {}", moment(it.at), paint.alarm(&format!("{}: {}", it.what, it.proof))),
            false => format!("{:>9}  {}: {}", moment(it.at), paint.fault(&it.what), it.proof),
        })
        .collect();
    section(&mut lines, paint, "Faults and violations", injected);
    let notes = summary.notes().map(|it| format!("{:>9}  {}", moment(it.at), it.message)).collect();
    section(&mut lines, paint, "Notes", notes);
    section(&mut lines, paint, "Numbers", number_lines(&summary));
    for comparison in &summary.comparisons {
        section(&mut lines, paint, "Against the baseline", compare::text::lines(comparison));
    }
    if let Some(path) = &summary.bring_up {
        section(&mut lines, paint, "Critical path of the bring-up", path_lines(path, paint));
    }
    section(&mut lines, paint, "Critical path of the run", path_lines(&summary.whole, paint));
    if let Some(width) = style.width {
        lines = lines.iter().map(|line| cut(line, Some(width))).collect();
    }
    lines.extend(verdict(&history.events, &summary, evidence, style));
    lines
}

fn section(lines: &mut Vec<String>, paint: Paint, title: &str, content: Vec<String>) {
    if !content.is_empty() {
        lines.extend([String::new(), paint.bold(title)]);
        lines.extend(content.into_iter().map(|line| format!("  {line}")));
    }
}

/// The steps in columns, and below each that did not pass the reason.
fn step_lines(steps: &[Step], style: Style) -> Vec<String> {
    let paint = Paint { color: style.color };
    let bound = |step: &Step| step.deadline.map_or(String::new(), |deadline| format!(" of {}", limit(deadline)));
    let took = |step: &Step| step.seconds.map_or_else(|| "-".to_owned(), time);
    let wide = |cell: &dyn Fn(&Step) -> String| steps.iter().map(|it| cell(it).chars().count()).max().unwrap_or(0);
    let (takes, bounds) = (wide(&took), wide(&bound));
    let rest = "  ✓    ".chars().count() + takes + bounds + "  line 9999".len();
    let room = style.width.map_or(usize::MAX, |width| width.saturating_sub(rest).max(TITLE));
    let titles = wide(&|step| numbered(step.step, steps.len(), &step.title)).min(room);
    let mut lines = Vec::new();
    for step in steps {
        let title = cut(&numbered(step.step, steps.len(), &step.title), Some(titles));
        let title = format!("{}  {title:<titles$}", mark(step.outcome));
        lines.push(format!(
            "  {}  {:>takes$}{}  {}",
            paint.outcome(step.outcome, &title),
            took(step),
            paint.dim(&format!("{:<bounds$}", bound(step))),
            paint.dim(&format!("line {}", step.line)),
        ));
        if !matches!(step.outcome, Outcome::Passed | Outcome::NotReached) {
            lines.extend(step.message.iter().flat_map(|message| wrapped(message, "       ", style.width)));
        }
    }
    lines
}

/// Each number with what it means.
fn number_lines(summary: &Summary) -> Vec<String> {
    let rows = rows(summary);
    let wide = |cell: fn(&Row) -> &str| rows.iter().map(|row| cell(row).chars().count()).max().unwrap_or(0);
    let (names, values) = (wide(|row| &row.name), wide(|row| &row.value));
    let line = |row: &Row| {
        let more = if row.more.is_empty() { String::new() } else { format!("  ({})", row.more) };
        format!("{:<names$}  {:>values$}{more}", row.name, row.value)
    };
    rows.iter().map(line).chain(scope(summary)).collect()
}

fn path_lines(path: &CriticalPath, paint: Paint) -> Vec<String> {
    let row = |seconds: f64, what: String| format!("{:>9}  {what}", time(seconds));
    let links = path.links.iter().map(|link| {
        let waited = link.waited_for.as_ref().map_or(String::new(), |last| paint.dim(&format!("  {last}")));
        row(link.seconds, format!("{}{waited}", label(link.step, link.machine.as_deref(), &link.title)))
    });
    let overhead =
        format!("between them: what Quorate added, {:.1} % of {}", path.overhead_percent, time(path.seconds));
    links.chain([paint.dim(&row(path.overhead, overhead))]).collect()
}

/// How it ended and why, what happened around it, and where to look.
pub(super) fn verdict(events: &[Event], summary: &Summary, evidence: Option<&Path>, style: Style) -> Vec<String> {
    let paint = Paint { color: style.color };
    let verdict = summary.verdict;
    let name = paint.verdict(verdict, &verdict.to_string().to_uppercase());
    let mut lines = vec![String::new(), format!("{name}  {} in {}", summary.run.scenario, time(summary.run.seconds))];
    lines.extend(blame(verdict, summary.judged()).into_iter().flat_map(|blame| wrapped(blame, "  ", style.width)));
    lines.extend(wrapped(&summary.reason, "  ", style.width));
    lines.extend(summary.caveats.iter().flat_map(|it| wrapped(&format!("also: {it}"), "  ", style.width)));
    let cause = Cause::of(summary);
    lines.extend(cause.map(|cause| paint.dim(&format!("  {}", cause.place(summary)))));
    lines.extend(left(&summary.run).into_iter().flat_map(|left| wrapped(left, "  ", style.width)));
    let around = around(events, summary);
    if !around.is_empty() {
        lines.extend([String::new(), paint.bold("What happened around it")]);
        let room = style.width.map(|width| width.saturating_sub(13));
        let line = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        lines.extend(around.iter().map(|it| format!("  {:>9}  {}", moment(it.at), cut(&line(&it.text), room))));
    }
    if let Some(folder) = evidence {
        lines.extend([String::new(), format!("evidence  {}", folder.display())]);
        if verdict != Verdict::Passed {
            let there = ["report.html", "report.json", "events.jsonl"].map(|name| folder.join(name));
            let there = there.iter().filter_map(|path| pack::find(path));
            lines.extend(there.map(|path| format!("          {}", path.display())));
        }
    }
    if let Some(cause) = cause {
        let commands = commands(events, summary, &cause, &called(summary, evidence));
        let heads = ["logs"].into_iter().chain(std::iter::repeat(""));
        lines.extend(heads.zip(commands).map(|(head, command)| format!("{head:<9} {command}")));
    }
    lines
}

/// What `--quiet` leaves of it.
pub(super) fn short(summary: &Summary, evidence: Option<&Path>, style: Style) -> Vec<String> {
    let paint = Paint { color: style.color };
    let verdict = paint.verdict(summary.verdict, &summary.verdict.to_string().to_uppercase());
    let mut lines = vec![format!("{verdict}  {}: {}", summary.run.scenario, summary.reason)];
    lines.extend(evidence.map(|folder| format!("evidence  {}", folder.display())));
    lines
}

/// `text` cut to `width` columns.
pub(super) fn cut(text: &str, width: Option<usize>) -> String {
    let line = text.lines().next().unwrap_or_default();
    match width {
        Some(width) => console::truncate_str(line, width, "…").into_owned(),
        None => line.to_owned(),
    }
}

/// `text` in lines of at most `width` columns behind `indent`.
pub(super) fn wrapped(text: &str, indent: &str, width: Option<usize>) -> Vec<String> {
    let room = width.map_or(usize::MAX, |width| width.max(20));
    text.lines()
        .flat_map(|line| {
            textwrap::wrap(line, textwrap::Options::new(room).initial_indent(indent).subsequent_indent(indent))
        })
        .map(|line| line.into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::What;
    use crate::report::history::Cut;
    use crate::report::support;

    fn text(events: Vec<Event>, cut: Option<Cut>, width: Option<usize>) -> String {
        report(&History { events, cut }, None, Style { color: false, width }).join("\n")
    }

    #[test]
    fn steps_and_numbers_stand_in_columns_however_many_digits_they_have() {
        let mut log = support::Log::new("columns");
        for (step, took) in [1.0, 120.0, 0.2].into_iter().cycle().take(12).enumerate() {
            let (title, line) = (format!("hold for {took}s"), u32::try_from(step).unwrap() + 3);
            log.add(0.0, What::StepPlanned { step, title: title.clone(), line, deadline: Some(took * 2.0) });
            let from = 200.0 * step as f64;
            log.step(step, &title, (from, from + took), Verdict::Passed, "");
        }
        let text = text(log.finish(), None, None);
        let column = |word: &str| -> Vec<usize> {
            let steps = text.lines().filter(|line| line.starts_with("  ✓"));
            steps.map(|line| line.find(word).unwrap()).collect()
        };
        for word in ["hold", " of ", "line"] {
            let columns = column(word);
            assert!(columns.len() == 12 && columns.iter().all(|at| *at == columns[0]), "{word}: {text}");
        }
    }

    #[test]
    fn the_text_of_every_verdict_stays_as_it_is() {
        insta::assert_snapshot!("text-passed", text(support::passed(), None, None));
        insta::assert_snapshot!("text-failed", text(support::failed(), None, Some(80)));
        insta::assert_snapshot!("text-broken", text(support::broken(), None, Some(60)));
        let cut: Vec<_> = support::passed().into_iter().filter(|event| event.at < 100.0).collect();
        let line = cut.len() + 1;
        insta::assert_snapshot!("text-cut-off", text(cut, Some(Cut { line, bytes: 17 }), None));
    }
}
