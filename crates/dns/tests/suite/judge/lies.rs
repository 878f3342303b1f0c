//! What somebody on the way makes of the answers.

use std::collections::HashMap;
use std::sync::Arc;

use hickory_proto::dnssec::rdata::{DNSSECRData, RRSIG};
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::rdata::CNAME;
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::common::{FORGED, Scene, negative, question, replay};

/// Zones about which lies are told, and two beside them that are left alone.
pub const ZONES: [&str; 6] = ["nsec", "nsec3", "optout", "compact", "unsigned", "rsa"];
const LIED_ABOUT: [&str; 4] = ["nsec", "nsec3", "optout", "compact"];

pub const QUESTIONS: [&str; 14] = [
    "{} MX",
    "mx.{} A",
    "mx.{} AAAA",
    "_25._tcp.mx.{} TLSA",
    "real.wild.{} A",
    "any.wild.{} A",
    "any.wild.{} SOA",
    "nothing.{} A",
    "ent.{} A",
    "mx.moved.{} A",
    "any.alias.{} A",
    "mx.signed.{} A",
    "mx.child.{} A",
    "signed.{} DS",
];

/// Genuine answers, of which lies are made.
#[derive(Clone)]
pub struct Stock(Arc<HashMap<String, Message>>);

impl Stock {
    pub async fn collect(world: &Scene) -> Self {
        let mut all = HashMap::new();
        for zone in LIED_ABOUT {
            for asked in [
                "any.wild.{} A",
                "nothing.{} A",
                "nothing.{} DS",
                "mx.{} AAAA",
                "{} AAAA",
                "mx.{} A",
                "child.{} DS",
                "signed.{} DS",
                "any.digest.{} DS",
                "signed.{} MX",
                "nothing.signed.{} A",
                "{} DNSKEY",
            ] {
                let asked = asked.replace("{}", &format!("{zone}.test"));
                let message = world.genuine(&asked).await;
                all.insert(asked, message);
            }
        }
        let foreign = "unsigned.test SOA".to_owned();
        let message = world.genuine(&foreign).await;
        all.insert(foreign, message);
        Self(Arc::new(all))
    }

    fn genuine(&self, text: &str) -> &Message {
        &self.0[text]
    }
}

pub struct Lie {
    pub what: &'static str,
    pub tell: fn(&Stock, &Query, &mut Message),
}

const fn lie(what: &'static str, tell: fn(&Stock, &Query, &mut Message)) -> Lie {
    Lie { what, tell }
}

/// The zone among those lied about in which a name stands, with all before it.
fn parted(query: &Query) -> Option<(String, String)> {
    let name = query.name().to_ascii();
    LIED_ABOUT.iter().find_map(|zone| {
        let zone = format!("{zone}.test");
        let label = name.strip_suffix(&format!("{zone}."))?;
        let fits = label.is_empty() || label.ends_with('.');
        fits.then(|| (label.trim_end_matches('.').to_owned(), zone))
    })
}

/// About the names before the zone that are named, of any type but those of which the chain is made.
fn about(query: &Query, names: &[&str]) -> Option<String> {
    let (label, zone) = parted(query)?;
    let is_chain = matches!(query.query_type(), RecordType::DNSKEY | RecordType::DS);
    (!is_chain && names.contains(&label.as_str())).then_some(zone)
}

const HOSTS: [&str; 8] = [
    "",
    "mx",
    "_25._tcp.mx",
    "real.wild",
    "any.wild",
    "nothing",
    "ent",
    "any.alias",
];

fn signatures(message: &mut Message, change: impl Fn(&RRSIG) -> Option<RRSIG>) {
    for section in [&mut message.answers, &mut message.authorities] {
        let changed = section.drain(..).filter_map(|mut record| {
            let RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) = &record.data else {
                return Some(record);
            };
            record.data = RData::DNSSEC(DNSSECRData::RRSIG(change(rrsig)?));
            Some(record)
        });
        *section = changed.collect();
    }
}

/// Another one with the same octets as signature.
fn with_input(rrsig: &RRSIG, change: impl Fn(&mut hickory_proto::dnssec::rdata::SigInput)) -> RRSIG {
    let mut input = rrsig.input().clone();
    change(&mut input);
    RRSIG::from_sig(input, rrsig.sig().to_vec())
}

fn is_delegation_of(query: &Query, child: &str) -> Option<String> {
    let (label, zone) = parted(query)?;
    (query.query_type() == RecordType::DS && label == child).then_some(zone)
}

/// Everything of the signed child made up, where the zone above says that it is not signed.
fn make_up_child(query: &Query, message: &mut Message) {
    let Some((label, _)) = parted(query) else { return };
    if label != "mx.signed" {
        return;
    }
    let signed = [RecordType::RRSIG, RecordType::NSEC, RecordType::NSEC3];
    for section in [&mut message.answers, &mut message.authorities] {
        section.retain(|record| !signed.contains(&record.record_type()));
    }
    for record in &mut message.answers {
        record.data = RData::A(FORGED.parse().unwrap());
    }
}

