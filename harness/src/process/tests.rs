//! Programs that end well, badly, too late, or not by themselves.

use std::sync::Mutex;

use super::*;

fn sh(script: &str) -> Command {
    Command::new("sh").args(["-c", script])
}

fn run(command: &Command) -> Result<Output, ProcessError> {
    command.run(&CancellationToken::new())
}

/// Whether a process ends. One that closed its files may take a moment to, and one that nobody waits for has ended.
fn ends(pid: &str) -> bool {
    let asked = Instant::now();
    while asked.elapsed() < GRACE {
        let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if status.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X'])) {
            return true;
        }
        std::thread::sleep(FINISH);
    }
    false
}

#[test]
fn a_program_that_ends_well_gives_its_output() {
    let output = run(&sh("echo out; echo err >&2")).unwrap();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
    assert_eq!(run(&Command::new("cat").stdin("in")).unwrap().stdout, "in");
}

#[test]
fn arguments_folder_and_environment_arrive_as_given() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let command = sh(r#"printf '%s|%s|%s' "$1" "$NAME" "$PWD""#).args(["sh", "a 'b' $c"]).env("NAME", "x y");
    let output = run(&command.dir(&folder)).unwrap();
    assert_eq!(output.stdout, format!("a 'b' $c|x y|{}", folder.display()));
}

#[test]
fn a_missing_program_is_said_to_be_missing() {
    for name in ["no-such-program", "/no/such/program"] {
        let error = run(&Command::new(name)).unwrap_err();
        let expected = |source: &std::io::Error| source.kind() == std::io::ErrorKind::NotFound;
        assert!(matches!(&error, ProcessError::Start { program, source } if program == name && expected(source)));
    }
}

#[test]
fn a_failure_shows_the_status_the_last_lines_and_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("deep/down.log");
    let error = run(&sh("seq 30; echo; echo why >&2; exit 7").log(&log).label("counting")).unwrap_err();
    let ProcessError::Status { status, tail, .. } = &error else { panic!("{error:?}") };
    assert_eq!(status.code(), Some(7));
    assert_eq!((tail.len(), tail[0].as_str(), tail[TAIL - 1].as_str()), (TAIL, "20", "why"));
    let text = error.to_string();
    assert!(text.starts_with("`counting` ended with status 7; its last output:\n    20\n"), "{text}");
    assert!(text.ends_with(&format!("(all of it: {})", log.display())), "{text}");
    assert_eq!(std::fs::read_to_string(log).unwrap().lines().count(), 32);
}

#[test]
fn a_signal_is_told_as_a_signal() {
    assert!(run(&sh("kill -KILL $$")).unwrap_err().to_string().contains("ended with signal 9"));
}

#[test]
fn a_deadline_ends_a_program() {
    let started = Instant::now();
    let error = run(&sh("echo begun; exec sleep 1000").deadline(Duration::from_millis(500))).unwrap_err();
    assert!(matches!(error, ProcessError::Deadline { .. }), "{error:?}");
    assert!(started.elapsed() < GRACE, "SIGTERM is enough");
}

#[test]
fn a_program_that_does_not_hear_sigterm_is_killed() {
    let cancel = CancellationToken::new();
    let heard = cancel.clone();
    let command = sh("trap '' TERM; echo begun; while :; do sleep 0.1; done").on_line(move |_| heard.cancel());
    let started = Instant::now();
    assert!(command.run(&cancel).unwrap_err().is_cancelled());
    assert!(started.elapsed() >= GRACE);
}

#[test]
fn cancelling_ends_grandchildren_too() {
    let cancel = CancellationToken::new();
    let (seen, heard) = (Arc::new(Mutex::new(String::new())), cancel.clone());
    let pid = Arc::clone(&seen);
    let command = sh("sh -c 'echo $$; exec sleep 1000' & wait").on_line(move |line| {
        line.clone_into(&mut pid.lock().unwrap());
        heard.cancel();
    });
    assert!(command.run(&cancel).unwrap_err().is_cancelled());
    let pid = seen.lock().unwrap().clone();
    assert!(pid.parse::<u32>().is_ok(), "{pid}");
    assert!(ends(&pid), "the grandchild {pid} goes on");
}

#[test]
fn a_program_that_is_started_after_the_end_of_the_run_ends_at_once() {
    let cancel = CancellationToken::new();
    cancel.cancel();
    let started = Instant::now();
    assert!(sh("exec sleep 1000").run(&cancel).unwrap_err().is_cancelled());
    assert!(started.elapsed() < GRACE);
}

#[test]
fn a_child_that_is_left_behind_with_the_output_open_does_not_outlast_the_deadline() {
    for streamed in [true, false] {
        let command = sh("sleep 1000 & echo $!").deadline(Duration::from_secs(5));
        let command = if streamed { command.on_line(|_| {}) } else { command };
        let error = run(&command).unwrap_err();
        assert!(matches!(error, ProcessError::Deadline { .. }), "{error:?}");
        assert!(ends(&error.tail()[0]), "streamed: {streamed}");
    }
}

#[test]
fn what_is_left_behind_by_a_program_that_sheds_it_ends_with_it() {
    let left = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&left);
    let command = sh("sleep 1000 & echo $!").deadline(Duration::from_secs(60)).sheds();
    run(&command.on_line(move |line| line.clone_into(&mut told.lock().unwrap()))).unwrap();
    assert!(ends(&left.lock().unwrap()));
}

#[test]
fn standard_output_goes_to_a_file_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bytes");
    run(&sh(r"printf '\000\377\n'; echo noise >&2").stdout_to(&file)).unwrap();
    assert_eq!(std::fs::read(file).unwrap(), [0, 255, b'\n']);
}

#[test]
fn the_last_lines_of_vagrant_are_why_its_command_failed_and_not_all_that_this_printed() {
    let script = "echo; echo 'Command: [\"docker\"]'; echo 'Stderr: no such network'; echo 'see the log'; \
                  echo 'Stdout: ['; for line in $(seq 40); do echo \"$line\"; done; exit 1";
    let error = run(&sh(script)).unwrap_err();
    assert_eq!(error.tail(), ["Command: [\"docker\"]", "Stderr: no such network", "see the log"]);
}
