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
fn damaged_evidence_is_an_error_that_names_the_file() {
    let (temp, history) = evidence(&[("journal.log.gz", b"no gzip".to_vec())]);
    let error = read(&history, temp.path(), "master2", &(0.0..=1.0)).unwrap_err().to_string();
    assert!(error.contains("machines/master2/journal.log.gz: "), "{error}");
}
