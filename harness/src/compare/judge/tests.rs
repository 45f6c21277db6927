//! What comparisons promise: few false alarms, real changes told, and no verdict from too few runs.

use super::*;
use crate::compare::support::{Noise, of_rows, samples};
use crate::comparison::Unit;

const IDS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

fn of(rows: &[Vec<f64>], series: usize) -> Baseline {
    Baseline::of(&of_rows(&IDS, rows, series)).unwrap()
}

fn judged(before: &[f64], after: &[f64]) -> Finding {
    let side = |values, series| Baseline::of(&samples(values, series)).unwrap();
    compare(&side(before, 1), None, &side(after, 2)).unwrap().findings.remove(0)
}

/// The share of `trials` comparisons of noise in which something is so.
fn share(trials: u64, sizes: (usize, usize), factor: f64, so: impl Fn(&Comparison) -> bool) -> f64 {
    let trial = |seed: &u64| {
        let mut noise = Noise::new(*seed);
        let (before, after) = (noise.rows(sizes.0, IDS.len(), 1.0), noise.rows(sizes.1, IDS.len(), factor));
        so(&compare(&of(&before, 1), None, &of(&after, 2)).unwrap())
    };
    (0..trials).filter(trial).count() as f64 / trials as f64
}

fn told(comparison: &Comparison) -> bool {
    comparison.findings.iter().any(|finding| finding.p.is_some_and(|p| p <= ALPHA))
}

#[test]
fn without_a_change_no_more_than_two_in_a_hundred_comparisons_of_ten_figures_call_any_a_change() {
    // With 500 trials, 2 % is known to within 1.3 points, 19 times of 20.
    for sizes in [(5, 5), (10, 3), (10, 5), (49, 1)] {
        let share = share(500, sizes, 1.0, told);
        assert!(share <= 0.033, "{sizes:?}: {share}");
    }
}

#[test]
fn without_a_change_alarms_are_rarer_still_since_they_have_to_exceed_the_bound() {
    for sizes in [(5, 5), (10, 3), (10, 5)] {
        let share = share(500, sizes, 1.0, Comparison::regressed);
        assert!(share <= 0.012, "{sizes:?}: {share}");
    }
}

#[test]
fn a_figure_that_got_worse_by_half_is_caught() {
    for (sizes, power) in [((5, 3), 0.8), ((5, 5), 0.9), ((10, 2), 0.7), ((10, 3), 0.95)] {
        let share = share(100, sizes, 1.5, Comparison::regressed);
        assert!(share >= power, "{sizes:?}: {share}");
    }
}

#[test]
fn a_shift_of_thirty_percent_is_told_from_noise() {
    for (sizes, power) in [((5, 5), 0.5), ((10, 3), 0.6), ((10, 5), 0.8), ((10, 10), 0.9)] {
        let share = share(20, sizes, 1.3, told);
        assert!(share >= power, "{sizes:?}: {share}");
    }
}

#[test]
fn too_few_runs_have_no_verdict_and_say_how_many_would() {
    for (before, after, expected) in [
        (5, 1, Some(3)),
        (5, 3, None),
        (2, 2, Some(9)),
        (3, 1, Some(5)),
        (49, 1, None),
        (48, 1, Some(2)),
        (1, 1, Some(49)),
    ] {
        let rows = |runs, value| vec![vec![value; IDS.len()]; runs];
        let found = compare(&of(&rows(before, 10.0), 1), None, &of(&rows(after, 99.0), 2)).unwrap();
        assert_eq!(found.needed, expected, "{before} and {after}");
        assert_eq!(found.regressed(), expected.is_none(), "{before} and {after}");
        let judgement = if expected.is_none() { Judgement::Regressed } else { Judgement::Unclear };
        assert!(found.findings.iter().all(|finding| finding.judgement == judgement), "{before} and {after}");
    }
}

#[test]
fn a_change_is_judged_by_its_direction_and_its_bound() {
    let before = [10.0, 10.1, 9.9, 10.2, 9.8];
    let times = |factor: f64| before.map(|value| value * factor);
    for (after, expected) in [
        (times(1.0), Judgement::Same),
        (times(1.1), Judgement::Tolerated),
        (times(1.5), Judgement::Regressed),
        (times(0.5), Judgement::Improved),
        ([10.0, 10.1, 20.0, 20.2, 20.1], Judgement::Unclear),
    ] {
        assert_eq!(judged(&before, &after).judgement, expected, "{after:?}");
    }
    for (worse, change, expected) in [
        (Worse::Higher, -5.0, Judgement::Improved),
        (Worse::Lower, -5.0, Judgement::Regressed),
        (Worse::Lower, 5.0, Judgement::Improved),
        (Worse::Either, -5.0, Judgement::Regressed),
        (Worse::Either, 0.5, Judgement::Tolerated),
        (Worse::Higher, 0.0, Judgement::Same),
    ] {
        assert_eq!(judge(worse, change, 1.0, true), expected, "{worse:?} {change}");
    }
}

#[test]
fn how_much_worse_is_said_in_the_unit() {
    let found = judged(&[10.0, 10.1, 9.9, 10.2, 9.8], &[15.0, 15.1, 14.9, 15.2, 14.8]);
    let shift = found.shift.unwrap();
    assert_eq!((found.unit, found.judgement), (Unit::Seconds, Judgement::Regressed));
    assert!((shift.estimate - 5.0).abs() < 1e-9 && (found.allowed - 2.5).abs() < 1e-9);
    let (low, high) = shift.interval.unwrap();
    assert!(low > 4.5 && high < 5.5);
}

#[test]
fn a_figure_of_one_side_is_absent_and_others_are_judged() {
    let mut before = Baseline::of(&samples(&[1.0, 2.0], 1)).unwrap();
    let gone = before.figures[0].clone();
    before.figures.insert("gone".to_owned(), gone);
    let found = compare(&before, None, &Baseline::of(&samples(&[1.0, 2.0], 2)).unwrap()).unwrap();
    let judgements: Vec<_> = found.findings.iter().map(|finding| finding.judgement).collect();
    assert_eq!(judgements, [Judgement::Same, Judgement::Absent]);
}

#[test]
fn runs_of_another_scenario_are_refused_and_other_settings_are_told() {
    let before = Baseline::of(&samples(&[1.0, 2.0], 1)).unwrap();
    let mut after = before.clone();
    after.made_of.insert("load-balancer.fall".to_owned(), "10".to_owned());
    let found = compare(&before, Some("b.yaml".to_owned()), &after).unwrap();
    assert_eq!(found.differences[0].to_string(), "load-balancer.fall: 3 → 10");
    after.scenario = "other".to_owned();
    assert!(matches!(compare(&before, None, &after), Err(Error::Scenarios { .. })));
}
