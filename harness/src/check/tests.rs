//! Judgements of histories written by hand: what is believed, what is not, and why.

use std::time::Duration;

use super::{Judgement, is_judged, judge, names, particulars, violation};
use crate::event::What;
use crate::scenario::{Check, Invariant, MachineName, NodeState, Target};

mod observed;
mod story;

use story::{MASTERS, PODS, Story, name, topology};

fn is(node: &str, is: NodeState) -> Check {
    Check::Node { node: Target::Machines(vec![name(node)]), is }
}

#[test]
fn a_cluster_that_is_well_holds_every_check_of_health() {
    let story = Story::healthy().sample(11.0, 11.1, true);
    for check in [Check::NodesReady, PODS(), Check::EtcdHealthy { members: 3 }, Check::ApiReachable] {
        story.holds(&check, 10.0);
    }
}

#[test]
fn nothing_is_known_of_an_empty_world() {
    let story = Story::default();
    for check in [Check::NodesReady, PODS(), Check::EtcdHealthy { members: 3 }, Check::ApiReachable] {
        story.misses(&check, 0.0, &["since the step began"]);
    }
    story.misses(&Check::ApiUnreachable, 0.0, &["no request to the API has ended since the step began"]);
}

#[test]
fn what_was_listed_before_the_step_does_not_count() {
    let story = Story::healthy();
    story.misses(&Check::NodesReady, 10.5, &["nodes could not be listed", "no answer yet"]);
    story.misses(&PODS(), 10.5, &["daemonsets could not be listed"]);
    story.misses(&Check::EtcdHealthy { members: 3 }, 10.5, &["the member on master1 was not looked at"]);
    story.clone().cut(11.0, names::NODES, "connection reset").misses(
        &Check::NodesReady,
        10.5,
        &["nodes could not be listed", "connection reset"],
    );
    story.listed(11.0).holds(&Check::NodesReady, 10.5);
}

#[test]
fn ready_after_a_kill_is_not_believed_without_a_new_lease() {
    let killed = Story::healthy().fault(20.0, 20.5, "kill", "master2").listed(21.0);
    killed.misses(&Check::NodesReady, 20.5, &["master2 is called Ready, but", "since `kill`"]);
    killed.misses(&is("master2", NodeState::Ready), 20.5, &["master2"]);
    killed.holds(&is("master1", NodeState::Ready), 20.5);

    let started = killed.fault(30.0, 34.0, "start", "master2").listed(35.0);
    started.misses(&Check::NodesReady, 34.0, &["master2", "since `start`"]);
    // A lease from between the kill and the start can only be one that was on its way when the power went.
    started.clone().lease(35.5, "master2", 29.9).misses(&Check::NodesReady, 34.0, &["master2"]);
    // kubelet may be up before the start is seen to have happened.
    started.lease(35.5, "master2", 33.0).holds(&Check::NodesReady, 34.0);
}

#[test]
fn a_fault_that_spares_a_kubelet_violates_no_invariant_before_the_next_lease() {
    let invariant = Invariant::Stays(Check::NodesReady);
    let violation = |story: &Story| violation(&invariant, &topology(), &story.0, 10.0);
    let blocked = Story::healthy().fault(20.0, 20.5, "block", "master1").listed(21.0);
    assert_eq!(violation(&blocked), None, "whether it is Ready is not known yet");
    assert_eq!(judge(&Check::Not(Box::new(Check::NodesReady)), &topology(), &blocked.0, 20.5), {
        judge(&Check::NodesReady, &topology(), &blocked.0, 20.5)
    });
    assert_eq!(violation(&blocked.clone().lease(25.0, "master1", 24.0)), None);
    let lost = violation(&blocked.node(60.0, "master1", "Unknown"));
    assert!(lost.is_some_and(|reason| reason.contains("master1 is not Ready")));
}

#[test]
fn a_stopped_kubelet_is_seen_by_its_lease() {
    let stopped = Story::healthy().fault(20.0, 20.5, "stop-service", "master3").listed(21.0);
    stopped.clone().lease(21.0, "master3", 20.4).misses(&Check::NodesReady, 20.5, &["master3", "`stop-service`"]);
    stopped.lease(21.0, "master3", 20.6).holds(&Check::NodesReady, 20.5);
}

#[test]
fn a_node_is_not_ready_when_its_condition_says_so() {
    let check = is("master2", NodeState::NotReady);
    Story::healthy().misses(&check, 10.0, &["master2 is Ready still"]);
    for condition in ["Unknown", "False"] {
        let story = Story::healthy().node(60.0, "master2", condition).listed(60.0);
        story.holds(&check, 60.0);
        story.misses(&Check::NodesReady, 60.0, &["master2 is not Ready (NodeStatusUnknown)"]);
    }
    let gone = Story::healthy().node(60.0, "master2", "absent").listed(60.0);
    gone.misses(&check, 60.0, &["master2 is no node of the cluster"]);
    gone.misses(&Check::NodesReady, 60.0, &["master2 is no node of the cluster"]);
}

