//! DKIM signatures of mailed reports (RFC 6376, RFC 8301, RFC 8463; RFC 8460 §3 demands one).

use std::fmt;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use data_encoding::BASE64;
use mail::{Domain, DomainError};
use mail_auth::common::crypto::{DkimKey, Ed25519Key, RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::dkim::{DkimSigner, Done};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// What a signature covers of the header: From, which must be covered (RFC 6376 §5.4), both fields of reports (RFC 8460
/// §5.3), and whatever else would change the meaning. Nobody may add or change one of these on the way.
const SIGNED: [&str; 11] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Auto-Submitted",
    "TLS-Required",
    "TLS-Report-Domain",
    "TLS-Report-Submitter",
];

/// The longest RSA key that every verifier accepts, in octets: 4096 bits (RFC 8301 §3.2). Shorter ones than 2048 bits are
/// refused by the library.
const RSA_LONGEST: usize = 512;

/// The beginnings of encodings of algorithms in a PKCS#8 key (RFC 8017 appendix A.1, RFC 8410 §3): object identifiers.
const RSA: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
const ED25519: &[u8] = &[0x06, 0x03, 0x2B, 0x65, 0x70];
/// The algorithm stands within so many octets from the beginning.
const ALGORITHM_WITHIN: usize = 32;

/// Signs mail.
pub struct Signer {
    dkim: DkimSigner<DkimKey, Done>,
    domain: Domain,
    selector: Domain,
    record: String,
}

/// Why a key cannot sign: the administrator has to fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// The selector is no name.
    #[error("the selector {0:?} is no name: {1}; allowed: labels like \"tlsrpt2026\"")]
    Selector(String, DomainError),
    /// The key is encrypted, and there is nobody to ask for the password.
    #[error(
        "the key is encrypted; allowed: PEM with PRIVATE KEY (PKCS#8, not encrypted), which `openssl pkcs8 -topk8 -nocrypt \
         -in OLD` makes of it"
    )]
    Encrypted,
    /// It has another form.
    #[error(
        "the key is in the old form of its algorithm; allowed: PEM with PRIVATE KEY (PKCS#8), which `openssl pkcs8 -topk8 \
         -nocrypt -in OLD` makes of it"
    )]
    OldForm,
    /// There is none in the text.
    #[error("there is no private key in it; allowed: PEM with PRIVATE KEY (PKCS#8)")]
    NoKey,
    /// It has another algorithm.
    #[error("the key is neither for RSA nor for Ed25519, and no others sign mail (RFC 8301, RFC 8463)")]
    Algorithm,
    /// It cannot be used.
    #[error("the RSA key is refused ({0}); allowed: a whole key of 2048 to 4096 bits")]
    Rsa(String),
    /// The same of a key that others would not accept.
    #[error("the RSA key has {0} bits; allowed: 2048 to 4096, which every verifier accepts (RFC 8301)")]
    RsaLong(usize),
    /// It cannot be used.
    #[error("the Ed25519 key is refused ({0})")]
    Ed25519(String),
}

/// A message could not be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the report could not be signed: {0}")]
pub struct SignFault(String);

impl Signer {
    /// Signs for `domain` with the key that is published under `selector`, given as PEM.
    pub fn from_pem(domain: &Domain, selector: &str, pem: &[u8]) -> Result<Self, KeyFault> {
        let wrong = |error| KeyFault::Selector(selector.to_owned(), error);
        let selector = Domain::parse(selector).map_err(wrong)?;
        let (key, record) = read_key(&pkcs8(pem)?)?;
        let dkim = DkimSigner::from_key(key)
            .domain(domain.as_str())
            .selector(selector.as_str())
            .headers(SIGNED);
        Ok(Self {
            dkim,
            domain: domain.clone(),
            selector,
            record,
        })
    }

    /// The domain that takes responsibility: `d=`.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The selector: `s=`.
    pub fn selector(&self) -> &Domain {
        &self.selector
    }

    /// The TXT record that has to be published at `SELECTOR._domainkey.DOMAIN`. It names no service types, and so means all of
    /// them, reports included (RFC 6376 §3.6.1): with `s=tlsrpt` (RFC 8460 §3) verifiers of ordinary mail would refuse the
    /// signature, and some do not understand a list of types.
    pub fn record(&self) -> &str {
        &self.record
    }

    /// The field `DKIM-Signature` with its line end, which belongs in front of the message. The whole body is covered: there
    /// is no `l=`.
    pub fn sign(&self, message: &[u8]) -> Result<String, SignFault> {
        let signature = self.dkim.sign(message);
        let signature = signature.map_err(|error| SignFault(error.to_string()))?;
        Ok(signature.to_header())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("domain", &self.domain)
            .field("selector", &self.selector)
            .finish_non_exhaustive()
    }
}

fn pkcs8(pem: &[u8]) -> Result<PrivatePkcs8KeyDer<'static>, KeyFault> {
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(PrivateKeyDer::Pkcs8(key)) => Ok(key),
        Ok(_) => Err(KeyFault::OldForm),
        Err(_) if contains(pem, b"-----BEGIN ENCRYPTED PRIVATE KEY-----") => Err(KeyFault::Encrypted),
        Err(_) => Err(KeyFault::NoKey),
    }
}

/// The key, and the record with its public half.
fn read_key(key: &PrivatePkcs8KeyDer<'_>) -> Result<(DkimKey, String), KeyFault> {
    let der = key.secret_pkcs8_der();
    let head = der.get(..ALGORITHM_WITHIN.min(der.len())).unwrap_or_default();
    if contains(head, RSA) {
        let refused = |error: KeyRejected| KeyFault::Rsa(error.to_string());
        let pair = RsaKeyPair::from_pkcs8(der).map_err(refused)?;
        if pair.public_modulus_len() > RSA_LONGEST {
            return Err(KeyFault::RsaLong(pair.public_modulus_len() * 8));
        }
        let public: PublicKeyX509Der<'_> = pair
            .public_key()
            .as_der()
            .map_err(|error| KeyFault::Rsa(error.to_string()))?;
        let record = record("rsa", public.as_ref());
        let key = RsaKey::<Sha256>::from_key_der(PrivateKeyDer::Pkcs8(key.clone_key()));
        let key = key.map_err(|error| KeyFault::Rsa(error.to_string()))?;
        Ok((key.into(), record))
    } else if contains(head, ED25519) {
        let pair = Ed25519KeyPair::from_pkcs8(der).map_err(|error| KeyFault::Ed25519(error.to_string()))?;
        let record = record("ed25519", pair.public_key().as_ref());
        let key = Ed25519Key::from_pkcs8_der(der).map_err(|error| KeyFault::Ed25519(error.to_string()))?;
        Ok((key.into(), record))
    } else {
        Err(KeyFault::Algorithm)
    }
}

fn record(algorithm: &str, public: &[u8]) -> String {
    format!("v=DKIM1; k={algorithm}; p={}", BASE64.encode(public))
}

fn contains(octets: &[u8], sought: &[u8]) -> bool {
    octets.windows(sought.len()).any(|window| window == sought)
}

#[cfg(test)]
mod tests;
