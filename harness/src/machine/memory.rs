//! Whether a host has the memory that machines need.

use super::finding::{Finding, Needs, Standing};
use super::host::Host;

const GIB: f64 = (1_u64 << 30) as f64;
const PART: &str = "memory";

/// What machines are to the host's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// They take all that they have been given in the course of a run: virtual machines.
    Whole,
    /// They take what they use, and what they have been given bounds it: containers.
    AsUsed,
}

/// Memory of this host that is free, or could be at once, against what the machines have been given.
pub(super) fn look(host: &Host, needs: &Needs, taken: Taken) -> Option<Finding> {
    Some(judge(available(&host.read("/proc/meminfo")?)?, "this host's", needs, taken))
}

/// The same for so many bytes of any host, in the genitive.
pub(super) fn judge(free: u64, host: &str, needs: &Needs, taken: Taken) -> Finding {
    let Needs { topology, memory, machines, .. } = needs;
    let figures = format!(
        "the {machines} machines of {topology} are given {}, and {} of {host} memory is free",
        gib(*memory),
        gib(free)
    );
    let mend = "end what takes memory (`quorate ls` shows other clusters), or give the machines less: `memory` in the topology";
    match taken {
        _ if free >= *memory => Finding::here(PART, figures),
        Taken::Whole => Finding::new(PART, Standing::Unusable, figures, mend),
        Taken::AsUsed => Finding::new(
            PART,
            Standing::Limited,
            format!("{figures}; idle machines use a third of it, busy ones may be killed"),
            mend,
        ),
    }
}

/// Bytes that can be had without swapping, as /proc/meminfo says.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / GIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_memory_is_what_the_kernel_calls_available() {
        let meminfo = "MemTotal:       24683536 kB\nMemFree:         1000 kB\nMemAvailable:    2048 kB\n";
        assert_eq!(available(meminfo), Some(2048 * 1024));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
    }
}
