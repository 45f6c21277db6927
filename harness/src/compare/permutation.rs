//! How probable it is that figures differ as much as they do by chance alone.
//!
//! If nothing changed, it does not matter which of the runs are called the new ones. So all ways to choose as many of
//! them are tried, whole runs at a time, and what is seen is held against what such choices show. The largest
//! difference of any figure counts, so that the probability is for all figures together and not for each (the step-down
//! maxT procedure of Westfall and Young, Resampling-Based Multiple Testing, 1993). No distribution is assumed.
//!
//! A difference is told in standard errors, but what is allowed of it is added to them (as Tusher, Tibshirani and Chu
//! add a constant, PNAS 98, 2001). Otherwise a figure that hardly varies, and whose variation nobody minds, would show
//! some choice with a larger difference than a change that matters, and hide it.

use rand::rngs::StdRng;
use rand::{SeedableRng, seq::index};

use super::figure::Allow;
use super::shift::spread;

/// Beyond so many choices, that many are drawn. Probabilities are then good to about 0.001 at 0.02.
const CHOICES: usize = 20_000;
/// Results are the same each time.
const SEED: u64 = 0x0051_756f_7261_7465;
/// What floating point may blur.
const BLUR: f64 = 1e-9;

/// A figure in each run.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Its values, the earlier ones first.
    pub(super) values: Vec<Option<f64>>,
    /// By how much it may get worse.
    pub(super) allow: Allow,
}

/// The adjusted p-value of each column, where the last `after` of `runs` values are the new ones.
pub(super) fn p_values(columns: &[Column], runs: usize, after: usize) -> Vec<f64> {
    let columns: Vec<Centred> = columns.iter().map(Centred::of).collect();
    let seen: Vec<usize> = (runs - after..runs).collect();
    let observed: Vec<f64> = columns.iter().map(|column| column.difference(&seen)).collect();
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by(|one, other| observed[*one].total_cmp(&observed[*other]));
    let mut reached = vec![0_usize; columns.len()];
    let mut choices = 0_usize;
    each_choice(runs, after, |chosen| {
        choices += 1;
        let mut largest: f64 = 0.0;
        for column in &order {
            largest = largest.max(columns[*column].difference(chosen));
            if largest >= observed[*column] * (1.0 - BLUR) {
                reached[*column] += 1;
            }
        }
    });
    let mut values = vec![0.0; columns.len()];
    let mut least: f64 = 0.0;
    for column in order.into_iter().rev() {
        least = least.max(reached[column] as f64 / choices as f64);
        values[column] = least;
    }
    values
}

/// The least p-value that so many runs can give.
pub(super) fn attainable(before: usize, after: usize) -> f64 {
    // With as many on both sides, a choice and its complement differ alike.
    let alike = if before == after { 2.0 } else { 1.0 };
    alike / (binomial(before + after, after) as f64).min(CHOICES as f64)
}

/// A column about its mean, so that a choice is judged by the sum of what it chose alone.
struct Centred {
    values: Vec<Option<f64>>,
    count: f64,
    /// The sum of the squares.
    squares: f64,
    /// What is allowed of a difference. By the median of all runs, since it must be the same for all choices.
    allowed: f64,
}

impl Centred {
    fn of(Column { values, allow }: &Column) -> Self {
        let present: Vec<f64> = values.iter().flatten().copied().collect();
        let count = present.len() as f64;
        let mean = present.iter().sum::<f64>() / count;
        let scale = present.iter().fold(0.0_f64, |scale, value| scale.max(value.abs()));
        let centred = |value: f64| if (value - mean).abs() <= scale * BLUR { 0.0 } else { value - mean };
        let values: Vec<Option<f64>> = values.iter().map(|value| value.map(centred)).collect();
        let squares = values.iter().flatten().map(|value| value * value).sum();
        let allowed = allow.of(spread(&present).map_or(0.0, |spread| spread.median));
        Self { values, count, squares, allowed }
    }

    /// The difference of the means by its standard error and what is allowed.
    fn difference(&self, chosen: &[usize]) -> f64 {
        let (mut count, mut sum) = (0.0, 0.0);
        for value in chosen.iter().filter_map(|run| self.values[*run]) {
            count += 1.0;
            sum += value;
        }
        let (rest, freedom) = (self.count - count, self.count - 2.0);
        if count < 1.0 || rest < 1.0 || freedom < 1.0 || self.squares <= 0.0 {
            return 0.0;
        }
        // The sum of what was not chosen is the same with the other sign.
        let share = 1.0 / count + 1.0 / rest;
        let within = (self.squares - sum * sum * share).max(0.0);
        let error = (within / freedom * share).sqrt();
        let scale = error + self.allowed;
        let difference = sum.abs() * share;
        if scale <= difference * BLUR { f64::INFINITY } else { difference / scale }
    }
}

