//! Which keys a server can authenticate with: those whose handshake signatures we can verify.
//!
//! A record that matches a certificate with another key is correct but useless: no handshake is ever completed. The check of
//! the chain reports this, so that it is not reported as a wrong signature later.

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;

use crate::der::{Fields, PublicKey};

/// Bits of an RSA key (RFC 9325 §4.5 for the minimum; above the maximum, no algorithm of the provider can verify).
const SHORTEST_RSA: usize = 2048;
const LONGEST_RSA: usize = 8192;
/// Contents of the `AlgorithmIdentifier` `rsaEncryption` with its NULL (RFC 3279 §2.3.1).
const RSA_ENCRYPTION: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];

/// Why no handshake can be signed with the key of a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedKey {
    /// An RSA key of fewer than 2048 bits.
    #[error("the certificate's RSA key of {bits} bits is too short: at least 2048 are needed")]
    ShortRsa {
        /// The length of its modulus.
        bits: usize,
    },
    /// An RSA key of more than 8192 bits.
    #[error("the certificate's RSA key of {bits} bits is too long: at most 8192 are supported")]
    LongRsa {
        /// The length of its modulus.
        bits: usize,
    },
    /// An algorithm or curve that is not supported.
    #[error(
        "the certificate's key is of a kind that is not supported: RSA (rsaEncryption), ECDSA on P-256, P-384 and \
         P-521, Ed25519 and ML-DSA are"
    )]
    Kind,
    /// There is no key that can be read.
    #[error("the certificate's key is malformed")]
    Malformed,
}

/// Whether a handshake can be signed with the certificate's key, by the algorithms of
/// [`provider`](crate::provider).
pub fn supported_key(certificate: &CertificateDer<'_>) -> Result<(), UnsupportedKey> {
    supported(Fields::read(certificate.as_ref()).as_ref())
}

pub(crate) fn supported(fields: Option<&Fields<'_>>) -> Result<(), UnsupportedKey> {
    let key = fields
        .and_then(|fields| PublicKey::read(fields.spki))
        .ok_or(UnsupportedKey::Malformed)?;
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
    let known = algorithms
        .mapping
        .iter()
        .flat_map(|(_, algorithms)| algorithms.iter())
        .any(|algorithm| algorithm.public_key_alg_id().as_ref() == key.algorithm);
    if !known {
        return Err(UnsupportedKey::Kind);
    }
    if key.algorithm != RSA_ENCRYPTION {
        return Ok(());
    }
    match key.first_number_bits().ok_or(UnsupportedKey::Malformed)? {
        bits if bits < SHORTEST_RSA => Err(UnsupportedKey::ShortRsa { bits }),
        bits if bits > LONGEST_RSA => Err(UnsupportedKey::LongRsa { bits }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    /// The subject's key in a certificate that contains nothing else of interest.
    fn with_key(algorithm: &[u8], key: &[u8]) -> Result<(), UnsupportedKey> {
        let element = |tag: u8, contents: &[u8]| {
            let [high, low] = u16::try_from(contents.len()).unwrap().to_be_bytes();
            [&[tag, 0x82, high, low], contents].concat()
        };
        let bits = element(0x03, &[&[0], key].concat());
        let spki = element(0x30, &[&element(0x30, algorithm)[..], &bits].concat());
        let fields = Fields {
            issuer: &[],
            subject: &[],
            spki: &spki,
        };
        supported(Some(&fields))
    }

    /// An `RSAPublicKey` whose modulus has this many bits, all of them set.
    fn rsa(bits: usize) -> Vec<u8> {
        let mut modulus = vec![0; bits.div_ceil(8) + 1];
        modulus[1..].fill(0xff);
        modulus[1] >>= (8 - bits % 8) % 8;
        let [high, low] = u16::try_from(modulus.len()).unwrap().to_be_bytes();
        let numbers = [&[2, 0x82, high, low][..], &modulus, &[2, 3, 1, 0, 1]].concat();
        let [high, low] = u16::try_from(numbers.len()).unwrap().to_be_bytes();
        [&[0x30, 0x82, high, low][..], &numbers].concat()
    }

    #[test]
    fn rsa_keys_by_length() {
        for (bits, expected) in [
            (1024, Err(UnsupportedKey::ShortRsa { bits: 1024 })),
            (2041, Err(UnsupportedKey::ShortRsa { bits: 2041 })),
            (2047, Err(UnsupportedKey::ShortRsa { bits: 2047 })),
            (2048, Ok(())),
            (8192, Ok(())),
            (8193, Err(UnsupportedKey::LongRsa { bits: 8193 })),
        ] {
            assert_eq!(with_key(RSA_ENCRYPTION, &rsa(bits)), expected, "{bits}");
        }
        for nonsense in [&[][..], &[0x30, 0], &[0x30, 2, 2, 0], &[0x30, 3, 2, 1, 0]] {
            let verdict = with_key(RSA_ENCRYPTION, nonsense);
            assert_eq!(verdict, Err(UnsupportedKey::Malformed), "{nonsense:?}");
        }
        assert_eq!(supported(None), Err(UnsupportedKey::Malformed));
    }

    #[test]
    fn other_keys_by_kind() {
        let on_curve = |oid: &[u8]| [&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], oid].concat();
        let [p256, p384, p521] = [
            on_curve(&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]),
            on_curve(&[6, 5, 0x2b, 0x81, 4, 0, 34]),
            on_curve(&[6, 5, 0x2b, 0x81, 4, 0, 35]),
        ];
        let (ed25519, ml_dsa_65) = ([6, 3, 0x2b, 0x65, 0x70], {
            [6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 18]
        });
        for good in [&p256[..], &p384, &p521, &ed25519, &ml_dsa_65] {
            assert_eq!(with_key(good, &[4; 65]), Ok(()), "{good:x?}");
        }
        let [p224, secp256k1, brainpool] = [
            on_curve(&[6, 5, 0x2b, 0x81, 4, 0, 33]),
            on_curve(&[6, 5, 0x2b, 0x81, 4, 0, 10]),
            on_curve(&[6, 9, 0x2b, 0x24, 3, 3, 2, 8, 1, 1, 7]),
        ];
        let ed448 = [6, 3, 0x2b, 0x65, 0x71];
        let rsa_pss = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
        for other in [&p224[..], &secp256k1, &brainpool, &ed448, &rsa_pss] {
            let verdict = with_key(other, &rsa(4096));
            assert_eq!(verdict, Err(UnsupportedKey::Kind), "{other:x?}");
        }
    }
}