#[test]
fn all_nodes_that_are_missed_are_named() {
    let story = Story::healthy().node(11.0, "master1", "False").node(11.0, "master3", "Unknown");
    story.misses(&Check::NodesReady, 10.0, &["master1", "; master3"]);
}

#[test]
fn a_pod_running_from_before_a_restart_is_not_believed() {
    let restarted =
        Story::healthy().fault(20.0, 20.5, "kill", "master2").fault(30.5, 34.0, "start", "master2").listed(35.0);
    restarted.misses(&PODS(), 34.0, &["sh-cgi-master2", "known before master2 was switched on"]);
    let anew = restarted.clone().pod(36.0, "sh-cgi-master2", Some("master2"), 35.0);
    anew.holds(&PODS(), 34.0);
    // Kubernetes tells whole seconds, so a start in the same second counts.
    restarted.pod(36.0, "sh-cgi-master2", Some("master2"), 30.0).holds(&PODS(), 34.0);
}

#[test]
fn a_service_that_was_stopped_makes_no_pod_stale() {
    let story = Story::healthy().fault(20.0, 20.5, "stop-service", "master2").listed(21.0);
    story.holds(&PODS(), 20.5);
}

#[test]
fn pods_are_where_they_should_be_and_nowhere_else() {
    let story = Story::healthy;
    let cases = [
        (story().pod(11.0, "sh-cgi-x", Some("master1"), 8.0), "master1 has 2 pods of it"),
        (story().pod(11.0, "sh-cgi-x", Some("worker1"), 8.0), "sh-cgi-x runs on worker1, where none should be"),
        (story().pod(11.0, "sh-cgi-x", None, 8.0), "sh-cgi-x is bound to no node"),
        (
            story().pod_as(11.0, "sh-cgi-master3", Some("master3"), 8.0, "absent", false, true),
            "master3 has no pod of it",
        ),
        (
            story().pod_as(11.0, "sh-cgi-master3", Some("master3"), 8.0, "Running", true, true),
            "sh-cgi-master3 on master3 is being deleted",
        ),
        (
            story().pod_as(11.0, "sh-cgi-master3", Some("master3"), 8.0, "Pending", false, false),
            "sh-cgi-master3 on master3 is Pending and not ready",
        ),
        (
            story().pod_as(11.0, "sh-cgi-master3", Some("master3"), 8.0, "Running", false, false),
            "sh-cgi-master3 on master3 is Running and not ready",
        ),
        (story().daemon_set(11.0, false), "there is no daemonset `sh-cgi`"),
    ];
    for (story, reason) in cases {
        story.misses(&PODS(), 10.0, &[reason]);
    }
}

#[test]
fn pods_of_other_daemonsets_do_not_count() {
    let other = What::Pod {
        owner: "other".into(),
        pod: "other-1".into(),
        node: Some("master1".into()),
        phase: "Running".into(),
        ready: true,
        terminating: false,
        address: None,
        started: None,
    };
    Story::healthy().add(11.0, other).holds(&PODS(), 10.0);
}

#[test]
fn etcd_is_healthy_when_all_members_agree() {
    let check = Check::EtcdHealthy { members: 3 };
    let cases = [
        (
            Story::healthy().etcd(11.0, "master3", Ok(("2", 3))),
            "the members follow 2 leaders: the member 1, which was not seen yet, the member 2",
        ),
        (Story::healthy().etcd(11.0, "master3", Ok(("1", 2))), "the member on master3 knows 2 members and not 3"),
        (Story::healthy().etcd(11.0, "master3", Err("timed out")), "the member on master3 is not healthy: timed out"),
    ];
    for (story, reason) in cases {
        story.misses(&check, 10.0, &[reason]);
    }
    Story::healthy().misses(&Check::EtcdHealthy { members: 2 }, 10.0, &["knows 3 members and not 2"]);
}

#[test]
fn the_api_is_reachable_by_the_latest_request_sent_since_the_step_began() {
    let story = Story::default().sample(9.0, 12.0, true);
    story.misses(&Check::ApiReachable, 10.0, &["no request to the API has ended"]);
    story.clone().sample(11.0, 12.5, true).holds(&Check::ApiReachable, 10.0);
    let failing = story.sample(11.0, 12.5, true).sample(12.0, 13.0, false);
    failing.misses(&Check::ApiReachable, 10.0, &["does not answer through the balancer: connection refused"]);
}

