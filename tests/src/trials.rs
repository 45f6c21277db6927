//! Tests that are made one for each provider: which of them run, which cannot, and which must fail because they cannot.

use std::collections::BTreeSet;

use libtest_mimic::{Failed, Trial};
use quorate::machine::provider::{self, Provider};
use quorate::process::is_on_path;
use tokio_util::sync::CancellationToken;

/// The provider that `QUORATE_PROVIDER` asks for.
pub fn asked() -> Option<String> {
    std::env::var("QUORATE_PROVIDER").ok().filter(|asked| !asked.is_empty())
}

/// Why a provider cannot be used on this host, in a few words.
pub async fn hindrance(provider: &dyn Provider) -> Option<String> {
    if !is_on_path("vagrant") {
        return Some("vagrant is not on the PATH".into());
    }
    let unusable = provider.usable(&CancellationToken::new()).await.err()?;
    unusable.to_string().lines().next().map(str::to_owned)
}

/// A test on a provider. If that cannot be used, it fails if it was asked for; otherwise it is ignored, and the reason is
/// in the error as well.
pub fn on(
    name: String,
    provider: &str,
    hindrance: Option<&str>,
    asked: Option<&str>,
    test: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Result<Trial, (Trial, String)> {
    let reason = match (hindrance, asked) {
        (_, Some(asked)) if asked != provider => "QUORATE_PROVIDER asks for another",
        (None, _) => return Ok(Trial::test(name, test)),
        (Some(reason), Some(_)) => {
            return Ok(failing(name, format!("QUORATE_PROVIDER asks for {provider}: {reason}")));
        }
        (Some(reason), None) => reason,
    };
    let reason = format!("{provider}: {reason}");
    let told = reason.clone();
    let trial = Trial::test(name, move || Err(told.into())).with_kind(&reason).with_ignored_flag(true);
    Err((trial, reason))
}

/// Adds a test that fails if a provider was asked for that there is not, or if none of the tests can run, which `what`
/// would show.
pub fn complete(trials: &mut Vec<Trial>, asked: Option<&str>, reasons: BTreeSet<String>, what: &str) {
    if let Some(unknown) = asked.filter(|asked| provider::by_name(asked).is_none()) {
        trials.push(failing(format!("provider {unknown}"), format!("QUORATE_PROVIDER is no provider: {unknown}")));
    } else if trials.iter().all(Trial::has_ignored_flag) {
        let reasons = reasons.into_iter().collect::<Vec<_>>().join("\n  ");
        trials.push(failing(what.to_owned(), format!("it is not so that {what}:\n  {reasons}")));
    }
}

/// A test that fails.
pub fn failing(name: String, reason: String) -> Trial {
    Trial::test(name, move || Err(reason.into()))
}
