//! A private configuration of apt, derived from the host's own: it adds the source packages and keeps its lists in
//! Quorate's cache, so that nothing of the host's apt changes and no mirror has to be named in the code.

use std::path::{Path, PathBuf};

use indexmap::IndexSet;
use tokio_util::sync::CancellationToken;

use super::error::ArtifactError;
use crate::process::Command;

/// The Debian suite that machines are made of, and whose source package of Kubernetes is complete.
pub(super) const SUITE: &str = "bookworm";

/// The private configuration on disk.
#[derive(Debug, Clone)]
pub(super) struct Apt {
    /// The file for `APT_CONFIG`.
    pub(super) config: PathBuf,
    /// The sources for a machine's own apt, without source packages. Empty if the host has none for the suite.
    pub(super) sources: PathBuf,
    /// Where debootstrap gets the suite from, if the host's apt has a source for it.
    pub(super) mirror: Option<String>,
    /// The keyring that signs it, if the source names a file.
    pub(super) keyring: Option<String>,
}

impl Apt {
    /// Reads the host's sources, and writes the private configuration into `folder`.
    pub(super) async fn derive(folder: &Path, cancel: &CancellationToken) -> Result<Self, ArtifactError> {
        let stanzas = host_sources(cancel).await?;
        let codename = host_codename();
        let stanzas: Vec<Stanza> = stanzas.iter().filter_map(|stanza| stanza.for_suite(codename.as_deref())).collect();
        write_config(folder, &stanzas)
    }

    /// A program that is to use this configuration.
    pub(super) fn program(&self, name: &str) -> Command {
        Command::new(name).env("APT_CONFIG", &self.config).env("LC_ALL", "C.UTF-8")
    }
}

/// A paragraph of a deb822 file: fields in order, names as written, values with their further lines.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stanza(Vec<(String, String)>);

impl Stanza {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn words(&self, name: &str) -> impl Iterator<Item = &str> {
        self.get(name).unwrap_or_default().split_whitespace()
    }

    fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(field, _)| field.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// The same for [`SUITE`] alone. Debian's mirrors carry all suites, so a host of another one serves as well.
    fn for_suite(&self, codename: Option<&str>) -> Option<Self> {
        let off = self.get("Enabled").is_some_and(|value| matches!(value, "no" | "false" | "off"));
        if off || !self.words("Components").any(|component| component == "main") {
            return None;
        }
        let suites: Vec<String> = self.words("Suites").filter_map(|suite| translate(suite, codename)).collect();
        if suites.is_empty() {
            return None;
        }
        let mut stanza = self.clone();
        stanza.set("Suites", suites.join(" "));
        Some(stanza)
    }

    fn render(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
    }
}

fn translate(suite: &str, codename: Option<&str>) -> Option<String> {
    let belongs = |name: &str| ["", "-updates", "-security"].iter().any(|pocket| suite == format!("{name}{pocket}"));
    if belongs(SUITE) {
        return Some(suite.to_owned());
    }
    codename.filter(|name| belongs(name)).map(|name| suite.replacen(name, SUITE, 1))
}

/// Paragraphs of a `.sources` file. Comments may stand between any two lines.
fn parse_deb822(text: &str) -> Vec<Stanza> {
    let mut stanzas = vec![Stanza(Vec::new())];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if line.trim().is_empty() {
            stanzas.push(Stanza(Vec::new()));
            continue;
        }
        let Some(stanza) = stanzas.last_mut() else { continue };
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = stanza.0.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            stanza.0.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    stanzas.retain(|stanza| stanza.get("Types").is_some());
    stanzas
}

/// Lines of a `.list` file: `deb [option=value ...] URI SUITE COMPONENT...`.
fn parse_list(text: &str) -> Vec<Stanza> {
    text.lines().filter_map(parse_list_line).collect()
}

fn parse_list_line(line: &str) -> Option<Stanza> {
    let line = line.split('#').next()?.trim();
    let (kind, rest) = line.split_once(char::is_whitespace)?;
    if !matches!(kind, "deb" | "deb-src") {
        return None;
    }
    let (options, rest) = match rest.trim_start().strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let mut stanza = Stanza(vec![("Types".into(), kind.into())]);
    stanza.set("URIs", words.next()?.into());
    stanza.set("Suites", words.next()?.into());
    stanza.set("Components", words.collect::<Vec<_>>().join(" "));
    for (name, value) in options.split_whitespace().filter_map(|option| option.split_once('=')) {
        stanza.set(deb822_name(name), value.replace(',', " "));
    }
    Some(stanza)
}

/// What an option of a `.list` line is called in a `.sources` file.
fn deb822_name(option: &str) -> &str {
    match option {
        "arch" => "Architectures",
        "lang" => "Languages",
        "target" => "Targets",
        "signed-by" => "Signed-By",
        other => other,
    }
}

async fn host_sources(cancel: &CancellationToken) -> Result<Vec<Stanza>, ArtifactError> {
    let ask = Command::new("apt-config").args([
        "shell",
        "list",
        "Dir::Etc::sourcelist/f",
        "parts",
        "Dir::Etc::sourceparts/d",
    ]);
    let answer =
        ask.run_async(cancel).await.map_err(ArtifactError::command("ask the host's apt where its sources are"))?;
    let value = |name: &str| {
        let mut words =
            answer.stdout.lines().filter_map(|line| shlex::split(line.strip_prefix(name)?.strip_prefix('=')?)?.pop());
        words.next().map(PathBuf::from)
    };
    let mut files: Vec<PathBuf> = value("list").into_iter().collect();
    if let Some(parts) = value("parts")
        && let Ok(entries) = std::fs::read_dir(parts)
    {
        files.extend(entries.flatten().map(|entry| entry.path()));
    }
    files.sort();
    Ok(files.iter().flat_map(|file| read_sources(file)).collect())
}

