//! Judgements of what the writer, the long watch, and the direct observers have seen.

use super::*;
use crate::check::{began, final_violation};
use crate::scenario::{Service, Share};

impl Story {
    fn write(self, seq: u64, sent: f64, done: f64, acknowledged: bool) -> Self {
        let error = (!acknowledged).then(|| "etcdserver: request timed out".to_owned());
        let (object, revision, latency_ms) = (format!("w-{seq}"), acknowledged.then_some(seq), (done - sent) * 1000.0);
        self.add(done, What::Write { seq, object, acknowledged, revision, latency_ms, error })
    }

    fn audit(self, at: f64, acknowledged: usize, lost: usize, disordered: usize) -> Self {
        let (server, last, examples) = ("master1".to_owned(), 9, vec!["write 3".to_owned()]);
        self.add(at, What::WritesAudit { server, acknowledged, last, lost, disordered, examples })
    }

    fn stream(self, at: f64, state: &str, gap: f64, missed: u64, repeated: u64) -> Self {
        let (state, error) = (state.to_owned(), (state == "cut").then(|| "connection reset".to_owned()));
        self.add(at, What::Stream { state, gap, revision: 1, delivered: 1, missed, repeated, relisted: 0, error })
    }

    pub(super) fn readyz(self, at: f64, machine: &str, error: Option<&str>) -> Self {
        let (machine, ready, error) = (machine.to_owned(), error.is_none(), error.map(str::to_owned));
        self.add(at, What::Readyz { machine, ready, status: None, error })
    }

    fn leads(self, at: f64, component: &str, machine: Option<&str>) -> Self {
        let (component, machine) = (component.to_owned(), machine.map(str::to_owned));
        self.add(at, What::ComponentLease { component, machine, holder: String::new(), transitions: 1, acquired: None })
    }

    fn reach(self, at: f64, machines: &[&str], failed: &[&str]) -> Self {
        let owned = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        let (of, machines, failed) = ("sh-cgi".to_owned(), owned(machines), owned(failed));
        self.add(at, What::Reach { of, port: 8080, machines, failed })
    }

    fn alarm(self, at: f64, machine: &str, alarm: &str) -> Self {
        let what = What::Etcd {
            machine: machine.to_owned(),
            healthy: false,
            member: Some("a".to_owned()),
            leader: Some("1".to_owned()),
            members: Some(3),
            term: Some(2),
            revision: Some(9),
            alarms: vec![alarm.to_owned()],
            error: Some(format!("memberID:10 alarm:{alarm}")),
        };
        self.add(at, what)
    }

    fn unknown(&self, check: &Check, since: f64, words: &str) {
        match judge(check, &topology(), &self.0, since) {
            Judgement::Unknown(reason) => assert!(reason.contains(words), "`{words}` is not in: {reason}"),
            other => panic!("{other:?}, but should not be known for {words}"),
        }
    }
}

fn violated(invariant: &Invariant, story: &Story, since: f64) -> Option<String> {
    violation(invariant, &topology(), &story.0, since)
}

#[test]
fn members_agree_when_their_data_is_the_same_at_one_revision() {
    let check = Check::EtcdHealthy { members: 3 };
    let looked = |story: Story, at| MASTERS.iter().fold(story, |story, name| story.etcd(at, name, Ok(("1", 3))));
    let story = looked(Story::healthy(), 11.0);
    story.unknown(&check, 10.5, "data was not compared since the step began");
    let all = [("master1", 7), ("master2", 7), ("master3", 7)];
    story.clone().hashes(11.5, &all).holds(&check, 10.5);
    let behind = "the member on master3 tells no hash at revision 100: it is behind, or silent";
    story.clone().hashes(11.5, &all[..2]).misses(&check, 10.5, &[behind]);
    let differs = [("master1", 7), ("master2", 7), ("master3", 255)];
    let words = ["the members' data differs at revision 100", "master1 00000007", "master3 000000ff"];
    story.clone().hashes(11.5, &differs).misses(&check, 10.5, &words);
    story.alarm(12.0, "master2", "NOSPACE").misses(&check, 10.5, &["the member on master2 is not healthy", "NOSPACE"]);
}

