//! What a path must satisfy beyond signatures, dates, CA flags and names below the anchor.
//!
//! A published trust anchor is a certificate with rules of its own (RFC 7671 §5.2.1), while path building
//! reduces an anchor to a name and a key. Its dates, its fitness as a CA and its constraints are therefore
//! checked here, and so are the key usages along the path.

use rustls::pki_types::UnixTime;
use webpki::VerifiedPath;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::{
    OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER, OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_CERT_TYPE,
    OID_X509_EXT_EXTENDED_KEY_USAGE, OID_X509_EXT_KEY_USAGE, OID_X509_EXT_NAME_CONSTRAINTS,
    OID_X509_EXT_SUBJECT_ALT_NAME, OID_X509_EXT_SUBJECT_KEY_IDENTIFIER,
};
use x509_parser::x509::X509Version;

use crate::chain::parse;
use crate::failure::{PkixFailure, Untrusted, VerifyFailure};
use crate::names::general_names;

/// Checks a path that is otherwise valid. `anchor` is the certificate of the trust anchor, or `None` if a bare key is the
/// anchor.
pub(crate) fn check(
    path: &VerifiedPath<'_>,
    anchor: Option<&[u8]>,
    now: UnixTime,
) -> Result<(), VerifyFailure> {
    let leaf = path.end_entity().der();
    let leaf = parse(&leaf)?;
    can_be_read(&leaf)?;
    may_serve_tls(&leaf)?;
    let mut below_anchor = 0_u32;
    for intermediate in path.intermediate_certificates() {
        let der = intermediate.der();
        let certificate = parse(&der)?;
        can_be_read(&certificate)?;
        may_sign_certificates(&certificate)?;
        // Self-issued certificates do not count for the anchor's own constraint (RFC 5280 §4.2.1.9).
        if certificate.issuer() != certificate.subject() {
            below_anchor = below_anchor.saturating_add(1);
        }
    }
    match anchor {
        None => Ok(()),
        Some(der) => check_anchor(&parse(der)?, below_anchor, now),
    }
}

/// Whether any issuer of the path constrains names.
pub(crate) fn names_are_constrained(
    path: &VerifiedPath<'_>,
    anchor: Option<&[u8]>,
) -> Result<bool, VerifyFailure> {
    let constrains = |der: &[u8]| -> Result<bool, VerifyFailure> {
        let certificate = parse(der)?;
        let extension = certificate.name_constraints().map_err(|_| malformed())?;
        Ok(extension.is_some())
    };
    for intermediate in path.intermediate_certificates() {
        if constrains(&intermediate.der())? {
            return Ok(true);
        }
    }
    anchor.map_or(Ok(false), constrains)
}

fn check_anchor(certificate: &X509Certificate<'_>, below: u32, now: UnixTime) -> Result<(), VerifyFailure> {
    can_be_read(certificate)?;
    only_known_critical_extensions(certificate)?;
    check_dates(certificate, now)?;
    check_ca(certificate, below)?;
    may_sign_certificates(certificate)?;
    let purposes = certificate.extended_key_usage().map_err(|_| malformed())?;
    match purposes {
        Some(extension) if !extension.value.server_auth => Err(untrusted(Untrusted::Purpose)),
        Some(_) | None => Ok(()),
    }
}

/// The extensions that are understood must be well formed, critical or not: RFC 5280 §4.2 requires them to be processed, and
/// an unreadable one might have forbidden the use. This includes key identifiers, which otherwise decide nothing.
fn can_be_read(certificate: &X509Certificate<'_>) -> Result<(), VerifyFailure> {
    let understood = [
        OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER,
        OID_X509_EXT_BASIC_CONSTRAINTS,
        OID_X509_EXT_CERT_TYPE,
        OID_X509_EXT_EXTENDED_KEY_USAGE,
        OID_X509_EXT_KEY_USAGE,
        OID_X509_EXT_NAME_CONSTRAINTS,
        OID_X509_EXT_SUBJECT_ALT_NAME,
        OID_X509_EXT_SUBJECT_KEY_IDENTIFIER,
    ];
    let well_formed = certificate.iter_extensions().all(|extension| {
        let broken = extension.parsed_extension().error().is_some();
        !broken || !understood.contains(&extension.oid)
    });
    if well_formed && general_names(certificate).is_ok() {
        Ok(())
    } else {
        Err(malformed())
    }
}