pub const LIES: [Lie; 31] = [
    // Absences.
    lie("nodata without proof", |_, query, message| {
        if about(query, &HOSTS).is_some() {
            negative(message, ResponseCode::NoError, &[]);
        }
    }),
    lie("nxdomain without proof", |_, query, message| {
        if about(query, &HOSTS).is_some() {
            negative(message, ResponseCode::NXDomain, &[]);
        }
    }),
    lie("the SOA of an unsigned zone", |stock, query, message| {
        if about(query, &HOSTS).is_some() {
            let foreign = &stock.genuine("unsigned.test SOA").answers;
            negative(message, ResponseCode::NoError, foreign);
        }
    }),
    lie(
        "denied by what denies a name that is not there",
        |stock, query, message| {
            if let Some(zone) = about(query, &["mx", "_25._tcp.mx", "real.wild", ""]) {
                let other = &stock.genuine(&format!("nothing.{zone} A")).authorities;
                negative(message, ResponseCode::NXDomain, other);
            }
        },
    ),
    lie(
        "denied by what denies a type of the host",
        |stock, query, message| {
            if let Some(zone) = about(query, &["mx", "_25._tcp.mx", "real.wild", "nothing", ""]) {
                let other = &stock.genuine(&format!("mx.{zone} AAAA")).authorities;
                negative(message, ResponseCode::NoError, other);
            }
        },
    ),
    lie(
        "denied by what denies a type of the zone",
        |stock, query, message| {
            if let Some(zone) = about(query, &["mx", "nothing", "ent"]) {
                let other = &stock.genuine(&format!("{zone} AAAA")).authorities;
                negative(message, ResponseCode::NoError, other);
            }
        },
    ),
    // The other code.
    lie("the other RCODE", |_, query, message| {
        if about(query, &HOSTS).is_some() && message.answers.is_empty() {
            message.metadata.response_code = match message.metadata.response_code {
                ResponseCode::NoError => ResponseCode::NXDomain,
                _ => ResponseCode::NoError,
            };
        }
    }),
    // Of the records of a denial only the first, and only the last.
    lie("only the first denial", |_, query, message| {
        if about(query, &HOSTS).is_some() {
            keep_one_denial(message, true);
        }
    }),
    lie("only the last denial", |_, query, message| {
        if about(query, &HOSTS).is_some() {
            keep_one_denial(message, false);
        }
    }),
    lie("the SOA without its signature", |_, query, message| {
        if about(query, &HOSTS).is_some() {
            let apex = message
                .authorities
                .iter()
                .find(|record| record.record_type() == RecordType::SOA);
            let apex = apex.map(|record| record.name.clone());
            message.authorities.retain(|record| {
                Some(&record.name) != apex.as_ref() || !is_signature_of(record, RecordType::SOA)
            });
        }
    }),
    // Wildcards.
    lie(
        "a wildcard with its proof, at other names",
        |stock, query, message| {
            if let Some(zone) = about(query, &["real.wild", "mx", "nothing"]) {
                let wild = stock.genuine(&format!("any.wild.{zone} A"));
                replay(message, &wild.answers, &wild.authorities);
            }
        },
    ),
    lie(
        "a wildcard without its proof, at other names",
        |stock, query, message| {
            if let Some(zone) = about(query, &["real.wild", "any.wild", "mx"]) {
                let wild = stock.genuine(&format!("any.wild.{zone} A"));
                replay(message, &wild.answers, &[]);
            }
        },
    ),
    lie("a wildcard without its proof", |_, query, message| {
        if about(query, &["any.wild", "any.alias"]).is_some() {
            message.authorities.clear();
        }
    }),
    // Signatures.
    lie("no signatures", |_, query, message| {
        if about(query, &HOSTS).is_some() {
            signatures(message, |_| None);
        }
    }),
    lie("signatures with one label", |_, query, message| {
        if about(query, &HOSTS).is_some() {
            signatures(message, |rrsig| {
                Some(with_input(rrsig, |input| input.num_labels = 1))
            });
        }
    }),
    lie("signatures by the root", |_, query, message| {
        if about(query, &HOSTS).is_some() {
            let root = |input: &mut hickory_proto::dnssec::rdata::SigInput| input.signer_name = Name::root();
            signatures(message, |rrsig| Some(with_input(rrsig, root)));
        }
    }),
    lie("signatures with another TTL", |_, query, message| {
        if about(query, &HOSTS).is_some() {
            let later = |input: &mut hickory_proto::dnssec::rdata::SigInput| input.original_ttl += 1;
            signatures(message, |rrsig| Some(with_input(rrsig, later)));
        }
    }),
    // One more record in the set; a longer TTL; another case of the letters.
    lie("one more record in the set", |_, query, message| {
        if about(query, &HOSTS).is_some() && query.query_type() == RecordType::A {
            let address = RData::A(FORGED.parse().unwrap());
            message
                .answers
                .push(Record::from_rdata(query.name().clone(), 300, address));
        }
    }),
    lie("a longer TTL", |_, query, message| {
        if about(query, &HOSTS).is_some() {
            for record in message.answers.iter_mut().chain(&mut message.authorities) {
                record.ttl = 86_400;
            }
        }
    }),
    lie("names in capitals", |_, query, message| {
        if about(query, &["mx", "_25._tcp.mx"]).is_some() {
            for record in &mut message.answers {
                let upper = record.name.iter().map(<[u8]>::to_ascii_uppercase);
                record.name = Name::from_labels(upper.collect::<Vec<_>>()).unwrap();
            }
        }
    }),
    // Redirections.
    lie("a redirection to elsewhere", |_, query, message| {
        if about(query, &["mx.moved"]).is_some() {
            for record in &mut message.answers {
                if let RData::CNAME(target) = &mut record.data {
                    *target = CNAME(question("mx.unsigned.test A").name().clone());
                }
            }
        }
    }),
    lie("a redirection without its DNAME", |_, query, message| {
        if about(query, &["mx.moved"]).is_some() {
            message.answers.retain(|record| {
                record.record_type() == RecordType::CNAME || record.record_type() == RecordType::A
            });
        }
    }),
    lie("an alias out of nothing", |_, query, message| {
        if about(query, &["mx", "any.alias"]).is_some() {
            let target = CNAME(question("mx.unsigned.test A").name().clone());
            message.answers = vec![Record::from_rdata(
                query.name().clone(),
                300,
                RData::CNAME(target),
            )];
            message.authorities.clear();
        }
    }),
    // Delegations.
    lie(
        "a delegation denied by what denies another",
        |stock, query, message| {
            if let Some(zone) = is_delegation_of(query, "signed") {
                let other = &stock.genuine(&format!("child.{zone} DS")).authorities;
                negative(message, ResponseCode::NoError, other);
            }
            make_up_child(query, message);
        },
    ),
    lie(
        "a delegation denied by the zone itself",
        |stock, query, message| {
            if let Some(zone) = is_delegation_of(query, "signed") {
                let other = &stock.genuine(&format!("{zone} AAAA")).authorities;
                negative(message, ResponseCode::NoError, other);
            }
            make_up_child(query, message);
        },
    ),
    lie(
        "a delegation denied by a name that is not there",
        |stock, query, message| {
            if let Some(zone) = is_delegation_of(query, "signed") {
                let other = &stock.genuine(&format!("nothing.{zone} DS")).authorities;
                negative(message, ResponseCode::NXDomain, other);
            }
            make_up_child(query, message);
        },
    ),
    lie("a delegation from a wildcard", |stock, query, message| {
        if let Some(zone) = is_delegation_of(query, "signed") {
            let wild = stock.genuine(&format!("any.digest.{zone} DS"));
            replay(message, &wild.answers, &wild.authorities);
        }
        make_up_child(query, message);
    }),
    lie("a delegation denied by the child", |stock, query, message| {
        if let Some(zone) = is_delegation_of(query, "signed") {
            // What the child says of itself.
            let own = &stock.genuine(&format!("signed.{zone} MX")).authorities;
            negative(message, ResponseCode::NoError, own);
        }
        make_up_child(query, message);
    }),
    // The zone above about names below a cut.
    lie("names below a cut denied from above", |stock, query, message| {
        if let Some(zone) = about(query, &["mx.signed"]) {
            let above = &stock.genuine(&format!("nothing.{zone} A")).authorities;
            negative(message, ResponseCode::NXDomain, above);
        }
    }),
    // Keys.
    lie("keys without signatures", |_, query, message| {
        if parted(query).is_some() && query.query_type() == RecordType::DNSKEY {
            signatures(message, |_| None);
        }
    }),
    lie("the keys of another zone", |stock, query, message| {
        if query.query_type() == RecordType::DNSKEY
            && let Some((label, _)) = parted(query)
            && label == "signed"
        {
            let foreign = stock.genuine("nsec.test DNSKEY");
            replay(message, &foreign.answers, &[]);
        }
    }),
];

/// Leaves of the denials one with its signatures.
fn keep_one_denial(message: &mut Message, first: bool) {
    let denials: Vec<Name> = message
        .authorities
        .iter()
        .filter(|record| matches!(record.record_type(), RecordType::NSEC | RecordType::NSEC3))
        .map(|record| record.name.clone())
        .collect();
    let kept = if first { denials.first() } else { denials.last() };
    let Some(kept) = kept.cloned() else { return };
    let is_of_soa =
        |record: &Record| record.record_type() == RecordType::SOA || is_signature_of(record, RecordType::SOA);
    message
        .authorities
        .retain(|record| record.name == kept || is_of_soa(record));
}

fn is_signature_of(record: &Record, covered: RecordType) -> bool {
    match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) => rrsig.input().type_covered == covered,
        _ => false,
    }
}
