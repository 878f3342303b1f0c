//! Sends one report: who wants it is looked up when it is sent, and the first place that takes it is enough
//! (RFC 8460 §3).

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use delivery::route::StsLookups;
use jiff::Timestamp;
use jiff::civil::Date;
use mail::event::tlsrpt::{ReportEnd, TlsReport};
use mail::{BodyType, Domain, Envelope, Event, EventLog, MailParameters, Mailbox, QueueId, Recipient};
use mail::{RecipientParameters, ReversePath, TlsTag, TlsTally};
use mta_sts::{AddressLookup, TxtLookup};
use parking_lot::Mutex;
use spool::{Accepted, KeepTlsTallies, NewMessage, SpoolError, TlsTold};
use tlsrpt::post::{Reach, hand_over};
use tlsrpt::{Packed, Place, Report, ReportMail, Reporter, Signer, published, record_name};
use tokio::time::{Instant, timeout_at};

use super::paces::Paces;

/// How long others may keep us with one report, at all places together.
const PATIENCE: Duration = Duration::from_secs(90);

/// Sends reports.
pub(crate) struct Sender<S> {
    pub(crate) spool: Arc<S>,
    /// Who wants reports, and where their web servers are.
    pub(crate) lookups: Arc<StsLookups>,
    /// Accepts any certificate: it may be what is reported.
    pub(crate) client: https::Client,
    pub(crate) reporter: Reporter,
    /// Without a key, no report goes by mail.
    pub(crate) signing: ArcSwap<Signing>,
    /// Which addresses reports may be handed to.
    pub(crate) reach: Reach,
    /// Is told of the mail that is queued.
    pub(crate) accepted: Box<dyn Fn(Accepted) + Send + Sync>,
    pub(crate) events: Arc<dyn EventLog>,
    pub(crate) paces: Paces,
    /// Those that are being sent.
    pub(crate) under_way: UnderWay,
}

/// The key that signs reports by mail.
#[derive(Debug)]
pub(crate) enum Signing {
    /// None is configured.
    Without,
    /// This one.
    Key(Box<Signer>),
    /// It cannot be read now, for this reason: reports wait.
    Unreadable(String),
}

/// Reports that are being sent: nobody gets one twice because it was ordered twice.
#[derive(Debug, Default)]
pub(crate) struct UnderWay(Mutex<HashSet<(Date, Domain)>>);

/// A report that is being sent, until this is dropped.
struct Sending<'a> {
    all: &'a UnderWay,
    one: (Date, Domain),
}

/// A report on its way.
struct OutgoingReport<'a> {
    day: Date,
    domain: &'a Domain,
    tallies: Vec<TlsTally>,
    now: Timestamp,
    /// Until when others may keep us.
    until: Instant,
}

/// Who took a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The mailbox, or the web server's address.
    pub(crate) to: String,
    /// By mail: the message in our own queue.
    pub(crate) id: Option<QueueId>,
}

/// Why a report was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSent {
    /// There is nothing to report.
    #[error("nothing is collected for {0}")]
    Nothing(Domain),
    /// Somebody else has it sent.
    #[error("the report for {0} is being sent already")]
    UnderWay(Domain),
    /// Nobody wants it.
    #[error("{0} publishes no record at _smtp._tls.{0} that says who wants reports")]
    Unwanted(Domain),
    /// What is published cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// Another try may succeed.
    #[error("{0}")]
    Later(String),
    /// It goes by mail, and the key that signs mail cannot be read now.
    #[error("{0}")]
    NoKey(String),
    /// The queue did not take it, or could not be read.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

impl NotSent {
    /// Whether another try may succeed.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Nothing(_) | Self::Unwanted(_) | Self::Unusable(_) => false,
            Self::UnderWay(_) | Self::Later(_) | Self::NoKey(_) | Self::Spool(_) => true,
        }
    }
}

