//! Files of DNSSEC trust anchors.

use dns::{AnchorProblem, TrustAnchors};

const ONE_MORE: &str =
    "\n; one more\n. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n";

/// A file is used whole or not at all; an error names one of its lines; appending another anchor adds one.
pub fn trust_anchors(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let lines = text.lines().count();
    let read = TrustAnchors::parse(&text);
    assert_eq!(read, TrustAnchors::parse(&text.replace('\n', "\r\n")));
    let longer = TrustAnchors::parse(&format!("{text}{ONE_MORE}"));
    match read {
        Ok(anchors) => {
            assert!((1..=lines).contains(&anchors.len()) && !anchors.is_empty());
            assert_eq!(longer.unwrap().len(), anchors.len() + 1);
        }
        Err(error) if error.problem == AnchorProblem::Empty => {
            assert_eq!(error.line, None);
            assert_eq!(longer.unwrap().len(), 1);
        }
        Err(error) => {
            assert!(
                error.line.is_some_and(|line| (1..=lines).contains(&line)),
                "{error}"
            );
            assert!(!error.to_string().contains(char::is_control), "{error}");
            assert!(longer.is_err(), "half a set would look whole");
        }
    }
}
