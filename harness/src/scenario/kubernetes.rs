//! The Kubernetes of a topology.

use ipnet::Ipv4Net;
use serde_json::{Value as Json, json};

use super::network_plugin::CALICO_SINCE;
use super::problem::{Problems, quoted};
use super::table::{Field, Table, Words};
use super::yaml::{Kind, Node};
use super::{Kubernetes, LoadOptions, NetworkPlugin, Runtime, network, network_plugin};

/// The newest version, as its major and its minor part, that can be made a cluster of.
///
/// After it kubelet asks the runtime for the driver of cgroups and takes no other word for it. containerd tells it since 2.0,
/// and Debian 12 has 1.6: <https://github.com/kubernetes/kubernetes/pull/139122>.
pub(crate) const NEWEST: (u32, u32) = (1, 37);

static RUNTIME: Words<Runtime> =
    Words { what: "a container runtime", words: &[("containerd", Runtime::Containerd), ("docker", Runtime::Docker)] };

static KUBERNETES: Table = Table {
    what: "`kubernetes`",
    fields: &[
        Field {
            name: "version",
            doc: "The version, as `1.20.2` or `1.20`. Default: whatever the first source has",
            required: false,
            example: "version: 1.20.2",
            // An unquoted 1.20 is a number for whoever reads the schema.
            schema: || json!({ "type": ["string", "number"] }),
        },
        Field {
            name: "pod-subnet",
            doc: "The network of the pods. Default: 10.244.0.0/16",
            required: false,
            example: "pod-subnet: 10.244.0.0/16",
            schema: network::schema,
        },
        Field {
            name: "runtime",
            doc: "What runs the containers; docker only before Kubernetes 1.24. Default: containerd",
            required: false,
            example: "runtime: containerd",
            schema: || RUNTIME.schema(),
        },
        Field {
            name: "network-plugin",
            doc: "What connects pods of different machines: `bridge`, or Calico as `calico`, `calico:VERSION` or \
                  `calico:VERSION@sha256:SUM`. Default: bridge",
            required: false,
            example: "network-plugin: bridge",
            schema: network_plugin::schema,
        },
    ],
};

impl Default for Kubernetes {
    fn default() -> Self {
        Self {
            version: None,
            pod_subnet: Ipv4Net::new_assert(std::net::Ipv4Addr::new(10, 244, 0, 0), 16),
            runtime: Runtime::Containerd,
            network_plugin: NetworkPlugin::Bridge,
        }
    }
}

/// What the command line asks for, checked. It wins over the file.
#[derive(Debug, Default)]
pub(super) struct Asked {
    version: Option<String>,
    network_plugin: Option<NetworkPlugin>,
}

impl Asked {
    pub(super) fn new(options: &LoadOptions, problems: &mut Problems) -> Self {
        let version = options.kubernetes_version.as_deref().and_then(|version| asked_version(version, problems));
        let plugin = options.network_plugin.as_deref().and_then(|plugin| network_plugin::asked(plugin, problems));
        Self { version, network_plugin: plugin }
    }

    /// What is asked for, where the file says nothing.
    pub(super) fn over_default(&self, problems: &mut Problems) -> Kubernetes {
        let default = Kubernetes::default();
        let asked = Kubernetes {
            version: self.version.clone(),
            network_plugin: self.network_plugin.clone().unwrap_or(default.network_plugin),
            ..default
        };
        if let Some(found) = too_old_for_plugin(&asked) {
            problems.option_error(found).mend(newer_for_calico());
        }
        asked
    }
}

/// Reads `kubernetes`.
pub(super) fn decode(node: &Node, asked: &Asked, problems: &mut Problems) -> Option<Kubernetes> {
    let fields = KUBERNETES.open(node, problems)?;
    let default = Kubernetes::default();
    let version = fields.read_or("version", None, problems, |n, p| decode_version(n, p).map(Some));
    if let (None, Some(Some(version)), Some(node)) = (&asked.version, &version, fields.get("version"))
        && is_too_new(version)
    {
        problems
            .error(&node.place, format!("Kubernetes {version} is too new to be made a cluster of"))
            .label("docs/node-image.md says why")
            .mend(format!("write `{}`, or an older version", newest()));
    }
    let version = asked.version.clone().map_or(version, |asked| Some(Some(asked)));
    let pod_subnet = fields.read_or("pod-subnet", default.pod_subnet, problems, |n, p| network::decode(n, 24, p));
    let runtime = fields.read_or("runtime", default.runtime, problems, |n, p| RUNTIME.decode(n, p));
    let plugin = fields.read_or("network-plugin", default.network_plugin, problems, network_plugin::decode);
    let plugin = asked.network_plugin.clone().map_or(plugin, Some);
    if let (Some(Some(version)), Some(Runtime::Docker), Some(node)) = (&version, runtime, fields.get("runtime"))
        && minor(version).is_some_and(|minor| minor >= 24)
    {
        problems
            .error(&node.place, format!("Kubernetes {version} cannot run containers with Docker"))
            .label("needs dockershim")
            .mend("dockershim was removed in Kubernetes 1.24: write `runtime: containerd`, or ask for 1.23 or older");
    }
    let kubernetes =
        Kubernetes { version: version?, pod_subnet: pod_subnet?, runtime: runtime?, network_plugin: plugin? };
    if let Some(found) = too_old_for_plugin(&kubernetes) {
        let place = fields.get("network-plugin").or_else(|| fields.get("version")).unwrap_or(node);
        problems.error(&place.place, found).label("needs a newer Kubernetes").mend(newer_for_calico());
    }
    Some(kubernetes)
}

