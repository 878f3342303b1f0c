//! How the fields of a key are stored.

use mail::{AddressFamily, CauseKind, DaneResult, DeliverySecurity, Domain, DomainPart, LedgerKey, Status};

use crate::sql::state::State;

/// No domain: that of the totals.
pub(super) const ALL_DOMAINS: i64 = 0;
/// No host with a name was tried.
pub(super) const NO_HOST: i64 = 0;
/// Of the totals.
pub(super) const ALL_HOSTS: i64 = -1;

/// The columns family, status, security, dane and cause.
pub(super) fn numbers(key: &LedgerKey) -> [i64; 5] {
    [
        family(key.family),
        State::after(key.status).number(),
        security(key.security),
        dane(key.dane),
        key.cause.map_or(0, |cause| cause.number().into()),
    ]
}

/// Back from [`numbers`]; `None` if they are not as they were written.
pub(super) fn key(
    [family, status, security, dane, cause]: [i64; 5],
    domain: Option<DomainPart>,
    host: Option<Domain>,
) -> Option<LedgerKey> {
    let cause = match cause {
        0 => None,
        number => Some(CauseKind::of(u8::try_from(number).ok()?)?),
    };
    Some(LedgerKey {
        domain,
        host,
        family: family_of(family)?,
        status: status_of(status)?,
        security: security_of(security)?,
        dane: dane_of(dane)?,
        cause,
    })
}

fn status_of(number: i64) -> Option<Status> {
    State::of(number)?.last_status()
}

fn family(family: AddressFamily) -> i64 {
    match family {
        AddressFamily::None => 0,
        AddressFamily::Ipv4 => 4,
        AddressFamily::Ipv6 => 6,
    }
}

fn family_of(number: i64) -> Option<AddressFamily> {
    match number {
        0 => Some(AddressFamily::None),
        4 => Some(AddressFamily::Ipv4),
        6 => Some(AddressFamily::Ipv6),
        _ => None,
    }
}

fn security(security: DeliverySecurity) -> i64 {
    match security {
        DeliverySecurity::None => 0,
        DeliverySecurity::Clear => 1,
        DeliverySecurity::Encrypted => 2,
        DeliverySecurity::Verified => 3,
        DeliverySecurity::MtaSts => 4,
        DeliverySecurity::DaneHostOnly => 5,
        DeliverySecurity::Dane => 6,
    }
}

fn security_of(number: i64) -> Option<DeliverySecurity> {
    match number {
        0 => Some(DeliverySecurity::None),
        1 => Some(DeliverySecurity::Clear),
        2 => Some(DeliverySecurity::Encrypted),
        3 => Some(DeliverySecurity::Verified),
        4 => Some(DeliverySecurity::MtaSts),
        5 => Some(DeliverySecurity::DaneHostOnly),
        6 => Some(DeliverySecurity::Dane),
        _ => None,
    }
}

fn dane(result: DaneResult) -> i64 {
    match result {
        DaneResult::NotReached => 0,
        DaneResult::Verify => 1,
        DaneResult::VerifyHostOnly => 2,
        DaneResult::Encrypt => 3,
        // Until version 9 of the tables, those that did not apply as well.
        DaneResult::Waived => 4,
        DaneResult::Softfail => 5,
        DaneResult::Fail => 6,
        DaneResult::Skip => 7,
    }
}

fn dane_of(number: i64) -> Option<DaneResult> {
    match number {
        0 => Some(DaneResult::NotReached),
        1 => Some(DaneResult::Verify),
        2 => Some(DaneResult::VerifyHostOnly),
        3 => Some(DaneResult::Encrypt),
        4 => Some(DaneResult::Waived),
        5 => Some(DaneResult::Softfail),
        6 => Some(DaneResult::Fail),
        7 => Some(DaneResult::Skip),
        _ => None,
    }
}
