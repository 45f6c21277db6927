//! The clocks of machines that have clocks of their own, held against the host's.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::provider::ProviderError;
use super::{Fleet, MachineError, error, failed};
use crate::scenario::{MachineName, Verb};

/// A machine's clock as it was seen from the host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clock {
    /// Seconds that it is ahead of the host's.
    pub ahead: f64,
    /// Seconds by which that may be wrong: half of the time that it took to ask.
    pub unsure: f64,
}

impl Clock {
    fn of(theirs: f64, asked: f64, answered: f64) -> Self {
        Self { ahead: theirs - f64::midpoint(asked, answered), unsure: (answered - asked) / 2.0 }
    }

    /// Whether it is certainly further from the host's than is allowed.
    pub fn is_wrong(self, allowed: Duration) -> bool {
        self.ahead.abs() - self.unsure > allowed.as_secs_f64()
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.ahead < 0.0 { "behind" } else { "ahead of" };
        write!(f, "{:.1} s {way} the host's", self.ahead.abs())
    }
}

impl Fleet {
    /// Whether machines have clocks of their own, and do not share the host's.
    pub async fn has_clocks(&self, cancel: &CancellationToken) -> bool {
        let skew = Verb::SkewClock { by: SignedDuration::from_secs(1) };
        self.provider().impossible(&skew, cancel).await.is_none()
    }

    /// A machine's clock.
    pub async fn clock(&self, machine: &MachineName, cancel: &CancellationToken) -> Result<Clock, MachineError> {
        let date = self.ssh(machine)?.command(["date", "+%s.%N"]);
        let asked = now();
        let output = date.run_async(cancel).await.map_err(failed(machine.as_str(), "its clock cannot be read"))?;
        let answered = now();
        let said = output.stdout.trim();
        let theirs = said.parse().map_err(|_| {
            let (problem, remedy) = (format!("`date` says `{said}`"), "see what `date` is there".into());
            error(machine.as_str(), "its clock cannot be read", ProviderError::Host { problem, remedy })
        })?;
        Ok(Clock::of(theirs, asked, answered))
    }

    /// Gives a machine the host's time.
    pub(super) async fn set_clock(
        &self,
        machine: &MachineName,
        cancel: &CancellationToken,
    ) -> Result<(), MachineError> {
        let set = self.ssh(machine)?.command(["date", "--set", &format!("@{:.3}", now())]);
        set.run_async(cancel).await.map(drop).map_err(failed(machine.as_str(), "its clock cannot be set"))
    }
}

/// Seconds since the epoch by the host's clock.
fn now() -> f64 {
    Timestamp::now().as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_wrong_when_no_delay_of_the_answer_explains_it() {
        let allowed = Duration::from_secs(5);
        for (theirs, answered, ahead, wrong) in [
            (100.5, 101.0, "0.0 s ahead of the host's", false),
            (94.0, 101.0, "6.5 s behind the host's", true),
            (700.5, 101.0, "600.0 s ahead of the host's", true),
            // Asked at 100 and answered at 120, it may have looked at any time between.
            (118.0, 120.0, "8.0 s ahead of the host's", false),
            (126.0, 120.0, "16.0 s ahead of the host's", true),
        ] {
            let clock = Clock::of(theirs, 100.0, answered);
            assert_eq!((clock.to_string().as_str(), clock.is_wrong(allowed)), (ahead, wrong), "{theirs} {answered}");
        }
    }
}