impl<S: KeepTlsTallies> Sender<S> {
    /// Sends what is counted for this domain on this day, so that it is not sent again, and says where it went.
    pub(crate) async fn send(&self, day: Date, domain: &Domain, now: Timestamp) -> Result<Taken, NotSent> {
        let _sending = self
            .under_way
            .begin(day, domain)
            .ok_or_else(|| NotSent::UnderWay(domain.clone()))?;
        let tallies = self.spool.tls_tallies(day, domain.clone()).await?;
        if tallies.is_empty() {
            return Err(NotSent::Nothing(domain.clone()));
        }
        let outgoing = OutgoingReport {
            day,
            domain,
            tallies,
            now,
            until: Instant::now() + PATIENCE,
        };
        let sent = self.carry(&outgoing).await;
        match &sent {
            Ok(taken) => self.tell(&outgoing, taken.into()),
            // That there is no key was told once for all of them.
            Err(NotSent::Nothing(_) | NotSent::UnderWay(_) | NotSent::Unwanted(_) | NotSent::NoKey(_)) => {}
            Err(error @ (NotSent::Unusable(_) | NotSent::Later(_) | NotSent::Spool(_))) => {
                let reason = error.to_string();
                self.tell(
                    &outgoing,
                    if error.is_passing() {
                        ReportEnd::Failed(reason)
                    } else {
                        ReportEnd::Dropped(reason)
                    },
                );
            }
        }
        sent
    }

    /// What is counted is not reported to anybody.
    pub(crate) async fn drop_report(
        &self,
        day: Date,
        domain: &Domain,
        why: Option<&str>,
    ) -> Result<(), SpoolError> {
        let tallies = self.spool.tls_tallies(day, domain.clone()).await?;
        let outgoing = OutgoingReport {
            day,
            domain,
            tallies,
            now: Timestamp::UNIX_EPOCH,
            until: Instant::now(),
        };
        if let Some(why) = why {
            self.tell(&outgoing, ReportEnd::Dropped(why.to_owned()));
        }
        self.spool.tls_told(outgoing.told(), None).await?;
        Ok(())
    }

    async fn carry(&self, outgoing: &OutgoingReport<'_>) -> Result<Taken, NotSent> {
        let (mut reasons, mut passing) = (Vec::new(), false);
        let mut no_key = None;
        for place in outgoing.in_time(self.places(outgoing.domain)).await? {
            if !self.paces.take(&host(&place), outgoing.now) {
                reasons.push(format!(
                    "{place}: many reports have been sent there within this minute or day"
                ));
                passing = true;
                continue;
            }
            let sent = match &place {
                Place::Mail(mailbox) => self.mail(outgoing, mailbox).await,
                Place::Https(url) => self.post(outgoing, url).await,
            };
            match sent {
                Ok(taken) => return Ok(taken),
                // Somebody may have it: another place would get it as well.
                Err(error @ NotSent::Spool(_)) => return Err(error),
                Err(NotSent::NoKey(why)) => no_key = Some(why),
                Err(error) => {
                    passing |= error.is_passing();
                    reasons.push(error.to_string());
                }
            }
        }
        if let Some(why) = no_key {
            return Err(NotSent::NoKey(why));
        }
        let reasons = reasons.join("; ");
        Err(if passing {
            NotSent::Later(reasons)
        } else {
            NotSent::Unusable(reasons)
        })
    }

    /// Where the domain wants reports.
    async fn places(&self, domain: &Domain) -> Result<Vec<Place>, NotSent> {
        let unwanted = || NotSent::Unwanted(domain.clone());
        let name = record_name(domain).ok_or_else(unwanted)?;
        let records = self.lookups.txt(&name).await;
        let records =
            records.map_err(|error| NotSent::Later(format!("the look-up of {name} failed: {error}")))?;
        let record = published(&records)
            .map_err(|fault| NotSent::Unusable(format!("the record at {name} is not valid: {fault}")))?
            .ok_or_else(unwanted)?;
        if record.places.is_empty() {
            let passed_over: Vec<String> = record
                .passed_over
                .iter()
                .map(|one| format!("{}: {}", one.written, one.fault))
                .collect();
            return Err(NotSent::Unusable(format!(
                "the record at {name} names no place that a report can be sent to: {}",
                passed_over.join("; ")
            )));
        }
        Ok(record.places)
    }