/// That a version has not what its network plugin needs, if so.
fn too_old_for_plugin(kubernetes: &Kubernetes) -> Option<String> {
    let version = kubernetes.version.as_ref().filter(|version| minor(version).is_some_and(|it| it < CALICO_SINCE))?;
    matches!(kubernetes.network_plugin, NetworkPlugin::Calico(_))
        .then(|| format!("Kubernetes {version} is too old for Calico"))
}

fn newer_for_calico() -> String {
    format!("ask for Kubernetes 1.{CALICO_SINCE} or newer, or for `network-plugin: bridge`")
}

fn decode_version(node: &Node, problems: &mut Problems) -> Option<String> {
    let scalar = node.scalar().filter(|scalar| matches!(scalar.kind, Kind::Number | Kind::Text));
    let version = scalar.and_then(|scalar| normal_version(&scalar.text));
    if version.is_none() {
        problems
            .error(&node.place, format!("{} is not a version of Kubernetes", node.describe()))
            .mend("write `1.20.2`, or `1.20` for any of its patch releases");
    }
    version
}

/// A version without a leading `v`, if it is one.
pub(super) fn normal_version(text: &str) -> Option<String> {
    let version = text.strip_prefix('v').unwrap_or(text);
    let (numbers, suffix) = version.split_once('-').map_or((version, None), |(n, s)| (n, Some(s)));
    let parts: Vec<_> = numbers.split('.').collect();
    let good_suffix = suffix.is_none_or(|suffix| {
        parts.len() == 3 && !suffix.is_empty() && suffix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
    });
    let good = matches!(parts[..], ["1", _] | ["1", _, _])
        && parts.iter().all(|part| matches!(part.len(), 1..=4) && part.bytes().all(|b| b.is_ascii_digit()))
        && good_suffix;
    good.then(|| version.to_owned())
}

fn minor(version: &str) -> Option<u32> {
    version.split('.').nth(1)?.parse().ok()
}

fn is_too_new(version: &str) -> bool {
    minor(version).is_some_and(|minor| (1, minor) > NEWEST)
}

fn newest() -> String {
    format!("{}.{}", NEWEST.0, NEWEST.1)
}

/// The version that the command line asks for, if it is one.
fn asked_version(text: &str, problems: &mut Problems) -> Option<String> {
    let version = normal_version(text);
    if version.is_none() {
        problems
            .option_error(format!("{} is not a version of Kubernetes", quoted(text)))
            .mend("ask for `1.20.2`, or for `1.20` and any of its patch releases");
    }
    if version.as_ref().is_some_and(|version| is_too_new(version)) {
        problems
            .option_error(format!("Kubernetes {} is too new to be made a cluster of", quoted(text)))
            .mend(format!("ask for `{}`, or for an older version; docs/node-image.md says why", newest()));
    }
    version
}

pub(super) fn schema() -> Json {
    KUBERNETES.schema()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_not_too_new_and_the_next_is() {
        let (major, newest) = NEWEST;
        assert!(!is_too_new(&format!("{major}.{newest}.9")));
        assert!(is_too_new(&format!("{major}.{}", newest + 1)));
    }

    #[test]
    fn versions_lose_their_v() {
        for (text, version) in [
            ("1.20.2", Some("1.20.2")),
            ("v1.34", Some("1.34")),
            ("1.35.0-rc.1", Some("1.35.0-rc.1")),
            ("1", None),
            ("1.20.2.1", None),
            ("1.x", None),
            ("latest", None),
            ("2.1", None),
            ("1.20-rc.1", None),
            ("1.2/../..", None),
        ] {
            assert_eq!(normal_version(text).as_deref(), version, "{text}");
        }
    }
}
