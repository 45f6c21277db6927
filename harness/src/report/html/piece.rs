//! The timeline's building blocks: pieces in rows, each from a moment of the run to another.

use std::ops::Range;

use serde::Serialize;

/// Rows with more pieces than this are thinned out.
const MANY: usize = 250;
/// The share of the run below which a piece of a crowded row is not seen by itself.
const FINE: f64 = 1.0 / 400.0;

/// Something that lasted, or happened at one moment if it ends where it begins. In seconds since the run's start.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Piece {
    pub(super) from: f64,
    pub(super) to: f64,
    /// How it looks: classes of report.css.
    pub(super) class: String,
    /// What is written on it.
    pub(super) short: String,
    /// All that is to be said of it, but for its times.
    pub(super) title: String,
    /// The machine whose logs say more.
    pub(super) machine: Option<String>,
}

/// A row of pieces under one name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) class: String,
    pub(super) pieces: Vec<Piece>,
}

/// Something that is in one state after the other.
#[derive(Debug, Default)]
pub(super) struct Track {
    changes: Vec<Change>,
}

#[derive(Debug)]
struct Change {
    at: f64,
    class: String,
    short: String,
    title: String,
}

impl Track {
    /// It is in this state from now on. An empty class is a state that is not drawn.
    pub(super) fn turn(&mut self, at: f64, class: &str, short: &str, title: String) {
        let last = self.changes.last();
        if last.is_none_or(|last| last.class != class || last.short != short || last.title != title) {
            let (class, short) = (class.to_owned(), short.to_owned());
            self.changes.push(Change { at, class, short, title });
        }
    }

    /// When it turned last.
    fn latest(&self) -> f64 {
        self.changes.last().map_or(0.0, |change| change.at)
    }

    /// What was said of the state that it is in.
    pub(super) fn told(&self) -> &str {
        self.changes.last().map_or("", |change| &change.title)
    }

