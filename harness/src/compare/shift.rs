//! By how much one set of values lies above another: the estimate of Hodges and Lehmann, and its exact interval.
//!
//! The estimate is the median of all differences between a value of one set and a value of the other. The interval is
//! that of the Mann-Whitney test turned around (Hollander, Wolfe, Chicken, Nonparametric Statistical Methods, 4.2–4.3):
//! it assumes that both sets have the same shape, and no particular one.

use crate::comparison::{Shift, Spread};

const CONFIDENCE: f64 = 0.95;

/// By how much `after` lies above `before`; nothing if one is empty.
pub(super) fn shift(before: &[f64], after: &[f64]) -> Option<Shift> {
    let mut differences: Vec<f64> =
        after.iter().flat_map(|after| before.iter().map(move |before| after - before)).collect();
    differences.sort_by(f64::total_cmp);
    let estimate = median(&differences)?;
    let interval = outside(before.len(), after.len())
        .map(|outside| (differences[outside - 1], differences[differences.len() - outside]));
    Some(Shift { estimate, interval })
}

/// Where values lie; nothing if there are none.
pub(super) fn spread(values: &[f64]) -> Option<Spread> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some(Spread { count: sorted.len(), min: *sorted.first()?, median: median(&sorted)?, max: *sorted.last()? })
}

fn median(sorted: &[f64]) -> Option<f64> {
    let upper = sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 { Some(*upper) } else { Some(f64::midpoint(*upper, sorted[sorted.len() / 2 - 1])) }
}

/// Which difference, counted from either end from 1, bounds the interval; nothing if even all of them do not suffice.
fn outside(before: usize, after: usize) -> Option<usize> {
    let mut tail = 0.0;
    let mut count = 0;
    for probability in mann_whitney(before, after) {
        tail += probability;
        if 2.0 * tail > 1.0 - CONFIDENCE {
            break;
        }
        count += 1;
    }
    (count > 0).then_some(count)
}

/// The probability of each value of Mann and Whitney's U when both sets come from the same distribution.
fn mann_whitney(before: usize, after: usize) -> Vec<f64> {
    let highest = before * after;
    // ways[taken][u]: how many choices of `taken` ranks, of those seen so far, have this U.
    let mut ways = vec![vec![0.0; highest + 1]; after + 1];
    ways[0][0] = 1.0;
    for rank in 0..before + after {
        for taken in (0..after.min(rank + 1)).rev() {
            // The rank's new owner lies above all ranks that were not taken.
            let above = rank - taken.min(rank);
            for u in (0..=highest.saturating_sub(above)).rev() {
                let fewer = ways[taken][u];
                if fewer > 0.0 && u + above <= highest {
                    ways[taken + 1][u + above] += fewer;
                }
            }
        }
    }
    let total: f64 = ways[after].iter().sum();
    ways[after].iter().map(|ways| ways / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_of_u_is_that_of_the_tables() {
        let exact = |before, after, expected: &[f64], total: f64| {
            let found = mann_whitney(before, after);
            assert_eq!(found.len(), before * after + 1);
            for (found, expected) in found.iter().zip(expected) {
                assert!((found * total - expected).abs() < 1e-6, "{before} {after}: {found}");
            }
        };
        exact(2, 2, &[1.0, 1.0, 2.0, 1.0, 1.0], 6.0);
        exact(3, 1, &[1.0, 1.0, 1.0, 1.0], 4.0);
        exact(5, 5, &[1.0, 1.0, 2.0, 3.0, 5.0, 7.0], 252.0);
    }

    #[test]
    fn an_interval_needs_enough_values() {
        // From Hollander, Wolfe, Chicken, table A.6: P(U <= 2) is 0.0159 for 5 and 5, and 0.0275 for U <= 3.
        for (before, after, expected) in
            [(5, 1, None), (3, 3, None), (4, 4, Some(1)), (5, 5, Some(3)), (39, 1, Some(1))]
        {
            assert_eq!(outside(before, after), expected, "{before} {after}");
        }
    }

    #[test]
    fn the_estimate_is_the_shift_and_is_not_moved_by_an_outlier() {
        let before = [10.0, 11.0, 12.0, 13.0, 14.0];
        let after = before.map(|value| value + 3.0);
        let found = shift(&before, &after).unwrap();
        assert!((found.estimate - 3.0).abs() < 1e-9);
        let (low, high) = found.interval.unwrap();
        assert!(low < 3.0 && 3.0 < high);
        let mut wild = after;
        wild[4] = 1e6;
        assert!((shift(&before, &wild).unwrap().estimate - 3.0).abs() < 1.0);
        assert_eq!(shift(&[], &after), None);
    }

    #[test]
    fn the_spread_of_values_has_their_median() {
        let spread = spread(&[3.0, 1.0, 2.0, 10.0]).unwrap();
        assert!((spread.median - 2.5).abs() < 1e-9 && spread.count == 4);
        assert!((spread.min - 1.0).abs() < 1e-9 && (spread.max - 10.0).abs() < 1e-9);
    }
}
