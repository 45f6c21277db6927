//! The files that the run left beside its report: logs, to be opened at a moment, and configurations. Those that were
//! compressed since are linked as they lie there, with the command that reads them.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::event::{Event, REMOVAL_LOG, What};
use crate::pack;
use crate::report::summary::Run;

/// How many seconds a link into a log tries, and then how many minutes, for a log that says nothing in the first.
const SECONDS: i64 = 3;
const MINUTES: i64 = 3;

/// The role of what is no text.
const ARCHIVE: &str = "pod-logs";

/// The files of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Files {
    /// When the run started, by the host's clock.
    #[serde(skip)]
    started: Timestamp,
    /// What commands call the run.
    #[serde(skip)]
    run: String,
    /// The log of events.
    pub(super) events: Link,
    /// Whether any of the files is compressed.
    pub(super) packed: bool,
    /// Logs, in the order of the log of events.
    pub(super) logs: Vec<Log>,
    /// Rendered configurations.
    pub(super) configs: Vec<Config>,
}

/// A log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Log {
    /// When it was begun, or gathered.
    pub(super) at: f64,
    /// Where it was written.
    #[serde(skip)]
    was: String,
    /// Where it lies.
    pub(super) path: String,
    pub(super) href: String,
    /// Whether it lies there compressed.
    pub(super) packed: bool,
    pub(super) role: String,
    pub(super) machine: Option<String>,
}

/// A rendered configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Config {
    pub(super) path: String,
    pub(super) href: String,
    pub(super) text: String,
}

/// A link into a log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Link {
    /// Whether it is the log of one machine.
    #[serde(skip)]
    pub(super) machine: bool,
    pub(super) href: String,
    pub(super) label: String,
    /// How to read it where a browser does not show it.
    pub(super) read_by: Option<String>,
}

impl Link {
    /// Whether it leads to a moment, where the browser can do that.
    pub(super) fn opens(&self) -> bool {
        self.href.contains('#')
    }
}

impl Files {
    /// The files that events tell of, as they lie in the folder `evidence`, or as they were written if that is not said.
    pub(super) fn of(events: &[Event], run: &Run, evidence: Option<&Path>) -> Self {
        let place = |path: &str| place(path, evidence);
        // A file that was written again counts where it was first, as it was last.
        let mut logs: Vec<Log> = Vec::new();
        let mut configs: BTreeMap<String, Config> = BTreeMap::new();
        for event in events {
            let What::File { path, role, machine, text } = &event.what else { continue };
            let (path, (name, packed)) = (path.clone(), place(path));
            let href = href(&name);
            match text {
                Some(text) => drop(configs.insert(path.clone(), Config { path, href, text: text.clone() })),
                None if logs.iter().any(|log| log.was == path) => {}
                None => {
                    let (role, machine) = (role.clone(), machine.clone());
                    logs.push(Log { at: event.at, was: path, path: name, href, packed, role, machine });
                }
            }
        }
        let (name, packed) = place("events.jsonl");
        let read_by = packed.then(|| format!("quorate report {}", run.id));
        let events = Link { machine: false, href: href(&name), label: name, read_by };
        let packed = packed || logs.iter().any(|log| log.packed);
        let (started, configs) = (run.started, configs.into_values().collect());
        Self { started, run: run.id.clone(), events, packed, logs, configs }
    }

    /// Where to read on about `machine` at a moment: its journal, the logs of its pods, and, of the work that was under way
    /// from `from` on, the logs that it began. They open at the moment `open`.
    pub(super) fn about(&self, machine: Option<&str>, (from, at): (f64, f64), open: f64) -> Vec<Link> {
        let of_machine = |log: &&Log| log.machine.as_deref() == machine;
        let begun =
            self.logs.iter().filter(of_machine).filter(|log| log.role == "log" && (from..=at).contains(&log.at));
        let kept = self.logs.iter().filter(of_machine).filter(|log| log.role != "log" && machine.is_some());
        let mut logs: Vec<&Log> = begun.chain(kept).collect();
        // What is in an archive is read after what is at hand.
        logs.sort_by_key(|log| log.role == ARCHIVE);
        logs.into_iter().map(|log| self.link(log, open)).collect()
    }

