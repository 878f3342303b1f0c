//! One random case: a small PKI, what its server sends of it, and the names that are asked for.

use rcgen::{DistinguishedName, DnType, DnValue, KeyPair};
use rustls::pki_types::CertificateDer;

use crate::chance::Chance;
use crate::factory::{Draft, Issued, named};
use crate::faults::{Fault, HOST, NOW};
use crate::judge::Question;
use crate::records;

/// What is asked, and how it came about.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) question: Question,
    /// With the tier of the certificate that has it; tier 0 is the leaf.
    pub(crate) faults: Vec<(usize, Fault)>,
    pub(crate) sending: Vec<Sending>,
}

/// What is odd about the chain that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    WithoutRoot,
    WithoutIntermediate,
    Shuffled,
    /// Another authority's certificate for the name and key of one of these.
    CrossSigned,
    /// Without the one that the cross-signed certificate replaces.
    CrossSignedAlone,
    /// An authority of the same name with another key.
    Namesake,
    Junk,
    Repeated,
}

/// All certificates of a case.
pub(crate) struct Pki<'k> {
    /// The leaf, its issuer, and so on up to the root.
    pub(crate) tiers: Vec<Issued<'k>>,
    /// Second certificates and namesakes of the issuers, some of which are sent.
    pub(crate) doubles: Vec<Issued<'k>>,
    /// An authority that has nothing to do with the leaf, and a server of its own.
    pub(crate) strangers: Vec<Issued<'k>>,
}

/// Common name and DNS names of the leaf, with weights.
const NAMES: [(usize, (&str, &[&str])); 18] = [
    (50, ("no host", &[HOST])),
    (8, ("no host", &["*.example.com"])),
    (6, ("no host", &["example.com"])),
    (3, ("no host", &["mail.example.net", "MX1.Example.COM"])),
    (4, ("no host", &["mx2.example.com"])),
    (2, ("no host", &["*.com"])),
    (2, ("no host", &["*.mx1.example.com"])),
    (2, ("no host", &["mx1.*.com"])),
    (2, ("no host", &["mx*.example.com"])),
    (2, ("no host", &["*1.example.com"])),
    (1, ("no host", &["*"])),
    (2, ("no host", &["mx1.example.com."])),
    (1, ("no host", &["*.example.com."])),
    (1, ("no host", &["mx1.example.com\0.example.org"])),
    (3, ("no host", &[])),
    (5, (HOST, &[])),
    (2, ("*.example.com", &[])),
    (3, (HOST, &["other.example"])),
];

/// Reference identifiers, with weights.
const REFERENCES: [(usize, &[&str]); 4] = [
    (50, &[HOST]),
    (35, &[HOST, "example.com"]),
    (12, &[HOST, "example.com", "mail.example.net"]),
    (3, &["mx_1.example.com"]),
];

/// How many authorities stand above the leaf, with weights.
const HEIGHTS: [(usize, usize); 4] = [(8, 0), (36, 1), (34, 2), (22, 3)];
/// How many faults a case has, with weights.
const FAULTS: [(usize, usize); 3] = [(50, 0), (35, 1), (15, 2)];

pub(crate) fn case(chance: &mut Chance, keys: &[KeyPair]) -> Case {
    let mut keys: Vec<_> = keys.iter().collect();
    chance.shuffle(&mut keys);
    let mut keys = keys.into_iter();
    let height = chance.weighted(&HEIGHTS);
    let faults: Vec<_> = (0..chance.weighted(&FAULTS))
        .map(|_| {
            let tier = chance.below(height + 1);
            (tier, Fault::any(chance, tier))
        })
        .collect();
    let mut sending = Vec::new();
    let mut deal = || keys.next().unwrap();
    let tiers = tiers(chance, height, &faults, &mut deal);
    let mut pki = Pki {
        tiers,
        doubles: Vec::new(),
        strangers: strangers(&mut deal),
    };
    let mut sent: Vec<_> = pki.tiers.iter().map(|tier| tier.der.clone()).collect();
    leave_out(chance, &mut sent, &mut sending);
    if height > 0 && chance.percent(15) {
        let tier = 1 + chance.below(height);
        cross_sign(chance, &mut pki, tier, &mut sent, &mut sending, deal());
    }
    if height > 0 && chance.percent(7) {
        let name = &pki.tiers[1 + chance.below(height)]
            .draft
            .params
            .distinguished_name;
        let namesake = with_name(Draft::authority(""), name).self_signed(deal());
        sent.insert(1 + chance.below(sent.len()), namesake.der.clone());
        pki.doubles.push(namesake);
        sending.push(Sending::Namesake);
    }
    if chance.percent(12) {
        let junk = chance.pick(&pki.strangers).der.clone();
        sent.insert(1 + chance.below(sent.len()), junk);
        sending.push(Sending::Junk);
    }
    if chance.percent(6) {
        let again = chance.pick(&sent).clone();
        sent.push(again);
        sending.push(Sending::Repeated);
    }
    if sent.len() > 2 && chance.percent(20) {
        chance.shuffle(&mut sent[1..]);
        sending.push(Sending::Shuffled);
    }
    Case {
        question: Question {
            at: NOW,
            names: chance.weighted(&REFERENCES).to_vec(),
            records: records::some(chance, &pki),
            chain: sent,
        },
        faults,
        sending,
    }
}