#[test]
fn etcd_is_leaderless_when_no_member_follows_a_leader() {
    let check = Check::EtcdLeaderless;
    Story::healthy().misses(&check, 10.0, &["the member on master1 follows the member 1", "master3"]);
    let mut story = Story::healthy();
    for (at, master) in [(11.0, "master1"), (12.0, "master2"), (13.0, "master3")] {
        story.unknown(&check, 10.5, &format!("the member on {master} was not looked at"));
        story = story.etcd(at, master, Err("no answer within 2s"));
    }
    story.holds(&check, 10.5);
    story.etcd(14.0, "master2", Ok(("2", 3))).misses(&check, 10.5, &["the member on master2 follows the member 2"]);
}

#[test]
fn etcd_is_alarmed_when_one_member_says_so() {
    let check = Check::EtcdAlarmed;
    Story::healthy().misses(&check, 10.0, &["no etcd member has raised an alarm"]);
    Story::healthy().unknown(&check, 10.5, "was not looked at");
    Story::healthy().alarm(11.0, "master3", "NOSPACE").holds(&check, 10.5);
    let silent =
        MASTERS.iter().fold(Story::healthy(), |story, name| story.etcd(11.0, name, Err("no answer within 2s")));
    silent.unknown(&check, 10.5, "no etcd member answers");
}

#[test]
fn an_api_server_is_ready_by_its_own_word() {
    let is = |ready| Check::ServerReady { on: Target::Machines(vec![name("master1"), name("master2")]), ready };
    let story = Story::default().readyz(10.0, "master1", None);
    story.unknown(&is(true), 9.0, "the API server on master2 was not looked at");
    let story = story.readyz(11.0, "master2", Some("HTTP status 500: etcd"));
    story.misses(&is(true), 9.0, &["the API server on master2 is not ready: HTTP status 500: etcd, since 11.0 s"]);
    story.misses(&is(false), 9.0, &["the API server on master1 is ready"]);
    story.clone().readyz(12.0, "master2", None).holds(&is(true), 9.0);
    story.clone().readyz(12.0, "master1", Some("refused")).holds(&is(false), 9.0);
    story.unknown(&Check::ServerReady { on: Target::Chosen(None), ready: true }, 9.0, "nothing was chosen");
}

#[test]
fn writes_are_acknowledged_by_the_latest_that_was_sent_since_the_step_began() {
    let check = Check::WritesAcknowledged;
    let story = Story::default().write(1, 9.0, 11.0, true);
    story.unknown(&check, 10.0, "no write has ended since the step began");
    let story = story.write(2, 11.0, 11.5, true);
    story.holds(&check, 10.0);
    story.write(3, 12.0, 13.0, false).misses(&check, 10.0, &["are not acknowledged: etcdserver: request timed out"]);
}

#[test]
fn a_single_acknowledged_write_shows_that_writes_have_not_stopped() {
    let check = Check::WritesStopped;
    let story = Story::default().write(1, 9.0, 10.5, true);
    story.unknown(&check, 10.0, "tried for 0.0 s only");
    let story = story.write(2, 10.5, 12.0, false);
    story.unknown(&check, 10.0, "tried for 1.5 s only");
    let story = story.write(3, 12.0, 12.6, false);
    story.holds(&check, 10.0);
    let acknowledged = story.write(4, 13.0, 13.1, true).write(5, 13.2, 20.0, false);
    acknowledged.misses(&check, 10.0, &["write 4 was acknowledged, which was sent at 13.0 s"]);
    acknowledged.holds(&check, 13.1);
}

#[test]
fn writes_are_there_by_what_was_read_back_since() {
    let check = Check::WritesPresent;
    let none_lost = Invariant::WritesNoneLost;
    let judged = |story: &Story| is_judged(&none_lost, &topology(), &story.0, 0.0);
    let story = Story::default().write(1, 9.0, 9.1, true).write(2, 9.5, 9.6, true);
    story.unknown(&check, 10.0, "not read back since the step began");
    assert!(!judged(&story));
    let part = story.clone().audit(11.0, 1, 0, 0);
    part.holds(&check, 10.0);
    assert!(!judged(&part), "a write was acknowledged that was not looked for");
    let all = part.audit(12.0, 2, 0, 0);
    assert!(judged(&all) && violated(&none_lost, &all, 0.0).is_none());
    for (lost, disordered, words) in
        [(1, 0, "lost: 1 (write 3"), (0, 2, "out of order: 2"), (1, 2, "lost: 1, out of order: 2")]
    {
        let wrong = story.clone().audit(12.0, 2, lost, disordered);
        wrong.misses(&check, 10.0, &["of 2 acknowledged writes, read back at 12.0 s", words]);
        assert!(violated(&none_lost, &wrong, 0.0).unwrap().contains(words));
    }
}