    /// The same, where `covers` lie on its states with what `make` makes of a state under one: a class, what is written on
    /// it, and all that is to be said. The first of several that lie on each other counts.
    pub(super) fn under<T>(
        self,
        covers: &[(Range<f64>, T)],
        end: f64,
        make: impl Fn(&Piece, &T) -> Option<(&'static str, String, String)>,
    ) -> Self {
        if covers.is_empty() {
            return self;
        }
        let states = self.pieces(None, end);
        let mut moments: Vec<f64> = states.iter().map(|state| state.to).collect();
        moments.extend(covers.iter().flat_map(|(lasts, _)| [lasts.start, lasts.end]));
        moments.retain(|at| *at < end);
        moments.extend(states.iter().map(|state| state.from));
        moments.sort_by(f64::total_cmp);
        let mut track = Self::default();
        for at in moments {
            // Of several at one moment the last one counts.
            let state = states.iter().rfind(|state| state.from == at || (state.from..state.to).contains(&at));
            let cover = covers.iter().find(|(lasts, _)| lasts.contains(&at));
            match (state, state.zip(cover).and_then(|(state, (_, cover))| make(state, cover))) {
                (None, _) => track.turn(at, "", "", String::new()),
                (Some(_), Some((class, short, title))) => track.turn(at, class, &short, title),
                (Some(state), None) => track.turn(at, &state.class, &state.short, state.title.clone()),
            }
        }
        track
    }

    /// Each state as a piece up to the next one, or to the `end` of what is known; one that came later is a moment.
    pub(super) fn pieces(self, machine: Option<&str>, end: f64) -> Vec<Piece> {
        let ends: Vec<f64> =
            self.changes.iter().skip(1).map(|change| change.at).chain([end.max(self.latest())]).collect();
        let pieces = self.changes.into_iter().zip(ends).filter(|(change, _)| !change.class.is_empty());
        let pieces = pieces.map(|(change, to)| Piece {
            from: change.at,
            to,
            class: change.class,
            short: change.short,
            title: change.title,
            machine: machine.map(str::to_owned),
        });
        thinned(pieces.collect(), end)
    }
}

/// The pieces themselves, or, where they are too many to be told apart, neighbours that are too short made into one.
pub(super) fn thinned(pieces: Vec<Piece>, end: f64) -> Vec<Piece> {
    if pieces.len() <= MANY {
        return pieces;
    }
    let fine = end * FINE;
    let mut thin: Vec<(Piece, usize)> = Vec::new();
    for piece in pieces {
        let short = piece.to - piece.from < fine;
        match thin.last_mut() {
            Some((last, merged)) if short && piece.to - last.from < fine => {
                *merged += 1;
                last.to = piece.to;
                last.title =
                    format!("{merged} changes, too close together to be told apart here; the last: {}", piece.title);
                last.class = piece.class;
                last.short.clear();
            }
            _ => thin.push((piece, 1)),
        }
    }
    thin.into_iter().map(|(piece, _)| piece).collect()
}

/// Pieces in as few rows as it takes to have none over another.
pub(super) fn stacked(pieces: Vec<Piece>) -> Vec<Vec<Piece>> {
    let mut rows: Vec<Vec<Piece>> = Vec::new();
    for piece in pieces {
        let free = rows.iter_mut().find(|row| row.last().is_none_or(|last| last.to <= piece.from));
        match free {
            Some(row) => row.push(piece),
            None => rows.push(vec![piece]),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(from: f64, to: f64) -> Piece {
        let (class, short, title) = ("up".to_owned(), String::new(), String::new());
        Piece { from, to, class, short, title, machine: None }
    }

    #[test]
    fn states_last_until_the_next_one_and_the_last_to_the_end() {
        let mut track = Track::default();
        for (at, class) in [(1.0, "up"), (2.0, "up"), (3.0, "down"), (4.0, ""), (6.0, "up")] {
            track.turn(at, class, "", String::new());
        }
        let pieces: Vec<_> = track.pieces(None, 9.0).into_iter().map(|it| (it.from, it.to, it.class)).collect();
        assert_eq!(pieces, [(1.0, 3.0, "up".into()), (3.0, 4.0, "down".into()), (6.0, 9.0, "up".into())]);
    }

    #[test]
    fn of_two_states_at_one_moment_the_last_lasts_also_under_a_cover() {
        let mut track = Track::default();
        for (at, class) in [(1.0, "up"), (2.0, "down"), (2.0, "up"), (2.0, "down")] {
            track.turn(at, class, "", String::new());
        }
        let track = track.under(&[(4.0..5.0, ())], 9.0, |_, ()| Some(("unknown", String::new(), String::new())));
        let pieces: Vec<_> = track.pieces(None, 9.0).into_iter().map(|it| (it.from, it.to, it.class)).collect();
        let expected = [(1.0, 2.0, "up"), (2.0, 4.0, "down"), (4.0, 5.0, "unknown"), (5.0, 9.0, "down")];
        assert_eq!(pieces, expected.map(|(from, to, class)| (from, to, class.to_owned())));
    }

    #[test]
    fn a_crowded_row_is_thinned_without_gaps_and_long_pieces_stay_exact() {
        let mut pieces: Vec<_> = (0..10_000).map(|n| piece(f64::from(n) / 100.0, f64::from(n + 1) / 100.0)).collect();
        pieces.push(piece(100.0, 3600.0));
        let thin = thinned(pieces.clone(), 3600.0);
        assert!(thin.len() < 100, "{}", thin.len());
        assert_eq!(thin.last(), pieces.last());
        assert!(thin.windows(2).all(|pair| pair[0].to == pair[1].from));
        assert!(thin[0].title.contains("changes"));
        let few = pieces[..MANY].to_vec();
        assert_eq!(thinned(few.clone(), 3600.0), few);
    }

    #[test]
    fn pieces_that_overlap_get_rows_of_their_own() {
        let rows = stacked(vec![piece(0.0, 5.0), piece(1.0, 2.0), piece(2.0, 3.0), piece(5.0, 6.0)]);
        assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    }
}