    /// Puts it into our own queue.
    async fn mail(&self, outgoing: &OutgoingReport<'_>, to: &Mailbox) -> Result<Taken, NotSent> {
        let signing = self.signing.load_full();
        let signer = match &*signing {
            Signing::Key(signer) => signer,
            Signing::Without => {
                let reason = format!("mailto:{to}: there is no key to sign mail with (tlsrpt.dkim)");
                return Err(NotSent::Unusable(reason));
            }
            Signing::Unreadable(why) => return Err(NotSent::NoKey(format!("mailto:{to}: {why}"))),
        };
        let id = QueueId::generate();
        let report = self.report(outgoing, id);
        let packed = report.pack();
        let letter = ReportMail {
            report: &report,
            packed: &packed,
            to,
            id,
            now: outgoing.now,
        };
        let content = letter
            .signed(signer)
            .map_err(|fault| NotSent::Later(fault.to_string()))?;
        let message = NewMessage {
            id,
            envelope: envelope(to),
            created: outgoing.now,
        };
        let content = Bytes::from(content);
        let queued = spool::Report { message, content };
        let accepted = self.spool.tls_told(outgoing.told(), Some(queued)).await?;
        if let Some(accepted) = accepted {
            (self.accepted)(accepted);
        }
        Ok(Taken {
            to: to.to_string(),
            id: Some(id),
        })
    }

    /// Hands it to a web server.
    async fn post(&self, outgoing: &OutgoingReport<'_>, url: &https::Url) -> Result<Taken, NotSent> {
        let packed: Packed = self.report(outgoing, lasting_id(outgoing)).pack();
        let addresses = outgoing.in_time(self.addresses(url)).await?;
        // A proxy would look for it itself, and where we do not let reports go.
        if addresses.is_empty() {
            let reason = format!(
                "{}: its server has no address to which reports may go",
                url.as_str()
            );
            return Err(NotSent::Later(reason));
        }
        let handing = async {
            let taken = hand_over(&self.client, url, &addresses, &packed, self.reach).await;
            taken.map_err(|failure| {
                let reason = format!("{}: {failure}", url.as_str());
                if failure.is_passing() {
                    NotSent::Later(reason)
                } else {
                    NotSent::Unusable(reason)
                }
            })
        };
        outgoing.in_time(handing).await?;
        self.spool.tls_told(outgoing.told(), None).await?;
        Ok(Taken {
            to: url.as_str().to_owned(),
            id: None,
        })
    }

    async fn addresses(&self, url: &https::Url) -> Result<Vec<IpAddr>, NotSent> {
        if let Some(address) = url.address() {
            return Ok(vec![address]);
        }
        let unusable = |error| NotSent::Unusable(format!("{}: {error}", url.as_str()));
        let host = Domain::parse(&url.host()).map_err(unusable)?;
        let found = self.lookups.addresses(&host).await;
        found.map_err(|error| {
            NotSent::Later(format!(
                "{}: the look-up of its address failed: {error}",
                url.as_str()
            ))
        })
    }

    fn report<'a>(&'a self, outgoing: &'a OutgoingReport<'_>, id: QueueId) -> Report<'a> {
        Report {
            reporter: &self.reporter,
            domain: outgoing.domain,
            day: outgoing.day,
            id,
            tallies: &outgoing.tallies,
        }
    }

    fn tell(&self, outgoing: &OutgoingReport<'_>, end: ReportEnd) {
        let sum =
            |count: fn(&TlsTally) -> u64| outgoing.tallies.iter().map(count).fold(0, u64::saturating_add);
        self.events.write(&Event::TlsReport(TlsReport {
            domain: outgoing.domain.clone(),
            day: outgoing.day.to_string(),
            met: sum(|tally| tally.successes),
            failed: sum(|tally| tally.failures),
            end,
        }));
    }
}

impl UnderWay {
    /// `None` if this report is being sent already.
    fn begin(&self, day: Date, domain: &Domain) -> Option<Sending<'_>> {
        let one = (day, domain.clone());
        let is_first = self.0.lock().insert(one.clone());
        is_first.then_some(Sending { all: self, one })
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.all.0.lock().remove(&self.one);
    }
}

