//! The points of the contract, and what was found about each.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

/// A promise that every provider makes, in the order in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is told in words below")]
pub enum Point {
    ComesUp,
    Address,
    Hostname,
    Ssh,
    SparesOthers,
    PauseFreezes,
    ResumeGoesOn,
    PauseTold,
    SnapshotDisk,
    SnapshotMemory,
    SnapshotClock,
    ClockWrong,
    ClockRight,
    ClockTold,
    CableCuts,
    CableSpares,
    CableRestores,
    CableTold,
    HaltInOrder,
    HaltTold,
    KillAtOnce,
    KillInDisorder,
    KillTold,
    Salvage,
    DiskSurvives,
    StartAnew,
    SameMachine,
    Changes,
    DestroyLeavesNothing,
    DestroyTold,
    HalfMadeFound,
    HalfMadeRemoved,
}

impl Point {
    /// All of them.
    pub const ALL: [Self; 32] = [
        Self::ComesUp,
        Self::Address,
        Self::Hostname,
        Self::Ssh,
        Self::SparesOthers,
        Self::PauseFreezes,
        Self::ResumeGoesOn,
        Self::PauseTold,
        Self::SnapshotDisk,
        Self::SnapshotMemory,
        Self::SnapshotClock,
        Self::ClockWrong,
        Self::ClockRight,
        Self::ClockTold,
        Self::CableCuts,
        Self::CableSpares,
        Self::CableRestores,
        Self::CableTold,
        Self::HaltInOrder,
        Self::HaltTold,
        Self::KillAtOnce,
        Self::KillInDisorder,
        Self::KillTold,
        Self::Salvage,
        Self::DiskSurvives,
        Self::StartAnew,
        Self::SameMachine,
        Self::Changes,
        Self::DestroyLeavesNothing,
        Self::DestroyTold,
        Self::HalfMadeFound,
        Self::HalfMadeRemoved,
    ];

    /// What is promised.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ComesUp => "machines come up, and are said to run",
            Self::Address => "each has its address on the private network, and reaches the other there",
            Self::Hostname => "each has its host name",
            Self::Ssh => "commands run in it as root, with their arguments as they were given",
            Self::SparesOthers => "to sweep up after another run leaves it alone",
            Self::PauseFreezes => "paused, it does nothing",
            Self::ResumeGoesOn => "resumed, it goes on where it was",
            Self::PauseTold => "whether it is paused is told",
            Self::SnapshotDisk => "put back into what was saved, its disk is as it was then",
            Self::SnapshotMemory => "put back into what was saved, what ran then runs on",
            Self::SnapshotClock => "put back into what was saved, it has the host's time",
            Self::ClockWrong => "its clock is put wrong, and stays so",
            Self::ClockRight => "its clock is put right again",
            Self::ClockTold => "that somebody else moved its clock is told",
            Self::CableCuts => "a pulled cable cuts it off from the private network",
            Self::CableSpares => "a pulled cable leaves the harness its way in",
            Self::CableRestores => "plugged in again, it is reached at the same address",
            Self::CableTold => "whether the cable is plugged in is told",
            Self::HaltInOrder => "halted, its services are stopped in order",
            Self::HaltTold => "that it was halted is told",
            Self::KillAtOnce => "killed, it is off at once",
            Self::KillInDisorder => "killed, it has no time for anything",
            Self::KillTold => "that it was killed is told",
            Self::Salvage => "files are copied out of it while it is off",
            Self::DiskSurvives => "what it had synced survives a kill",
            Self::StartAnew => "a new start is one, and told from the one before",
            Self::SameMachine => "started again, its address and host name are what they were",
            Self::Changes => "changes of state are told as they happen",
            Self::DestroyLeavesNothing => "destroyed, nothing is left of it on the host",
            Self::DestroyTold => "that there is no such machine is told",
            Self::HalfMadeFound => "what Vagrant had half made when it was killed is found",
            Self::HalfMadeRemoved => "what Vagrant had half made when it was killed is removed",
        }
    }
}

/// What was found about a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It holds; what was seen.
    Holds(String),
    /// It does not; what was seen instead.
    Broken(String),
    /// The provider says that it has no such thing.
    NotOffered(String),
}

/// What was found about a provider.
#[derive(Debug)]
pub struct Findings {
    provider: String,
    started: Instant,
    found: BTreeMap<Point, (Finding, Duration)>,
}

impl Findings {
    pub(super) fn of(provider: &str) -> Self {
        Self { provider: provider.to_owned(), started: Instant::now(), found: BTreeMap::new() }
    }

    /// Judges a point: it holds if all that is said of it does.
    pub(super) fn judge(&mut self, point: Point, seen: Result<impl Into<String>, impl Into<String>>) {
        self.enter(
            point,
            match seen {
                Ok(seen) => Finding::Holds(seen.into()),
                Err(seen) => Finding::Broken(seen.into()),
            },
        );
    }

    pub(super) fn fail(&mut self, point: Point, seen: impl Into<String>) {
        self.enter(point, Finding::Broken(seen.into()));
    }

    /// Judges those of the points that were not reached.
    pub(super) fn not_reached(&mut self, points: &[Point], because: &str) {
        for point in points.iter().filter(|point| !self.found.contains_key(*point)).copied().collect::<Vec<_>>() {
            self.fail(point, format!("not reached: {because}"));
        }
    }

    pub(super) fn enter(&mut self, point: Point, finding: Finding) {
        let at = self.started.elapsed();
        // What was seen to be broken once is not mended by a second look.
        if !matches!(self.found.get(&point), Some((Finding::Broken(_), _))) {
            self.found.insert(point, (finding, at));
        }
    }

    /// What was found about a point, if it was reached.
    pub fn about(&self, point: Point) -> Option<&Finding> {
        self.found.get(&point).map(|(finding, _)| finding)
    }

    /// Whether the contract is kept: all points were reached, and none is broken.
    pub fn kept(&self) -> bool {
        let kept = |point: Point| matches!(self.about(point), Some(Finding::Holds(_) | Finding::NotOffered(_)));
        Point::ALL.into_iter().all(kept)
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the contract with {}, {:.0} s:", self.provider, self.started.elapsed().as_secs_f64())?;
        for point in Point::ALL {
            let Some((finding, at)) = self.found.get(&point) else {
                writeln!(f, "       -    NOT REACHED  {}", point.as_str())?;
                continue;
            };
            let (mark, seen) = match finding {
                Finding::Holds(seen) => ("ok         ", seen),
                Finding::Broken(seen) => ("BROKEN     ", seen),
                Finding::NotOffered(reason) => ("NOT OFFERED", reason),
            };
            let seen = seen.replace('\n', "\n      ");
            writeln!(f, "  {:6.1} s  {mark}  {}: {seen}", at.as_secs_f64(), point.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contract_is_kept_when_every_point_was_reached_and_none_is_broken() {
        let mut found = Findings::of("docker");
        for point in Point::ALL {
            assert!(!found.kept(), "kept without {point:?}");
            found.judge(point, Ok::<_, String>("seen"));
        }
        assert!(found.kept());
        found.fail(Point::Ssh, "it lets nobody in");
        found.judge(Point::Ssh, Ok::<_, String>("now it does"));
        assert!(!found.kept(), "a second look mended what was broken:\n{found}");
    }
}
