//! Logs as machines leave them, cut to a time.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::report::support;

const JOURNAL: &str = "\
-- Journal begins at Mon 2026-11-23 06:01:30 UTC. --
2026-11-23T06:02:40.000000+0000 master2.example.com kubelet[310]: too early
2026-11-23T06:02:44.250000+0000 master2.example.com kubelet[310]: E1123 lease
    is lost: twice
2026-11-23T06:02:45.500000+0000 master2.example.com systemd[1]: Stopping.
2026-11-23T07:02:45.500000+0000 master2.example.com systemd[1]: too late
";
const POD: &str = "\
2026-11-23T06:02:44.123456789Z stderr F request timed out
2026-11-23T06:02:45Z stdout F
2026-11-23T06:09:45Z stdout F too late
";

fn gz(text: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text).unwrap();
    packed.finish().unwrap()
}

fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

/// The run of `support::passed`, which starts at 06:01:34 and kills master2 at 70.1 s.
fn evidence(files: &[(&str, Vec<u8>)]) -> (tempfile::TempDir, History) {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("machines/master2");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, content) in files {
        std::fs::write(folder.join(name), content).unwrap();
    }
    (temp, History { events: support::passed(), cut: None })
}

fn shown(said: &Said) -> String {
    said.lines.iter().map(|line| format!("{:.3} {}: {}\n", line.at, line.source, line.text)).collect()
}

#[test]
fn journal_pods_and_events_are_merged_by_time() {
    let pods = tar(&[
        ("var/log/pods/kube-system_kube-apiserver-master2_87b5/kube-apiserver/1.log", POD),
        ("etc/haproxy/haproxy.cfg", "2026-11-23T06:02:44Z no log"),
    ]);
    let (temp, history) = evidence(&[("journal.log.gz", gz(JOURNAL.as_bytes())), ("pod-logs.tar.gz", gz(&pods))]);
    let said = read(&history, temp.path(), "master2", &window(&history, Around::At(70.5), 1.0).unwrap()).unwrap();
    insta::assert_snapshot!(shown(&said));
}

#[test]
fn a_machine_that_was_off_has_its_pods_and_a_note() {
    let tar = tar(&[("log/pods/default_web-1_1/web/0.log", POD), ("log/journal/1/system.journal", "binary")]);
    for packed in [false, true] {
        let (temp, history) = evidence(&[("var-log.tar", tar.clone())]);
        if packed {
            pack::pack(&temp.path().join("machines/master2/var-log.tar")).unwrap();
        }
        let said = read(&history, temp.path(), "master2", &(70.0..=70.2)).unwrap();
        assert!(shown(&said).contains("70.123 web-1: request timed out\n"), "{}", shown(&said));
        assert_eq!(said.notes.len(), 1);
    }
}

#[test]
fn a_step_is_looked_at_from_its_start_to_its_end() {
    let history = History { events: support::failed(), cut: None };
    let of = |step| window(&history, Around::Step(step), 5.0);
    let step = &history.summary().steps[3];
    let (from, to) = of(4).unwrap().into_inner();
    assert!((from - (step.start.unwrap() - 5.0)).abs() < 1e-9);
    assert!((to - (step.start.unwrap() + step.seconds.unwrap() + 5.0)).abs() < 1e-9);
    assert_eq!(of(5).unwrap_err().to_string(), "step 5 was not reached");
    assert_eq!(of(7).unwrap_err().to_string(), "there is no step 7: the scenario has 6");
}

#[test]
fn what_is_asked_for_is_read_or_refused() {
    for (text, expected) in [
        ("4", Some(Around::Step(4))),
        ("81.2s", Some(Around::At(81.2))),
        ("0", None),
        ("x", None),
        ("1.5", None),
        ("", None),
    ] {
        assert_eq!(text.parse::<Around>().ok(), expected, "{text}");
    }
    let (temp, history) = evidence(&[]);
    let error = read(&history, temp.path(), "master9", &(0.0..=1.0)).unwrap_err().to_string();
    assert!(error.ends_with("`master9`; there is of: master2"), "{error}");
}

#[test]
fn where_there_is_no_such_evidence_it_is_said_what_there_is() {
    let (temp, mut history) = evidence(&[]);
    let mut log = support::Log::new("logs");
    log.file(1.0, "logs/vagrant.log", "log", None, None);
    log.file(2.0, "logs/gone.log", "log", None, None);
    history.events.extend(log.finish().split_off(1));
    std::fs::create_dir(temp.path().join("logs")).unwrap();
    std::fs::write(temp.path().join("logs/vagrant.log.gz"), gz(b"up")).unwrap();
    let notes = |temp: &tempfile::TempDir| read(&history, temp.path(), "master2", &(3.0..=4.0)).unwrap().notes;
    let left = "the run's own work has left: logs/vagrant.log.gz";
    assert_eq!(notes(&temp), [format!("no journal and no pod logs of master2 were gathered; {left}")]);
    std::fs::remove_dir(temp.path().join("machines/master2")).unwrap();
    let error = read(&history, temp.path(), "master2", &(0.0..=1.0)).unwrap_err().to_string();
    assert!(error.ends_with("gathered none of any. Its own work has left: logs/vagrant.log.gz"), "{error}");
    std::fs::remove_dir_all(temp.path().join("logs")).unwrap();
    let error = read(&history, temp.path(), "master2", &(0.0..=1.0)).unwrap_err().to_string();
    assert!(error.ends_with("gathered none of any; `quorate report` shows its events"), "{error}");
    let (temp, history) = evidence(&[("journal.txt", JOURNAL.as_bytes().to_vec())]);
    let notes = read(&history, temp.path(), "master2", &(3.0..=4.0)).unwrap().notes;
    assert_eq!(notes, ["master2 said nothing from 3.0 s to 4.0 s: what was gathered of it is from 66.0 s to 3671.5 s"]);
}

#[test]
fn where_there_is_more_than_anybody_reads_it_is_said_how_to_see_less() {
    let line = |source: &str| Line { at: 1.0, source: source.to_owned(), text: String::new() };
    let mut said = Said { lines: vec![line("kubelet"); 900], notes: Vec::new() };
    said.lines.extend(vec![line("etcd"); 100]);
    assert_eq!(much(&said, &(0.0..=100.0), 5.0), None);
    said.lines.push(line("etcd"));
    let told = much(&said, &(0.0..=100.0), 5.0).unwrap();
    assert!(told.starts_with("1001 lines from 0.0 s to 100.0 s, 900 of them from kubelet: `--around 95.0s"), "{told}");
}

#[test]
fn damaged_evidence_is_an_error_that_names_the_file() {
    let (temp, history) = evidence(&[("journal.log.gz", b"no gzip".to_vec())]);
    let error = read(&history, temp.path(), "master2", &(0.0..=1.0)).unwrap_err().to_string();
    assert!(error.contains("machines/master2/journal.log.gz: "), "{error}");
}
