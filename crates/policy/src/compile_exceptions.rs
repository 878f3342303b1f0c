//! Adds the exceptions of a policy file, and warns about those that have no effect.

use jiff::civil::Date;
use toml::Spanned;

use crate::exceptions::{DaneException, ExceptedKind, ListedException, NegativeTrustAnchor};
use crate::mistake::Mistake;
use crate::notes::Notes;
use crate::pattern::Pattern;
use crate::policy::Policy;
use crate::schema::Exception;
use crate::settings::{DaneMode, ExceptionEntry};
use crate::warning::Remark;

/// Adds an exception after those the policy already has; the policy's rules and lists are already complete.
pub(crate) fn add(written: &Spanned<Exception>, to: &mut Policy, today: Date, notes: &mut Notes<'_>) {
    let span = written.span();
    let exception = written.get_ref();
    if exception.reason.get_ref().trim().is_empty() {
        notes.refuse(&exception.reason.span(), &Mistake::NoReason);
    }
    let Some((pattern, is_mx)) = subject(exception) else {
        notes.refuse(&span, &Mistake::DomainOrMx);
        return;
    };
    if exception.dane.is_none() && exception.dnssec.is_none() {
        notes.refuse(&span, &Mistake::NothingExcepted);
    }
    let entry = ExceptionEntry {
        file: notes.file.as_str().into(),
        line: notes.line(&span),
        until: exception.until.get_ref().0,
        reason: exception.reason.get_ref().trim().into(),
    };
    let until = entry.until;
    to.exceptions.list(ListedException {
        names: pattern.clone(),
        kind: if is_mx {
            ExceptedKind::Mx
        } else {
            ExceptedKind::Domain
        },
        dane: exception.dane.map(Into::into),
        without_dnssec: exception.dnssec.is_some(),
        override_strict: exception.override_strict,
        entry: entry.clone(),
    });
    if until < today {
        notes.warn(&exception.until.span(), Remark::Expired(until));
    }
    // Signatures may well be broken at such a name.
    if exception.dane.is_some()
        && !is_mx
        && let Some(name) = pattern.public_suffix()
    {
        let name = name.to_string();
        notes.warn(&span, Remark::SuffixAlone { name });
    }
    if let Some(dane) = exception.dane {
        let decision = DaneException {
            dane: dane.into(),
            override_strict: exception.override_strict,
            entry: entry.clone(),
        };
        let idle = if is_mx {
            idle_for_mx(pattern, &decision, to, today)
        } else {
            idle_for_domain(pattern, &decision, to, today)
        };
        if let Some(remark) = idle.filter(|_| today <= until) {
            notes.warn(&span, remark);
        }
        if is_mx {
            to.exceptions.add_for_mx(pattern, decision);
        } else {
            to.exceptions.add_for_domain(pattern, decision);
        }
    }
    if let Some(dnssec) = &exception.dnssec {
        match pattern {
            Pattern::Exactly(name) => to.exceptions.add_anchor(NegativeTrustAnchor {
                name: name.clone(),
                entry,
            }),
            Pattern::Below(_) => notes.refuse(&dnssec.span(), &Mistake::AnchorBelow),
        }
    }
}

/// The names the exception applies to, and whether they are receiving hosts.
fn subject(exception: &Exception) -> Option<(&Pattern, bool)> {
    match (&exception.domain, &exception.mx) {
        (Some(domain), None) => Some((domain.get_ref(), false)),
        (None, Some(mx)) => Some((mx.get_ref(), true)),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

/// Why an exception by destination has no effect today.
fn idle_for_domain(
    pattern: &Pattern,
    exception: &DaneException,
    policy: &Policy,
    today: Date,
) -> Option<Remark> {
    if let Some(before) = exception.shadowed(policy.exceptions.same_domain(pattern), today) {
        return Some(Remark::Shadowed(before.clone()));
    }
    let name = pattern.example()?;
    let (mode, by) = policy.mode_by_rules_and_lists(&name);
    let name = pattern.to_string();
    match mode {
        DaneMode::Strict if !exception.override_strict => Some(Remark::StrictStands { name, by }),
        mode if mode == exception.dane => Some(Remark::NothingExcepted { name, mode, by }),
        DaneMode::Off | DaneMode::SoftFail | DaneMode::Opportunistic | DaneMode::Strict => None,
    }
}

/// The same for an exception by receiving host, as far as can be told without knowing which domains use the host.
fn idle_for_mx(pattern: &Pattern, exception: &DaneException, policy: &Policy, today: Date) -> Option<Remark> {
    exception
        .shadowed(policy.exceptions.same_mx(pattern), today)
        .map(|before| Remark::Shadowed(before.clone()))
}
