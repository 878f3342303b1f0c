//! Hashed names (RFC 5155 §5): which NSEC3 record matches a name, and which covers it.

use data_encoding::BASE32_DNSSEC;
use hickory_proto::dnssec::rdata::NSEC3;
use hickory_proto::rr::Name;

/// With more additional iterations than this a zone counts as unsigned (RFC 9276 §3.2), with more than the second limit as
/// broken.
pub(super) const ITERATIONS_INSECURE: u16 = 150;
const ITERATIONS_BOGUS: u16 = 500;

/// Why NSEC3 records are not considered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// There are none, or their parameters differ: they prove nothing.
    Mixed,
    /// More than [`ITERATIONS_INSECURE`].
    TooManyIterations,
    /// More than [`ITERATIONS_BOGUS`].
    FarTooManyIterations,
}

/// The NSEC3 records of one zone, all with the same parameters (RFC 5155 §8.2).
pub(super) struct Hashes<'a> {
    pub(super) zone: &'a Name,
    links: Vec<Link<'a>>,
    /// How many names were hashed: an attacker would like this to be many.
    #[cfg(test)]
    pub(super) made: std::cell::Cell<usize>,
}

struct Link<'a> {
    /// Base32hex in lower case, whose order is that of the octets (RFC 4648 §7).
    owner: String,
    next: String,
    data: &'a NSEC3,
}

impl<'a> Hashes<'a> {
    pub(super) fn new(records: &[(&'a Name, &'a NSEC3)], zone: &'a Name) -> Result<Self, Unfit> {
        let [(_, first), ..] = records else {
            return Err(Unfit::Mixed);
        };
        let same = |other: &NSEC3| {
            other.hash_algorithm() == first.hash_algorithm()
                && other.salt() == first.salt()
                && other.iterations() == first.iterations()
        };
        if !records.iter().all(|(_, other)| same(other)) {
            return Err(Unfit::Mixed);
        }
        if first.iterations() > ITERATIONS_BOGUS {
            return Err(Unfit::FarTooManyIterations);
        }
        if first.iterations() > ITERATIONS_INSECURE {
            return Err(Unfit::TooManyIterations);
        }
        let links = records.iter().filter_map(|(owner, data)| {
            let label = owner.iter().next()?;
            let owner = String::from_utf8(label.to_ascii_lowercase()).ok()?;
            Some(Link {
                owner,
                next: BASE32_DNSSEC.encode(data.next_hashed_owner_name()),
                data,
            })
        });
        Ok(Self {
            zone,
            links: links.collect(),
            #[cfg(test)]
            made: std::cell::Cell::default(),
        })
    }

    /// The record of a name that exists.
    pub(super) fn matching(&self, name: &Name) -> Option<&'a NSEC3> {
        let hash = self.hash(name)?;
        self.links
            .iter()
            .find(|link| link.owner == hash)
            .map(|link| link.data)
    }

    /// The record that covers the name's hash: the name does not exist.
    pub(super) fn covering(&self, name: &Name) -> Option<&'a NSEC3> {
        let hash = self.hash(name)?;
        let covers = |link: &&Link<'_>| {
            let after = hash > link.owner;
            let before = hash < link.next;
            // The last link points back to the first.
            if link.owner < link.next {
                after && before
            } else {
                hash != link.owner && (after || before)
            }
        };
        self.links.iter().find(covers).map(|link| link.data)
    }

    fn hash(&self, name: &Name) -> Option<String> {
        #[cfg(test)]
        self.made.set(self.made.get() + 1);
        let data = self.links.first()?.data;
        let digest = data
            .hash_algorithm()
            .hash(data.salt(), &name.to_lowercase(), data.iterations())
            .ok()?;
        Some(BASE32_DNSSEC.encode(digest.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::BASE32_DNSSEC;

    #[test]
    fn base32hex_is_that_of_rfc_4648() {
        for (plain, coded) in [
            ("", ""),
            ("f", "co"),
            ("fo", "cpng"),
            ("foo", "cpnmu"),
            ("foobar", "cpnmuoj1e8"),
        ] {
            assert_eq!(BASE32_DNSSEC.encode(plain.as_bytes()), coded);
        }
    }
}
