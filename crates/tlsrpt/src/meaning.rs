//! What each kind of failure says to who receives the report, and what to do about it.

use mail::TlsResult;

use crate::read::PolicyType;

/// A kind of failure in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// What the reporter met.
    pub says: &'static str,
    /// What to do.
    pub advice: &'static str,
}

/// What a failure of this kind means under a policy of this kind; `None` is a kind that RFC 8460 does not have.
pub fn of(result: Option<TlsResult>, policy: &PolicyType) -> Meaning {
    let Some(result) = result else {
        return Meaning {
            says: "A kind of failure that RFC 8460 section 4.3 does not have.",
            advice: "Ask the reporter's contact what it means.",
        };
    };
    match result {
        TlsResult::StarttlsNotSupported => Meaning {
            says: "The server did not offer STARTTLS to this sender, or refused it.",
            advice: "Turn STARTTLS on at this host. If it is on, see whether a firewall or a load balancer in front of it takes it \
                     away; where only some senders report this, somebody between them and you may.",
        },
        TlsResult::CertificateHostMismatch
        | TlsResult::CertificateExpired
        | TlsResult::CertificateNotTrusted => certificate(result, policy),
        TlsResult::ValidationFailure => validation(policy),
        TlsResult::TlsaInvalid => Meaning {
            says: "None of the TLSA records could be used, or, with some reporters, none matched the certificate.",
            advice: "Publish `3 1 1` records (or `2 0 1` or `2 1 1`): usages 0 and 1 are not for SMTP (RFC 7672 section 3.1.3). \
                     `danerelay tlsa make CERT` prints them, `danerelay tlsa verify --host HOST` tests what is published.",
        },
        TlsResult::DnssecInvalid => Meaning {
            says: "DNSSEC validation of the MX, address or TLSA records failed. Mail waits at this sender until it succeeds.",
            advice: "Look for expired signatures, a DS record that fits no key, and name servers that do not answer for TLSA: \
                     `danerelay dns _25._tcp.HOST TLSA` names the broken link.",
        },
        TlsResult::DaneRequired => Meaning {
            says: "The sender demands DANE for your mail, but found no signed TLSA records.",
            advice: "Sign the zones of the domain and of its MX hosts and publish TLSA records for each host; if they are there, \
                     look for an unsigned link with `danerelay dns`. Or agree otherwise with the sender.",
        },
        TlsResult::StsPolicyFetchError | TlsResult::StsPolicyInvalid | TlsResult::StsWebpkiInvalid => {
            sts(result)
        }
    }
}

/// Failures of a server's certificate, other than that no record matches it.
fn certificate(result: TlsResult, policy: &PolicyType) -> Meaning {
    let is_dane = *policy == PolicyType::Tlsa;
    match result {
        TlsResult::CertificateHostMismatch if is_dane => Meaning {
            says: "The certificate lacks the name that a TLSA record of usage 2 demands: that of the MX host.",
            advice: "Use a certificate with the name of the MX host in it, or publish `3 1 1` records, which demand no name.",
        },
        TlsResult::CertificateHostMismatch => Meaning {
            says: "The certificate does not have the name of the MX host.",
            advice: "Use a certificate that has every name of your MX records as a DNS name (subjectAltName).",
        },
        TlsResult::CertificateExpired if is_dane => Meaning {
            says: "A certificate of the chain has expired, or is not valid yet, which counts under TLSA records of usage 2.",
            advice: "Renew it and have the server load it, or publish `3 1 1` records, for which dates do not count.",
        },
        TlsResult::CertificateExpired => Meaning {
            says: "A certificate of the chain has expired, or is not valid yet.",
            advice: "Renew it, and have the server load the new one: many go on with the old one until they are reloaded.",
        },
        _ if is_dane => Meaning {
            says: "No path leads from the certificate to the issuer that the TLSA records name.",
            advice: "Have the server send the issuer's certificate, the root of `2 0 1` records included; after a change of the \
                     issuer publish records for the new one. `danerelay tlsa verify --host HOST` says what is missing.",
        },
        _ => Meaning {
            says: "No path leads from the certificate to an authority that the sender trusts.",
            advice: "Use a certificate of a public authority, and have the server send the intermediate certificates with it.",
        },
    }
}

fn validation(policy: &PolicyType) -> Meaning {
    match policy {
        PolicyType::Tlsa => Meaning {
            says: "No published TLSA record matches what the server presents, or the TLS handshake failed.",
            advice: "`danerelay tlsa verify --host HOST` says which. After a change of keys: publish the record of the new key \
                     before the server uses it, and only then take the old one away.",
        },
        PolicyType::Sts => Meaning {
            says: "The MX host is not named by the policy, or the TLS handshake failed.",
            advice: "Compare the MX records with the mx lines of the policy, and change the policy before the records. Where the \
                     host is named, look for TLS versions and ciphers that the sender does not have.",
        },
        PolicyType::NoPolicyFound | PolicyType::Missing | PolicyType::Other(_) => Meaning {
            says: "TLS could not be set up.",
            advice: "Look into the server's log for handshakes that failed: versions or ciphers that the sender does not have, \
                     or a demand for a client certificate.",
        },
    }
}

fn sts(result: TlsResult) -> Meaning {
    match result {
        TlsResult::StsPolicyInvalid => Meaning {
            says: "What the policy host or the _mta-sts record gave is no valid MTA-STS policy.",
            advice: "It needs the lines version, mode, max_age and mx, as text/plain (RFC 8461 section 3.2), and exactly one TXT \
                     record that begins with v=STSv1 (section 3.1).",
        },
        TlsResult::StsWebpkiInvalid => Meaning {
            says: "The certificate of the policy host was not accepted.",
            advice: "mta-sts.DOMAIN needs a certificate of a public authority with this name, in date, and with its intermediate \
                     certificates.",
        },
        _ => Meaning {
            says: "There is an _mta-sts record, but the policy could not be fetched.",
            advice: "https://mta-sts.DOMAIN/.well-known/mta-sts.txt must answer with the status 200 and without redirects, over \
                     IPv4 and over IPv6. To give MTA-STS up, publish mode: none first (RFC 8461 section 8.3).",
        },
    }
}