#[test]
fn where_one_of_several_servers_hangs_the_failure_names_it_and_who_answered() {
    let mut story =
        Story::default().served(105.2, 0.02, "master3", true).readyz(107.9, "master3", Some("no answer within 2s"));
    for (sent, server) in [(106.3, "master1"), (106.5, "master2"), (107.2, "master1")] {
        story = story.served(sent, 0.02, server, true);
    }
    let story = story.served(105.81, 4.0, "master3", false).served(106.05, 4.0, "master3", false);
    let told = particulars(&Check::ApiReachable, &story.0, 105.8).unwrap();
    assert_eq!(
        told,
        "of 5 requests sent since 105.8 s 2 failed (2 at master3), and 3 were answered (by master1, master2); the API \
        server on master3 is not ready: no answer within 2s, since 107.9 s"
    );
    let silent = Story::default().sample(10.0, 10.1, false);
    let told = particulars(&Check::ApiReachable, &silent.0, 10.0).unwrap();
    assert_eq!(told, "of 1 requests sent since 10.0 s 1 failed (1 reached no server), and 0 were answered");
    assert_eq!(particulars(&Check::ApiReachable, &silent.0, 10.2), None);
}

#[test]
fn the_api_is_unreachable_after_two_seconds_of_failed_requests() {
    let mut story = Story::default();
    for sent in 0..7 {
        story = story.sample(10.0 + f64::from(sent) * 0.25, 10.1 + f64::from(sent) * 0.25, false);
    }
    story.misses(&Check::ApiUnreachable, 10.0, &["only the last 7 requests"]);
    let story = story.sample(11.75, 11.8, false);
    story.holds(&Check::ApiUnreachable, 10.0);
    story.misses(&Check::ApiUnreachable, 10.1, &["only the last 7 requests"]);
    story.sample(12.0, 12.1, true).misses(&Check::ApiUnreachable, 10.0, &["its last request was answered well"]);
}

#[test]
fn an_outage_lasts_from_the_last_good_request_to_the_latest_failed_one() {
    let bound = |seconds| Invariant::ApiOutageBelow(Duration::from_secs_f64(seconds));
    let down = Story::default().sample(10.0, 10.1, true).sample(10.25, 14.25, false).sample(15.0, 15.1, false);
    assert!((down.0.outage.length() - 5.0).abs() < 1e-9, "{:?}", down.0.outage);
    assert_eq!(violation(&bound(5.1), &topology(), &down.0, 0.0), None);
    let message = violation(&bound(5.0), &topology(), &down.0, 0.0).unwrap();
    assert!(message.contains("for 5.0 s, and less than 5s is allowed") && message.contains("refused"), "{message}");

    // A slow request that was sent meanwhile and came through after all shortens it.
    assert_eq!(violation(&bound(5.0), &topology(), &down.clone().sample(13.0, 16.0, true).0, 0.0), None);
    // A good one ends it.
    assert_eq!(down.clone().sample(16.0, 16.1, true).0.outage.length(), 0.0);
    // One that was sent before that good one and fails after it makes it longer all the same.
    let ended = down.clone().sample(16.0, 16.1, true);
    let late = ended.sample(15.75, 19.75, false);
    assert!((late.0.outage.length() - 5.75).abs() < 1e-9, "{:?}", late.0.outage);
    assert!(violation(&bound(5.5), &topology(), &late.0, 0.0).is_some());
    // Only once: it is over.
    assert_eq!(late.sample(20.0, 20.1, true).0.outage.length(), 0.0);
    // Before the first good one there is nothing that could have gone away.
    assert_eq!(Story::default().sample(1.0, 2.0, false).sample(60.0, 61.0, false).0.outage.length(), 0.0);
}

#[test]
fn the_contrary_of_what_is_not_known_is_not_known_either() {
    let contrary = |check| Check::Not(Box::new(check));
    let story = Story::healthy();
    let judged = |check, since| judge(&contrary(check), &topology(), &story.0, since);
    assert!(matches!(judged(Check::NodesReady, 10.0), Judgement::NotYet(reason) if reason.contains("is true")));
    assert!(matches!(judged(Check::NodesReady, 10.5), Judgement::Unknown(_)));
    assert!(matches!(judged(Check::EtcdHealthy { members: 3 }, 10.5), Judgement::Unknown(_)));
    assert!(matches!(judged(Check::ApiReachable, 0.0), Judgement::Unknown(_)));
    assert_eq!(judged(Check::EtcdHealthy { members: 2 }, 10.0), Judgement::Holds);
}

