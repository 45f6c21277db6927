//! Versions of Kubernetes, as one asks for them and as they are.

use std::fmt;
use std::str::FromStr;

use crate::scenario::NEWEST;

/// An exact version, as `1.20.2` or `1.32.0-rc.1`. Releases sort after their own release candidates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) major: u32,
    pub(super) minor: u32,
    patch: u32,
    pre: Option<String>,
}

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Whatever a source has, the newest first.
    Any,
    /// The newest patch of a minor version, as `1.31`.
    Minor(u32, u32),
    /// Exactly this.
    Exact(Version),
}

/// A text that is no version.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a version of Kubernetes like 1.31.2 or 1.31")]
pub(super) struct NotAVersion(String);

impl Wanted {
    pub(super) fn parse(text: Option<&str>) -> Result<Self, NotAVersion> {
        let Some(text) = text else { return Ok(Self::Any) };
        if let Some((major, minor)) = text.strip_prefix('v').unwrap_or(text).split_once('.')
            && let (Ok(major), Ok(minor)) = (major.parse(), minor.parse())
        {
            return Ok(Self::Minor(major, minor));
        }
        text.parse().map(Self::Exact)
    }

    /// Whether it asks for a version that is too new to be made a cluster of.
    pub(super) fn is_too_new(&self) -> bool {
        match self {
            Self::Any => false,
            Self::Minor(major, minor) => (*major, *minor) > NEWEST,
            Self::Exact(version) => version.is_too_new(),
        }
    }

    pub(super) fn accepts(&self, version: &Version) -> bool {
        match self {
            Self::Any => true,
            Self::Minor(major, minor) => (version.major, version.minor) == (*major, *minor),
            Self::Exact(exact) => exact == version,
        }
    }
}

impl Version {
    /// Whether it is too new to be made a cluster of.
    pub(super) fn is_too_new(&self) -> bool {
        (self.major, self.minor) > NEWEST
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any version"),
            Self::Minor(major, minor) => write!(f, "{major}.{minor}"),
            Self::Exact(version) => version.fmt(f),
        }
    }
}

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let error = || NotAVersion(text.to_owned());
        let plain = text.strip_prefix('v').unwrap_or(text);
        let (numbers, pre) = match plain.split_once('-') {
            Some((numbers, pre)) => (numbers, Some(pre.to_owned())),
            None => (plain, None),
        };
        let is_safe = |pre: &String| !pre.is_empty() && pre.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
        if pre.as_ref().is_some_and(|pre| !is_safe(pre)) {
            return Err(error());
        }
        let numbers: Vec<u32> = numbers.split('.').map(str::parse).collect::<Result<_, _>>().map_err(|_| error())?;
        let [major, minor, patch] = numbers[..] else { return Err(error()) };
        Ok(Self { major, minor, patch, pre })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        self.pre.iter().try_for_each(|pre| write!(f, "-{pre}"))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let numbers = |v: &Self| (v.major, v.minor, v.patch, v.pre.is_none());
        numbers(self).cmp(&numbers(other)).then_with(|| self.pre.cmp(&other.pre))
    }
}

/// Kubernetes' own version of a Debian version like `1.20.5+really1.20.2-1.1+deb12u1`.
pub(super) fn of_debian(version: &str) -> Option<Version> {
    let upstream = version.rsplit_once('-').map_or(version, |(upstream, _)| upstream);
    let upstream = upstream.split_once(':').map_or(upstream, |(_, rest)| rest);
    let upstream = upstream.rsplit_once("+really").map_or(upstream, |(_, real)| real);
    upstream.split(['+', '~']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn a_minor_version_accepts_its_patches_and_an_exact_one_only_itself() {
        for (wanted, offered, accepted) in [
            (None, "1.20.2", true),
            (Some("1.20"), "1.20.2", true),
            (Some("v1.20"), "1.20.15", true),
            (Some("1.2"), "1.20.2", false),
            (Some("v1.20.2"), "1.20.2", true),
            (Some("1.20.2"), "v1.20.2", true),
            (Some("1.20.2"), "1.20.20", false),
            (Some("1.32.0"), "1.32.0-rc.1", false),
        ] {
            let wanted = Wanted::parse(wanted).unwrap();
            assert_eq!(wanted.accepts(&version(offered)), accepted, "{wanted} and {offered}");
        }
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["", "v", "1", "latest", "1.x", "1.20.2.1", "1.20.-2", "1.20.2-", "1.20.2-../..", "1.20.2 "] {
            assert!(Wanted::parse(Some(text)).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_too_new_is_seen_however_it_is_asked_for() {
        for (wanted, too_new) in [
            (None, false),
            (Some("1.20.2"), false),
            (Some("1.36"), false),
            (Some("1.36.9"), false),
            (Some("1.99"), true),
            (Some("v1.99.0-rc.1"), true),
            (Some("1.99.4"), true),
            (Some("2.0"), true),
        ] {
            assert_eq!(Wanted::parse(wanted).unwrap().is_too_new(), too_new, "{wanted:?}");
        }
        let (major, minor) = NEWEST;
        for (minor, too_new) in [(minor, false), (minor + 1, true)] {
            assert_eq!(Wanted::Minor(major, minor).is_too_new(), too_new);
            assert_eq!(version(&format!("{major}.{minor}.0")).is_too_new(), too_new);
        }
    }

    #[test]
    fn versions_sort_by_number_and_candidates_before_releases() {
        let mut versions: Vec<Version> = ["1.31.10", "1.31.9", "1.9.0", "1.32.0", "1.32.0-rc.1"].map(version).into();
        versions.sort();
        let sorted: Vec<String> = versions.iter().map(ToString::to_string).collect();
        assert_eq!(sorted, ["1.9.0", "1.31.9", "1.31.10", "1.32.0-rc.1", "1.32.0"]);
    }

    #[test]
    fn debian_versions_give_the_real_upstream_one() {
        for (debian, upstream) in [
            ("1.20.5+really1.20.2-1.1+deb12u1", Some("1.20.2")),
            ("1.20.2-1", Some("1.20.2")),
            ("1:1.32.3+ds-2", Some("1.32.3")),
            ("1.31.0~beta-1", Some("1.31.0")),
            ("nonsense", None),
        ] {
            assert_eq!(of_debian(debian).map(|v| v.to_string()).as_deref(), upstream, "{debian}");
        }
    }
}
