//! Certificates and keys in PEM form, for tests.

/// A certificate in PEM form.
pub(crate) fn pem(der: &[u8]) -> String {
    armoured("CERTIFICATE", der)
}

/// A private key (PKCS #8) in PEM form.
pub(crate) fn key_pem(der: &[u8]) -> String {
    armoured("PRIVATE KEY", der)
}

fn armoured(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in der.chunks(3) {
        let value = (0..3).fold(0u32, |value, at| {
            value << 8 | u32::from(three.get(at).copied().unwrap_or(0))
        });
        for digit in 0..4 {
            let index = usize::try_from(value >> (18 - 6 * digit) & 63).unwrap();
            text.push(if digit <= three.len() {
                char::from(*ALPHABET.get(index).unwrap())
            } else {
                '='
            });
        }
    }
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}
