//! Walks through the steps of a scenario and remembers what is broken at each, so that what makes no sense is found
//! before a machine starts.

use std::fmt;

use crate::scenario::{
    Action, Check, Fault, MachineName, Part, Placement, Role, Service, Step, Target, Topology, Verb,
};

/// What makes no sense in a step, and what to write instead.
#[derive(Debug)]
pub(super) struct Nonsense {
    pub(super) problem: String,
    pub(super) remedy: String,
}

fn nonsense<T>(problem: impl Into<String>, remedy: impl Into<String>) -> Result<T, Nonsense> {
    Err(Nonsense { problem: problem.into(), remedy: remedy.into() })
}

/// What a fault befalls, as far as that is known before the run.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    Machine(MachineName),
    /// What the step in this line chooses.
    Chosen(Part, u32),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine(name) => write!(f, "{name}"),
            Self::Chosen(part, line) => write!(f, "{} of line {line}", part.as_str()),
        }
    }
}

/// A fault that lasts.
#[derive(Debug)]
struct Active {
    subject: Subject,
    verb: Verb,
    line: u32,
}

/// What is broken while the steps are walked through.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    topology: &'a Topology,
    active: Vec<Active>,
    chosen: Option<Subject>,
    /// Choices that have a name.
    called: Vec<(String, Subject)>,
    /// Whether anything befell the cluster so far.
    befallen: bool,
    notes: Vec<String>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(topology: &'a Topology) -> Self {
        Self { topology, active: Vec::new(), chosen: None, called: Vec::new(), befallen: false, notes: Vec::new() }
    }

    /// What a person should know beforehand and that stops nothing.
    pub(super) fn into_notes(self) -> Vec<String> {
        self.notes
    }

    pub(super) fn step(&mut self, step: &Step) -> Result<(), Nonsense> {
        match &step.action {
            Action::Hold { check: None, .. } => Ok(()),
            Action::Expect { check, .. } | Action::Hold { check: Some(check), .. } => {
                self.refers(check)?;
                self.doubt(check, step.line());
                Ok(())
            }
            Action::Fault(Fault { verb, on }) => {
                let subjects = self.subjects(verb, on, step.line())?;
                self.befallen |= !verb.heals();
                if *verb == Verb::Restore {
                    return self.restore(&subjects);
                }
                if *verb == Verb::Wipe {
                    self.quorum(&subjects)?;
                }
                subjects.into_iter().try_for_each(|subject| self.fault(verb, subject, step.line()))
            }
        }
    }

    fn subjects(&mut self, verb: &Verb, on: &Target, line: u32) -> Result<Vec<Subject>, Nonsense> {
        match on {
            Target::Machines(machines) => Ok(machines.iter().cloned().map(Subject::Machine).collect()),
            Target::Part(part, _) if verb.heals() => nonsense(
                format!("`{}` cannot choose anew what it heals", verb.as_str()),
                format!("write `{}` to mean what was chosen last, or the name of a choice", healing(verb, "chosen")),
            ),
            Target::Part(part, name) => {
                let role = part.role(self.topology.external_etcd());
                let of = self.topology.of_role(role).count();
                let what = if role == Role::Etcd { "etcd machines" } else { "masters" };
                if part.size(of) == 0 {
                    return nonsense(
                        format!("a {} of {of} {what} is no machine at all", part.as_str()),
                        format!("take a topology with more {what}, or another target"),
                    );
                }
                let befallen = self.befallen(role);
                if of - befallen.min(of) < part.size(of) {
                    return nonsense(
                        format!("no {} can be chosen: a fault lasts on {befallen} of {of} {what}", part.as_str()),
                        "heal some of them before",
                    );
                }
                let subject = Subject::Chosen(*part, line);
                self.chosen = Some(subject.clone());
                self.called.extend(name.iter().map(|name| (name.clone(), subject.clone())));
                Ok(vec![subject])
            }
            Target::Chosen(name) => {
                let able = match verb {
                    Verb::FillDisk { .. } | Verb::SlowDisk { .. } | Verb::FillEtcd | Verb::Wipe => Some(Service::Etcd),
                    other => other.service(),
                };
                let subject = self.chosen(name.as_deref())?.clone();
                if let Some(service) = able {
                    self.able(&subject, service.roles(self.topology.external_etcd()), service.as_str())?;
                }
                Ok(vec![subject])
            }
        }
    }

    /// Of how many machines with a role it is certain that something lasts there. What was chosen is never one on which
    /// something lasted, but one that is named later may be the same.
    fn befallen(&self, role: Role) -> usize {
        let external = self.topology.external_etcd();
        let of = self.topology.of_role(role).count();
        let mut named: Vec<&MachineName> = Vec::new();
        let mut chosen: Vec<(&Part, u32)> = Vec::new();
        for active in &self.active {
            match &active.subject {
                Subject::Machine(name)
                    if !named.contains(&name) && self.topology.machines.get(name).is_some_and(|it| it.role == role) =>
                {
                    named.push(name);
                }
                Subject::Chosen(part, line) if part.role(external) == role && !chosen.contains(&(part, *line)) => {
                    chosen.push((part, *line));
                }
                _ => {}
            }
        }
        named.len().max(chosen.iter().map(|(part, _)| part.size(of)).sum())
    }

    /// Whether what was chosen has one of the roles.
    fn able(&self, subject: &Subject, roles: &[Role], what: &str) -> Result<(), Nonsense> {
        let Subject::Chosen(part, line) = subject else { return Ok(()) };
        let role = part.role(self.topology.external_etcd());
        if roles.contains(&role) {
            return Ok(());
        }
        let of = if role == Role::Etcd { "an etcd machine" } else { "a master" };
        nonsense(
            format!("`chosen` is {of} here, by `{}` in line {line}, and has no {what}", part.as_str()),
            "name the machines that are meant",
        )
    }

    fn chosen(&self, name: Option<&str>) -> Result<&Subject, Nonsense> {
        let called = |name| self.called.iter().find(|(known, _)| known == name).map(|(_, subject)| subject);
        match (name.map_or(self.chosen.as_ref(), called), name) {
            (Some(subject), _) => Ok(subject),
            (None, Some(name)) => nonsense(
                format!("nothing is called `{name}` before this step"),
                "move the step behind the one that chooses it",
            ),
            (None, None) => nonsense(
                "nothing was chosen before this step",
                "let a fault before it choose, as `- kill: one-master`, or name the machine",
            ),
        }
    }

    fn refers(&self, check: &Check) -> Result<(), Nonsense> {
        match check {
            Check::Node { node: Target::Chosen(name), .. } => {
                self.able(self.chosen(name.as_deref())?, &[Role::Master, Role::Worker], "node of the cluster")
            }
            Check::ServerReady { on: Target::Chosen(name), .. } | Check::ApiBalanced { on: Target::Chosen(name) } => {
                self.able(self.chosen(name.as_deref())?, &[Role::Master], "API server")
            }
            Check::LeaseMoved { component } if !self.befallen => nonsense(
                format!(
                    "nothing befell the cluster before this step that the lease of {} could move for",
                    component.as_str()
                ),
                "write what befalls it before this step, as `stop-service`",
            ),
            Check::Not(check) => self.refers(check),
            _ => Ok(()),
        }
    }

    fn fault(&mut self, verb: &Verb, subject: Subject, line: u32) -> Result<(), Nonsense> {
        if !matches!(verb, Verb::Start | Verb::Resume) {
            self.running(&subject)?;
        }
        self.possible(verb, &subject)?;
        if verb.heals() {
            return self.heal(verb, &subject);
        }
        if let Some(service) = verb.service() {
            self.serving(&subject, service)?;
        }
        self.active.retain(|active| active.subject != subject || !verb.ends(&active.verb));
        if verb.undoing().is_some() {
            self.active.push(Active { subject, verb: verb.clone(), line });
        }
        Ok(())
    }

    fn heal(&mut self, verb: &Verb, subject: &Subject) -> Result<(), Nonsense> {
        let undoes = |active: &Active| active.subject == *subject && active.verb.undoing().as_ref() == Some(verb);
        if self.active.iter().any(undoes) {
            self.active.retain(|active| active.subject != *subject || !verb.ends(&active.verb));
            return Ok(());
        }
        let chance = |active: &&Active| {
            matches!(active.subject, Subject::Chosen(..)) && active.verb.undoing().as_ref() == Some(verb)
        };
        if let (Subject::Machine(_), Some(active)) = (subject, self.active.iter().find(chance)) {
            return nonsense(
                format!("{subject} may be well here: {} was chosen by chance", active.subject),
                format!("write `{}` to mean what was chosen last", healing(verb, "chosen")),
            );
        }
        match verb.service() {
            Some(service) => nonsense(
                format!("{} of {subject} is not stopped here", service.as_str()),
                "take the step out, or stop the service before",
            ),
            None if *verb == Verb::Resume => {
                nonsense(format!("{subject} is not paused here"), "take the step out, or pause the machine before")
            }
            None => {
                nonsense(format!("{subject} is not off here"), "take the step out, or kill or stop the machine before")
            }
        }
    }

    /// Whether what lasts lets the fault do what it says.
    fn possible(&self, verb: &Verb, subject: &Subject) -> Result<(), Nonsense> {
        let in_the_way = |active: &&Active| active.subject == *subject && active.verb.is_in_the_way_of(verb);
        let Some(Active { verb: other, line, .. }) = self.active.iter().find(in_the_way) else { return Ok(()) };
        let done = match verb.service() {
            Some(service) => format!("`{}` of {} on {subject}", verb.as_str(), service.as_str()),
            None => format!("`{}` of {subject}", verb.as_str()),
        };
        if let Verb::StopService(service) = other {
            return nonsense(
                format!("{done} cannot work: {} is stopped there, since line {line}", service.as_str()),
                self.write(|on| healing(&Verb::StartService(*service), on), subject),
            );
        }
        let of_etcd = verb.service() == Some(Service::Etcd) || matches!(verb, Verb::FillEtcd | Verb::Wipe);
        let why = match verb {
            _ if other.is_like(verb) => "would do nothing",
            Verb::SlowDisk { .. } => "cannot work, since no member runs there",
            _ if *other == Verb::Wipe => "cannot work, since no member runs there",
            _ if *other == Verb::Isolate && of_etcd => "cannot be done and undone while its cable is pulled",
            _ if of_etcd => "would undo that unseen",
            Verb::Kill | Verb::Stop | Verb::Reboot => "would undo a part of that unseen",
            _ => "would do nothing, since its cable is pulled",
        };
        nonsense(
            format!("{done} {why}: `{}` lasts there, since line {line}", other.as_str()),
            self.write(|on| format!("restore: {on}"), subject),
        )
    }

    /// Heals all that `restore` can on these machines. Words for many machines may mean some on which nothing lasts.
    fn restore(&mut self, subjects: &[Subject]) -> Result<(), Nonsense> {
        subjects.iter().try_for_each(|subject| self.running(subject))?;
        let meant = |subject: &Subject| match subject {
            _ if subjects.contains(subject) => true,
            Subject::Machine(_) => false,
            Subject::Chosen(part, _) => self
                .topology
                .of_role(part.role(self.topology.external_etcd()))
                .all(|machine| subjects.contains(&Subject::Machine(machine.name.clone()))),
        };
        let before = self.active.len();
        let healed = |active: &&Active| active.verb.is_restorable() && meant(&active.subject);
        self.active.iter().filter(healed).try_for_each(|active| self.restorable(active))?;
        self.active.retain(|active| !(active.verb.is_restorable() && meant(&active.subject)));
        if self.active.len() < before {
            return Ok(());
        }
        let names = subjects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        nonsense(
            format!("nothing of the network, the disk or the clock lasts on {names} here"),
            "take the step out, or name the machines on which something does; for what was killed, stopped or paused \
             write `start`, `resume` or `start-service` instead",
        )
    }

    /// Whether the services run that it takes to undo a fault of etcd's data.
    fn restorable(&self, fault: &Active) -> Result<(), Nonsense> {
        let needed: &[Service] = match fault.verb {
            Verb::FillEtcd => &[Service::Kubelet, Service::Containerd, Service::Etcd],
            // kubelet is restarted where etcd has ended, and would be started unseen.
            Verb::FillDisk { .. } | Verb::Wipe => &[Service::Kubelet, Service::Containerd],
            _ => &[],
        };
        let stopped = |active: &&Active| {
            active.subject == fault.subject
                && matches!(active.verb, Verb::StopService(service) if needed.contains(&service))
        };
        match self.active.iter().find(stopped).map(|active| (active.verb.service(), active.line)) {
            Some((Some(service), line)) => nonsense(
                format!(
                    "`restore` cannot undo `{}` of {}: {} is stopped there, since line {line}",
                    fault.verb.as_str(),
                    fault.subject,
                    service.as_str()
                ),
                self.write(|on| healing(&Verb::StartService(service), on), &fault.subject),
            ),
            _ => Ok(()),
        }
    }

    /// To write a step of the subject before this one. What was chosen before the last choice needs a name for that.
    fn write(&self, step: impl Fn(&str) -> String, subject: &Subject) -> String {
        let called = self.called.iter().find(|(_, known)| known == subject);
        match (subject, called) {
            (Subject::Machine(name), _) => format!("write `- {}` before", step(name.as_str())),
            (_, Some((name, _))) => format!("write `- {}` before", step(name)),
            _ if self.chosen.as_ref() == Some(subject) => format!("write `- {}` before", step("chosen")),
            (Subject::Chosen(part, line), None) => format!(
                "name the choice of line {line}, as `{} as victim`, and write `- {}` before",
                part.as_str(),
                step("victim")
            ),
        }
    }

    /// Whether etcd keeps its quorum when these members are wiped as well. Without one no member can join again.
    fn quorum(&self, wiped: &[Subject]) -> Result<(), Nonsense> {
        let mut lost: Vec<&Subject> = wiped.iter().collect();
        for active in self.active.iter().filter(|active| active.verb.takes_etcd()) {
            if !lost.contains(&&active.subject) {
                lost.push(&active.subject);
            }
        }
        let members: Vec<&MachineName> = self.topology.members().map(|machine| &machine.name).collect();
        let external = self.topology.external_etcd();
        let size = |subject: &Subject| match subject {
            Subject::Machine(machine) => usize::from(members.contains(&machine)),
            Subject::Chosen(part, _) if external && part.role(external) == Role::Master => 0,
            Subject::Chosen(part, _) => part.size(members.len()),
        };
        let count: usize = lost.iter().map(|subject| size(subject)).sum();
        if count <= members.len().saturating_sub(1) / 2 {
            return Ok(());
        }
        nonsense(
            format!("etcd would lose its quorum: {count} of {} members are wiped or away then", members.len()),
            "wipe fewer members at a time, and heal others before; without a quorum no member can join again",
        )
    }

    fn running(&self, subject: &Subject) -> Result<(), Nonsense> {
        let Some(active) = self.active.iter().find(|active| active.subject == *subject && is_down(&active.verb)) else {
            return Ok(());
        };
        let (state, heal) = if active.verb == Verb::Pause { ("paused", "resume") } else { ("off", "start") };
        nonsense(
            format!("{subject} is {state} here, since line {}", active.line),
            self.write(|on| format!("{heal}: {on}"), subject),
        )
    }

    fn serving(&self, subject: &Subject, service: Service) -> Result<(), Nonsense> {
        let stopped = Verb::StopService(service);
        match self.active.iter().find(|active| active.subject == *subject && active.verb == stopped) {
            None => Ok(()),
            Some(active) => nonsense(
                format!("{} of {subject} is stopped here, since line {}", service.as_str(), active.line),
                "start it in between",
            ),
        }
    }

    /// Whether a check expects health of what a fault befell. All but etcd is seen through the balancer.
    fn concerns(&self, check: &Check, subject: &Subject) -> bool {
        let topology = self.topology;
        let roles: &[Role] = match check {
            Check::NodesReady | Check::DaemonSet { pods: Placement::OnePerNode, .. } => {
                &[Role::Master, Role::Worker, Role::Balancer]
            }
            Check::DaemonSet { pods: Placement::OnePerMaster, .. } => &[Role::Master, Role::Balancer],
            Check::Deployment { .. } => &[Role::Balancer],
            Check::EtcdHealthy { .. } => Service::Etcd.roles(topology.external_etcd()),
            _ => return false,
        };
        match subject {
            Subject::Chosen(part, _) => roles.contains(&part.role(topology.external_etcd())),
            Subject::Machine(name) => {
                matches!(check, Check::Deployment { on, .. } if on.contains(name))
                    || topology.machines.get(name).is_some_and(|machine| roles.contains(&machine.role))
            }
        }
    }

    /// Notes an expectation of health while something is broken. It may be meant: then it shows that the check bites.
    fn doubt(&mut self, check: &Check, line: u32) {
        let needed: &[Service] = match check {
            Check::EtcdHealthy { .. } => &[Service::Etcd],
            _ => &[Service::Kubelet, Service::Containerd],
        };
        let concerned: Vec<_> = self.active.iter().filter(|active| self.concerns(check, &active.subject)).collect();
        for Active { subject, verb, line: since } in concerned {
            let broken = match verb {
                Verb::StopService(service) if needed.contains(service) => {
                    format!("{} of {subject} is stopped", service.as_str())
                }
                verb if is_down(verb) => format!("{subject} is down"),
                Verb::Isolate => format!("{subject} is isolated"),
                Verb::Partition { .. } => format!("{subject} is partitioned"),
                verb if verb.takes_etcd() && matches!(check, Check::EtcdHealthy { .. }) => {
                    format!("`{}` of {subject} lasts", verb.as_str())
                }
                _ => continue,
            };
            self.notes.push(format!("line {line} expects health while {broken} since line {since}"));
        }
    }
}

/// A step that heals, as it is written.
fn healing(verb: &Verb, on: &str) -> String {
    match verb.service() {
        Some(service) => format!("{}: {{ service: {}, on: {on} }}", verb.as_str(), service.as_str()),
        None => format!("{}: {on}", verb.as_str()),
    }
}

/// Whether nothing in the machine runs while it lasts.
fn is_down(verb: &Verb) -> bool {
    matches!(verb, Verb::Kill | Verb::Stop | Verb::Pause)
}
