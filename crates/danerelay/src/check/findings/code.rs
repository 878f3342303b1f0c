//! The closed list of findings, with how grave each is.

use serde::de::IntoDeserializer as _;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize};

use crate::check::verdict::Verdict;

/// How grave a finding is, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Severity {
    /// It breaks delivery, or takes the security away.
    Error,
    /// It will, or does for some.
    Warning,
    /// It could be better.
    Advice,
    /// Good to know.
    Info,
}

impl Severity {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Advice => "advice",
            Self::Info => "info",
        }
    }
}

macro_rules! codes {
    ($($severity:ident: $($(#[$doc:meta])* $code:ident),+ ;)+) => {
        /// What was found; programs read its name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub(crate) enum Code { $($($(#[$doc])* $code,)+)+ }

        impl Code {
            /// How grave it is.
            pub(crate) fn severity(self) -> Severity {
                match self { $($(Self::$code)|+ => Severity::$severity,)+ }
            }

            /// Its name in JSON.
            pub(crate) fn name(self) -> String {
                match self { $($(Self::$code => kebab(stringify!($code)),)+)+ }
            }

            /// All of them, for the documentation.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$($(Self::$code,)+)+];
        }
    };
}

impl Code {
    /// The code of this name, if this version knows it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let name: StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
        Self::deserialize(name).ok()
    }

    /// The verdict that it leads to by itself.
    pub(crate) fn makes(self) -> Option<Verdict> {
        match self {
            Self::MxBogus
            | Self::MxInvalid
            | Self::AddressesBogus
            | Self::NoAddresses
            | Self::AddressesIgnored
            | Self::TlsaBogus
            | Self::TlsaRefused
            | Self::TlsaNoMatch
            | Self::TlsaNoMatchOtherKey
            | Self::IssuerMissing
            | Self::NoStarttls
            | Self::StarttlsRefused
            | Self::HandshakeBroken
            | Self::NameMismatch
            | Self::ChainExpired
            | Self::ChainUntrusted
            | Self::WrongKey
            | Self::UnsupportedKey => Some(Verdict::Broken),
            Self::MxInsecure
            | Self::MxIsAddress
            | Self::HostInsecure
            | Self::TlsaAbsent
            | Self::TlsaInsecure
            | Self::TlsaNoneUsable => Some(Verdict::Insecure),
            Self::MxLookupFailed
            | Self::AddressesLookupFailed
            | Self::TlsaLookupFailed
            | Self::NotExamined
            | Self::OurFault
            | Self::Unreachable
            | Self::Unanswered
            | Self::Refused => Some(Verdict::Unreachable),
            Self::NoSuchDomain => Some(Verdict::NoMail),
            _ => None,
        }
    }
}

/// `TlsaNoMatch` is `tlsa-no-match`.
fn kebab(camel: &str) -> String {
    let mut name = String::with_capacity(camel.len() + 4);
    for c in camel.chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

codes! {
    Error:
        /// The MX records fail validation.
        MxBogus,
        /// The look-up of the MX records gave no answer.
        MxLookupFailed,
        /// The domain does not exist.
        NoSuchDomain,
        /// An MX record names an address.
        MxIsAddress,
        /// An MX record names something that is no host name.
        MxInvalid,
        /// The addresses of a host fail validation.
        AddressesBogus,
        /// The look-up of a host's addresses gave no answer.
        AddressesLookupFailed,
        /// A host has no addresses.
        NoAddresses,
        /// A host has only addresses at which nobody else receives mail.
        AddressesIgnored,
        /// The TLSA records fail validation.
        TlsaBogus,
        /// The name servers refuse to answer for TLSA records: not the same as having none.
        TlsaRefused,
        /// The look-up of the TLSA records gave no answer.
        TlsaLookupFailed,
        /// None of the TLSA records can be used.
        TlsaNoneUsable,
        /// A TLSA record is the digest of no octets.
        TlsaOfNothing,
        /// No TLSA record matches the server's certificates.
        TlsaNoMatch,
        /// The server does not send the issuer that a trust anchor is the digest of.
        IssuerMissing,
        /// No TLSA record matches the certificate with the other kind of key.
        TlsaNoMatchOtherKey,
        /// STARTTLS is not offered, although TLSA records are published.
        NoStarttls,
        /// STARTTLS is refused, likewise.
        StarttlsRefused,
        /// The TLS handshake fails.
        HandshakeBroken,
        /// The certificate under the trust anchor names another host.
        NameMismatch,
        /// A certificate under the trust anchor is not valid now.
        ChainExpired,
        /// No valid path leads to the trust anchor.
        ChainUntrusted,
        /// The server does not have the key of its certificate.
        WrongKey,
        /// The key of the certificate cannot be used.
        UnsupportedKey,
        /// The MTA-STS record is invalid.
        StsRecordInvalid,
        /// The MTA-STS policy cannot be had.
        StsPolicyFailed,
        /// The MTA-STS policy does not allow an MX host.
        StsMxNotAllowed,
        /// A server's certificate fails what the MTA-STS policy demands.
        StsCertificate,
        /// A server offers no TLS, which the MTA-STS policy demands.
        StsNoTls;
    Warning:
        /// The MX records are not signed.
        MxInsecure,
        /// The MX host is an alias.
        MxIsAlias,
        /// One family of addresses cannot be looked up.
        AddressFamilyFailed,
        /// The addresses of a host are not signed.
        HostInsecure,
        /// There are no TLSA records.
        TlsaAbsent,
        /// The TLSA records are not signed.
        TlsaInsecure,
        /// A TLSA record cannot be used.
        TlsaUnusable,
        /// The name above the TLSA records is denied.
        EmptyNonTerminalDenied,
        /// The name servers refuse to answer for the name above the TLSA records.
        EmptyNonTerminalFailed,
        /// A trust anchor is published for the next key, but would not verify it.
        RolloverIssuerInvalid,
        /// A name server answers for the TLSA records otherwise than others.
        NameServerBroken,
        /// Signatures expire soon.
        SignaturesExpire,
        /// A certificate on which the verdict depends expires soon.
        CertificateExpires,
        /// There was no time for everything.
        NotExamined,
        /// This machine could not connect, for a reason of its own.
        OurFault,
        /// No connection could be made.
        Unreachable,
        /// There was no SMTP session.
        Unanswered,
        /// The server refuses us.
        Refused,
        /// There is no TLS, and no TLSA record demands it.
        NoTls,
        /// A key or a signature of a certificate is weak.
        WeakCertificate,
        /// The MTA-STS record cannot be looked up.
        StsLookupFailed,
        /// There are several TLSRPT records, which count as none.
        TlsrptSeveral,
        /// The TLSRPT record is invalid.
        TlsrptInvalid,
        /// The TLSRPT record cannot be looked up.
        TlsrptLookupFailed;
    Advice:
        /// There are no MX records; the domain itself is the host.
        MxImplicit,
        /// A record for the server's key names the whole certificate.
        TlsaWholeCertificate,
        /// A record holds a whole certificate or key in place of a digest.
        TlsaFullData,
        /// The name above the TLSA records cannot be looked up now.
        EmptyNonTerminalUnknown,
        /// A trust anchor is an intermediate, although the root is sent.
        TlsaIntermediate,
        /// Only what is in use now is published: the next change of keys breaks delivery.
        NoRollover,
        /// The TTL of the TLSA records is outside 30 to 60 minutes.
        TlsaTtl,
        /// No host has an IPv6 address.
        MxNoIpv6,
        /// The name servers of a zone have fewer than two, or no, IPv6 addresses.
        NameServersNoIpv6,
        /// The certificate has expired, which DANE-EE does not look at.
        CertificateExpired,
        /// The certificate expires soon, which DANE-EE does not look at.
        CertificateRenewal,
        /// TLS 1.3 is not offered.
        NoTls13,
        /// There is no CAA record.
        CaaAbsent,
        /// There is an MTA-STS policy in testing mode.
        StsTesting,
        /// There is no TLSRPT record.
        TlsrptAbsent;
    Info:
        /// There is no mail service, and the domain says so.
        NullMx,
        /// There is neither an MX record nor an address.
        NoMail,
        /// Current and next key are published.
        RolloverNext,
        /// The current key and its issuer are published.
        RolloverIssuer,
        /// A record matches nothing that the server shows; it may be the next.
        TlsaUnmatched,
        /// No name server answered us directly: perhaps the way is closed here.
        NameServersSilent,
        /// This machine has no way to an address.
        NoRoute,
        /// The WebPKI does not accept the certificate, which DANE does not ask.
        NotInWebPki,
        /// There is no MTA-STS policy.
        StsAbsent;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_is_called_the_same_everywhere_and_documented() {
        let document = include_str!("../../../../../docs/check.md");
        for code in Code::ALL {
            let name = code.name();
            assert_eq!(serde_json::to_value(code).unwrap(), name);
            let row = format!("| `{name}` | {} |", code.severity().as_str());
            assert!(document.contains(&row), "docs/check.md has no {row}");
        }
    }
}
