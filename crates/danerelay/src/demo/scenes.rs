//! The scenes of the tour.

/// What the receiving servers got of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It arrived unchanged, octet for octet, below the relay's trace header.
    Whole,
    /// It arrived and was changed.
    Changed,
    /// It did not arrive.
    Nowhere,
}

/// One scene: a domain, one message to it, and the expected outcome.
pub(super) struct Scene {
    /// The label of the domain below `demo`.
    pub(super) label: &'static str,
    /// What is shown.
    pub(super) title: &'static str,
    /// What happens and why, in plain words.
    pub(super) explanation: &'static str,
    pub(super) zone: Zone,
    /// The MX hosts, best preference first; none: a null MX.
    pub(super) hosts: Vec<Host>,
    pub(super) policy: Rule,
    pub(super) expected: Expected,
}

/// How the domain's zone is signed.
#[derive(Clone, Copy)]
pub(super) enum Zone {
    Signed,
    Unsigned,
    /// With invalid signatures.
    Bogus,
}

/// One MX host.
pub(super) struct Host {
    pub(super) certificate: Certificate,
    pub(super) records: Records,
    /// An attacker removes STARTTLS from its reply to EHLO.
    pub(super) strips_starttls: bool,
}

/// The certificate that the server presents in the handshake.
#[derive(Clone, Copy)]
pub(super) enum Certificate {
    /// A valid certificate for its name, from a private issuer.
    Issued,
    /// A self-signed certificate that has expired.
    Expired,
    /// The right chain, copied by somebody who does not have the private key.
    ReplayedWithAnotherKey,
}

/// What DNS publishes about it.
#[derive(Clone, Copy)]
pub(super) enum Records {
    None,
    /// `3 1 1` of its key.
    Key,
    /// `3 1 1` of a key that it no longer has.
    Stale,
    /// `3 1 1` of this key and of the next one.
    CurrentAndNext,
    /// `3 1 1` of a former key, and `2 1 1` of its issuer.
    StaleAndIssuer,
    /// `2 0 1` of its issuer.
    Issuer,
    /// `1 1 1`: a usage that SMTP does not know.
    Unusable,
}

/// What the sender's policy says about the domain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Default,
    SoftFail,
    /// An entry of a danefail list.
    Danefail,
}

/// The expected outcome of the message.
pub(super) struct Expected {
    pub(super) status: &'static str,
    /// The beginning of `dane=`; `None` for `-`.
    pub(super) dane: Option<&'static str>,
    pub(super) arrival: Arrival,
}

impl Scene {
    pub(super) fn domain(&self) -> String {
        format!("{}.demo", self.label)
    }

    pub(super) fn recipient(&self) -> String {
        format!("example@{}", self.domain())
    }
}

impl Host {
    pub(super) fn new(certificate: Certificate, records: Records) -> Self {
        Self {
            certificate,
            records,
            strips_starttls: false,
        }
    }
}

/// A scene in a signed zone under the default policy.
fn scene(
    label: &'static str,
    title: &'static str,
    explanation: &'static str,
    hosts: Vec<Host>,
    expected: Expected,
) -> Scene {
    Scene {
        label,
        title,
        explanation,
        zone: Zone::Signed,
        hosts,
        policy: Rule::Default,
        expected,
    }
}

fn delivered(dane: &'static str) -> Expected {
    Expected {
        status: "sent",
        dane: Some(dane),
        arrival: Arrival::Whole,
    }
}

fn deferred(dane: &'static str) -> Expected {
    Expected {
        status: "deferred",
        dane: Some(dane),
        arrival: Arrival::Nowhere,
    }
}

/// The four classic demonstrations, then the attacks, then the effects of policies and of publishers' choices.
pub(super) fn all() -> Vec<Scene> {
    let mut scenes = classics();
    scenes.extend(attacks());
    scenes.extend(policies());
    scenes.extend(publishers());
    scenes.extend(zones());
    scenes
}

/// The first four.
pub(super) fn classics() -> Vec<Scene> {
    vec![
        scene(
            "insecure",
            "A server without DANE",
            "The domain is signed but publishes no TLSA record, so nothing can be verified. \
             The mail is encrypted if the server offers it, and delivered in any case.",
            vec![Host::new(Certificate::Issued, Records::None)],
            delivered("Skip (No secure TLSA RRs)"),
        ),
        scene(
            "good",
            "A server secured with DANE",
            "A signed TLSA record names the server's key, and the server proves that it has it. \
             Nobody in between can have read or taken the mail.",
            vec![Host::new(Certificate::Issued, Records::Key)],
            delivered("Verify (Secure TLSA RRs found)"),
        ),
        scene(
            "wrong",
            "A server whose TLSA record is wrong",
            "The certificate was renewed and the record forgotten, or somebody else answers. The relay cannot \
             know which, so it sends nothing, keeps the mail and tries again: mend the record and it goes out.",
            vec![Host::new(Certificate::Issued, Records::Stale)],
            deferred("Fail (No matching TLSA RRs)"),
        ),
        scene(
            "two",
            "Two MX hosts, of which the first fails",
            "The preferred host does not match its record; the second one does. \
             The mail takes the secure way and does not wait.",
            vec![
                Host::new(Certificate::Issued, Records::Stale),
                Host::new(Certificate::Issued, Records::Key),
            ],
            delivered("Verify (Secure TLSA RRs found)"),
        ),
    ]
}

