//! Names and record data as they are written in zone files (RFC 1035 §5.1, RFC 3597 §5).

use std::fmt::Write as _;

use hickory_proto::rr::{Name, RData, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

/// Record data in presentation form.
pub(crate) fn presented(data: &RData) -> String {
    match data {
        RData::TXT(txt) => {
            let strings: Vec<String> = txt.txt_data.iter().map(|octets| quoted(octets)).collect();
            strings.join(" ")
        }
        RData::NULL(null) => generic(&null.anything),
        RData::Unknown {
            code: RecordType::DNAME,
            rdata,
        } => Name::read(&mut BinDecoder::new(&rdata.anything))
            .map_or_else(|_| generic(&rdata.anything), |name| name.to_ascii()),
        RData::Unknown { rdata, .. } => generic(&rdata.anything),
        known => known.to_string(),
    }
}

/// A name whose labels may contain any octet: an unprintable one is written as its number in decimal digits.
pub(crate) fn written(name: &Name) -> String {
    let mut text = String::new();
    for label in name {
        for octet in label {
            match octet {
                b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => {
                    text.push('\\');
                    text.push(char::from(*octet));
                }
                b'!'..=b'~' => text.push(char::from(*octet)),
                _ => {
                    let _ = write!(text, "\\{octet:03}");
                }
            }
        }
        text.push('.');
    }
    text
}

/// A `<character-string>` between quotes.
fn quoted(octets: &[u8]) -> String {
    let mut text = String::from("\"");
    for octet in octets {
        match octet {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(char::from(*octet));
            }
            b' '..=b'~' => text.push(char::from(*octet)),
            _ => {
                let _ = write!(text, "\\{octet:03}");
            }
        }
    }
    text.push('"');
    text
}

/// Data of a type that has no presentation form of its own (RFC 3597 §5).
fn generic(octets: &[u8]) -> String {
    let mut text = format!("\\# {}", octets.len());
    for (index, octet) in octets.iter().enumerate() {
        let _ = write!(text, "{}{octet:02x}", if index == 0 { " " } else { "" });
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hickory_proto::rr::rdata::{A, NULL, TXT};

    use super::*;

    #[test]
    fn names_are_written_as_in_a_zone_file() {
        let labels: [&[u8]; 3] = [b"a.b c\\", b"\xff-_", b"test"];
        let name = Name::from_labels(labels).unwrap();
        assert_eq!(written(&name), r"a\.b\032c\\.\255-_.test.");
    }

    #[test]
    fn data_is_written_as_in_a_zone_file() {
        let txt = TXT::from_bytes(vec![b"v=STSv1; id=1".as_slice(), b"a\"b\\c\x1b\xff", b""]);
        assert_eq!(
            presented(&RData::TXT(txt)),
            r#""v=STSv1; id=1" "a\"b\\c\027\255" """#
        );
        let unknown = |code, octets: &[u8]| RData::Unknown {
            code,
            rdata: if octets.is_empty() {
                NULL::new()
            } else {
                NULL::with(octets.to_vec())
            },
        };
        let code = RecordType::Unknown(65280);
        assert_eq!(presented(&unknown(code, &[0xab, 0, 1])), r"\# 3 ab0001");
        assert_eq!(presented(&unknown(code, &[])), r"\# 0");
        assert_eq!(
            presented(&unknown(RecordType::DNAME, b"\x02mx\x04test\0")),
            "mx.test."
        );
        assert_eq!(presented(&unknown(RecordType::DNAME, b"\x02m")), r"\# 2 026d");
        assert_eq!(presented(&RData::A(A::new(192, 0, 2, 1))), "192.0.2.1");
    }
}
