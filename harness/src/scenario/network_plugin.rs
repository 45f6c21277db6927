//! What connects the pods of a topology: `bridge`, `calico`, `calico:3.32.1`, `calico:3.32.1@sha256:…`.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value as Json, json};

use super::problem::{Problems, nearest, quoted};
use super::yaml::Node;
use super::{CalicoRelease, NetworkPlugin};

/// The release of Calico that is taken if none is named.
const CALICO: &str = "3.32.1";

/// From which minor version of Kubernetes on Calico is put onto a cluster here: its manifest is too large to be applied by the
/// client, and the server does it [from 1.22 on](https://kubernetes.io/docs/reference/using-api/server-side-apply/). Which of them a
/// release serves is its own to say.
pub(crate) const CALICO_SINCE: u32 = 22;

const BRIDGE: &str = "bridge";
const CALICO_WORD: &str = "calico";

/// Why a text names no network plugin, and what to write instead.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {mend}")]
pub struct NotAPlugin {
    what: String,
    mend: String,
}

impl FromStr for NetworkPlugin {
    type Err = NotAPlugin;

    fn from_str(text: &str) -> Result<Self, NotAPlugin> {
        let fail = |what: String, mend: String| Err(NotAPlugin { what, mend });
        let (named, digest) = text.split_once('@').map_or((text, None), |(named, digest)| (named, Some(digest)));
        let (word, version) = named.split_once(':').map_or((named, None), |(word, version)| (word, Some(version)));
        match (word, version, digest) {
            (BRIDGE, None, None) => return Ok(Self::Bridge),
            (BRIDGE, ..) => return fail(format!("{} has no versions", quoted(BRIDGE)), format!("write `{BRIDGE}`")),
            (CALICO_WORD, ..) => {}
            _ => {
                let mend = match nearest(word, [BRIDGE, CALICO_WORD]) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here: `{BRIDGE}`, `{CALICO_WORD}`, `{CALICO_WORD}:{CALICO}`"),
                };
                return fail(format!("{} is not a network plugin", quoted(text)), mend);
            }
        }
        let version = version.unwrap_or(CALICO);
        let version = version.strip_prefix('v').unwrap_or(version);
        if !is_release(version) {
            return fail(
                format!("{} is not a release of Calico", quoted(version)),
                format!("write `{CALICO_WORD}:{CALICO}`, or `{CALICO_WORD}` for just that one"),
            );
        }
        let sha256 = digest.map(|digest| digest.strip_prefix("sha256:").filter(|sum| is_sha256(sum)).ok_or(digest));
        match sha256.transpose() {
            Ok(sha256) => {
                Ok(Self::Calico(CalicoRelease { version: version.to_owned(), sha256: sha256.map(str::to_owned) }))
            }
            Err(digest) => fail(
                format!("{} is not the checksum of a release", quoted(digest)),
                format!(
                    "write `sha256:` and the 64 lower-case hexadecimal digits that its list of checksums has for \
                     release-v{version}.tgz"
                ),
            ),
        }
    }
}

impl fmt::Display for NetworkPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bridge => f.write_str(BRIDGE),
            Self::Calico(CalicoRelease { version, sha256: None }) => write!(f, "{CALICO_WORD}:{version}"),
            Self::Calico(CalicoRelease { version, sha256: Some(sum) }) => {
                write!(f, "{CALICO_WORD}:{version}@sha256:{sum}")
            }
        }
    }
}

fn is_release(version: &str) -> bool {
    let parts: Vec<_> = version.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| matches!(part.len(), 1..=4) && part.bytes().all(|b| b.is_ascii_digit()))
}

fn is_sha256(sum: &str) -> bool {
    sum.len() == 64 && sum.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

pub(super) fn decode(node: &Node, problems: &mut Problems) -> Option<NetworkPlugin> {
    let Some(scalar) = node.scalar().filter(|_| !node.is_null()) else {
        problems
            .error(&node.place, format!("{} is not a network plugin", node.describe()))
            .label("not a network plugin")
            .mend(format!("write `{BRIDGE}` or `{CALICO_WORD}`"));
        return None;
    };
    match scalar.text.parse() {
        Ok(plugin) => Some(plugin),
        Err(NotAPlugin { what, mend }) => {
            problems.error(&node.place, what).label("not a network plugin").mend(mend);
            None
        }
    }
}

/// The plugin that the command line asks for, if it is one.
pub(super) fn asked(text: &str, problems: &mut Problems) -> Option<NetworkPlugin> {
    match text.parse() {
        Ok(plugin) => Some(plugin),
        Err(NotAPlugin { what, mend }) => {
            problems.option_error(what).mend(mend);
            None
        }
    }
}

pub(super) fn schema() -> Json {
    json!({
        "type": "string",
        "pattern": format!(r"^({BRIDGE}|{CALICO_WORD}(:v?[0-9]{{1,4}}(\.[0-9]{{1,4}}){{2}})?(@sha256:[0-9a-f]{{64}})?)$"),
        "examples": [BRIDGE, CALICO_WORD, format!("{CALICO_WORD}:{CALICO}")],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_are_read_as_they_are_written() {
        let sum = "0123456789abcdef".repeat(4);
        for text in ["bridge", "calico:3.31.2", &format!("calico:3.31.2@sha256:{sum}")] {
            assert_eq!(text.parse::<NetworkPlugin>().unwrap().to_string(), text);
        }
        assert_eq!("calico".parse::<NetworkPlugin>().unwrap().to_string(), format!("calico:{CALICO}"));
        assert_eq!("calico:v3.30.0".parse::<NetworkPlugin>().unwrap().to_string(), "calico:3.30.0");
    }

    #[test]
    fn what_is_no_plugin_is_told_how_to_mend() {
        for (text, said) in [
            ("", "`calico:3.32.1`"),
            ("Calico", "did you mean `calico`?"),
            ("bridge:1.0.0", "write `bridge`"),
            ("calico:", "is not a release"),
            ("calico:3.32", "is not a release"),
            ("calico:3.../", "is not a release"),
            ("calico:3.32.1@", "64 lower-case"),
            ("calico@sha256:AB", "release-v3.32.1.tgz"),
        ] {
            let error = text.parse::<NetworkPlugin>().unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
