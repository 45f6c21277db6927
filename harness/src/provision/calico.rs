//! The pods' network where Calico makes it. That its pods run on every node is for the gate to say, which looks after each
//! restoration as well.

use std::time::Duration;

use minijinja::{Value, context};

use super::context::{ProvisionError, Provisioner, StepError};
use crate::artifact::{Calico, CalicoImage};
use crate::event::SpanId;
use crate::scenario::Machine;
use crate::template::render;

const DEADLINE: Duration = Duration::from_secs(120);
/// Where the manifest lies on the machine that it is applied from.
const FOLDER: &str = "/etc/kubernetes/calico";

/// Hands Calico to a cluster that was just initialised.
pub(super) async fn apply(
    provisioner: &Provisioner,
    first: &Machine,
    calico: &Calico,
    initialised: SpanId,
) -> Result<SpanId, ProvisionError> {
    let work = |_| async {
        let manifest = std::fs::read_to_string(&calico.manifest)
            .map_err(|source| StepError::Unreadable { path: calico.manifest.clone(), source })?;
        let customised = kustomization(provisioner, &calico.images)?;
        provisioner.upload(first, &format!("{FOLDER}/calico.yaml"), "644", &manifest).await?;
        provisioner.upload(first, &format!("{FOLDER}/kustomization.yaml"), "644", &customised).await?;
        provisioner.script(first, "calico", include_str!("calico.sh"), &[FOLDER], DEADLINE).await?;
        Ok(())
    };
    let (span, ()) = provisioner.step("apply Calico", Some(first), &[initialised], DEADLINE, work).await?;
    Ok(span)
}

/// What the release's manifest has to be told of these machines.
fn kustomization(provisioner: &Provisioner, images: &[CalicoImage]) -> Result<String, minijinja::Error> {
    let repository = |name: &str| name.rsplit_once(':').map_or(name, |(repository, _)| repository).to_owned();
    let images = images.iter().map(|image| (repository(&image.named), repository(&image.imported)));
    let renamed: Vec<Value> = images.filter(|(from, to)| from != to).map(|(from, to)| context! { from, to }).collect();
    let topology = &provisioner.topology;
    render(
        include_str!("calico-kustomization.yaml"),
        context! {
            renamed,
            network => topology.network.to_string(),
            pod_subnet => topology.kubernetes.pod_subnet.to_string(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::support;
    use super::*;

    fn image(named: &str, imported: &str) -> CalicoImage {
        CalicoImage { named: named.into(), imported: imported.into(), archive: "/nowhere".into() }
    }

    #[test]
    fn calico_is_told_of_its_machines_and_of_images_by_other_names() {
        let provisioner = support::provisioner("stacked-3", "1.36.2");
        let same = image("quay.io/calico/cni:v3.32.1", "quay.io/calico/cni:v3.32.1");
        insta::assert_snapshot!("none-renamed", kustomization(&provisioner, std::slice::from_ref(&same)).unwrap());
        let other = image("quay.io/calico/node:v3.32.1", "docker.io/calico/node:v3.32.1");
        insta::assert_snapshot!("one-renamed", kustomization(&provisioner, &[same, other]).unwrap());
    }
}