fn attacks() -> Vec<Scene> {
    let stripped = Host {
        strips_starttls: true,
        ..Host::new(Certificate::Issued, Records::Key)
    };
    vec![
        scene(
            "stripped",
            "STARTTLS stripped by an attacker",
            "Somebody in between removes STARTTLS from what the server offers. The signed TLSA record promises TLS, \
             so the mail waits instead of travelling in clear.",
            vec![stripped],
            deferred("Fail (STARTTLS not offered)"),
        ),
        scene(
            "impostor",
            "The right certificate with the wrong key",
            "An impostor shows the server's public certificate, which matches the record. But he cannot sign the \
             handshake with its private key, and that is what is checked.",
            vec![Host::new(Certificate::ReplayedWithAnotherKey, Records::Key)],
            deferred("Fail (TLS handshake: "),
        ),
    ]
}

fn policies() -> Vec<Scene> {
    vec![
        Scene {
            policy: Rule::SoftFail,
            ..scene(
                "soft",
                "A wrong TLSA record under soft-fail",
                "The sender's policy says dane = \"soft-fail\" for this domain: the failure is recorded and the mail \
                 delivered all the same. That is how DANE is switched on without losing mail.",
                vec![Host::new(Certificate::Issued, Records::Stale)],
                delivered("Softfail (No matching TLSA RRs)"),
            )
        },
        Scene {
            policy: Rule::Danefail,
            ..scene(
                "listed",
                "A wrong TLSA record on the danefail list",
                "The domain is on a list of known mistakes, so its records are not asked for. \
                 The log names the list and the line.",
                vec![Host::new(Certificate::Issued, Records::Stale)],
                delivered("Skip (danefail "),
            )
        },
    ]
}

fn publishers() -> Vec<Scene> {
    vec![
        scene(
            "rollover",
            "A key change with current and next key",
            "Two records are published: this key and the one that follows. One match is enough.",
            vec![Host::new(Certificate::Issued, Records::CurrentAndNext)],
            delivered("Verify (Secure TLSA RRs found)"),
        ),
        scene(
            "issuer",
            "A key change with current key and issuer",
            "The key has changed and its record is stale, but a second record names the issuer, \
             whose new certificate names the host.",
            vec![Host::new(Certificate::Issued, Records::StaleAndIssuer)],
            delivered("Verify (Secure TLSA RRs found)"),
        ),
        scene(
            "ca",
            "A private issuer as trust anchor",
            "The record (DANE-TA) names the issuer. It is in nobody's trust store and need not be.",
            vec![Host::new(Certificate::Issued, Records::Issuer)],
            delivered("Verify (Secure TLSA RRs found)"),
        ),
        scene(
            "unusable",
            "Records that SMTP cannot use",
            "The only record has usage 1, which SMTP leaves undefined. \
             It still promises TLS: the mail is encrypted, to an unverified server.",
            vec![Host::new(Certificate::Issued, Records::Unusable)],
            delivered("Encrypt (No usable TLSA RRs)"),
        ),
        scene(
            "expired",
            "An expired certificate whose key is published",
            "A DANE-EE record names the key itself. Dates, names and issuers in the certificate do not matter.",
            vec![Host::new(Certificate::Expired, Records::Key)],
            delivered("Verify (Secure TLSA RRs found)"),
        ),
    ]
}

fn zones() -> Vec<Scene> {
    vec![
        Scene {
            zone: Zone::Unsigned,
            ..scene(
                "unsigned",
                "An unsigned domain",
                "Without DNSSEC its TLSA record proves nothing, and is not even asked for. Opportunistic TLS it is.",
                vec![Host::new(Certificate::Issued, Records::Stale)],
                delivered("Skip (Insecure host information)"),
            )
        },
        Scene {
            zone: Zone::Bogus,
            ..scene(
                "bogus",
                "A domain whose signatures do not hold",
                "The MX answer may be forged, so there is no host that could be trusted with the mail. It waits.",
                vec![Host::new(Certificate::Issued, Records::Key)],
                deferred("Fail (MX lookup: bogus)"),
            )
        },
        scene(
            "null",
            "A domain that accepts no mail",
            "A signed null MX says so (RFC 7505). There is nothing to wait for: the mail fails at once, \
             and a report goes back to the sender the same secured way.",
            vec![],
            Expected {
                status: "bounced",
                dane: None,
                arrival: Arrival::Nowhere,
            },
        ),
    ]
}
