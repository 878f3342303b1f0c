//! Compiles where mail goes instead of to its destination.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use mail::{Domain, NextHop};
use settings_file::forms::Formed;
use toml::Spanned;

use crate::login::Login;
use crate::mistake::Mistake;
use crate::notes::Notes;
use crate::pattern::Pattern;
use crate::policy::Policy;
use crate::schema::{Defaults, DomainRule, NextHopForm, PolicyFile};
use crate::settings::{DaneMode, Route, RouteTls, SUBMISSIONS, TlsFloor};
use crate::warning::Remark;

/// Reads the files that routes name.
pub(crate) struct Logins<'a> {
    /// The directory of the policy file.
    pub(crate) directory: &'a Path,
    pub(crate) read: &'a dyn Fn(&Path) -> io::Result<String>,
}

/// The keys of a table that are about its route.
pub(crate) struct RouteKeys<'a> {
    route: Option<&'a Spanned<Formed<NextHopForm>>>,
    tls: Option<&'a Spanned<RouteTls>>,
    login: Option<&'a Spanned<PathBuf>>,
}

impl Defaults {
    pub(crate) fn route_keys(&self) -> RouteKeys<'_> {
        RouteKeys {
            route: self.route.as_ref(),
            tls: self.route_tls.as_ref(),
            login: self.route_login.as_ref(),
        }
    }
}

impl DomainRule {
    pub(crate) fn route_keys(&self) -> RouteKeys<'_> {
        RouteKeys {
            route: self.route.as_ref(),
            tls: self.route_tls.as_ref(),
            login: self.route_login.as_ref(),
        }
    }
}

impl RouteKeys<'_> {
    /// The route of the table, if it has one.
    pub(crate) fn compile(&self, logins: &Logins<'_>, notes: &mut Notes<'_>) -> Option<Route> {
        let Some(route) = self.route else {
            if let Some(tls) = self.tls {
                notes.refuse(&tls.span(), &Mistake::WithoutRoute("route_tls"));
            }
            if let Some(login) = self.login {
                notes.refuse(&login.span(), &Mistake::WithoutRoute("route_login"));
            }
            return None;
        };
        let tls = self.tls.map(|tls| *tls.get_ref()).unwrap_or_default();
        let next_hop = route.get_ref().0.clone();
        if tls == RouteTls::Starttls && next_hop.port() == Some(SUBMISSIONS) {
            notes.refuse(&route.span(), &Mistake::ImplicitTls);
        }
        let login = self.login.and_then(|file| logins.read(file, notes));
        Some(Route { next_hop, tls, login })
    }
}

impl Logins<'_> {
    fn read(&self, file: &Spanned<PathBuf>, notes: &mut Notes<'_>) -> Option<Login> {
        let path = self.directory.join(file.get_ref());
        let mistake = match (self.read)(&path) {
            Ok(text) => match Login::parse(&path.to_string_lossy(), &text) {
                Ok(login) => return Some(login),
                Err(error) => Mistake::Login { path, error },
            },
            Err(error) => {
                let error = error.to_string();
                Mistake::UnreadableLogin { path, error }
            }
        };
        notes.refuse(&file.span(), &mistake);
        None
    }
}

/// The fallback of a table, if it has one.
pub(crate) fn fallback(
    written: Option<&Spanned<Formed<NextHopForm>>>,
    notes: &mut Notes<'_>,
) -> Option<NextHop> {
    let written = written?;
    let next_hop = written.get_ref().0.clone();
    if next_hop.port() == Some(SUBMISSIONS) {
        notes.refuse(&written.span(), &Mistake::FallbackImplicitTls);
    }
    Some(next_hop)
}

/// What applies to the mail that takes a route: whose mail it is, and how it is protected.
struct Applying {
    whose: String,
    dane: DaneMode,
    tls: TlsFloor,
}

