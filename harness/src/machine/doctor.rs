//! What is here and what is missing, for every provider: all findings of a host at once, as text or as JSON.
//!
//! It finds out nothing by itself: a run is hindered by the same findings before it makes a machine.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::finding::{Finding, Needs, Standing};
use super::host::Host;
use super::provider::{self, Provider, ProviderError};
use super::{network, tools};
use crate::scenario::Topology;

/// The version of the JSON format.
pub const FORMAT: u32 = 1;

/// What was found out about a host.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Examination {
    /// The version of this format.
    pub format: u32,
    /// The version of Quorate.
    pub version: String,
    /// The topology that the host was examined for.
    pub topology: String,
    /// The private network of its machines.
    pub network: String,
    /// What all providers need.
    pub host: Vec<Finding>,
    /// The providers, in the order in which a run tries them.
    pub providers: Vec<Examined>,
    /// The provider that a run would take now, if it could take one.
    pub takes: Option<String>,
}

/// What was found out about a provider.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Examined {
    /// Its name.
    pub name: String,
    /// Whether nothing of its own hinders that it makes machines.
    pub usable: bool,
    /// All that is to be said about it.
    pub findings: Vec<Finding>,
}

/// Examines a host for the machines of a topology, for one provider or for all.
///
/// # Errors
/// There is no provider of the name that is asked for.
pub async fn examine(
    host: &Host,
    asked: Option<&str>,
    topology: &Topology,
    cancel: &CancellationToken,
) -> Result<Examination, ProviderError> {
    let providers = match asked {
        Some(name) => vec![provider::by_name(name).ok_or_else(|| provider::unknown(name))?],
        None => provider::all(),
    };
    let examined = providers.iter().map(|provider| examined(provider.as_ref(), host, topology, cancel));
    let (tools, examined) = futures::join!(tools::look_closely(host, cancel), futures::future::join_all(examined));
    let usable = |name: &str| examined.iter().any(|examined| examined.usable && examined.name == name);
    let first = provider::in_order().iter().map(|it| it.name()).find(|name| usable(name));
    // Where the network is that a run would take. Without a provider that is this host.
    let takes = first.or(asked).and_then(|name| providers.iter().find(|provider| provider.name() == name));
    let taken = match takes.is_some_and(|provider| provider.elsewhere().is_some()) {
        true => network::look_for_route(host, topology.network, cancel).await,
        false => network::look(host, topology.network, cancel).await,
    };
    // Without `ip` nothing is known of networks, and that it is missing is said already.
    let findings: Vec<Finding> = tools.into_iter().chain(host.has("ip").then_some(taken)).collect();
    let first = first.map(str::to_owned);
    Ok(Examination {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        topology: topology.name.clone(),
        network: topology.network.to_string(),
        takes: first.filter(|_| !findings.iter().any(Finding::hinders)),
        host: findings,
        providers: examined,
    })
}

async fn examined(provider: &dyn Provider, host: &Host, topology: &Topology, cancel: &CancellationToken) -> Examined {
    let mut findings = Vec::from_iter(provider::refused(provider, topology));
    findings.extend(provider.findings(host, Some(&Needs::of(topology)), cancel).await);
    // What a provider could do is of interest where it can do anything.
    let usable = !findings.iter().any(Finding::hinders);
    if usable {
        findings.extend(provider.limits(host, cancel).await);
    }
    Examined { name: provider.name().to_owned(), usable, findings }
}

impl fmt::Display for Examination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "for topology {} on {}\n\nthis host", self.topology, self.network)?;
        list(f, &self.host)?;
        for provider in &self.providers {
            let usable = if provider.usable { "can be used" } else { "cannot be used" };
            writeln!(f, "\n{}: {usable}", provider.name)?;
            list(f, &provider.findings)?;
        }
        match &self.takes {
            Some(provider) => writeln!(f, "\na run takes {provider}"),
            None => writeln!(f, "\nno run can begin: mend what is marked with ✗, for one provider at least"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, findings: &[Finding]) -> fmt::Result {
    let width = findings.iter().map(|finding| finding.part.chars().count()).max().unwrap_or_default();
    for Finding { part, standing, found, mend } in findings {
        let mark = match standing {
            Standing::Here => '✓',
            Standing::Limited => '!',
            _ => '✗',
        };
        let word = match standing {
            Standing::Here | Standing::Limited => "",
            Standing::Missing => "missing: ",
            Standing::TooOld => "too old: ",
            Standing::Conflict => "conflict: ",
            Standing::Unusable => "unusable: ",
        };
        writeln!(f, "  {mark} {part:width$}  {word}{found}")?;
        if let Some(mend) = mend {
            writeln!(f, "    {:width$}  mend it: {mend}", "")?;
        }
    }
    Ok(())
}