#[test]
fn a_check_that_stays_true_is_violated_by_what_is_seen_and_not_by_what_is_not() {
    let stays = Invariant::Stays(Check::NodesReady);
    let violated = |story: &Story, since| violation(&stays, &topology(), &story.0, since);
    let story = Story::healthy();
    assert_eq!(violated(&story, 10.0), None);
    assert!(is_judged(&stays, &topology(), &story.0, 10.0));
    let down = story.node(60.0, "master2", "Unknown");
    assert!(violated(&down, 10.0).unwrap().contains("all nodes Ready should stay true, but master2 is not Ready"));
    assert_eq!(violated(&down, 60.5), None);
    assert!(!is_judged(&stays, &topology(), &down.0, 60.5));
}

#[test]
fn chosen_nodes_are_those_that_were_chosen_last() {
    let check = Check::Node { node: Target::Chosen(None), is: NodeState::Ready };
    let choose = |story: Story, name: Option<&str>, machines: &[&str]| {
        let machines = machines.iter().map(ToString::to_string).collect();
        story.add(
            11.0,
            What::Choice {
                step: 1,
                part: "minority".into(),
                name: name.map(str::to_owned),
                machines,
                why: String::new(),
            },
        )
    };
    let story = Story::healthy().node(10.5, "master2", "False");
    story.misses(&check, 10.0, &["nothing was chosen"]);
    let wrong = choose(story.clone(), None, &["master1", "master2"]);
    wrong.misses(&check, 10.0, &["master2 is not Ready"]);
    choose(wrong, None, &["master1"]).holds(&check, 10.0);

    let victim = Check::Node { node: Target::Chosen(Some("victim".into())), is: NodeState::Ready };
    choose(story.clone(), None, &["master1"]).misses(&victim, 10.0, &["nothing was chosen"]);
    let named = choose(choose(story, Some("victim"), &["master2"]), None, &["master1"]);
    named.misses(&victim, 10.0, &["master2 is not Ready"]);
    named.holds(&check, 10.0);
}

/// A cluster whose four pods of the Deployment `web` were two and two on two masters at 10 s.
fn web() -> (Story, Check) {
    let mut story = Story::healthy();
    for (pod, node) in [("web-a", "master1"), ("web-b", "master1"), ("web-c", "master2"), ("web-d", "master2")] {
        story = story.owned_pod("deployment/web", 10.0, pod, Some(node), 8.0);
    }
    let on = vec![name("master1"), name("master2")];
    (story, Check::Deployment { name: "web".into(), pods: 4, on })
}

#[test]
fn a_deployment_has_its_pods_on_the_machines_meant_and_nowhere_else() {
    let (story, check) = web();
    story.holds(&check, 10.0);
    let Check::Deployment { name: of, pods, .. } = check.clone() else { panic!("{check:?}") };
    let on_master2 = Check::Deployment { name: of.clone(), pods, on: vec![name("master2")] };
    story.misses(&on_master2, 10.0, &["web-a is on master1, where none should be"]);
    let five = Check::Deployment { name: of, pods: 5, on: vec![name("master1"), name("master2")] };
    story.misses(&five, 10.0, &["there are 4 pods of the deployment `web` and not 5"]);
    story.misses(&check, 10.5, &["pods could not be listed"]);
    // A DaemonSet of the same name is another thing.
    story.owned_pod("web", 11.0, "web-of-daemonset", Some("master3"), 8.0).holds(&check, 10.0);
}

#[test]
fn pods_that_are_being_deleted_on_a_lost_machine_count_no_more() {
    let (story, _) = web();
    let on_master2 = Check::Deployment { name: "web".into(), pods: 4, on: vec![name("master2")] };
    let mut moved = story.fault(20.0, 20.5, "kill", "master1").listed(21.0);
    for pod in ["web-a", "web-b"] {
        moved = moved.deleted_pod("deployment/web", 80.0, pod, "master1");
    }
    moved.misses(&on_master2, 20.5, &["there are 2 pods of the deployment `web` and not 4"]);
    moved
        .owned_pod("deployment/web", 82.0, "web-e", Some("master2"), 81.0)
        .owned_pod("deployment/web", 82.0, "web-f", Some("master2"), 81.0)
        .holds(&on_master2, 20.5);
}

#[test]
fn a_pod_that_started_in_the_second_of_the_reboot_is_not_believed() {
    let story = Story::healthy().pod(20.0, "sh-cgi-master2", Some("master2"), 20.0);
    // The pod was seen to start in the same second, shortly before.
    let rebooted = story.fault(20.9, 27.0, "reboot", "master2").listed(27.5);
    rebooted.misses(&PODS(), 27.0, &["sh-cgi-master2", "before master2 was switched on"]);
    rebooted.pod(28.0, "sh-cgi-master2", Some("master2"), 27.0).holds(&PODS(), 27.0);
}