/// Refuses logins at servers that are never authenticated, and warns of those that only TLSA records can authenticate, and of
/// ways that are never taken. The rules and lists of the policy are complete.
pub(crate) fn check(file: &PolicyFile, policy: &Policy, notes: &mut Notes<'_>) {
    let default = Applying {
        whose: "all other mail".to_owned(),
        dane: policy.defaults.dane,
        tls: policy.defaults.tls,
    };
    let written = &file.default;
    check_table(
        &written.route_keys(),
        written.fallback.as_ref(),
        &[default],
        notes,
    );
    for rule in &file.domain {
        let rule = rule.get_ref();
        let applying = rule.matches.0.iter().filter_map(|pattern| {
            let name = pattern.example()?;
            Some(Applying {
                whose: pattern.to_string(),
                dane: policy.mode_by_rules_and_lists(&name).0,
                tls: policy.floor_by_rules(&name),
            })
        });
        let applying: Vec<Applying> = applying.collect();
        check_table(&rule.route_keys(), rule.fallback.as_ref(), &applying, notes);
    }
}

/// Warns of rules that are about the server to which a route leads: they match no mail that goes there.
pub(crate) fn remark_on_servers(file: &PolicyFile, notes: &mut Notes<'_>) {
    let default = [file.default.route.as_ref(), file.default.fallback.as_ref()];
    let rules = || file.domain.iter().map(Spanned::get_ref);
    let ways = rules().flat_map(|rule| [rule.route.as_ref(), rule.fallback.as_ref()]);
    let ways = default.into_iter().chain(ways).flatten();
    // A next hop without brackets is a domain, which may have mail of its own.
    let servers: HashSet<&Domain> = ways
        .filter_map(|way| match &way.get_ref().0 {
            NextHop::Host { host, .. } => Some(host),
            NextHop::Domain { .. } | NextHop::Address { .. } => None,
        })
        .collect();
    for rule in &file.domain {
        for pattern in &rule.get_ref().matches.0 {
            let Pattern::Exactly(name) = pattern else { continue };
            if servers.contains(name) {
                let name = name.to_string();
                notes.warn(&rule.span(), Remark::RuleForRoute { name });
            }
        }
    }
}

fn check_table(
    keys: &RouteKeys<'_>,
    fallback: Option<&Spanned<Formed<NextHopForm>>>,
    applying: &[Applying],
    notes: &mut Notes<'_>,
) {
    let is_strict = applying.iter().all(|one| one.dane == DaneMode::Strict);
    if let Some(fallback) = fallback.filter(|_| is_strict) {
        notes.warn(&fallback.span(), Remark::StrictFallback);
    }
    let Some(route) = keys.route else { return };
    let next_hop = &route.get_ref().0;
    let is_address = matches!(next_hop, NextHop::Address { .. });
    if is_address && is_strict {
        notes.warn(&route.span(), Remark::StrictAtAddress);
    }
    match keys.login {
        Some(login) if is_address => notes.refuse(&login.span(), &Mistake::LoginAtAddress),
        Some(login) => check_login(login, next_hop, applying, notes),
        None => {}
    }
}

/// A login at a server with a name.
fn check_login(login: &Spanned<PathBuf>, next_hop: &NextHop, applying: &[Applying], notes: &mut Notes<'_>) {
    for Applying { whose, dane, tls } in applying {
        match (dane, tls) {
            (_, TlsFloor::Verify) | (DaneMode::Strict, _) => {}
            (DaneMode::Off, TlsFloor::Off | TlsFloor::May | TlsFloor::Encrypt) => {
                let mistake = Mistake::LoginUnauthenticated(*tls, whose.clone());
                notes.refuse(&login.span(), &mistake);
                return;
            }
            (
                DaneMode::SoftFail | DaneMode::Opportunistic,
                TlsFloor::Off | TlsFloor::May | TlsFloor::Encrypt,
            ) => {
                notes.warn(&login.span(), Remark::LoginByDaneOnly(next_hop.clone()));
                return;
            }
        }
    }
}
