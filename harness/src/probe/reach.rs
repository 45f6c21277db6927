//! Asks pods over HTTP from within pods on other machines. Done while somebody waits for it, since it takes a command in
//! each machine.

use std::time::Duration;

use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::event::What;
use crate::machine::Fleet;
use crate::scenario::MachineName;

/// How long a machine may take to ask: an answer is waited for for two seconds.
const DEADLINE: Duration = Duration::from_secs(10);

/// A pod that asks and is asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The machine that it is on.
    pub(crate) machine: MachineName,
    /// Its address.
    pub(crate) address: String,
}

/// Lets each pod ask all pods on other machines, and tells who did not reach whom.
pub(crate) async fn reach(fleet: &Fleet, of: &str, port: u16, pods: &[Asked], cancel: &CancellationToken) -> What {
    let each = pods.iter().map(|pod| from(fleet, port, pod, pods, cancel));
    let failed = join_all(each).await.concat();
    let mut machines: Vec<_> = pods.iter().map(|pod| pod.machine.to_string()).collect();
    machines.sort();
    machines.dedup();
    What::Reach { of: of.to_owned(), port, machines, failed }
}

async fn from(fleet: &Fleet, port: u16, own: &Asked, pods: &[Asked], cancel: &CancellationToken) -> Vec<String> {
    let others: Vec<_> = pods.iter().filter(|pod| pod.machine != own.machine).collect();
    let port = port.to_string();
    let mut words = vec![own.address.as_str(), &port];
    words.extend(others.iter().map(|pod| pod.address.as_str()));
    let asked = async {
        let way = fleet.ssh(&own.machine).map_err(|error| error.to_string())?;
        let script = way.script(include_str!("reach.sh"), &words).label("reach.sh").deadline(DEADLINE);
        script.run_async(cancel).await.map_err(|error| error.to_string())
    };
    match asked.await {
        Ok(output) => told(&own.machine, &others, &output.stdout),
        Err(error) => {
            let error = error.lines().next().unwrap_or_default();
            vec![format!("the pod on {} could not ask: {error}", own.machine)]
        }
    }
}

/// What went wrong, by the lines that the script printed: an address each, and why it was not reached.
fn told(own: &MachineName, others: &[&Asked], lines: &str) -> Vec<String> {
    let answer = |address: &str| {
        let mut lines = lines.lines().map(|line| line.split_once(' ').unwrap_or((line, "")));
        lines.find(|(asked, _)| *asked == address).map(|(_, said)| said.trim())
    };
    let unreached = others.iter().filter_map(|pod| {
        let why = match answer(&pod.address) {
            Some("") => return None,
            Some(why) => why,
            None => "it was not asked",
        };
        Some(format!("the pod on {own} does not reach the pod on {} ({}): {why}", pod.machine, pod.address))
    });
    unreached.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_that_do_not_reach_each_other_are_named() {
        let pod = |machine: &str, address: &str| Asked {
            machine: MachineName(machine.to_owned()),
            address: address.to_owned(),
        };
        let (two, three) = (pod("master2", "10.244.1.5"), pod("master3", "10.244.2.5"));
        let lines = |lines| told(&MachineName("master1".into()), &[&two, &three], lines);
        assert_eq!(lines("10.244.2.5 \n10.244.1.5 \n"), Vec::<String>::new());
        assert_eq!(
            lines("10.244.2.5 curl: (28) Connection timed out\n"),
            [
                "the pod on master1 does not reach the pod on master2 (10.244.1.5): it was not asked",
                "the pod on master1 does not reach the pod on master3 (10.244.2.5): curl: (28) Connection timed out",
            ]
        );
    }
}
