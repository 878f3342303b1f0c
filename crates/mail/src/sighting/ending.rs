//! What ends a security failure: a connection that has proven what failed.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::spot::{Spot, Trouble};
use crate::{Domain, Security};

/// A host with several addresses works again when the failing one does, or when none has failed for this time.
const QUIET: SignedDuration = SignedDuration::from_hours(1);

/// How an incident has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// A delivery was verified, or what was ours works again.
    Verified,
    /// Its records or signatures are gone, and that is proven.
    Withdrawn,
    /// It was tested, and has healed.
    Tested,
    /// It was not seen for a long time, and no mail waits for it.
    NotSeen,
    /// Mail went there over TLS, and nothing more is demanded now.
    Encrypted,
    /// It was mended here.
    Mended,
    /// Mail of the only domain that it held up went there, and what failed is not demanded any more.
    NotDemanded,
}

/// A spot that fails, with what its end depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingSpot {
    /// Where, and what.
    pub spot: Spot,
    /// At which address it failed last, if a connection was made.
    pub address: Option<IpAddr>,
    /// At which port, if it is a host.
    pub port: Option<u16>,
    /// Whether the host had secure TLSA records then.
    pub has_records: bool,
    /// The next-hop domain whose mail it holds up, if it is only one.
    pub domain: Option<Domain>,
    /// When it was last seen.
    pub last_seen: Timestamp,
}

/// A connection that met what was demanded of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// When.
    pub at: Timestamp,
    /// The address that was connected to.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// The next-hop domain of the mail.
    pub domain: Option<Domain>,
    /// The MX (or NODATA) answer, where there was one.
    pub mx: Option<Security>,
    /// The host's addresses; `None` if it is known by its address alone.
    pub addresses: Option<Security>,
    /// Its TLSA records.
    pub records: Records,
    /// What the server has proven.
    pub proof: Proof,
    /// What was demanded.
    pub demand: Demanded,
}

/// What is known of a host's TLSA records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Records {
    /// Nothing: they were not needed.
    NotAsked,
    /// There are no secure ones, and that is proven.
    Absent,
    /// There are secure ones, none of which is usable.
    Unusable,
    /// There are usable ones.
    Usable,
}

/// What a server has proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Nothing, in clear text.
    Clear,
    /// Nothing, over TLS.
    Tls,
    /// Its name, by the WebPKI.
    WebPki,
    /// That its TLSA records match.
    Dane,
    /// Both.
    DaneAndWebPki,
}

/// What was demanded of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demanded {
    /// All that policy and receiver demand.
    All,
    /// Less, because of an exception, a danefail list, soft-fail or the message itself.
    Less,
}

impl FailingSpot {
    /// How this connection ends what fails here; `None` if it does not prove that it works again. It was made to this place.
    pub fn ending(&self, met: &Met) -> Option<Ending> {
        self.is_reached(met).then(|| self.proven(met)).flatten()
    }

    fn is_reached(&self, met: &Met) -> bool {
        let is_port = self.port.is_none_or(|port| port == met.port);
        let is_address = self.address.is_none_or(|address| address == met.address);
        is_port && (is_address || met.at.duration_since(self.last_seen) >= QUIET)
    }

    /// The table: what failed, and what was proven.
    fn proven(&self, met: &Met) -> Option<Ending> {
        match self.spot.trouble {
            Trouble::NoMatchingTlsa
            | Trouble::NameMismatch
            | Trouble::CertificateExpired
            | Trouble::CertificateUntrusted
            | Trouble::UnsupportedKey => met.by_dane().or_else(|| met.records.no_longer_usable()),
            // That they could be looked up is enough.
            Trouble::TlsaBogus | Trouble::TlsaLookup => met.by_dane().or(match met.records {
                Records::NotAsked => None,
                Records::Absent => Some(Ending::Withdrawn),
                Records::Unusable | Records::Usable => Some(Ending::Encrypted),
            }),
            Trouble::InsecureHost | Trouble::NoSecureTlsa | Trouble::NoUsableTlsa => {
                met.by_dane().or_else(|| self.no_longer_demanded(met))
            }
            Trouble::WebPki => met.by_web_pki().or_else(|| self.no_longer_demanded(met)),
            Trouble::WrongSignature => met.by_any().or_else(|| self.no_longer_needed(met)),
            Trouble::StarttlsNotOffered
            | Trouble::StarttlsRefused
            | Trouble::Injection
            | Trouble::Handshake => met.by_tls().or_else(|| self.no_longer_needed(met)),
            Trouble::AddressBogus => signed(met.addresses, met.demand),
            Trouble::MxBogus => signed(met.mx, met.demand),
            Trouble::InsecureMx => match met.mx {
                Some(Security::Secure) => Some(Ending::Verified),
                Some(Security::Insecure) | None => self.no_longer_demanded(met),
            },
            Trouble::AddressName => met.by_dane().or_else(|| self.no_longer_demanded(met)),
            Trouble::MtaStsMismatch => met.by_any().or_else(|| self.no_longer_demanded(met)),
            Trouble::ResolverFails => match met.records {
                Records::NotAsked => None,
                Records::Absent | Records::Unusable | Records::Usable => Some(Ending::Verified),
            },
            // A login that is accepted.
            Trouble::LoginFails => None,
        }
    }