    /// What was printed while the machines were removed.
    pub(super) fn removal(&self) -> Option<Link> {
        let log = self.logs.iter().find(|log| log.was == REMOVAL_LOG)?;
        let (href, label, read_by) = (log.href.clone(), log.path.clone(), self.read_by(log, log.at));
        Some(Link { machine: false, href, label, read_by })
    }

    /// Whether there is any log of a machine.
    pub(super) fn has(&self, machine: &str) -> bool {
        self.logs.iter().any(|log| log.machine.as_deref() == Some(machine))
    }

    /// A text that names files by where they were written, with those that were compressed since as they lie there now.
    pub(super) fn found(&self, text: &str) -> String {
        let packed = self.logs.iter().filter(|log| log.packed);
        packed.fold(text.to_owned(), |text, Log { was, path, .. }| {
            text.replace(&format!("/{was})"), &format!("/{path}, compressed)"))
        })
    }

    /// The journal of a machine at a moment.
    pub(super) fn journal(&self, machine: Option<&str>, at: f64) -> Option<Link> {
        let machine = machine?;
        let journal = |log: &&Log| log.role == "journal" && log.machine.as_deref() == Some(machine);
        self.logs.iter().find(journal).map(|log| self.link(log, at))
    }

    fn link(&self, log: &Log, at: f64) -> Link {
        let (machine, read_by) = (log.machine.is_some(), self.read_by(log, at));
        if log.role == ARCHIVE {
            return Link { machine, href: log.href.clone(), label: log.path.clone(), read_by };
        }
        let moment = self.started + SignedDuration::from_millis((at * 1e3) as i64);
        // A hyphen that is not escaped has a meaning of its own there.
        let text = |moment: Timestamp, format: &str| format!("text={}", moment.strftime(format));
        let seconds =
            (0..SECONDS).map(|later| text(moment + SignedDuration::from_secs(later), "%Y%%2D%m%%2D%dT%H%%3A%M%%3A%S"));
        let minutes =
            (0..MINUTES).map(|later| text(moment + SignedDuration::from_mins(later), "%Y%%2D%m%%2D%dT%H%%3A%M"));
        let moments: Vec<String> = seconds.chain(minutes).collect();
        if log.packed {
            return Link { machine, href: log.href.clone(), label: log.path.clone(), read_by };
        }
        let label = format!("{} at {}", log.path, moment.strftime("%H:%M:%S"));
        Link { machine, href: format!("{}#:~:{}", log.href, moments.join("&")), label, read_by }
    }

    fn read_by(&self, log: &Log, at: f64) -> Option<String> {
        log.packed.then(|| match &log.machine {
            Some(machine) if log.role != "log" => format!("quorate logs {} {machine} --around {at:.1}s", self.run),
            _ => format!("zcat {}", log.path),
        })
    }
}

/// Where a file of the run lies within its folder, and whether it is compressed there.
fn place(path: &str, evidence: Option<&Path>) -> (String, bool) {
    let asked = evidence.map(|evidence| evidence.join(path));
    match asked.and_then(|asked| pack::find(&asked).filter(|found| *found != asked)) {
        Some(found) => {
            let name = found.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let folder = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
            (format!("{folder}{name}"), true)
        }
        None => (path.to_owned(), false),
    }
}