fn read_sources(file: &Path) -> Vec<Stanza> {
    let text = || std::fs::read_to_string(file).unwrap_or_default();
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("list") => parse_list(&text()),
        Some("sources") => parse_deb822(&text()),
        _ => Vec::new(),
    }
}

/// The host's own suite, if the host is Debian.
fn host_codename() -> Option<String> {
    let text = std::fs::read_to_string("/etc/os-release").ok()?;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    value("ID").filter(|id| id == "debian")?;
    value("VERSION_CODENAME")
}

fn write_config(folder: &Path, stanzas: &[Stanza]) -> Result<Apt, ArtifactError> {
    for part in ["lists/partial", "archives/partial"] {
        let part = folder.join(part);
        std::fs::create_dir_all(&part).map_err(ArtifactError::file("make", &part))?;
    }
    let with_types = |types: &str| -> String {
        let stanzas = stanzas.iter().map(|stanza| {
            let mut stanza = stanza.clone();
            stanza.set("Types", types.to_owned());
            stanza.render()
        });
        // A pair of lines for binaries and sources becomes one paragraph.
        stanzas.collect::<IndexSet<_>>().into_iter().collect::<Vec<_>>().join("\n")
    };
    let (both, sources, config) = (folder.join("host.sources"), folder.join("tree.sources"), folder.join("apt.conf"));
    write(&both, &with_types("deb deb-src"))?;
    write(&sources, &with_types("deb"))?;
    let quoted = |path: &Path| path.display().to_string();
    let text = include_str!("apt.conf").replace("@SOURCES@", &quoted(&both)).replace("@FOLDER@", &quoted(folder));
    write(&config, &text)?;
    let main = stanzas.iter().find(|stanza| stanza.words("Suites").any(|suite| suite == SUITE));
    let keyring = main.and_then(|stanza| stanza.words("Signed-By").find(|key| key.starts_with('/')));
    Ok(Apt { config, sources, mirror: main.and_then(mirror_of), keyring: keyring.map(str::to_owned) })
}

/// The first URI, or the first that a `mirror+file:` list names.
fn mirror_of(stanza: &Stanza) -> Option<String> {
    let uri = stanza.words("URIs").next()?;
    let Some(list) = uri.strip_prefix("mirror+file:") else { return Some(uri.to_owned()) };
    let text = std::fs::read_to_string(list).ok()?;
    text.lines()
        .find(|line| !line.starts_with('#') && !line.trim().is_empty())?
        .split_whitespace()
        .next()
        .map(str::to_owned)
}

fn write(path: &Path, text: &str) -> Result<(), ArtifactError> {
    if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    std::fs::write(path, text).map_err(ArtifactError::file("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEB822: &str = "\
Types: deb
# a comment between fields
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/example.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb deb-src
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBFaw
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: https://vendor.example/node
Suites: nodistro
Components: main
";

    const LIST: &str = "\
# deb http://commented.example/debian bookworm main
deb [arch=amd64,i386 signed-by=/usr/share/keyrings/example.gpg] http://mirror.example/debian bookworm main # why
deb-src http://mirror.example/debian bookworm-updates main contrib
deb cdrom:[Debian]/ bookworm
nonsense
";

    fn rendered(stanzas: &[Stanza], codename: Option<&str>) -> String {
        let kept = stanzas.iter().filter_map(|stanza| stanza.for_suite(codename));
        kept.map(|stanza| stanza.render()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn deb822_sources_keep_keys_and_lose_what_is_off_or_foreign() {
        insta::assert_snapshot!(rendered(&parse_deb822(DEB822), None));
    }

    #[test]
    fn one_line_sources_become_deb822_with_their_options() {
        insta::assert_snapshot!(rendered(&parse_list(LIST), None));
    }

    #[test]
    fn sources_of_another_debian_suite_are_used_for_ours() {
        let stanzas = parse_list("deb http://m.example/debian trixie main\ndeb http://m.example/debian sid main");
        assert!(rendered(&stanzas, Some("trixie")).contains("Suites: bookworm\n"));
        assert!(!rendered(&stanzas, Some("trixie")).contains("sid"));
        assert_eq!(rendered(&stanzas, None), "");
    }

    #[test]
    fn the_private_configuration_names_the_mirror_and_its_keyring() {
        let folder = tempfile::tempdir().unwrap();
        let twice = parse_deb822(DEB822).into_iter().chain(parse_deb822(DEB822)).collect::<Vec<_>>();
        let stanzas: Vec<Stanza> = twice.iter().filter_map(|s| s.for_suite(None)).collect();
        let apt = write_config(folder.path(), &stanzas).unwrap();
        assert_eq!(apt.mirror.as_deref(), Some("http://mirror.example/debian"));
        assert_eq!(apt.keyring.as_deref(), Some("/usr/share/keyrings/example.gpg"));
        let sources = std::fs::read_to_string(folder.path().join("host.sources")).unwrap();
        assert_eq!(sources.matches("Types: deb deb-src\n").count(), 2);
        assert!(!std::fs::read_to_string(&apt.sources).unwrap().contains("deb-src"));
    }

    #[test]
    fn a_list_of_mirrors_gives_its_first_one() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("debian.list");
        std::fs::write(&list, "# ours\nhttp://first.example/debian priority:1\nhttp://second.example/debian\n")
            .unwrap();
        let stanza = Stanza(vec![("URIs".into(), format!("mirror+file:{}", list.display()))]);
        assert_eq!(mirror_of(&stanza).as_deref(), Some("http://first.example/debian"));
    }
}