impl From<&Taken> for ReportEnd {
    fn from(taken: &Taken) -> Self {
        let to = taken.to.clone();
        match taken.id {
            Some(id) => Self::Queued(id, to),
            None => Self::Posted(to),
        }
    }
}

impl OutgoingReport<'_> {
    /// What others have to answer; not what the spool does, which is done whole or not at all.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, NotSent>>) -> Result<T, NotSent> {
        timeout_at(self.until, work).await.unwrap_or_else(|_| {
            let reason = format!("it took longer than {} seconds", PATIENCE.as_secs());
            Err(NotSent::Later(reason))
        })
    }

    fn told(&self) -> TlsTold {
        TlsTold {
            day: self.day,
            domain: self.domain.clone(),
            tallies: self.tallies.clone(),
        }
    }
}

/// Nobody is told what becomes of it (RFC 8460 §5.3), and nothing that the report may be about stops it.
fn envelope(to: &Mailbox) -> Envelope {
    let recipient = Recipient {
        address: to.clone(),
        parameters: RecipientParameters {
            notify: "NEVER".parse().ok(),
            original: None,
        },
    };
    Envelope {
        reverse_path: ReversePath::Null,
        recipients: vec![recipient],
        parameters: MailParameters {
            tls: TlsTag::OwnReport,
            ..MailParameters::of(BodyType::SevenBit)
        },
    }
}

/// The host whose operator gets it.
fn host(place: &Place) -> String {
    match place {
        Place::Mail(mailbox) => mailbox.domain().to_string(),
        Place::Https(url) => url.host().to_ascii_lowercase(),
    }
}

/// The same for the same report: whoever took it although we do not know that sees so when it comes again.
fn lasting_id(outgoing: &OutgoingReport<'_>) -> QueueId {
    // FNV-1a, twice: it is the same in every version, which is all that is needed.
    let mut sum: [u64; 2] = [0xcbf2_9ce4_8422_2325, 0x8422_2325_cbf2_9ce4];
    let text = format!("{} {} {:?}", outgoing.day, outgoing.domain, outgoing.tallies);
    for octet in text.bytes() {
        for half in &mut sum {
            *half = (*half ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        sum.reverse();
    }
    let [high, low] = sum.map(u128::from);
    let when = outgoing.day.to_zoned(jiff::tz::TimeZone::UTC);
    let when = when.map_or(0, |day| day.timestamp().as_millisecond());
    let when = u128::from(u64::try_from(when).unwrap_or(0));
    // The time of the day, as ids have it, then 80 bits.
    QueueId::from_bytes(((when << 80) | (((high << 64) | low) >> 48)).to_be_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mail::TlsPolicy;

    fn id(day: &str, successes: u64) -> QueueId {
        let domain = Domain::parse("a.example").unwrap();
        let policy = TlsPolicy::None {
            domain: domain.clone(),
        };
        let tally = TlsTally {
            policy,
            successes,
            failures: 0,
            details: Vec::new(),
        };
        lasting_id(&OutgoingReport {
            day: day.parse().unwrap(),
            domain: &domain,
            tallies: vec![tally],
            now: Timestamp::now(),
            until: Instant::now(),
        })
    }

    #[test]
    fn a_report_that_is_sent_again_is_known_again() {
        let first = id("2026-11-29", 1);
        assert_eq!(first, id("2026-11-29", 1));
        assert_ne!(first, id("2026-11-29", 2));
        assert_ne!(first, id("2026-11-30", 1));
    }

    #[test]
    fn a_report_asks_for_no_report() {
        let envelope = envelope(&Mailbox::parse("a@b.example").unwrap());
        assert_eq!(envelope.reverse_path, ReversePath::Null);
        assert_eq!(envelope.parameters.tls, TlsTag::OwnReport);
        let parameters = &envelope.recipients.first().unwrap().parameters;
        assert!(!parameters.wants(mail::NotifyEvent::Failure));
    }
}