/// Calls `look` for every choice of `after` of `runs`, or for many that are drawn, with that of the last ones among them.
fn each_choice(runs: usize, after: usize, mut look: impl FnMut(&[usize])) {
    if binomial(runs, after) <= CHOICES {
        return all_choices(&mut Vec::with_capacity(after), 0, runs, after, &mut look);
    }
    look(&(runs - after..runs).collect::<Vec<_>>());
    let mut random = StdRng::seed_from_u64(SEED);
    for _ in 1..CHOICES {
        look(&index::sample(&mut random, runs, after).into_vec());
    }
}

fn all_choices(chosen: &mut Vec<usize>, from: usize, runs: usize, left: usize, look: &mut impl FnMut(&[usize])) {
    if left == 0 {
        return look(chosen);
    }
    for run in from..=runs - left {
        chosen.push(run);
        all_choices(chosen, run + 1, runs, left - 1, look);
        chosen.pop();
    }
}

/// How many choices there are, or as many as can be counted.
fn binomial(all: usize, some: usize) -> usize {
    (0..some.min(all - some)).fold(1_usize, |ways, index| ways.saturating_mul(all - index) / (index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[f64]) -> Column {
        with(values.iter().copied().map(Some).collect())
    }

    fn with(values: Vec<Option<f64>>) -> Column {
        Column { values, allow: Allow { percent: 5.0, at_least: 0.1 } }
    }

    #[test]
    fn a_clear_change_is_as_improbable_as_its_choice_is_rare() {
        let steady = column(&[1.0, 1.2, 0.9, 1.1, 1.0, 1.1, 0.9, 1.0, 1.2, 1.0]);
        let moved = column(&[10.0, 10.2, 9.9, 10.1, 10.0, 15.1, 14.9, 15.0, 15.2, 15.0]);
        let found = p_values(&[steady.clone(), moved.clone()], 10, 5);
        assert!((found[1] - 2.0 / 252.0).abs() < 1e-9, "{found:?}");
        assert!(found[0] > 0.5, "{found:?}");
        // The last three are the new ones: 1 of 120 choices.
        let found = p_values(&[column(&[10.0, 10.2, 9.9, 10.1, 10.0, 9.8, 10.3, 15.0, 15.2, 15.1])], 10, 3);
        assert!((found[0] - 1.0 / 120.0).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn what_hardly_varies_does_not_hide_what_changed() {
        // The first column is as good as constant, and yet some choice of three splits it neatly.
        let still = column(&[10.000_01, 10.0, 10.000_01, 10.0, 10.000_01, 10.0, 10.000_01, 10.0]);
        let found = p_values(&[still, column(&[4.4, 4.0, 9.9, 4.3, 6.6, 17.0, 16.6, 18.1])], 8, 3);
        assert!((found[1] - 1.0 / 56.0).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn what_does_not_differ_is_certain_to_come_about_by_chance() {
        let found = p_values(&[column(&[2.0; 8]), with(vec![None; 8]), column(&[0.1; 8])], 8, 4);
        assert_eq!(found, [1.0, 1.0, 1.0]);
    }

    #[test]
    fn counts_that_never_vary_and_then_do_are_told() {
        let found = p_values(&[column(&[2.0, 2.0, 2.0, 2.0, 2.0, 3.0, 3.0])], 7, 2);
        assert!((found[0] - 1.0 / 21.0).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn no_p_value_is_less_than_is_attainable() {
        for (before, after) in [(5, 1), (5, 2), (3, 3), (4, 4), (19, 1), (30, 30)] {
            let values = (0..before).map(f64::from).chain((0..after).map(|new| f64::from(new) + 1e3));
            let runs = (before + after) as usize;
            let found = p_values(&[with(values.map(Some).collect())], runs, after as usize)[0];
            let least = attainable(before as usize, after as usize);
            assert!(found >= least / 2.0 - 1e-9, "{before} {after}: {found} {least}");
            assert!(runs > 50 || (found - least).abs() < 1e-9, "{before} {after}: {found} {least}");
        }
    }
}
