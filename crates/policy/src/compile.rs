//! Compiles the policy file, as written, into the policy in force.

use std::num::NonZeroU32;
use std::ops::Range;
use std::path::Path;

use jiff::civil::Date;
use settings_file::FileError;
use settings_file::forms::Formed;
use toml::Spanned;

use crate::compile_exceptions;
use crate::compile_lists;
use crate::compile_routes::{self, Logins};
use crate::mistake::{Mistake, PolicyError};
use crate::notes::{Notes, Text};
use crate::pattern::Pattern;
use crate::policy::Policy;
use crate::rules::{Clash, Defaults, HostRule, Keys, Rule, Rules};
use crate::schema::{self, ExceptionsFile, PolicyFile};
use crate::settings::{Key, Limits};
use crate::sources::Sources;
use crate::warning::{Remark, Warning};

impl Policy {
    /// Compiles a policy file into a policy. All errors are reported together.
    pub fn compile(sources: &Sources<'_>) -> Result<(Self, Vec<Warning>), PolicyError> {
        compile(sources)
    }
}

fn compile(sources: &Sources<'_>) -> Result<(Policy, Vec<Warning>), PolicyError> {
    let mut policy = Policy::builtin();
    let (mut errors, mut warnings) = compile_policy_file(sources, &mut policy);
    if let Some(added) = &sources.added {
        let (more_errors, more_warnings) = compile_added(added, &mut policy, sources.today);
        errors.extend(more_errors);
        warnings.extend(more_warnings);
    }
    if errors.is_empty() {
        Ok((policy, warnings))
    } else {
        Err(PolicyError { errors })
    }
}

fn compile_policy_file(sources: &Sources<'_>, policy: &mut Policy) -> (Vec<FileError>, Vec<Warning>) {
    let mut notes = Notes::new(&sources.policy);
    let reading = settings_file::read::<PolicyFile>(&notes.file, sources.policy.text);
    policy.file = Some(notes.file.as_str().into());
    if let Some(file) = reading.value {
        let directory = sources.policy.file.parent().unwrap_or(Path::new(""));
        let logins = Logins {
            directory,
            read: sources.read_login,
        };
        policy.defaults = defaults(&file.default, &logins, &mut notes);
        policy.rules = rules(&file.domain, &logins, &mut notes);
        policy.host_rules = host_rules(&file.mx, &mut notes);
        compile_lists::load(&file.list, (directory, sources), policy, &mut notes);
        compile_lists::remark(policy, &file.domain, &mut notes);
        compile_routes::check(&file, policy, &mut notes);
        compile_routes::remark_on_servers(&file, &mut notes);
        for exception in &file.exception {
            compile_exceptions::add(exception, policy, sources.today, &mut notes);
        }
    }
    notes.finish(reading.faults)
}

fn compile_added(added: &Text<'_>, policy: &mut Policy, today: Date) -> (Vec<FileError>, Vec<Warning>) {
    let mut notes = Notes::new(added);
    let reading = settings_file::read::<ExceptionsFile>(&notes.file, added.text);
    for exception in reading.value.iter().flat_map(|file| &file.exception) {
        compile_exceptions::add(exception, policy, today, &mut notes);
    }
    notes.finish(reading.faults)
}