/// A path within the run's folder as a link from there, whatever it is made of.
fn href(path: &str) -> String {
    let mut href = String::from("./");
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'/' => href.push(char::from(byte)),
            other => href.push_str(&format!("%{other:02X}")),
        }
    }
    href
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Summary;
    use crate::report::support::Log as Made;

    fn files() -> Files {
        files_in(None)
    }

    fn files_in(evidence: Option<&Path>) -> Files {
        let mut log = Made::new("files");
        log.file(5.0, "logs/m1/init.log", "log", Some("m1"), None);
        log.file(50.0, "logs/m1/late.log", "log", Some("m1"), None);
        log.file(6.0, "rendered/m1/a.cfg", "config", Some("m1"), Some("old"));
        log.file(7.0, "rendered/m1/a.cfg", "config", Some("m1"), Some("new"));
        log.file(90.0, "machines/m1/pod-logs.tar.gz", "pod-logs", Some("m1"), None);
        log.file(91.0, "machines/m1/journal.txt", "journal", Some("m1"), None);
        log.file(92.0, "machines/m2/journal.txt", "journal", Some("m2"), None);
        let events = log.finish();
        Files::of(&events, &Summary::of(&events).run, evidence)
    }

    #[test]
    fn links_lead_to_the_second_of_the_moment_or_to_its_minute_and_to_those_after_it() {
        let link = files().journal(Some("m1"), 70.5).unwrap();
        assert_eq!(link.label, "machines/m1/journal.txt at 06:02:44");
        let texts = ["T06%3A02%3A44", "T06%3A02%3A45", "T06%3A02%3A46", "T06%3A02", "T06%3A03", "T06%3A04"];
        let texts = texts.map(|text| format!("text=2026%2D11%2D23{text}")).join("&");
        assert_eq!(link.href, format!("./machines/m1/journal.txt#:~:{texts}"));
    }

    #[test]
    fn only_logs_of_the_machine_and_of_the_work_are_named() {
        let paths = |machine, from, at| -> Vec<String> {
            let links = files().about(machine, (from, at), at);
            links.into_iter().map(|link| link.label.split(' ').next().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!(
            paths(Some("m1"), 4.0, 10.0),
            ["logs/m1/init.log", "machines/m1/journal.txt", "machines/m1/pod-logs.tar.gz"],
            "whichever was gathered first"
        );
        assert_eq!(paths(Some("m2"), 0.0, 99.0), ["machines/m2/journal.txt"]);
        assert_eq!(paths(None, 0.0, 99.0), Vec::<String>::new());
    }

    #[test]
    fn what_was_compressed_is_linked_as_it_lies_there_with_what_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("machines/m1")).unwrap();
        std::fs::create_dir_all(folder.path().join("logs/m1")).unwrap();
        for path in ["machines/m1/journal.txt", "logs/m1/init.log", "events.jsonl"] {
            let path = folder.path().join(path);
            std::fs::write(&path, "said\n").unwrap();
            pack::pack(&path).unwrap();
        }
        let files = files_in(Some(folder.path()));
        let link = files.journal(Some("m1"), 70.5).unwrap();
        assert_eq!(link.href, "./machines/m1/journal.txt.gz");
        assert_eq!(
            (link.label.as_str(), link.opens()),
            ("machines/m1/journal.txt.gz", false),
            "nothing opens it there"
        );
        assert_eq!(link.read_by.as_deref(), Some("quorate logs 20261123-0601-k3x9 m1 --around 70.5s"));
        let read_by: Vec<_> = files.about(Some("m1"), (4.0, 10.0), 10.0).into_iter().map(|link| link.read_by).collect();
        let journal = "quorate logs 20261123-0601-k3x9 m1 --around 10.0s".to_owned();
        assert_eq!(read_by, [Some("zcat logs/m1/init.log.gz".to_owned()), Some(journal), None]);
        assert_eq!(files.journal(Some("m2"), 70.5).unwrap().read_by, None, "it was not compressed");
        assert_eq!(files.found("(all of it: /a/logs/m1/init.log)"), "(all of it: /a/logs/m1/init.log.gz, compressed)");
        assert!(files.packed && files.events.label == "events.jsonl.gz" && !files_in(None).packed);
    }

    #[test]
    fn a_configuration_is_as_it_was_written_last() {
        let configs = files().configs;
        assert_eq!(configs.iter().map(|it| it.text.as_str()).collect::<Vec<_>>(), ["new"]);
    }

    #[test]
    fn a_path_can_be_nothing_but_a_path() {
        assert_eq!(href("javascript:alert(1)"), "./javascript%3Aalert%281%29");
        assert_eq!(href("a b/\"c\".log"), "./a%20b/%22c%22.log");
    }
}
