//! The Kubernetes of a topology.

use ipnet::Ipv4Net;
use serde_json::{Value as Json, json};

use super::problem::{Problems, quoted};
use super::table::{Field, Table, Words};
use super::yaml::{Kind, Node};
use super::{Kubernetes, NetworkPlugin, Runtime, network};

/// The newest version, as its major and its minor part, that can be made a cluster of.
///
/// After it kubelet asks the runtime for the driver of cgroups and takes no other word for it. containerd tells it since 2.0,
/// and Debian 12 has 1.6: <https://github.com/kubernetes/kubernetes/pull/139122>.
pub(crate) const NEWEST: (u32, u32) = (1, 37);

static RUNTIME: Words<Runtime> =
    Words { what: "a container runtime", words: &[("containerd", Runtime::Containerd), ("docker", Runtime::Docker)] };

static NETWORK_PLUGIN: Words<NetworkPlugin> =
    Words { what: "a network plugin", words: &[("bridge", NetworkPlugin::Bridge), ("calico", NetworkPlugin::Calico)] };

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
            doc: "What connects pods of different machines. Default: bridge",
            required: false,
            example: "network-plugin: bridge",
            schema: || NETWORK_PLUGIN.schema(),
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

/// Reads `kubernetes`. The version that is asked for elsewhere wins over the file's.
pub(super) fn decode(node: &Node, asked: Option<&str>, problems: &mut Problems) -> Option<Kubernetes> {
    let fields = KUBERNETES.open(node, problems)?;
    let default = Kubernetes::default();
    let version = fields.read_or("version", None, problems, |n, p| decode_version(n, p).map(Some));
    if let (None, Some(Some(version)), Some(node)) = (asked, &version, fields.get("version"))
        && is_too_new(version)
    {
        problems
            .error(&node.place, format!("Kubernetes {version} is too new to be made a cluster of"))
            .label("docs/node-image.md says why")
            .mend(format!("write `{}`, or an older version", newest()));
    }
    let version = asked.map_or(version, |asked| Some(Some(asked.to_owned())));
    let pod_subnet = fields.read_or("pod-subnet", default.pod_subnet, problems, |n, p| network::decode(n, 24, p));
    let runtime = fields.read_or("runtime", default.runtime, problems, |n, p| RUNTIME.decode(n, p));
    let network_plugin =
        fields.read_or("network-plugin", default.network_plugin, problems, |n, p| NETWORK_PLUGIN.decode(n, p));
    if let (Some(Some(version)), Some(Runtime::Docker), Some(node)) = (&version, runtime, fields.get("runtime"))
        && minor(version).is_some_and(|minor| minor >= 24)
    {
        problems
            .error(&node.place, format!("Kubernetes {version} cannot run containers with Docker"))
            .label("needs dockershim")
            .mend("dockershim was removed in Kubernetes 1.24: write `runtime: containerd`, or ask for 1.23 or older");
    }
    Some(Kubernetes { version: version?, pod_subnet: pod_subnet?, runtime: runtime?, network_plugin: network_plugin? })
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
pub(super) fn asked_version(text: &str, problems: &mut Problems) -> Option<String> {
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
