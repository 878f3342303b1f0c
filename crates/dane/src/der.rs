//! The small part of X.509 that DANE-EE needs: where the issuer, the subject and the key are.
//!
//! Only the order of the fields is checked, because RFC 7671 §5.1 gives no meaning to the rest of a leaf certificate that a
//! DANE-EE(3) record matches: its version, dates, names and extensions may be anything.

const BIT_STRING: u8 = 0x03;
const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const EXPLICIT_VERSION: u8 = 0xa0;

/// Fields of a certificate, borrowed from its DER.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    /// Contents of the issuer's `Name`, without tag and length (the form webpki compares).
    pub(crate) issuer: &'a [u8],
    /// Contents of the subject's `Name`, likewise.
    pub(crate) subject: &'a [u8],
    /// The whole `SubjectPublicKeyInfo`, tag and length included (the form TLSA records match).
    pub(crate) spki: &'a [u8],
}

impl<'a> Fields<'a> {
    /// `None` if `der` does not have the layout of an RFC 5280 §4.1 certificate.
    pub(crate) fn read(der: &'a [u8]) -> Option<Self> {
        let mut outer = Reader(der);
        let mut certificate = outer.contents(SEQUENCE)?;
        if !outer.0.is_empty() {
            return None;
        }
        let mut tbs = certificate.contents(SEQUENCE)?;
        if tbs.0.first() == Some(&EXPLICIT_VERSION) {
            tbs.contents(EXPLICIT_VERSION)?;
        }
        tbs.contents(INTEGER)?; // serial number
        tbs.contents(SEQUENCE)?; // signature algorithm
        let issuer = tbs.contents(SEQUENCE)?.0;
        tbs.contents(SEQUENCE)?; // validity
        let subject = tbs.contents(SEQUENCE)?.0;
        let spki = tbs.element(SEQUENCE)?;
        spki_contents(spki)?;
        certificate.contents(SEQUENCE)?; // signature algorithm
        certificate.contents(BIT_STRING)?; // signature
        certificate.0.is_empty().then_some(Self {
            issuer,
            subject,
            spki,
        })
    }
}

/// Contents of a `SubjectPublicKeyInfo` without its tag and length; `None` if `der` is not one.
pub(crate) fn spki_contents(der: &[u8]) -> Option<&[u8]> {
    let mut outer = Reader(der);
    let contents = outer.contents(SEQUENCE)?;
    let mut fields = Reader(contents.0);
    fields.contents(SEQUENCE)?; // algorithm
    fields.contents(BIT_STRING)?; // key
    (outer.0.is_empty() && fields.0.is_empty()).then_some(contents.0)
}

/// The two parts of a `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7).
#[derive(Clone, Copy, Debug)]
pub(crate) struct PublicKey<'a> {
    /// Contents of the `AlgorithmIdentifier`, without tag and length.
    pub(crate) algorithm: &'a [u8],
    /// The key, whole octets.
    pub(crate) key: &'a [u8],
}

impl<'a> PublicKey<'a> {
    /// `None` if `spki` is not a `SubjectPublicKeyInfo`.
    pub(crate) fn read(spki: &'a [u8]) -> Option<Self> {
        let mut fields = Reader(spki_contents(spki)?);
        let algorithm = fields.contents(SEQUENCE)?.0;
        let (unused_bits, key) = fields.contents(BIT_STRING)?.0.split_first()?;
        (*unused_bits == 0).then_some(Self { algorithm, key })
    }

    /// The length in bits of the key's first number: of an RSA key, the modulus (RFC 8017 §A.1.1).
    pub(crate) fn first_number_bits(&self) -> Option<usize> {
        let mut numbers = Reader(self.key).contents(SEQUENCE)?;
        let number = numbers.contents(INTEGER)?.0;
        let start = number.iter().position(|octet| *octet != 0)?;
        let (first, others) = number.get(start..)?.split_first()?;
        let first_bits = usize::try_from(u8::BITS - first.leading_zeros()).ok()?;
        others.len().checked_mul(8)?.checked_add(first_bits)
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next element's contents, if it has this tag.
    fn contents(&mut self, tag: u8) -> Option<Reader<'a>> {
        let (header, length) = header(self.0, tag)?;
        let (element, rest) = self.0.split_at_checked(header.checked_add(length)?)?;
        self.0 = rest;
        element.get(header..).map(Reader)
    }

    /// The next element with its tag and length.
    fn element(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (header, length) = header(self.0, tag)?;
        let (element, rest) = self.0.split_at_checked(header.checked_add(length)?)?;
        self.0 = rest;
        Some(element)
    }
}

/// Octets of tag and length, and the length, of an element with this tag. Lengths of up to three octets:
/// a TLS certificate cannot be longer (RFC 8446 §4.4.2).
fn header(der: &[u8], tag: u8) -> Option<(usize, usize)> {
    let (&first, after_tag) = der.split_first()?;
    if first != tag {
        return None;
    }
    let (&length, after_length) = after_tag.split_first()?;
    if length < 0x80 {
        return Some((2, usize::from(length)));
    }
    let octets = usize::from(length & 0x7f);
    if octets == 0 || octets > 3 {
        return None;
    }
    let length = after_length
        .get(..octets)?
        .iter()
        .fold(0_usize, |sum, octet| sum << 8 | usize::from(*octet));
    Some((2 + octets, length))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn certificate() -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["mx.example".to_owned()]).unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn agrees_with_a_full_parser() {
        let der = certificate();
        let fields = Fields::read(&der).unwrap();
        let (_, full) = x509_parser::parse_x509_certificate(&der).unwrap();
        assert_eq!(fields.spki, full.public_key().raw);
        assert!(full.subject().as_raw().ends_with(fields.subject));
        assert_eq!(fields.subject, fields.issuer);
    }

    #[test]
    fn every_truncation_and_any_trailing_octet_is_refused() {
        let der = certificate();
        for end in 0..der.len() {
            assert!(Fields::read(&der[..end]).is_none(), "cut at {end}");
        }
        let mut longer = der.clone();
        longer.push(0);
        assert!(Fields::read(&longer).is_none());
    }

    #[test]
    fn no_octet_can_make_it_panic() {
        let der = certificate();
        for position in 0..der.len() {
            for value in [0x00, 0x30, 0x7f, 0x80, 0x83, 0x84, 0xff] {
                let mut broken = der.clone();
                broken[position] = value;
                let _ = Fields::read(&broken);
                let _ = spki_contents(&broken);
            }
        }
    }

    #[test]
    fn a_key_alone() {
        let der = certificate();
        let spki = Fields::read(&der).unwrap().spki;
        assert_eq!(spki_contents(spki), Some(&spki[2..]));
        assert!(spki_contents(&der).is_none());
        assert!(spki_contents(b"random").is_none());
    }
}
