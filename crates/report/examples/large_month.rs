//! What a report on a large site's month takes: 10 million deliveries to 300,000 domains.
//!
//! `cargo run --release -p report --example large_month [DIRECTORY [DELIVERIES [DOMAINS]]]`
//!
//! A spool that is in that directory is read as it is; otherwise one is made there, and removed at the end.
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp, ToSpan};
use mail::{
    AddressFamily, BodyType, CauseKind, DaneResult, DaneVerdict, DeliverySecurity, Domain, DomainPart,
    EnhancedStatus, Envelope, LedgerEntry, LedgerKey, MailParameters, Mailbox, QueueId, Recipient,
    ReversePath, Status,
};
use report::summary::{By, Internal, Order, Per, Period, Question, View, make};
use spool::{Ending, NewMessage, RecipientIndex, Running, Settlement, Spool};
use spool_embedded::{EmbeddedSpool, Options, ReadOnlySpool};

type Failure = Box<dyn Error + Send + Sync>;

const FIRST: Date = date(2026, 10, 1);
const DAYS: u64 = 31;
/// Recipients of each message that carries outcomes into the ledger.
const RECIPIENTS: u32 = 1000;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let parent = PathBuf::from(arguments.next().unwrap_or_else(|| ".".into()));
    let deliveries: u64 = arguments.next().map_or(Ok(10_000_000), |text| text.parse())?;
    let domains: u32 = arguments.next().map_or(Ok(300_000), |text| text.parse())?;
    let made;
    let path = if parent.join("queue.db").exists() {
        parent.as_path()
    } else {
        made = tempfile::tempdir_in(&parent)?;
        fill(made.path(), deliveries, domains).await?;
        made.path()
    };
    let octets = std::fs::metadata(path.join("queue.db"))?.len();
    println!("database: {:.1} MB\n", mega(octets));
    println!("| report | seconds | rows |\n|---|---|---|");
    let spool = ReadOnlySpool::open(path)?;
    let overview = question(View::Overview);
    let ask = [
        ("overview", overview.clone()),
        ("overview once more", overview.clone()),
        (
            "overview, compared with the month before",
            Question {
                compare: true,
                ..overview.clone()
            },
        ),
        ("by domain", question(View::By(By::Domain))),
        (
            "by domain, the first twenty",
            Question {
                most: Some(20),
                ..question(View::By(By::Domain))
            },
        ),
        ("by MX provider", question(View::By(By::MxProvider))),
        ("by outcome", question(View::By(By::Outcome))),
        (
            "per day",
            Question {
                per: Some(Per::Day),
                ..overview
            },
        ),
        ("soft-fail", question(View::SoftFail)),
    ];
    for (name, question) in ask {
        let begun = Instant::now();
        let report = make(&spool, question).await?;
        println!(
            "| {name} | {:.2} | {} |",
            begun.elapsed().as_secs_f64(),
            report.rows.len()
        );
    }
    println!("\nmost memory: {}", peak(Path::new("/proc/self/status"))?);
    Ok(())
}

/// Makes the spool; each day is packed when it is over.
async fn fill(path: &Path, deliveries: u64, domains: u32) -> Result<(), Failure> {
    let begun = Instant::now();
    let spool = EmbeddedSpool::open(path, Options::default(), Arc::new(())).await?;
    let mut site = Site::new(domains)?;
    let mut packing = Duration::ZERO;
    for day in 0..DAYS {
        let mut left = deliveries * (day + 1) / DAYS - deliveries * day / DAYS;
        while left > 0 {
            let count = u32::try_from(left.min(RECIPIENTS.into()))?;
            settle(&spool, &mut site, (day, count)).await?;
            left -= u64::from(count);
        }
        let over = Instant::now();
        let next = FIRST.checked_add(i64::try_from(day + 1)?.days())?;
        spool.tidy(next, None).await?;
        packing += over.elapsed();
    }
    let settling = begun.elapsed().saturating_sub(packing);
    println!(
        "{deliveries} deliveries on {DAYS} days to {domains} domains, made in {:.0} s and packed in {:.1} s",
        settling.as_secs_f64(),
        packing.as_secs_f64()
    );
    spool.close().await?;
    Ok(())
}

