//! What the providers of virtual machines share.

use tokio_util::sync::CancellationToken;

use super::provider::ProviderError;
use super::ssh::Endpoint;
use super::vagrant::Vagrant;
use crate::scenario::MachineName;

/// Why no scenario runs on virtual machines yet.
pub(super) const NOT_PROVISIONED: &str = "this version validates its Vagrantfile, but runs nothing on it yet";

/// Where Vagrant says that the ssh server of a machine is.
pub(super) async fn endpoint(
    vagrant: &Vagrant,
    machine: &MachineName,
    cancel: &CancellationToken,
) -> Result<Endpoint, ProviderError> {
    let config = vagrant.ssh_config(machine, cancel).await?;
    parse(&config).ok_or_else(|| ProviderError::Host {
        problem: format!("`vagrant ssh-config {machine}` names no host, port, user and key"),
        remedy: format!("see what it prints in {}", vagrant.folder().display()),
    })
}

fn parse(config: &str) -> Option<Endpoint> {
    let value = |key: &str| {
        let lines = config.lines().filter_map(|line| line.trim().split_once(' '));
        lines.filter(|(name, _)| *name == key).map(|(_, value)| value.trim().trim_matches('"').to_owned()).next()
    };
    Some(Endpoint {
        host: value("HostName")?,
        port: value("Port")?.parse().ok()?,
        user: value("User")?,
        key: value("IdentityFile")?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_read_from_vagrants_ssh_config() {
        let config = "Host master1\n  HostName 127.0.0.1\n  User vagrant\n  Port 2200\n  UserKnownHostsFile /dev/null\n  \
                      IdentityFile \"/srv/a b/private_key\"\n";
        let expected = Endpoint {
            host: "127.0.0.1".into(),
            port: 2200,
            user: "vagrant".into(),
            key: "/srv/a b/private_key".into(),
        };
        assert_eq!(parse(config), Some(expected));
        assert_eq!(parse("Host master1\n"), None);
    }
}
