//! The tools of the host that artifacts are made with, by Debian's packages: wanted when something is made, told before.

use std::path::Path;

use super::ArtifactError;
use crate::process::is_on_path;

/// A tool, and the package that has it.
type Tool = (&'static str, &'static str);

/// What the tree of machines is made with.
pub(super) const TREE: &[Tool] = &[("debootstrap", "debootstrap"), ("unshare", "util-linux"), ("tar", "tar")];
/// What the image of machines is made with.
pub(super) const IMAGE: &[Tool] =
    &[("gcc", "gcc and libc6-dev"), ("jq", "jq"), ("unshare", "util-linux"), ("tar", "tar")];
/// What the bundle of virtual machines is made with.
pub(super) const BUNDLE: &[Tool] = &[
    ("gcc", "gcc and libc6-dev"),
    ("jq", "jq"),
    ("unshare", "util-linux"),
    ("tar", "tar"),
    ("apt-get", "apt"),
    ("dpkg-deb", "dpkg"),
];
/// What Kubernetes is built with from Debian's source package.
pub(super) const DEBIAN: &[Tool] =
    &[("go", "golang-go"), ("dpkg", "dpkg"), ("flock", "util-linux"), ("apt-get", "apt")];

/// Refuses to begin what these tools are needed for, where one is missing.
pub(super) fn want(what: &str, tools: &[Tool]) -> Result<(), ArtifactError> {
    let missing = missing(tools, here);
    if missing.is_empty() {
        return Ok(());
    }
    Err(ArtifactError::Host {
        problem: format!("{what}, this host lacks {}", missing.join(", ")),
        remedy: install(&missing),
    })
}

/// The packages of tools that are missing where nothing is in the cache, and how to install them.
pub(crate) fn all_missing(has: impl Fn(&str) -> bool) -> Option<(String, String)> {
    let missing = missing(&[TREE, IMAGE, DEBIAN].concat(), has);
    (!missing.is_empty()).then(|| (missing.join(", "), install(&missing)))
}

fn missing(tools: &[Tool], has: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut missing: Vec<&str> = tools.iter().filter(|(tool, _)| !has(tool)).map(|(_, package)| *package).collect();
    missing.sort_unstable();
    missing.dedup();
    missing
}

fn install(packages: &[&str]) -> String {
    format!("`apt-get install --no-install-recommends {}`", packages.join(" ").replace(" and ", " "))
}

/// Debian's administrators' programs are not on every user's PATH; as root they are found.
fn here(tool: &str) -> bool {
    is_on_path(tool) || Path::new("/usr/sbin").join(tool).is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_named_with_its_package_once() {
        let (missing, mend) = all_missing(|tool| !["gcc", "unshare"].contains(&tool)).unwrap();
        assert_eq!(missing, "gcc and libc6-dev, util-linux");
        assert_eq!(mend, "`apt-get install --no-install-recommends gcc libc6-dev util-linux`");
        assert_eq!(all_missing(|_| true), None);
    }
}
