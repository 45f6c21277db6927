//! How members of etcd are called by people: by their machines, never by their ids.

/// What etcd says of alarms, as `memberID:1234 alarm:NOSPACE`, with the machines of the members in place of their ids. Etcd
/// writes ids in decimal there and in hexadecimal elsewhere, by which `machine` finds them.
pub(crate) fn named(error: &str, machine: impl Fn(&str) -> Option<String>) -> String {
    let mut member = None;
    let mut said = Vec::new();
    for word in error.split(' ') {
        if let Some(id) = word.strip_prefix("memberID:").and_then(|id| id.parse::<u64>().ok()) {
            member = Some(machine(&format!("{id:x}")).unwrap_or_else(|| "a member that was not seen yet".to_owned()));
            continue;
        }
        match (word.strip_prefix("alarm:"), member.take()) {
            (Some(alarm), Some(member)) => said.push(format!("alarm {alarm} of {member}")),
            (_, _) => said.push(word.to_owned()),
        }
    }
    said.join(" ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_told_with_the_machine_that_raised_it() {
        let machine = |id: &str| (id == "a28").then(|| "master1".to_owned());
        for (error, told) in [
            ("memberID:2600 alarm:NOSPACE ", "alarm NOSPACE of master1"),
            ("memberID:1 alarm:CORRUPT", "alarm CORRUPT of a member that was not seen yet"),
            ("cannot connect: Connection refused", "cannot connect: Connection refused"),
        ] {
            assert_eq!(named(error, machine), told);
        }
    }
}
