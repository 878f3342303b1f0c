//! How much memory answers hold, in octets: the basis for the caches' limits.

use dane::TlsaRecord;
use hickory_proto::dnssec::PublicKey as _;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS};
use hickory_proto::rr::{Name, RData, RecordType};
use hickory_proto::serialize::binary::BinEncodable;
use mail::Domain;

use crate::asked::{Asked, Found, TlsaFound};
use crate::cache::Octets;
use crate::{Alias, Answer, Exchange, NoAnswer};

/// The allocator's overhead for one allocation, and for the reference counts of shared data.
const PIECE: usize = 32;
/// The most that a failure holds: its text is of bounded length.
const FAILURE: usize = 1024;
/// What one entry of an ordered set takes.
const OF_SET: usize = 16;
/// Data of rare types that consists of many small pieces may take up to this many times its length on the wire.
const PIECES: usize = 32;

impl Octets for Asked {
    fn octets(&self) -> usize {
        match self {
            Self::Mx(name) | Self::A(name) | Self::Aaaa(name) | Self::Cname(name) | Self::Tlsa(_, name) => {
                of_domain(name)
            }
            Self::Any(question) => PIECE + size_of::<(Name, RecordType)>() + of_name(&question.0),
        }
    }
}

impl Octets for Name {
    fn octets(&self) -> usize {
        of_name(self)
    }
}

impl Octets for Result<Found, NoAnswer> {
    fn octets(&self) -> usize {
        match self {
            Ok(Found::Mx(answer)) => of_answer(answer, |record| of_exchange(&record.exchange)),
            Ok(Found::Address(answer)) => of_answer(answer, |_| 0),
            Ok(Found::Alias(answer)) => of_answer(answer, of_domain),
            Ok(Found::Tlsa(TlsaFound { answer, set })) => {
                let records = of_answer(answer, |record| PIECE + record.data.len());
                // The set holds each record a second time.
                records + PIECE + set.len() * size_of::<TlsaRecord>() + records
            }
            Ok(Found::Any(answer)) => of_answer(answer, of_data),
            Err(failure) => FAILURE + of_aliases(failure.aliases()),
        }
    }
}

/// Keys of a zone.
pub(crate) fn of_keys(keys: &[(u16, DNSKEY)]) -> usize {
    let of_one =
        |(_, key): &(u16, DNSKEY)| size_of::<(u16, DNSKEY)>() + PIECE + key.public_key().public_bytes().len();
    2 * PIECE + keys.iter().map(of_one).sum::<usize>()
}

/// DS records.
pub(crate) fn of_digests(digests: &[DS]) -> usize {
    let of_one = |ds: &DS| size_of::<DS>() + PIECE + ds.digest().len();
    PIECE + digests.iter().map(of_one).sum::<usize>()
}

fn of_answer<T>(answer: &Answer<T>, of: impl Fn(&T) -> usize) -> usize {
    let records: usize = answer
        .records()
        .iter()
        .map(|record| size_of::<T>() + of(record))
        .sum();
    let aliases = of_aliases(&answer.aliases);
    let zone = answer
        .signed
        .as_ref()
        .map_or(0, |signed| PIECE + signed.zone.len());
    2 * PIECE + records + aliases + zone
}

fn of_aliases(aliases: &[Alias]) -> usize {
    let aliases = aliases.iter();
    aliases
        .map(|alias| size_of::<Alias>() + of_domain(&alias.from) + of_domain(&alias.to))
        .sum()
}

fn of_domain(domain: &Domain) -> usize {
    PIECE + domain.as_str().len()
}

fn of_exchange(exchange: &Exchange) -> usize {
    match exchange {
        Exchange::Name(name) => of_domain(name),
        Exchange::Root | Exchange::Address(_) => 0,
        Exchange::Invalid(text) => PIECE + text.len(),
    }
}

/// Short names are held in place.
fn of_name(name: &Name) -> usize {
    const IN_PLACE: usize = 24;
    match name.len() {
        ..=IN_PLACE => 0,
        length => 2 * (PIECE + length),
    }
}

fn of_data(data: &RData) -> usize {
    let length = data.to_bytes().map_or(0, |octets| octets.len());
    let pieces = match data {
        RData::A(_) | RData::AAAA(_) => return size_of::<RData>(),
        RData::MX(_) | RData::CNAME(_) | RData::NS(_) | RData::SOA(_) | RData::TLSA(_) => PIECE + 2 * length,
        RData::TXT(txt) => length + txt.txt_data.len() * 2 * PIECE,
        RData::DNSSEC(DNSSECRData::NSEC(nsec)) => 2 * length + nsec.type_bit_maps().count() * OF_SET,
        RData::DNSSEC(DNSSECRData::NSEC3(nsec3)) => 2 * length + nsec3.type_bit_maps().count() * OF_SET,
        RData::DNSSEC(DNSSECRData::DNSKEY(_) | DNSSECRData::DS(_) | DNSSECRData::RRSIG(_)) => {
            2 * PIECE + 2 * length
        }
        _ => length * PIECES,
    };
    size_of::<RData>() + pieces
}