    /// Under TLSA records, TLS is needed as long as they are there.
    fn no_longer_needed(&self, met: &Met) -> Option<Ending> {
        if self.has_records {
            met.records.no_longer_usable()
        } else {
            self.no_longer_demanded(met)
        }
    }

    /// Mail of the only domain for which it was demanded went there without, though nothing was waived: policy or receiver has
    /// taken the demand back.
    fn no_longer_demanded(&self, met: &Met) -> Option<Ending> {
        let is_its_own = self.domain.is_some() && self.domain == met.domain;
        (is_its_own && met.demand == Demanded::All).then_some(Ending::NotDemanded)
    }
}

impl Met {
    fn by_dane(&self) -> Option<Ending> {
        match self.proof {
            Proof::Dane | Proof::DaneAndWebPki => Some(Ending::Verified),
            Proof::Clear | Proof::Tls | Proof::WebPki => None,
        }
    }

    fn by_web_pki(&self) -> Option<Ending> {
        match self.proof {
            Proof::WebPki | Proof::DaneAndWebPki => Some(Ending::Verified),
            Proof::Clear | Proof::Tls | Proof::Dane => None,
        }
    }

    fn by_any(&self) -> Option<Ending> {
        self.by_dane().or_else(|| self.by_web_pki())
    }

    fn by_tls(&self) -> Option<Ending> {
        self.by_any()
            .or((self.proof == Proof::Tls).then_some(Ending::Encrypted))
    }
}

impl Records {
    /// How failures end that need usable records.
    fn no_longer_usable(self) -> Option<Ending> {
        match self {
            Self::Absent => Some(Ending::Withdrawn),
            Self::Unusable => Some(Ending::Encrypted),
            Self::NotAsked | Self::Usable => None,
        }
    }
}

/// How wrong signatures end. Where an exception declares a name to be unsigned, nothing is known of them.
fn signed(answer: Option<Security>, demand: Demanded) -> Option<Ending> {
    match (answer?, demand) {
        (Security::Secure, _) => Some(Ending::Verified),
        (Security::Insecure, Demanded::All) => Some(Ending::Withdrawn),
        (Security::Insecure, Demanded::Less) => None,
    }
}

impl Ending {
    /// Each of them.
    pub const ALL: [Self; 7] = [
        Self::Verified,
        Self::Withdrawn,
        Self::Tested,
        Self::NotSeen,
        Self::Encrypted,
        Self::Mended,
        Self::NotDemanded,
    ];

    /// The word of the log and of `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Withdrawn => "withdrawn",
            Self::Tested => "tested",
            Self::NotSeen => "not-seen",
            Self::Encrypted => "encrypted",
            Self::Mended => "mended",
            Self::NotDemanded => "not-demanded",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::ToSpan;

