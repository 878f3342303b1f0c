//! Random TLSA RRsets: right, wrong and useless records about the certificates of a case.

use dane::TlsaRecord;

use crate::chance::Chance;
use crate::factory::Issued;
use crate::scene::Pki;

const USAGES: [(usize, u8); 6] = [(36, 3), (50, 2), (4, 1), (4, 0), (2, 255), (1, 4)];
const SELECTORS: [(usize, u8); 3] = [(48, 0), (48, 1), (4, 2)];
const MATCHING: [(usize, u8); 4] = [(25, 0), (45, 1), (25, 2), (3, 3)];
const COUNTS: [(usize, usize); 4] = [(40, 1), (32, 2), (18, 3), (10, 4)];

/// One to four records, at times those of a publisher who moves between digests.
pub(crate) fn some(chance: &mut Chance, pki: &Pki<'_>) -> Vec<TlsaRecord> {
    let mut records: Vec<_> = if chance.percent(12) {
        between_digests(chance, pki)
    } else {
        (0..chance.weighted(&COUNTS)).map(|_| one(chance, pki)).collect()
    };
    chance.shuffle(&mut records);
    records
}

fn one(chance: &mut Chance, pki: &Pki<'_>) -> TlsaRecord {
    let usage = chance.weighted(&USAGES);
    let (selector, matching) = (chance.weighted(&SELECTORS), chance.weighted(&MATCHING));
    // Nobody knows what the data for an unknown selector or matching type would be.
    let certificate = about(chance, pki, usage);
    let mut record = certificate.record(usage, selector % 2, matching % 3);
    if chance.percent(18) {
        spoil(chance, &mut record, certificate);
    }
    record.selector = selector.into();
    record.matching = matching.into();
    record
}

/// The same certificate and selector with several matching types, some of them out of date (RFC 7671 §9).
fn between_digests(chance: &mut Chance, pki: &Pki<'_>) -> Vec<TlsaRecord> {
    let usage = 2 + u8::from(chance.percent(50));
    let selector = u8::from(chance.percent(50));
    let certificate = about(chance, pki, usage);
    let mut records = Vec::new();
    for matching in [1, 2, 0] {
        if matching > 0 || chance.percent(15) {
            let mut record = certificate.record(usage, selector, matching);
            if chance.percent(40) {
                spoil(chance, &mut record, certificate);
            }
            records.push(record);
        }
    }
    if chance.percent(30) {
        records.push(one(chance, pki));
    }
    records
}

/// A certificate that a record of this usage might be about; mostly a sensible one.
fn about<'p, 'k>(chance: &mut Chance, pki: &'p Pki<'k>, usage: u8) -> &'p Issued<'k> {
    if chance.percent(12) {
        let everything = [&pki.tiers, &pki.doubles, &pki.strangers];
        let all: Vec<_> = everything.into_iter().flatten().collect();
        return all[chance.below(all.len())];
    }
    if usage % 2 == 1 {
        return &pki.tiers[0];
    }
    if !pki.doubles.is_empty() && chance.percent(35) {
        return chance.pick(&pki.doubles);
    }
    match &pki.tiers[..] {
        [leaf] => leaf,
        [_, issuers @ ..] => chance.pick(issuers),
        [] => unreachable!("there is a leaf"),
    }
}

/// Makes a record wrong: by its length, or by one bit of the digest or of the key in it.
fn spoil(chance: &mut Chance, record: &mut TlsaRecord, certificate: &Issued<'_>) {
    let key = certificate.record(3, 1, 0).data;
    let data = &mut record.data;
    match chance.below(8) {
        0 => data.truncate(data.len() / 2),
        1 => drop(data.pop()),
        2 => data.push(0),
        3 => data.clear(),
        _ => {
            let key = data
                .windows(key.len())
                .position(|window| *window == key)
                .map(|at| at..at + key.len());
            let changed = key.unwrap_or(0..data.len());
            data[changed.start + chance.below(changed.len())] ^= 1 << chance.below(8);
        }
    }
}