#[cfg(test)]
pub(crate) mod tests {
    //! The computed weights are compared with what the process really takes, with each kind of load in a cache of its own.
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::time::Duration;

    use hickory_proto::rr::Record;
    use hickory_proto::serialize::binary::BinDecodable;
    use mail::Security;

    use super::*;
    use crate::Data;
    use crate::cache::TimedCache;

    const MIB: usize = 1024 * 1024;
    const HOUR: Duration = Duration::from_hours(1);

    /// The memory of this process that is in use, in octets (Linux).
    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    }

    fn found(asked: &Asked, data: Vec<RData>) -> Result<Found, NoAnswer> {
        asked.read(Answer {
            security: Security::Secure,
            data: Data::Records(data.into()),
            aliases: [].into(),
            ttl: 3600,
            signed: None,
        })
    }

    fn data(record_type: RecordType, octets: &[u8]) -> RData {
        let length = u16::try_from(octets.len()).unwrap();
        let head = [u16::from(record_type), 1, 0, 1, length]
            .map(u16::to_be_bytes)
            .concat();
        let record = [&[0][..], &head, octets].concat();
        Record::from_bytes(&record).unwrap().data
    }

    /// Fills a cache far beyond its capacity; returns what it then takes, by its own count.
    pub(crate) fn filled<K: std::hash::Hash + Eq + Octets, V: Clone + Octets>(
        number: usize,
        room: usize,
        entry: impl Fn(usize) -> (K, V),
    ) -> f64 {
        let before = resident();
        let cache = TimedCache::new(room);
        for number in 0..number {
            let (key, value) = entry(number);
            cache.insert(key, value, HOUR);
        }
        let grown = resident().saturating_sub(before);
        drop(cache);
        #[allow(clippy::cast_precision_loss)]
        {
            grown as f64 / room as f64
        }
    }

    fn name(number: usize) -> Domain {
        Domain::parse(&format!("mx{number}.example{number}.nl")).unwrap()
    }

    #[test]
    fn ordinary_answers_take_what_they_weigh() {
        let share = filled(300_000, 30 * MIB, |number| {
            let asked = Asked::A(name(number));
            let found = found(&asked, vec![data(RecordType::A, &[192, 0, 2, 1])]);
            (asked, found)
        });
        assert!((0.6..1.15).contains(&share), "{share}");
    }

    #[test]
    fn large_answers_take_no_more_than_they_weigh() {
        for length in [0, 32, 600] {
            let share = filled(6_000, 30 * MIB, |number| {
                let asked = Asked::Tlsa(25, name(number));
                let record = data(RecordType::TLSA, &[&[3, 1, 0][..], &vec![7; length]].concat());
                let found = found(&asked, vec![record; 90]);
                (asked, found)
            });
            assert!(share < 1.15, "{length}: {share}");
        }
    }

    /// The share of answers with so many of these records.
    fn of_answers(record_type: RecordType, octets: &[u8], count: usize) -> f64 {
        let data = data(record_type, octets);
        filled(20_000, 10 * MIB, |number| {
            let owner = Name::from_ascii(format!("{number}.example.nl.")).unwrap();
            let asked = Asked::any(owner, record_type);
            let found = found(&asked, vec![data.clone(); count]);
            (asked, found)
        })
    }

    #[test]
    fn delegations_take_what_they_weigh() {
        let share = of_answers(RecordType::DS, &[&[1, 2, 13, 2][..], &[9; 32]].concat(), 20);
        assert!((0.5..1.15).contains(&share), "{share}");
    }

    #[test]
    fn keys_take_what_they_weigh() {
        let share = of_answers(RecordType::DNSKEY, &[&[1, 1, 3, 8][..], &[9; 256]].concat(), 4);
        assert!((0.5..1.15).contains(&share), "{share}");
    }

    #[test]
    fn denials_with_many_types_take_what_they_weigh() {
        let types = (0..4_u8).flat_map(|block| [vec![block, 32], vec![255; 32]].concat());
        let share = of_answers(RecordType::NSEC, &[vec![0], types.collect()].concat(), 1);
        assert!((0.4..1.15).contains(&share), "{share}");
    }

    #[test]
    fn data_of_many_small_pieces_takes_what_it_weighs() {
        let share = of_answers(RecordType::TXT, &[1, b'x'].repeat(300), 1);
        assert!((0.4..1.15).contains(&share), "{share}");
    }
}
