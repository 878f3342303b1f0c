//! TLSA records as octets and as text.

use dane::{TlsaRecord, TlsaSet, TlsaSyntaxError, Unusable, usability};

/// RDATA keeps its fields, its text form comes back, and usability is as RFC 6698 §4.1 and RFC 7672 §3.1 have it.
pub fn tlsa_rdata(octets: &[u8]) {
    if let Some(record) = str::from_utf8(octets).ok().and_then(|text| text.parse().ok()) {
        text_form(&record);
    }
    let record = match TlsaRecord::from_rdata(octets) {
        Ok(record) => record,
        Err(error) => {
            assert_eq!(error, TlsaSyntaxError::ShortRdata);
            assert!(octets.len() < 3);
            return;
        }
    };
    let fields = [
        u8::from(record.usage),
        u8::from(record.selector),
        u8::from(record.matching),
    ];
    assert_eq!((&fields[..], &record.data[..]), octets.split_at(3));
    text_form(&record);
    sorted_as_expected(&record, fields);
}

fn text_form(record: &TlsaRecord) {
    let text = record.to_string();
    match text.parse::<TlsaRecord>() {
        Ok(again) => assert_eq!(again, *record),
        Err(error) => {
            // A zone file cannot say it (RFC 6698 §2.2).
            assert_eq!(error, TlsaSyntaxError::MissingField);
            assert!(record.data.is_empty());
        }
    }
    let short = record.fingerprint().to_string();
    assert!(text.starts_with(short.trim_end_matches('…')), "{short} of {text}");
}

fn sorted_as_expected(record: &TlsaRecord, fields: [u8; 3]) {
    let verdict = usability(record);
    let known = fields[0] <= 3 && fields[1] <= 1 && fields[2] <= 2;
    match (fields, record.data.len()) {
        ([0 | 1, ..], _) => assert_eq!(verdict, Err(Unusable::PkixUsage)),
        (_, 0) => assert!(verdict.is_err()),
        ([_, _, 1], 32) | ([_, _, 2], 64) => assert_eq!(verdict.is_ok(), known),
        // A whole object is usable if it can be read; `verifier` tests what then becomes of it.
        ([_, _, 0], _) if known => {}
        _ => assert!(verdict.is_err()),
    }
    let set = TlsaSet::new(vec![record.clone(), record.clone()]);
    assert_eq!(set.is_usable(), verdict.is_ok());
    assert_eq!(set.usable().len() + set.unusable().len(), 2);
    assert!(set.outranked().is_empty(), "nothing outranks its like");
}