#[test]
fn a_lease_has_moved_when_another_machine_than_before_the_fault_holds_it() {
    let check = Check::LeaseMoved { component: Service::KubeScheduler };
    let story = Story::healthy().leads(10.0, "kube-scheduler", Some("master2"));
    story.unknown(&check, 10.0, "nothing has befallen the cluster");
    story.unknown(&check, 10.5, "component leases could not be listed");
    // Another may take it while the fault is being made.
    let meanwhile = story.clone().leads(20.2, "kube-scheduler", Some("master3")).fault(20.0, 20.5, "stop", "master2");
    meanwhile.listed(21.0).holds(&check, 20.5);
    let killed = story.fault(20.0, 20.5, "kill", "master2").listed(21.0);
    killed.misses(&check, 20.5, &["master2 holds the lease of kube-scheduler, as before `kill`"]);
    killed.clone().leads(22.0, "kube-scheduler", None).misses(&check, 20.5, &["nobody holds the lease"]);
    let moved = killed.leads(40.0, "kube-scheduler", Some("master3"));
    moved.holds(&check, 20.5);
    // To heal is no fault from which a lease would have to move.
    moved.fault(50.0, 51.0, "start", "master2").holds(&check, 20.5);
    let unheard = Story::healthy().fault(20.0, 20.5, "kill", "master2").leads(21.0, "kube-scheduler", Some("master1"));
    unheard.unknown(&check, 10.0, "it is not known who held the lease of kube-scheduler before `kill`");
}

#[test]
fn pods_are_connected_when_all_pairs_across_machines_are() {
    let check = Check::PodsConnected { of: "sh-cgi".into(), port: 8080 };
    let story = Story::default().reach(9.0, &["master1", "master2"], &[]);
    story.unknown(&check, 10.0, "the pods of sh-cgi were not asked since the step began");
    story.holds(&check, 9.0);
    story.unknown(&Check::PodsConnected { of: "sh-cgi".into(), port: 80 }, 9.0, "were not asked");
    let pair = "the pod on master1 does not reach the pod on master2 (10.244.1.5): timed out";
    story.clone().reach(11.0, &["master1", "master2"], &[pair]).misses(&check, 10.0, &[pair]);
    for machines in [&[][..], &["master1"]] {
        story.clone().reach(11.0, machines, &[]).misses(&check, 10.0, &["and two are needed"]);
    }
}

#[test]
fn a_watch_is_continuous_when_it_misses_nothing_repeats_nothing_and_is_not_away_for_long() {
    let story = Story::default().stream(5.0, "delivers", 0.4, 0, 0).stream(12.0, "cut", 0.5, 0, 0);
    let missed = |missed| story.clone().stream(13.0, "delivers", 1.5, missed, 0);
    assert_eq!(violated(&Invariant::WatchNoneMissed, &missed(0), 0.0), None);
    assert!(violated(&Invariant::WatchNoneMissed, &missed(2), 0.0).unwrap().contains("did not deliver 2 acknowledged"));
    let repeated = story.clone().stream(13.0, "delivers", 1.5, 0, 1);
    assert!(violated(&Invariant::WatchNoneRepeated, &repeated, 0.0).unwrap().contains("delivered 1 changes a second"));
    assert!(!is_judged(&Invariant::WatchNoneMissed, &topology(), &Story::default().0, 0.0));
}

#[test]
fn a_gap_of_a_watch_counts_from_when_it_is_watched() {
    let below = |seconds| Invariant::WatchGapBelow(Duration::from_secs(seconds));
    let cut = Story::default().stream(5.0, "delivers", 0.4, 0, 0).stream(12.0, "cut", 2.0, 0, 0);
    let later = cut.clone().sample(29.9, 30.0, true);
    assert_eq!(violated(&below(21), &later, 0.0), None);
    let message = violated(&below(20), &later, 0.0).unwrap();
    assert!(message.contains("for 20.0 s, and less than 20s is allowed; last: connection reset"), "{message}");
    assert_eq!(violated(&below(20), &later, 15.0), None);
    let over = later.stream(31.0, "delivers", 21.0, 0, 0).sample(90.0, 90.1, true);
    assert!(violated(&below(20), &over, 0.0).is_some(), "what is over is not forgotten");
    assert_eq!(violated(&below(20), &over, 40.0), None);
}

