//! What domains publish about TLS reports, and the reports of others.

use tlsrpt::read::read;
use tlsrpt::{Place, RecordFault, meaning, published};

/// The most places of a record.
const PLACES: usize = 10;
/// The most entries of a list, and the most octets of a text, that are kept of a report.
const ENTRIES: usize = 10_000;
const TEXT: usize = 16 << 10;

/// Strings on lines of their own are records. Others beside them change nothing, one record twice is none, and a place that
/// is written down again is the same place.
pub fn tlsrpt_record(octets: &[u8]) {
    let records: Vec<&[u8]> = octets.split(|octet| *octet == b'\n').collect();
    let found = published(&records);
    let others = [&b"v=spf1 -all"[..], b"", b"v=TLSRPTv10; rua=mailto:a@b.example"];
    assert_eq!(published(&[&others[..], &records[..]].concat()), found);
    let about = records
        .iter()
        .filter(|record| published(&[record]) != Ok(None))
        .count();
    match &found {
        Ok(None) => assert_eq!(about, 0),
        Ok(Some(record)) => {
            assert_eq!(about, 1);
            assert!(!record.places.is_empty() || !record.passed_over.is_empty());
            assert!(record.places.len() <= PLACES && record.passed_over.len() <= PLACES);
            for place in &record.places {
                assert_eq!(Place::parse(&place.to_string()).as_ref(), Ok(place));
            }
        }
        Err(RecordFault::Several) => assert!(about > 1),
        Err(RecordFault::Field | RecordFault::NoRua) => assert_eq!(about, 1),
    }
    if about > 0 {
        let twice = [&records[..], &records[..]].concat();
        assert_eq!(published(&twice), Err(RecordFault::Several));
    }
}

/// Whatever a report says, what is kept of it is bounded, can be written as JSON, and has a meaning.
pub fn tlsrpt_report(octets: &[u8]) {
    let Ok(reading) = read(octets) else {
        return;
    };
    let report = &reading.report;
    assert!(report.policies.len() <= ENTRIES);
    for policy in &report.policies {
        assert!(policy.failures.len() <= ENTRIES);
        assert!(
            policy
                .strings
                .iter()
                .chain(&policy.mx)
                .all(|text| text.len() <= TEXT)
        );
        for detail in &policy.failures {
            assert!(detail.result.len() <= TEXT);
            let meaning = meaning::of(detail.known(), &policy.kind);
            assert!(!meaning.says.is_empty() && !meaning.advice.is_empty());
        }
    }
    let (met, failed) = report.sessions();
    let counted = report
        .policies
        .iter()
        .any(|policy| policy.successful > 0 || policy.failures() > 0);
    assert_eq!(met > 0 || failed > 0, counted);
    assert!(serde_json::to_string(report).is_ok());
    if reading.carrier.is_none() && octets.first() == Some(&b'{') {
        let marked = [&b"\xEF\xBB\xBF"[..], octets].concat();
        assert_eq!(read(&marked).ok().as_ref(), Some(&reading));
    }
}
