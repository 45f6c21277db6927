//! The script by which the gate waits for connections between etcd's members, with an `ss` of the test's own.

#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// What `ss -Htno state established` prints of three connections, as it was seen on a machine of a cluster: one that is idle, one
/// that waits for its first answer, and one that has sent seven times in vain.
const IDLE: &str = "0      0      172.27.11.20:33240 172.27.11.10:2380  timer:(keepalive,11sec,0)";
const SENT: &str = "0      41     172.27.11.20:33244 172.27.11.10:2380  timer:(on,204ms,0)";
const STUCK: &str = "0      1362   172.27.11.20:2380  172.27.11.30:39456 timer:(on,22sec,7)";

/// Runs the script with an `ss` that shows the stuck connection the first so many times. Also tells how often it was asked.
fn peers(stuck: usize) -> (Output, usize) {
    let folder = tempfile::tempdir().unwrap();
    let (ss, asked) = (folder.path().join("ss"), folder.path().join("asked"));
    let shown = format!(
        "printf '%s\\n' '{IDLE}' '{SENT}'\n[ $(wc -l < '{0}') -gt {stuck} ] || echo '{STUCK}'\n",
        asked.display()
    );
    std::fs::write(&ss, format!("#!/bin/sh\necho >> '{}'\n{shown}", asked.display())).unwrap();
    std::fs::set_permissions(&ss, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = run(folder.path());
    (output, std::fs::read_to_string(asked).unwrap().lines().count())
}

fn run(folder: &Path) -> Output {
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/run/peers.sh");
    Command::new("bash").arg(script).env("PATH", path).output().unwrap()
}

#[test]
fn connections_that_are_idle_or_wait_for_their_first_answer_are_well() {
    let (output, asked) = peers(0);
    assert!(output.status.success() && asked == 1, "{asked}: {output:?}");
}

#[test]
fn an_ss_that_fails_is_not_taken_for_one_that_shows_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ss = folder.path().join("ss");
    std::fs::write(&ss, "#!/bin/sh\necho 'ss: cannot' >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&ss, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = run(folder.path());
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("ss: cannot"), "{output:?}");
}

#[test]
fn a_connection_that_sends_again_is_waited_for() {
    let (output, asked) = peers(3);
    assert!(output.status.success() && asked == 4, "{asked}: {output:?}");
}
