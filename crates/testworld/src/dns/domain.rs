//! The description of one zone, written as one sentence.

use std::net::{IpAddr, SocketAddr};

use hickory_proto::rr::RecordType;

use super::rdata::{parse_name, parse_rdata};
use super::shared::Shared;
use super::zone::{Algorithm, Bogus, Denial, Keys, Signing, Span, Status, Validity, Zone};
use crate::WorldError;

/// A zone being described. Nothing happens before [`Domain::add`].
#[must_use = "nothing happens before `add`"]
pub struct Domain<'a> {
    shared: &'a Shared,
    name: String,
    signing: Signing,
    records: Vec<(String, RecordType, String)>,
    /// Host and port that a TLSA record is for: the last host named.
    host: Option<(String, u16)>,
    mistake: Option<WorldError>,
}

impl<'a> Domain<'a> {
    pub(super) fn new(shared: &'a Shared, name: &str) -> Self {
        Self {
            shared,
            name: name.to_owned(),
            signing: Signing::default(),
            records: Vec::new(),
            host: None,
            mistake: None,
        }
    }

    /// Signed: the default, stated for the reader.
    pub fn signed(self) -> Self {
        self.status(Status::Signed)
    }

    /// Not signed; the parent proves it.
    pub fn unsigned(self) -> Self {
        self.status(Status::Unsigned)
    }

    /// Not validating.
    pub fn bogus(self, how: Bogus) -> Self {
        self.status(Status::Bogus(how))
    }

    fn status(mut self, status: Status) -> Self {
        self.signing.status = status;
        self
    }

    /// Signed with this algorithm.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.signing.algorithm = algorithm;
        self
    }

    /// With these keys.
    pub fn keys(mut self, keys: Keys) -> Self {
        self.signing.keys = keys;
        self
    }

    /// With signatures of this time.
    pub fn validity(mut self, validity: Validity) -> Self {
        self.signing.validity = validity;
        self
    }

    /// Uses NSEC3 instead of NSEC.
    pub fn nsec3(self, iterations: u16, span: Span) -> Self {
        self.denial(Denial::Nsec3 { iterations, span })
    }

    /// Denying compactly (RFC 9824).
    pub fn compact(self) -> Self {
        self.denial(Denial::Compact)
    }

    fn denial(mut self, denial: Denial) -> Self {
        self.signing.denial = denial;
        self
    }

    /// An MX record of the domain, and the host's address at `server`; the host may lie in another zone.
    pub fn mx(self, preference: u16, host: &str, server: SocketAddr) -> Self {
        let (name, rdata) = (
            self.name.clone(),
            format!("{preference} {}.", host.trim_end_matches('.')),
        );
        self.record(&name, RecordType::MX, &rdata).host(host, server)
    }

    /// The address of a host, which the following [`Domain::tlsa`] calls refer to.
    pub fn host(mut self, host: &str, server: SocketAddr) -> Self {
        self.host = Some((host.to_owned(), server.port()));
        let record_type = match server.ip() {
            IpAddr::V4(_) => RecordType::A,
            IpAddr::V6(_) => RecordType::AAAA,
        };
        self.record(host, record_type, &server.ip().to_string())
    }

    /// A TLSA record for the last host and its port, such as `3 1 1 …`.
    pub fn tlsa(mut self, rdata: impl AsRef<str>) -> Self {
        let Some((host, port)) = self.host.clone() else {
            self.mistake.get_or_insert(WorldError::NoHost);
            return self;
        };
        self.record(&format!("_{port}._tcp.{host}"), RecordType::TLSA, rdata.as_ref())
    }

    /// An alias.
    pub fn cname(self, name: &str, target: &str) -> Self {
        self.record(name, RecordType::CNAME, target)
    }

    /// Any record, as for [`World::set`](super::World::set).
    pub fn record(mut self, name: &str, record_type: RecordType, rdata: &str) -> Self {
        self.records
            .push((name.to_owned(), record_type, rdata.to_owned()));
        self
    }

    /// Adds zone and records to the tree. An existing zone gets new keys and the state described here.
    pub fn add(self) -> Result<(), WorldError> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        let zone = Zone::new(parse_name(&self.name)?, self.signing)?;
        let parsed = self.records.iter().map(|(name, record_type, rdata)| {
            Ok((parse_name(name)?, *record_type, parse_rdata(*record_type, rdata)?))
        });
        let parsed = parsed.collect::<Result<Vec<_>, WorldError>>()?;
        let mut state = self.shared.state();
        state.tree.add_zone(zone);
        for (name, record_type, rdata) in parsed {
            state.tree.add(&name, record_type, rdata);
        }
        Ok(())
    }
}