    use super::*;
    use crate::sighting::Place;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn domain(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    fn failing(trouble: Trouble, has_records: bool) -> FailingSpot {
        FailingSpot {
            spot: Spot {
                place: Place::Host(domain("mx.example")),
                trouble,
            },
            address: Some(ADDRESS),
            port: Some(25),
            has_records,
            domain: Some(domain("a.example")),
            last_seen: Timestamp::UNIX_EPOCH,
        }
    }

    /// Mail of another domain got through.
    fn met(proof: Proof, records: Records) -> Met {
        Met {
            at: Timestamp::UNIX_EPOCH + 1.minutes(),
            address: ADDRESS,
            port: 25,
            domain: Some(domain("b.example")),
            mx: None,
            addresses: None,
            records,
            proof,
            demand: Demanded::All,
        }
    }

    /// Each trouble with how mail of another domain ends it, by what it proves: DANE, both, the WebPKI without a look at
    /// records; TLS and clear text where there are no records, or none was asked for; TLS where none is usable, and where
    /// usable ones are not demanded.
    #[test]
    fn a_failure_ends_by_what_proves_its_end() {
        use Records::{Absent, NotAsked, Unusable, Usable};
        let seen = [
            met(Proof::Dane, Usable),
            met(Proof::DaneAndWebPki, Usable),
            met(Proof::WebPki, NotAsked),
            met(Proof::Tls, Absent),
            met(Proof::Tls, NotAsked),
            met(Proof::Clear, Absent),
            met(Proof::Clear, NotAsked),
            met(Proof::Tls, Unusable),
            met(Proof::Tls, Usable),
        ];
        let row = |trouble, has_records| -> String {
            let ends = seen.iter().map(|met| failing(trouble, has_records).ending(met));
            ends.map(|end| end.map_or('-', |end| end.as_str().chars().next().unwrap()))
                .collect()
        };
        for trouble in Trouble::ALL {
            let [with_records, without] = match trouble {
                Trouble::NoMatchingTlsa
                | Trouble::NameMismatch
                | Trouble::CertificateExpired
                | Trouble::CertificateUntrusted
                | Trouble::UnsupportedKey => ["vv-w-w-e-"; 2],
                Trouble::TlsaBogus | Trouble::TlsaLookup => ["vv-w-w-ee"; 2],
                Trouble::InsecureHost
                | Trouble::NoSecureTlsa
                | Trouble::NoUsableTlsa
                | Trouble::AddressName => ["vv-------"; 2],
                Trouble::WebPki => ["-vv------"; 2],
                Trouble::MtaStsMismatch => ["vvv------"; 2],
                Trouble::WrongSignature => ["vvvw-w-e-", "vvv------"],
                Trouble::StarttlsNotOffered
                | Trouble::StarttlsRefused
                | Trouble::Injection
                | Trouble::Handshake => ["vvveew-ee", "vvvee--ee"],
                Trouble::ResolverFails => ["vv-v-v-vv"; 2],
                Trouble::AddressBogus | Trouble::MxBogus | Trouble::InsecureMx | Trouble::LoginFails => {
                    ["---------"; 2]
                }
            };
            assert_eq!(row(trouble, true), with_records, "{trouble:?}");
            assert_eq!(row(trouble, false), without, "{trouble:?}");
        }
    }

    #[test]
    fn a_demand_that_is_taken_back_ends_with_mail_of_the_only_domain_that_it_concerned() {
        for trouble in Trouble::ALL {
            let mut met = met(Proof::Clear, Records::NotAsked);
            let end = |met: &Met| failing(trouble, false).ending(met);
            assert_eq!(end(&met), None, "{trouble:?}");
            met.domain = Some(domain("a.example"));
            let is_demand = matches!(
                trouble,
                Trouble::InsecureHost
                    | Trouble::NoSecureTlsa
                    | Trouble::NoUsableTlsa
                    | Trouble::AddressName
                    | Trouble::InsecureMx
                    | Trouble::WebPki
                    | Trouble::MtaStsMismatch
                    | Trouble::WrongSignature
                    | Trouble::StarttlsNotOffered
                    | Trouble::StarttlsRefused
                    | Trouble::Injection
                    | Trouble::Handshake
            );
            assert_eq!(end(&met), is_demand.then_some(Ending::NotDemanded), "{trouble:?}");
            let several = FailingSpot {
                domain: None,
                ..failing(trouble, false)
            };
            assert_eq!(several.ending(&met), None, "{trouble:?}");
            met.demand = Demanded::Less;
            assert_eq!(end(&met), None, "{trouble:?}");
        }
    }

    #[test]
    fn signatures_are_right_again_or_gone() {
        use Security::{Insecure, Secure};
        for (answer, demand, expected) in [
            (Secure, Demanded::All, Some(Ending::Verified)),
            (Secure, Demanded::Less, Some(Ending::Verified)),
            (Insecure, Demanded::All, Some(Ending::Withdrawn)),
            (Insecure, Demanded::Less, None),
        ] {
            let met = Met {
                demand,
                ..met(Proof::Clear, Records::NotAsked)
            };
            let (mx, addresses) = (Some(answer), Some(answer));
            let (of_mx, of_host) = (Met { mx, ..met.clone() }, Met { addresses, ..met });
            assert_eq!(failing(Trouble::MxBogus, false).ending(&of_mx), expected);
            assert_eq!(failing(Trouble::MxBogus, false).ending(&of_host), None);
            assert_eq!(failing(Trouble::AddressBogus, false).ending(&of_host), expected);
            assert_eq!(failing(Trouble::AddressBogus, false).ending(&of_mx), None);
            let of_demand = failing(Trouble::InsecureMx, false).ending(&of_mx);
            assert_eq!(of_demand, (answer == Secure).then_some(Ending::Verified));
        }
    }

    #[test]
    fn it_ends_at_the_address_that_failed_or_when_none_has_failed_for_long_and_at_its_port_alone() {
        let failing = failing(Trouble::NoMatchingTlsa, true);
        let proven = met(Proof::Dane, Records::Usable);
        let elsewhere = Met {
            address: [192, 0, 2, 2].into(),
            ..proven.clone()
        };
        assert_eq!(failing.ending(&elsewhere), None);
        let later = Met {
            at: failing.last_seen + QUIET,
            ..elsewhere
        };
        assert_eq!(failing.ending(&later), Some(Ending::Verified));
        assert_eq!(failing.ending(&Met { port: 587, ..proven }), None);
        assert_eq!(failing.ending(&Met { port: 587, ..later }), None);
    }
}