#[test]
fn a_violation_began_with_the_first_request_that_counts() {
    let story = Story::default().sample(9.0, 9.5, false).sample(10.0, 11.0, true);
    let story = story.sample(10.25, 14.25, false).sample(10.5, 10.75, false);
    let when = |invariant: &Invariant| began(invariant, &story.0, 9.25).map(|at| format!("{at:.2}"));
    for (invariant, expected) in [
        (Invariant::ApiErrorShareBelow(Share(5.0)), Some("10.25")),
        (Invariant::ApiOutageBelow(Duration::from_secs(1)), Some("10.25")),
        (Invariant::ApiLatencyBelow(Duration::from_millis(500)), Some("10.00")),
        (Invariant::ApiLatencyBelow(Duration::from_secs(2)), None),
        (Invariant::WritesNoneLost, None),
    ] {
        assert_eq!(when(&invariant).as_deref(), expected, "{invariant}");
    }
    let away = Story::default().stream(10.0, "delivers", 0.0, 0, 0).stream(20.0, "delivers", 6.0, 0, 0);
    let gap = |seconds| began(&Invariant::WatchGapBelow(Duration::from_secs(seconds)), &away.0, 9.0);
    assert_eq!((gap(5), gap(7)), (Some(14.0), None));
}

#[test]
fn figures_of_the_api_are_judged_at_the_end_and_of_enough_requests() {
    let share = Invariant::ApiErrorShareBelow(Share(5.0));
    let latency = Invariant::ApiLatencyBelow(Duration::from_secs(2));
    let story = |requests: usize, failed: usize, slow: usize| {
        (0..requests).fold(Story::default(), |story, index| {
            let sent = 10.0 + index as f64 * 0.25;
            let took = if index >= requests - slow { 3.0 } else { 0.01 };
            story.sample(sent, sent + took, index >= failed)
        })
    };
    let last = |invariant: &Invariant, story: &Story| final_violation(invariant, &topology(), &story.0, 10.0);
    for invariant in [&share, &latency] {
        assert!(!is_judged(invariant, &topology(), &story(39, 0, 0).0, 10.0));
        assert!(is_judged(invariant, &topology(), &story(40, 0, 0).0, 10.0));
        assert!(!is_judged(invariant, &topology(), &story(40, 0, 0).0, 10.1));
        // The first request that fails is no share yet.
        assert_eq!(violated(invariant, &story(200, 200, 0), 10.0), None);
    }
    assert_eq!(last(&share, &story(200, 9, 0)), None);
    let message = last(&share, &story(200, 10, 0)).unwrap();
    assert!(message.contains("5.00 % of the requests to the API through the balancer failed (10 of 200"), "{message}");
    assert_eq!(last(&latency, &story(200, 0, 2)), None);
    let message = last(&latency, &story(200, 0, 3)).unwrap();
    assert!(message.contains("took 3000 ms or more") && message.contains("less than 2s"), "{message}");
    assert!(last(&Invariant::ApiOutageBelow(Duration::from_secs(1)), &story(200, 0, 0)).is_none());
}

#[test]
fn the_api_is_balanced_when_each_master_has_answered_since_the_step_began() {
    let answer = |story: Story, at: f64, ok: bool, server: Option<&str>| {
        let server = server.map(str::to_owned);
        story.add(at, What::ApiSample { ok, status: None, latency_ms: 100.0, server, error: None })
    };
    let of = |names: &[&str]| {
        let machines = names.iter().map(|name| MachineName((*name).to_owned())).collect();
        Check::ApiBalanced { on: Target::Machines(machines) }
    };
    let story = answer(answer(Story::default(), 10.05, true, Some("master1")), 11.0, true, None);
    story.unknown(&of(&MASTERS), 10.0, "it is not known who answered");
    let story = answer(answer(story, 12.0, true, Some("master1")), 12.3, false, Some("master2"));
    story.misses(&of(&MASTERS), 10.0, &["master2 answered no request", "master3 answered no request"]);
    story.holds(&of(&["master1"]), 10.0);
    let story = answer(answer(story, 12.6, true, Some("master2")), 12.9, true, Some("master3"));
    story.holds(&of(&MASTERS), 10.0);
    story.misses(&of(&MASTERS), 12.3, &["master1 answered no request"]);
}
