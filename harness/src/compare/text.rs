//! A comparison as text and as Markdown.

use crate::comparison::{Comparison, Finding, Judgement, Shift, Spread, Unit};

/// The heads of the columns.
const HEAD: [&str; 7] = ["FIGURE", "BEFORE", "NOW", "CHANGE", "ALLOWED", "P", ""];

/// A value with its unit.
pub fn value(value: f64, unit: Unit) -> String {
    format!("{} {}", number(value, unit), unit.as_str())
}

/// A median with what it lies between.
pub fn spread(spread: &Spread, unit: Unit) -> String {
    let Spread { count, min, median, max } = *spread;
    if count == 1 {
        return value(median, unit);
    }
    format!("{} [{}–{}]", value(median, unit), number(min, unit), number(max, unit))
}

/// The comparison for a person at a terminal, one line each.
pub fn lines(comparison: &Comparison) -> Vec<String> {
    let mut lines = vec![title(comparison)];
    lines.extend(comparison.differences.iter().map(|difference| format!("  different  {difference}")));
    lines.push(String::new());
    let rows: Vec<[String; 7]> = std::iter::once(HEAD.map(str::to_owned))
        .chain(comparison.findings.iter().map(|it| row(comparison, it)))
        .collect();
    lines.extend(aligned(&rows));
    lines.push(String::new());
    lines.extend(verdict(comparison));
    lines
}

/// Runs side by side of which too few passed to judge: `ended` says how the others ended.
pub fn beside(comparison: &Comparison, ended: &[String]) -> Vec<String> {
    let mut lines = vec![format!("{}: side by side, without a verdict", comparison.scenario)];
    lines.extend(comparison.differences.iter().map(|difference| format!("  different  {difference}")));
    let figures = comparison.findings.iter().map(|finding| {
        let [figure, before, after, ..] = row(comparison, finding);
        [figure, before, after]
    });
    let head = [HEAD[0], HEAD[1], HEAD[2]].map(str::to_owned);
    let rows: Vec<[String; 3]> = std::iter::once(head).chain(figures).collect();
    lines.push(String::new());
    lines.extend(aligned(&rows));
    let why = "a run that did not pass ended early or was not well, so its numbers are no sample of the scenario";
    lines.extend([String::new(), format!("no verdict: {}; {why}", ended.join(", "))]);
    lines
}

/// The comparison for the page of a CI job.
pub fn markdown(comparison: &Comparison) -> String {
    let sign = if comparison.regressed() { "📉 " } else { "" };
    let mut text = format!("### {sign}{}\n\n", title(comparison));
    for line in verdict(comparison) {
        text.push_str(&format!("{line}\n\n"));
    }
    for difference in &comparison.differences {
        text.push_str(&format!("- different: `{difference}`\n"));
    }
    text.push_str("\n| Figure | Before | Now | Change | Allowed | p | |\n|---|---:|---:|---:|---:|---:|---|\n");
    for finding in &comparison.findings {
        let [figure, rest @ ..] = row(comparison, finding);
        text.push_str(&format!("| `{figure}` | {} |\n", rest.join(" | ")));
    }
    text.push('\n');
    text
}

/// What came out, in a sentence or two.
pub fn verdict(comparison: &Comparison) -> Vec<String> {
    let mut lines: Vec<String> = comparison.findings.iter().filter_map(regression).collect();
    let (before, after) = (comparison.before.runs.len(), comparison.after.runs.len());
    if let Some(needed) = comparison.needed {
        lines.push(format!(
            "not enough runs to tell a change from noise: {} against {before}; it takes at least {needed} against {before}, \
             or 1 against {:.0}",
            runs(after),
            (1.0 / comparison.alpha).ceil() - 1.0
        ));
    } else if lines.is_empty() {
        let mut said = format!("no regression in {} against {before}", runs(after));
        for (judgement, words) in [
            (Judgement::Improved, "improved"),
            (Judgement::Tolerated, "worse, as is allowed"),
            (Judgement::Unclear, "unclear: more runs would tell"),
        ] {
            let count = comparison.count(judgement);
            if count > 0 {
                said.push_str(&format!("; {count} {words}"));
            }
        }
        lines.push(said);
    }
    lines
}

fn regression(finding: &Finding) -> Option<String> {
    let Finding { figure, unit, before: Some(before), shift: Some(shift), judgement: Judgement::Regressed, .. } =
        finding
    else {
        return None;
    };
    let difference = |by: f64| match unit {
        Unit::Percent => format!("{} points", number(by, *unit)),
        unit => value(by, *unit),
    };
    let change = difference(shift.estimate.abs());
    let share = if before.median.abs() > 0.0 && *unit != Unit::Percent {
        format!(" ({:.0} %)", 100.0 * (shift.estimate / before.median).abs())
    } else {
        String::new()
    };
    let way = if shift.estimate > 0.0 { "more" } else { "less" };
    Some(format!(
        "REGRESSED  {figure}: {change}{share} {way} than {}, and {} is allowed",
        value(before.median, *unit),
        difference(finding.allowed)
    ))
}

