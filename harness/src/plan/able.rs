//! What a provider cannot do of a scenario, found before a machine starts.

use tokio_util::sync::CancellationToken;

use super::Refusal;
use crate::machine::provider::Provider;
use crate::scenario::{Action, Scenario, Verb};

/// The steps that a provider, or this host's kernel, cannot do, with the reason and the alternative.
pub async fn refusals(scenario: &Scenario, provider: &dyn Provider, cancel: &CancellationToken) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut asked: Vec<(&Verb, Option<Refusal>)> = Vec::new();
    for step in &scenario.steps {
        let Action::Fault(fault) = &step.action else { continue };
        let known = asked.iter().find(|(verb, _)| **verb == fault.verb).map(|(_, answer)| answer.clone());
        let answer = match known {
            Some(answer) => answer.map(|refusal| Refusal { place: step.place.clone(), ..refusal }),
            None => provider.impossible(&fault.verb, cancel).await.map(|impossible| Refusal {
                place: step.place.clone(),
                problem: format!("{} cannot do `{}`: {}", provider.name(), fault.verb.as_str(), impossible.reason),
                remedy: impossible.alternative,
            }),
        };
        refusals.extend(answer.clone());
        asked.push((&fault.verb, answer));
    }
    refusals
}
