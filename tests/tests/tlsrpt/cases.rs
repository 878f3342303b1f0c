//! Reports with everything in them.

use jiff::civil::Date;
use mail::{Domain, Mailbox, QueueId, TlsDetail, TlsFailure, TlsPolicy, TlsResult, TlsTally};
use tlsrpt::{Packed, Report, ReportMail, Reporter, Signer};

pub(crate) const ID: &str = "01JDB3ZZZZZZZZZZZZZZZZZZZZ";

/// All kinds of failures.
pub(crate) const RESULTS: [TlsResult; 11] = [
    TlsResult::StarttlsNotSupported,
    TlsResult::CertificateHostMismatch,
    TlsResult::CertificateExpired,
    TlsResult::CertificateNotTrusted,
    TlsResult::ValidationFailure,
    TlsResult::TlsaInvalid,
    TlsResult::DnssecInvalid,
    TlsResult::DaneRequired,
    TlsResult::StsPolicyFetchError,
    TlsResult::StsPolicyInvalid,
    TlsResult::StsWebpkiInvalid,
];

pub(crate) fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

pub(crate) fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

/// A day's report, with what it rests on.
pub(crate) struct Case {
    reporter: Reporter,
    domain: Domain,
    pub(crate) tallies: Vec<TlsTally>,
}

impl Case {
    /// A report about all three kinds of policies and every kind of failure.
    pub(crate) fn whole() -> Self {
        let about = domain("bücher.example");
        let details = (1_u64..).zip(RESULTS).map(|(count, result)| TlsDetail {
            failure: failure(result),
            count,
        });
        let details: Vec<TlsDetail> = details.collect();
        let failures = details.iter().map(|detail| detail.count).sum();
        let bare = TlsDetail {
            failure: TlsFailure::of(TlsResult::StsPolicyFetchError),
            count: 2,
        };
        let lines = [
            "version: STSv1",
            "mode: enforce",
            "mx: *.xn--bcher-kva.example",
            "max_age: 86400",
        ];
        let tallies = vec![
            TlsTally {
                policy: TlsPolicy::tlsa(domain("mx1.bücher.example"), records()),
                successes: 1000,
                failures,
                details,
            },
            TlsTally {
                policy: TlsPolicy::sts(
                    about.clone(),
                    lines.map(str::to_owned),
                    ["*.xn--bcher-kva.example".to_owned()],
                ),
                successes: 0,
                failures: 2,
                details: vec![bare],
            },
            TlsTally {
                policy: TlsPolicy::None {
                    domain: about.clone(),
                },
                successes: 7,
                failures: 0,
                details: Vec::new(),
            },
        ];
        Self::of(about, tallies)
    }

    /// A report of a day without failures.
    pub(crate) fn quiet() -> Self {
        let about = domain("example.org");
        let policy = TlsPolicy::tlsa(domain("mx.example.org"), records());
        let tally = TlsTally {
            policy,
            successes: 3,
            failures: 0,
            details: Vec::new(),
        };
        Self::of(about, vec![tally])
    }

    /// As large as reports become.
    pub(crate) fn huge() -> Self {
        let tallies = (0..300_u64).map(|number| TlsTally {
            policy: TlsPolicy::tlsa(domain(&format!("mx{number}.example.org")), records()),
            successes: u64::MAX,
            failures: number,
            details: (0..100)
                .map(|count| TlsDetail {
                    failure: failure(TlsResult::ValidationFailure),
                    count,
                })
                .collect(),
        });
        Self::of(domain("example.org"), tallies.collect())
    }

    fn of(domain: Domain, tallies: Vec<TlsTally>) -> Self {
        let (contact, sender) = (mailbox("postmaster@example.nl"), mailbox("tlsrpt@example.nl"));
        Self {
            reporter: Reporter::new("Bücher \"&\" Co", &contact, &sender).unwrap(),
            domain,
            tallies,
        }
    }

    pub(crate) fn report(&self) -> Report<'_> {
        Report {
            reporter: &self.reporter,
            domain: &self.domain,
            day: Date::constant(2026, 11, 28),
            id: ID.parse().unwrap(),
            tallies: &self.tallies,
        }
    }

    pub(crate) fn json(&self) -> Vec<u8> {
        self.report().write().json
    }

    pub(crate) fn packed(&self) -> Packed {
        self.report().pack()
    }

    /// The mail with it, signed if there is a key.
    pub(crate) fn mail(&self, signer: Option<&Signer>) -> Vec<u8> {
        let (report, packed) = (self.report(), self.packed());
        let letter = ReportMail {
            report: &report,
            packed: &packed,
            to: &mailbox("reports@example.org"),
            id: QueueId::generate(),
            now: jiff::Timestamp::now(),
        };
        match signer {
            Some(signer) => letter.signed(signer).unwrap(),
            None => letter.unsigned(),
        }
    }
}

fn records() -> Vec<String> {
    vec![
        format!("3 1 1 {}", "ab".repeat(32)),
        format!("2 0 2 {}", "cd".repeat(64)),
    ]
}

/// A failure of which everything is known.
pub(crate) fn failure(result: TlsResult) -> TlsFailure {
    TlsFailure {
        sending_ip: Some("2001:db8::7".parse().unwrap()),
        mx_host: Some(domain("mx1.bücher.example")),
        mx_helo: Some("mx1 \u{1f512} \"quoted\"\\".to_owned()),
        receiving_ip: Some("192.0.2.1".parse().unwrap()),
        ..TlsFailure::of(result).because("X509_V_ERR_CERT_HAS_EXPIRED")
    }
}