fn only_known_critical_extensions(certificate: &X509Certificate<'_>) -> Result<(), VerifyFailure> {
    let known = |extension: &ParsedExtension<'_>| {
        matches!(
            extension,
            ParsedExtension::BasicConstraints(_)
                | ParsedExtension::KeyUsage(_)
                | ParsedExtension::ExtendedKeyUsage(_)
                | ParsedExtension::NameConstraints(_)
                | ParsedExtension::SubjectAlternativeName(_)
                // Any policy is acceptable here, so there is nothing to check in it.
                | ParsedExtension::CertificatePolicies(_)
        )
    };
    if certificate
        .iter_extensions()
        .all(|extension| !extension.critical || known(extension.parsed_extension()))
    {
        Ok(())
    } else {
        Err(untrusted(Untrusted::CriticalExtension))
    }
}

fn check_dates(certificate: &X509Certificate<'_>, now: UnixTime) -> Result<(), VerifyFailure> {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = certificate.validity();
    if now < validity.not_before.timestamp() {
        Err(VerifyFailure::NotYetValid)
    } else if now > validity.not_after.timestamp() {
        Err(VerifyFailure::Expired)
    } else {
        Ok(())
    }
}

/// CA:TRUE with sufficient path length. A self-issued version 1 certificate cannot say so; naming it in a TLSA record says
/// it (RFC 5280 §6.1.4 (k), "out-of-band means").
fn check_ca(certificate: &X509Certificate<'_>, below: u32) -> Result<(), VerifyFailure> {
    if certificate.version() == X509Version::V1 && certificate.issuer() == certificate.subject() {
        return Ok(());
    }
    let constraints = certificate.basic_constraints().map_err(|_| malformed())?;
    match constraints {
        Some(extension) if extension.value.ca => match extension.value.path_len_constraint {
            Some(most) if below > most => Err(untrusted(Untrusted::PathLength)),
            Some(_) | None => Ok(()),
        },
        Some(_) | None => Err(untrusted(Untrusted::InvalidCa)),
    }
}

/// An issuer with a key usage extension must have keyCertSign in it (RFC 5280 §6.1.4 (n)).
fn may_sign_certificates(certificate: &X509Certificate<'_>) -> Result<(), VerifyFailure> {
    let usage = certificate.key_usage().map_err(|_| malformed())?;
    match usage {
        Some(extension) if !extension.value.key_cert_sign() => Err(untrusted(Untrusted::KeyCertSign)),
        Some(_) | None => Ok(()),
    }
}

/// A leaf with a key usage extension must allow one of the uses that TLS makes of a server's key
/// (RFC 5280 §4.2.1.12 on id-kp-serverAuth), and one with the older `nsCertType` must be for servers.
fn may_serve_tls(certificate: &X509Certificate<'_>) -> Result<(), VerifyFailure> {
    let for_others = certificate
        .iter_extensions()
        .any(|extension| match extension.parsed_extension() {
            ParsedExtension::NSCertType(purposes) => !purposes.ssl_server(),
            _ => false,
        });
    if for_others {
        return Err(untrusted(Untrusted::Purpose));
    }
    let usage = certificate.key_usage().map_err(|_| malformed())?;
    match usage {
        Some(extension)
            if !(extension.value.digital_signature()
                || extension.value.key_encipherment()
                || extension.value.key_agreement()) =>
        {
            Err(untrusted(Untrusted::Purpose))
        }
        Some(_) | None => Ok(()),
    }
}

fn untrusted(reason: Untrusted) -> VerifyFailure {
    PkixFailure::Untrusted(reason).into()
}

fn malformed() -> VerifyFailure {
    untrusted(Untrusted::Malformed)
}