fn title(comparison: &Comparison) -> String {
    let (before, after) = (&comparison.before, &comparison.after);
    let against = before.file.as_ref().map(|file| format!(" of {file}")).unwrap_or_default();
    format!("{}: {} against {}{against}", comparison.scenario, runs(after.runs.len()), before.runs.len())
}

fn runs(count: usize) -> String {
    if count == 1 { "1 run".to_owned() } else { format!("{count} runs") }
}

fn row(comparison: &Comparison, finding: &Finding) -> [String; 7] {
    let unit = finding.unit;
    // Where no p-value could be small enough, one that is told only misleads.
    let p = finding.p.filter(|_| comparison.needed.is_none());
    let said = |side: &Option<Spread>| side.as_ref().map_or("-".to_owned(), |side| spread(side, unit));
    [
        finding.figure.clone(),
        said(&finding.before),
        said(&finding.after),
        finding.shift.map_or("-".to_owned(), |shift| change(shift, unit)),
        value(finding.allowed, unit),
        p.map_or("-".to_owned(), |p| format!("{p:.3}")),
        finding.judgement.to_string(),
    ]
}

fn change(shift: Shift, unit: Unit) -> String {
    let signed = |value: f64| format!("{}{}", if value < 0.0 { "−" } else { "+" }, number(value.abs(), unit));
    let interval =
        shift.interval.map(|(low, high)| format!(" [{}, {}]", signed(low), signed(high))).unwrap_or_default();
    format!("{} {}{interval}", signed(shift.estimate), unit.as_str())
}

fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds | Unit::Percent => format!("{value:.1}"),
        Unit::Milliseconds => format!("{value:.0}"),
        // Medians of counts may lie between two of them.
        Unit::Times => format!("{value:.1}").trim_end_matches(".0").to_owned(),
    }
}

/// Rows as lines, all columns but the first and the last aligned to the right.
pub(super) fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let cell = |(column, text): (usize, &String)| {
        let width = widths[column];
        if column == 0 || column == N - 1 { format!("{text:<width$}") } else { format!("{text:>width$}") }
    };
    rows.iter()
        .map(|row| {
            format!("  {}", row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ")).trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::baseline::Baseline;
    use crate::compare::judge::compare;
    use crate::compare::support::{of_rows, samples};

    fn compared(before: &[Vec<f64>], after: &[Vec<f64>]) -> Comparison {
        let of = |rows, series| Baseline::of(&of_rows(&["bring-up", "api.longest-outage"], rows, series)).unwrap();
        let mut after = of(after, 2);
        after.made_of.insert("load-balancer.fall".to_owned(), "10".to_owned());
        compare(&of(before, 1), Some("baselines/kill.yaml".to_owned()), &after).unwrap()
    }

    #[test]
    fn comparisons_stay_as_they_are() {
        let row = |bring_up: f64, outage: f64| vec![bring_up, outage];
        let before = [row(70.0, 0.3), row(71.5, 0.5), row(69.0, 0.4), row(72.0, 0.4), row(70.5, 0.3)];
        let slower = [row(70.2, 5.3), row(71.0, 5.1), row(69.5, 5.2), row(71.8, 5.6), row(70.1, 5.5)];
        for (name, comparison) in [
            ("regressed", compared(&before, &slower)),
            ("same", compared(&before, &before)),
            ("improved", compared(&slower, &before)),
            ("too-few", compared(&before, &slower[..1])),
        ] {
            insta::assert_snapshot!(format!("compare-{name}"), lines(&comparison).join("\n"));
            insta::assert_snapshot!(format!("compare-{name}-markdown"), markdown(&comparison));
        }
    }

    #[test]
    fn runs_side_by_side_have_no_verdict_and_say_why() {
        let comparison = compared(&[vec![70.0, 0.3]], &[vec![75.0, 9.3]]);
        let told = beside(&comparison, &["run b is failed".to_owned()]).join("\n");
        assert!(
            told.contains("side by side, without a verdict") && told.contains("no verdict: run b is failed"),
            "{told}"
        );
        assert!(told.contains("75.0 s") && !told.contains("1.000"), "{told}");
    }

    #[test]
    fn a_figure_that_is_gone_has_no_change() {
        let (before, mut after) =
            (Baseline::of(&samples(&[1.0, 2.0], 1)).unwrap(), Baseline::of(&samples(&[1.0], 2)).unwrap());
        after.figures.clear();
        let comparison = compare(&before, None, &after).unwrap();
        assert!(lines(&comparison)[3].ends_with("absent"), "{}", lines(&comparison)[3]);
    }
}
