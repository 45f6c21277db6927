//! Machines that have just come up: are they what was asked for?

use std::time::Duration;

use quorate::machine::provider::State;
use quorate::scenario::MachineName;

use super::findings::{Findings, Point};
use super::rig::{Rig, words};

/// An argument that no shell on the way may touch.
const AWKWARD: &str = r#"it's "two" words; $HOME `id` \ *"#;

/// Brings both machines up and looks at them. Returns whether they can be entered.
pub(super) async fn judge(rig: &Rig, found: &mut Findings) -> bool {
    let told = rig.changes().count();
    if let Err(error) = rig.fleet.up(&rig.cancel).await {
        found.fail(Point::ComesUp, format!("{error}\nVagrant said at last:\n{}", rig.vagrant_said()));
        return false;
    }
    rig.changes().expect("up", told).await;
    found.judge(Point::ComesUp, rig.is_told(State::Running).await);
    for name in rig.names() {
        found.judge(Point::Address, address(rig, name).await);
        found.judge(Point::Hostname, hostname(rig, name).await);
        found.judge(Point::Ssh, ssh(rig, name).await);
    }
    let reached = rig.until_reached(true, Duration::from_secs(5)).await;
    found.judge(Point::Address, reached.map(|_| "each has its own, and one reaches the other"));
    found.judge(Point::SparesOthers, spares(rig).await);
    true
}

/// Whether a machine has its address, with the prefix of the private network.
pub(super) async fn address(rig: &Rig, name: &MachineName) -> Result<String, String> {
    let (ip, network) = (rig.topology().machines[name].ip, rig.topology().network);
    let said = rig.say(name, &["ip", "-oneline", "-4", "address", "show", "to", &format!("{ip}/32")]).await?;
    let wanted = format!("{ip}/{}", network.prefix_len());
    match said.split_whitespace().any(|word| word == wanted) {
        true => Ok(format!("{name} has {wanted}")),
        false => Err(format!("{name} should have {wanted}, but `ip address show` says: {said:?}")),
    }
}

/// Whether a machine knows its own full name.
pub(super) async fn hostname(rig: &Rig, name: &MachineName) -> Result<String, String> {
    let wanted = format!("{name}.{}", rig.topology().domain);
    let said = rig.say(name, &["hostname", "--fqdn"]).await?;
    if said == wanted { Ok(said) } else { Err(format!("{name} should be {wanted}, but says {said:?}")) }
}

async fn ssh(rig: &Rig, name: &MachineName) -> Result<String, String> {
    let user = rig.say(name, &["id", "--user"]).await?;
    let echoed = rig.say(name, &["printf", "%s|", AWKWARD, ""]).await?;
    match (user.as_str(), echoed == format!("{AWKWARD}||")) {
        ("0", true) => Ok("as root, word for word".to_owned()),
        _ => Err(format!("{name}: as user {user}; the argument {AWKWARD:?} came back as {echoed:?}")),
    }
}

async fn spares(rig: &Rig) -> Result<String, String> {
    let another = format!("{}x", rig.site.prefix());
    rig.fleet.provider().sweep(&another).await.map_err(words)?;
    rig.is_told(State::Running).await?;
    rig.say(rig.subject(), &["true"]).await?;
    Ok(format!("{} was swept, and {} runs", another, rig.subject()))
}