fn defaults(written: &schema::Defaults, logins: &Logins<'_>, notes: &mut Notes<'_>) -> Defaults {
    let schema::Defaults {
        dane,
        insecure_mx,
        tls,
        mta_sts,
        honor_tls_required_no,
        route,
        route_tls: _,
        route_login: _,
        fallback,
    } = written;
    let builtin = Defaults::default();
    let spans = [
        (Key::Dane, dane.as_ref().map(Spanned::span)),
        (Key::InsecureMx, insecure_mx.as_ref().map(Spanned::span)),
        (Key::Tls, tls.as_ref().map(Spanned::span)),
        (Key::MtaSts, mta_sts.as_ref().map(Spanned::span)),
        (
            Key::HonorTlsRequiredNo,
            honor_tls_required_no.as_ref().map(Spanned::span),
        ),
        (Key::Route, route.as_ref().map(Spanned::span)),
        (Key::Fallback, fallback.as_ref().map(Spanned::span)),
    ];
    let lines = spans
        .into_iter()
        .filter_map(|(key, span)| Some((key, notes.line(&span?))));
    Defaults {
        lines: lines.collect(),
        dane: value(dane.as_ref()).unwrap_or(builtin.dane),
        insecure_mx: value(insecure_mx.as_ref()).unwrap_or(builtin.insecure_mx),
        tls: value(tls.as_ref()).map_or(builtin.tls, Into::into),
        mta_sts: value(mta_sts.as_ref()).unwrap_or(builtin.mta_sts),
        honor_tls_required_no: value(honor_tls_required_no.as_ref()).unwrap_or(builtin.honor_tls_required_no),
        route: written.route_keys().compile(logins, notes),
        fallback: compile_routes::fallback(fallback.as_ref(), notes),
    }
}

fn value<T: Copy>(written: Option<&Spanned<T>>) -> Option<T> {
    written.map(|written| *written.get_ref())
}

fn rules(written: &[Spanned<schema::DomainRule>], logins: &Logins<'_>, notes: &mut Notes<'_>) -> Rules {
    let mut rules = Rules::default();
    for rule in written {
        let span = rule.span();
        let schema::DomainRule {
            matches,
            dane,
            insecure_mx,
            tls,
            mta_sts,
            honor_tls_required_no,
            route: _,
            route_tls: _,
            route_login: _,
            fallback,
            connections,
            messages_per_minute,
        } = rule.get_ref();
        let rule = Rule {
            line: notes.line(&span),
            dane: *dane,
            insecure_mx: *insecure_mx,
            tls: *tls,
            mta_sts: *mta_sts,
            honor_tls_required_no: *honor_tls_required_no,
            route: rule.get_ref().route_keys().compile(logins, notes),
            fallback: compile_routes::fallback(fallback.as_ref(), notes),
            limits: limits(connections.as_ref(), messages_per_minute.as_ref()),
        };
        for name in matches.0.iter().filter_map(Pattern::public_suffix) {
            let name = name.to_string();
            notes.warn(&span, Remark::SuffixAlone { name });
        }
        add(rule, &matches.0, &mut rules, &span, notes);
    }
    rules
}

fn host_rules(written: &[Spanned<schema::MxRule>], notes: &mut Notes<'_>) -> Rules<HostRule> {
    let mut rules = Rules::default();
    for rule in written {
        let span = rule.span();
        let schema::MxRule {
            matches,
            connections,
            messages_per_minute,
        } = rule.get_ref();
        let rule = HostRule {
            line: notes.line(&span),
            limits: limits(connections.as_ref(), messages_per_minute.as_ref()),
        };
        add(rule, &matches.0, &mut rules, &span, notes);
    }
    rules
}

fn limits(
    connections: Option<&Formed<NonZeroU32>>,
    messages_per_minute: Option<&Formed<NonZeroU32>>,
) -> Limits {
    Limits {
        connections: connections.map(|number| number.0),
        messages_per_minute: messages_per_minute.map(|number| number.0),
    }
}

/// Adds a rule. One that sets nothing is warned about, and one that sets what another sets for the same names is refused.
fn add<R: Keys>(
    rule: R,
    patterns: &[Pattern],
    rules: &mut Rules<R>,
    span: &Range<usize>,
    notes: &mut Notes<'_>,
) {
    if rule.set().is_empty() {
        notes.warn(span, Remark::SetsNothing);
    }
    for Clash { key, line } in rules.add(patterns, rule) {
        notes.refuse(span, &Mistake::Clash { key, line });
    }
}
