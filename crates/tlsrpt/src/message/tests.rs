#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use mail::{Domain, TlsTally};
use mail_parser::{MessageParser, MimeHeaders as _, PartType};

use super::*;
use crate::gzip;
use crate::reporter::Reporter;

const ID: &str = "01JDB3ZZZZZZZZZZZZZZZZZZZZ";

struct Scene {
    reporter: Reporter,
    domain: Domain,
    tallies: Vec<TlsTally>,
}

impl Scene {
    fn new(domain: &str) -> Self {
        let mailbox = |text| Mailbox::parse(text).unwrap();
        let domain = Domain::parse(domain).unwrap();
        Self {
            reporter: Reporter::new(
                "Example",
                &mailbox("postmaster@example.nl"),
                &mailbox("tlsrpt@example.nl"),
            )
            .unwrap(),
            tallies: vec![TlsTally {
                policy: TlsPolicy::None {
                    domain: domain.clone(),
                },
                successes: 7,
                failures: 2,
                details: Vec::new(),
            }],
            domain,
        }
    }

    fn letter(&self) -> (String, Vec<u8>) {
        let report = Report {
            reporter: &self.reporter,
            domain: &self.domain,
            day: "2026-11-28".parse().unwrap(),
            id: ID.parse().unwrap(),
            tallies: &self.tallies,
        };
        let letter = ReportMail {
            report: &report,
            packed: &report.pack(),
            to: &Mailbox::parse("reports@example.org").unwrap(),
            id: "01JDB4ZZZZZZZZZZZZZZZZZZZZ".parse().unwrap(),
            now: "2026-11-29T02:03:04Z".parse().unwrap(),
        };
        (String::from_utf8(letter.unsigned()).unwrap(), report.write().json)
    }
}

#[test]
fn the_form_of_the_mail() {
    let scene = Scene::new("example.org");
    let (text, json) = scene.letter();
    let head = text.split("\r\n\r\n").next().unwrap();
    for line in [
        "From: <tlsrpt@example.nl>",
        "To: <reports@example.org>",
        "Date: Sun, 29 Nov 2026 02:03:04 +0000",
        "Message-ID: <01JDB4ZZZZZZZZZZZZZZZZZZZZ@example.nl>",
        "TLS-Report-Domain: example.org",
        "TLS-Report-Submitter: example.nl",
        "TLS-Required: No",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
    ] {
        assert!(head.lines().any(|found| found == line), "{line}\n{head}");
    }
    let message = MessageParser::default().parse(text.as_bytes()).unwrap();
    assert_eq!(
        message.subject().unwrap(),
        format!("Report Domain: example.org Submitter: example.nl Report-ID: <{ID}@example.nl>")
    );
    let kind = message.content_type().unwrap();
    assert_eq!((kind.ctype(), kind.subtype()), ("multipart", Some("report")));
    assert_eq!(kind.attribute("report-type"), Some("tlsrpt"));
    let parts: Vec<_> = message.parts.iter().skip(1).collect();
    assert_eq!(parts.len(), 2);
    assert!(matches!(&parts[0].body, PartType::Text(text) if text.contains("did not:        2")));
    let kind = parts[1].content_type().unwrap();
    assert_eq!(
        (kind.ctype(), kind.subtype()),
        ("application", Some("tlsrpt+gzip"))
    );
    let name = format!("example.nl!example.org!1795824000!1795910399!{ID}.json.gz");
    assert_eq!(parts[1].attachment_name(), Some(name.as_str()));
    assert_eq!(gzip::unpack(parts[1].contents(), 1 << 20).unwrap(), json);
}

#[test]
fn it_passes_every_server() {
    let long = vec!["abcdefghijklmno"; 15].join(".");
    let (text, _) = Scene::new(&long).letter();
    assert!(text.is_ascii());
    for line in text.split("\r\n") {
        assert!(line.len() <= 998 && !line.contains(['\r', '\n']), "{line}");
    }
    assert!(text.ends_with("\r\n"));
    let message = MessageParser::default().parse(text.as_bytes()).unwrap();
    assert!(
        message
            .subject()
            .unwrap()
            .contains(&format!("Domain: {long} Submitter: "))
    );
    let name = message.parts[2].attachment_name().unwrap();
    assert!(name.starts_with(&format!("example.nl!{long}!")), "{name}");
}