fn tiers<'k>(
    chance: &mut Chance,
    height: usize,
    faults: &[(usize, Fault)],
    deal: &mut impl FnMut() -> &'k KeyPair,
) -> Vec<Issued<'k>> {
    let has = |tier, fault| faults.contains(&(tier, fault));
    let mut drafts = Vec::new();
    for tier in 0..=height {
        let mut draft = if tier == 0 {
            let (common_name, names) = chance.weighted(&NAMES);
            Draft::server(common_name, names)
        } else {
            Draft::authority(&format!("authority {tier}"))
        };
        // Without it nothing tells a self-issued certificate from a self-signed one.
        draft.params.use_authority_key_identifier_extension =
            has(tier, Fault::SelfIssued) || chance.percent(75);
        let of_tier = faults.iter().filter(|(at, _)| *at == tier);
        draft = of_tier.fold(draft, |draft, (_, fault)| fault.apply(draft));
        if has(tier, Fault::Version1) {
            draft = draft.into_version_1();
        }
        drafts.push(draft);
    }
    for tier in 1..height {
        if has(tier, Fault::SelfIssued) {
            drafts[tier].params.distinguished_name = drafts[tier + 1].params.distinguished_name.clone();
        }
    }
    let mut issued: Vec<Issued<'k>> = Vec::new();
    for (tier, draft) in drafts.into_iter().enumerate().rev() {
        let key = deal();
        let self_signed = issued.is_empty() && !chance.percent(15);
        let (mut name, mut signer) = match issued.last() {
            Some(above) => (above.draft.params.distinguished_name.clone(), above.key),
            None if self_signed => (draft.params.distinguished_name.clone(), key),
            None => (named("somebody else"), deal()),
        };
        if has(tier, Fault::IssuerSpelling) {
            name = in_capitals(&name);
        }
        if has(tier, Fault::Forged) {
            signer = deal();
        }
        issued.push(draft.signed(key, name, signer));
    }
    issued.reverse();
    issued
}

fn strangers<'k>(deal: &mut impl FnMut() -> &'k KeyPair) -> Vec<Issued<'k>> {
    let authority = Draft::authority("stranger").self_signed(deal());
    let server = Draft::server("no host", &[HOST]).signed_by(&authority, deal());
    vec![authority, server]
}

fn leave_out(chance: &mut Chance, sent: &mut Vec<CertificateDer<'static>>, sending: &mut Vec<Sending>) {
    if sent.len() > 1 && chance.percent(25) {
        sent.pop();
        sending.push(Sending::WithoutRoot);
    }
    if sent.len() > 2 && chance.percent(6) {
        sent.remove(1 + chance.below(sent.len() - 2));
        sending.push(Sending::WithoutIntermediate);
    }
}

/// A second certificate for an authority, by a second root; each may be sent or not.
fn cross_sign<'k>(
    chance: &mut Chance,
    pki: &mut Pki<'k>,
    tier: usize,
    sent: &mut Vec<CertificateDer<'static>>,
    sending: &mut Vec<Sending>,
    key: &'k KeyPair,
) {
    let original = &pki.tiers[tier];
    let root = Draft::authority("second root").self_signed(key);
    let draft = with_name(Draft::authority(""), &original.draft.params.distinguished_name);
    let cross = draft.signed_by(&root, original.key);
    let place = sent.iter().position(|der| *der == original.der);
    match place {
        Some(place) if chance.percent(40) => {
            sent[place] = cross.der.clone();
            sending.push(Sending::CrossSignedAlone);
        }
        Some(_) | None => {
            sent.insert(1 + chance.below(sent.len()), cross.der.clone());
            sending.push(Sending::CrossSigned);
        }
    }
    if chance.percent(60) {
        sent.push(root.der.clone());
    }
    pki.doubles.extend([cross, root]);
}

fn with_name(mut draft: Draft, name: &DistinguishedName) -> Draft {
    draft.params.distinguished_name = name.clone();
    draft
}

pub(crate) fn in_capitals(name: &DistinguishedName) -> DistinguishedName {
    match name.get(&DnType::CommonName) {
        Some(DnValue::Utf8String(text)) => named(&text.to_uppercase()),
        other => panic!("a common name in UTF-8, not {other:?}"),
    }
}
