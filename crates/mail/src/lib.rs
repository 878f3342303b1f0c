//! The plain data of mail in transit, shared by every floor above.
//!
//! A tour, in the order in which a message meets the parts:
//!
//! * [`address`]: [`Mailbox`], [`ReversePath`]: what stands in an envelope, parsed once; [`domain`]: [`Domain`].
//! * [`envelope`]: [`Envelope`]: reverse-path, recipients and what the client declared about the content.
//! * [`notification`]: [`Notify`], [`OriginalRecipient`], [`Ret`], [`EnvelopeId`]: what is requested of reports (RFC 3461).
//! * [`ids`]: [`QueueId`], by which a message is known in the queue, the log and the reply to its client.
//! * [`next_hop`]: [`NextHop`]: where a recipient's mail goes next; recipients that share one share a transaction.
//! * [`lookup`]: [`Security`] and [`LookupFailure`]: how a DNS look-up ended, in DNSSEC's terms; [`FailedLookup`]: a failure as it
//!   is told.
//! * [`verdict`]: [`DaneVerdict`]: the closed set of values that the log field `dane=` may take.
//! * [`stage`]: [`Stage`] and [`Phase`]: where in a session something happened.
//! * [`cause`]: [`Cause`]: why mail was not delivered, and all that is said about it; [`tls_result`]: what TLS reports call
//!   it.
//! * [`status`]: [`EnhancedStatus`] and [`ReplyCode`] (RFC 3463, RFC 5321 §4.2).
//! * [`outcome`]: [`Outcome`]: how one attempt ended for one recipient; [`reason`]: [`Reason`]: in words, a server's or ours.
//! * [`histogram`]: [`Histogram`]: times, counted for metrics.
//! * [`notice`]: [`Notice`]: what the sender is to be told; [`ledger`]: [`LedgerEntry`]: what is counted; [`sighting`]:
//!   [`Sighting`]: what incidents are made of; [`incident`]: what they may be; [`tls_results`]: [`TlsSession`]: what TLS reports count.
//! * [`event`]: what is written to the log, [`record`]: what each event is made of, and [`source`]: who can cause it, by its [`network`].
//!   [`alarm`]: which reports of lasting trouble are logged. [`render`]: an event as a line of text or JSON, safe against
//!   forged fields and lines, of bounded length. [`printable`]: foreign text made safe for a terminal.
//! * [`words`]: numbers, times and lists in words; [`wrap`](mod@wrap): text on lines of limited width.
//!
//! * [`clock`]: [`Clock`]: the time of day, for those who store it or compare it with what is stored.
//!
//! This crate does no I/O and makes no decisions. Besides [`SystemClock`], it reads the clock only for the id of a new message,
//! which contains the time.

pub mod address;
pub mod alarm;
pub mod cause;
pub mod cause_kind;
pub mod clock;
pub mod domain;
pub mod envelope;
pub mod event;
pub mod histogram;
pub mod ids;
pub mod incident;
pub mod ledger;
pub mod lookup;
pub mod network;
pub mod next_hop;
pub mod notice;
pub mod notification;
pub mod outcome;
pub mod printable;
pub mod reason;
pub mod record;
pub mod registrable;
pub mod render;
pub mod sighting;
pub mod source;
pub mod stage;
pub mod status;
pub mod tls_result;
pub mod tls_results;
pub mod verdict;
pub mod words;
pub mod wrap;

pub use address::{AddressError, DomainPart, Mailbox, ReversePath};
pub use alarm::{Alarm, Over, Pace};
pub use cause::Cause;
pub use cause_kind::CauseKind;
pub use clock::{Clock, SystemClock};
pub use domain::{Domain, DomainError};
pub use envelope::{BodyType, Envelope, MailParameters, Recipient, RecipientParameters, TlsTag};
pub use event::{Event, EventLog};
pub use histogram::{Histogram, Observed};
pub use ids::QueueId;
pub use ledger::{AddressFamily, DaneResult, DeliverySecurity, LedgerEntry, LedgerKey};
pub use lookup::{Culprit, FailedLookup, LookupFailure, LookupStatus, Security};
pub use network::Network;
pub use next_hop::{NextHop, NextHopError, NextHopProblem};
pub use notice::{Action, Notice};
pub use notification::{
    EnvelopeId, NotificationError, Notify, NotifyEvent, OriginalRecipient, Ret, encode_xtext,
};
pub use outcome::{Outcome, Status};
pub use reason::Reason;
pub use sighting::Sighting;
pub use source::Source;
pub use stage::{Phase, Stage};
pub use status::{EnhancedStatus, ReplyCode};
pub use tls_result::TlsResult;
pub use tls_results::{TlsDetail, TlsFailure, TlsPolicy, TlsSession, TlsTally};
pub use verdict::{DaneVerdict, FailCause, SkipReason};
pub use words::count;
pub use wrap::wrap;