fn question(view: View) -> Question {
    Question {
        period: Period {
            from: FIRST,
            to: FIRST.last_of_month(),
        },
        view,
        per: None,
        compare: false,
        internal: Internal::Exclude,
        internal_domains: Vec::new(),
        most: None,
        order: Order::Deliveries,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a size needs no more digits")]
fn mega(octets: u64) -> f64 {
    octets as f64 / 1e6
}

fn peak(status: &Path) -> Result<String, Failure> {
    let status = std::fs::read_to_string(status)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.unwrap_or("unknown").trim().to_owned())
}

/// One message whose recipients have outcomes of all domains.
async fn settle(spool: &EmbeddedSpool, site: &mut Site, (day, count): (u64, u32)) -> Result<(), Failure> {
    let recipient = Recipient::from(Mailbox::parse("a@b.example")?);
    let message = NewMessage {
        id: QueueId::generate(),
        envelope: Envelope {
            reverse_path: ReversePath::parse("sender@a.example")?,
            recipients: vec![recipient; usize::try_from(count)?],
            parameters: MailParameters::of(BodyType::SevenBit),
        },
        created: Timestamp::now(),
    };
    let mut incoming = spool.create()?;
    incoming.append(b"x").await?;
    let accepted = spool.commit(incoming, message).await?;
    let part = accepted.pending.first().ok_or("nothing waits")?;
    let lease = spool.lease(part.id, &part.next_hop).await?;
    let lease = lease.leased().ok_or("the message is leased or gone")?;
    let noon = FIRST.checked_add(i64::try_from(day)?.days())?.at(12, 0, 0, 0);
    let at = noon.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp();
    let settlements = (0..count).map(|recipient| Settlement {
        recipient: RecipientIndex(recipient),
        ending: Ending::Sent,
        reply_code: None,
        enhanced: EnhancedStatus::new(2, 0, 0),
        reason: "".into(),
        verdict: DaneVerdict::Verify,
        host: None,
        notice: None,
        entry: site.entry(at),
    });
    let settlements: Vec<Settlement> = settlements.collect();
    spool.settle(lease, settlements, Timestamp::now()).await?;
    Ok(())
}

/// Where a site's mail goes: the n-th busiest domain gets the n-th part of what the busiest gets (Zipf). Six domains of ten
/// are with one of 2,000 providers, likewise, the others have a host of their own.
struct Site {
    domains: Vec<(DomainPart, Domain)>,
    random: u64,
}

impl Site {
    fn new(domains: u32) -> Result<Self, Failure> {
        let names = (0..domains).map(|number| {
            let domain = Domain::parse(&format!("domain{number}.example"))?;
            let host = match number % 10 {
                0..6 => {
                    let provider = (number / 10).trailing_zeros() * 90 + number % 90;
                    format!("mx{}.provider{provider}.example", number % 2)
                }
                _ => format!("mx.{domain}"),
            };
            Ok::<_, Failure>((DomainPart::Name(domain), Domain::parse(&host)?))
        });
        Ok(Self {
            domains: names.collect::<Result<_, _>>()?,
            random: 0x9e37_79b9_7f4a_7c15,
        })
    }

    /// From 0 to 1; the same in each run (xorshift).
    fn random(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        f64::from(u32::try_from(self.random >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a random place in a list"
    )]
    fn entry(&mut self, at: Timestamp) -> LedgerEntry {
        let rank = (self.domains.len() as f64).powf(self.random()) as usize - 1;
        let rank = rank.min(self.domains.len() - 1);
        let second = SignedDuration::from_secs((self.random() * 40_000.0) as i64);
        let chance = self.random();
        #[expect(clippy::indexing_slicing, reason = "the place is below the length")]
        let (domain, host) = &self.domains[rank];
        let (security, dane) = match rank % 20 {
            0..5 => (DeliverySecurity::Dane, DaneResult::Verify),
            5 => (DeliverySecurity::DaneHostOnly, DaneResult::VerifyHostOnly),
            6 => (DeliverySecurity::Clear, DaneResult::Skip),
            _ => (DeliverySecurity::Encrypted, DaneResult::Skip),
        };
        let sent = LedgerKey {
            domain: Some(domain.clone()),
            host: Some(host.clone()),
            family: if rank.is_multiple_of(3) {
                AddressFamily::Ipv6
            } else {
                AddressFamily::Ipv4
            },
            status: Status::Sent,
            security,
            dane,
            cause: None,
        };
        let not_sent = |status, cause| LedgerKey {
            status,
            security: DeliverySecurity::None,
            cause: Some(cause),
            ..sent.clone()
        };
        let key = match chance {
            chance if chance < 0.01 => not_sent(Status::Bounced, CauseKind::RefusedForGood),
            chance if chance < 0.03 => not_sent(Status::Deferred, CauseKind::RefusedForNow),
            chance if chance < 0.031 => LedgerKey {
                dane: DaneResult::Softfail,
                cause: Some(CauseKind::TlsaNoMatch),
                security: DeliverySecurity::Encrypted,
                ..sent
            },
            _ => sent,
        };
        LedgerEntry {
            at: at - SignedDuration::from_hours(8) + second,
            key,
            octets: 30_000,
        }
    }
}
