//! At which libvirt machines are made: this host's, or that of another one, which libvirt's own variable names.

use std::sync::OnceLock;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::machine::host::Host;
use crate::machine::tools;
use crate::process::{Command, Output, ProcessError};

/// libvirt's variable for its tools, which Vagrant's plugin reads as well: <https://libvirt.org/uri.html>.
const VARIABLE: &str = "LIBVIRT_DEFAULT_URI";
/// The libvirt of this host.
const HERE: &str = "qemu:///system";

/// The address of libvirt.
pub fn uri() -> String {
    std::env::var(VARIABLE).ok().filter(|uri| !uri.is_empty()).unwrap_or_else(|| HERE.to_owned())
}

/// The other host that an address such as `qemu+ssh://root@HOST/system` names, if it does.
pub(super) fn other_host(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((six, _)) => six,
        None => host.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

/// A call of virsh to the libvirt where machines are made.
pub(super) fn virsh<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    Command::new("virsh").args(["--connect", &uri()]).args(args)
}

/// What virsh on a host says of the libvirt where machines are made.
pub(super) async fn ask(host: &Host, args: &[&str], cancel: &CancellationToken) -> Result<Output, ProcessError> {
    host.ask("virsh", &[&["--connect", &uri()], args].concat(), cancel).await
}

/// How long another host may take to say what it has.
const ANSWER: Duration = Duration::from_secs(10);

/// Whether the processor's virtualisation is used. It does not change while this runs, and to ask another host takes a while.
/// One that does not answer is not taken for one without: that it does not answer shows by itself.
pub(super) fn has_kvm() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| match other_host(&uri()) {
        None => here_has_kvm(&Host::here()),
        Some(_) => {
            let ask =
                |args: &[&'static str]| virsh(args.iter().copied()).deadline(ANSWER).run(&CancellationToken::new());
            ask(&CAPABILITIES).map_or(true, |output| virtualises(&output.stdout) && ask(&KVM).is_ok())
        }
    })
}

/// Asks for what machines with KVM can have, which fails where there is no such device.
pub(super) const KVM: [&str; 3] = ["domcapabilities", "--virttype", "kvm"];
/// Asks for what a host has, its processor's features among it.
pub(super) const CAPABILITIES: [&str; 1] = ["capabilities"];

/// Whether the processor of what [`CAPABILITIES`] describes has virtualisation.
pub(super) fn virtualises(capabilities: &str) -> bool {
    ["<feature name='vmx'/>", "<feature name='svm'/>"].iter().any(|feature| capabilities.contains(feature))
}

/// The device is there, and the processor has virtualisation. There are hosts that have one of them.
fn here_has_kvm(host: &Host) -> bool {
    host.has_file("/dev/kvm") && !tools::virtualisation(host).is_some_and(|finding| finding.hinders())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_host_is_read_from_an_address() {
        for (uri, expected) in [
            ("qemu:///system", None),
            ("qemu+unix:///system?socket=/run/libvirt/sock", None),
            ("qemu+ssh://root@vm-host/system", Some("vm-host")),
            ("qemu+ssh://me@10.0.0.1:2222/system?keyfile=/home/me/key", Some("10.0.0.1")),
            ("qemu+tls://vm-host.example/system", Some("vm-host.example")),
            ("qemu+ssh://[fd00::1]:22/system", Some("fd00::1")),
            ("nonsense", None),
        ] {
            assert_eq!(other_host(uri), expected, "{uri}");
        }
    }
}
