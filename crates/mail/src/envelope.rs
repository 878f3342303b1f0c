//! The envelope of a message in transit.

use serde::{Deserialize, Serialize};

use crate::{EnvelopeId, Mailbox, Notify, NotifyEvent, OriginalRecipient, Ret, ReversePath};

/// What the content contains (RFC 6152), whatever the client declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BodyType {
    /// No octet above 127.
    SevenBit,
    /// Octets above 127.
    EightBitMime,
}

/// What a message says about TLS on its way (RFC 8689).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TlsTag {
    /// Nothing.
    #[default]
    Usual,
    /// `REQUIRETLS`, the parameter of MAIL: it goes only to servers that are authenticated.
    Required,
    /// `TLS-Required: No`, the header field: what receivers publish about TLS does not count for it.
    NotRequired,
    /// It is a TLS report of this relay's own: what it may be about must not stop it, so nothing is demanded of TLS on its
    /// way (RFC 8460 §3, §5.3). Only this program makes such messages; nothing that a client can say leads here.
    OwnReport,
}

/// The envelope of one message as accepted: the reverse-path, its forward-paths and what was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Where reports go.
    pub reverse_path: ReversePath,
    /// The forward-paths, in the order given; never empty once accepted.
    pub recipients: Vec<Recipient>,
    /// What the message is, beyond its paths.
    pub parameters: MailParameters,
}

/// What applies to a message as a whole: what the client declared about it, and which reports its sender wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailParameters {
    /// Whether the content may hold octets above 127.
    pub body: BodyType,
    /// Whether it needs a server with SMTPUTF8 whatever its recipients are (RFC 6531 §3.4): its client asked for it, and the
    /// reverse-path or the header has characters beyond ASCII. What a recipient needs is seen from its address.
    pub smtputf8: bool,
    /// `RET`.
    pub ret: Option<Ret>,
    /// `ENVID`.
    pub envelope_id: Option<EnvelopeId>,
    /// What it says about TLS on its way.
    pub tls: TlsTag,
}

/// One forward-path, and what its sender wants to hear about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The forward-path.
    pub address: Mailbox,
    /// The parameters given with it.
    pub parameters: RecipientParameters,
}

/// `NOTIFY` and `ORCPT` of one recipient (RFC 3461 §4.1, §4.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecipientParameters {
    /// `NOTIFY`.
    pub notify: Option<Notify>,
    /// `ORCPT`.
    pub original: Option<OriginalRecipient>,
}

impl MailParameters {
    /// Content of this kind, and no further requests.
    pub fn of(body: BodyType) -> Self {
        Self {
            body,
            smtputf8: false,
            ret: None,
            envelope_id: None,
            tls: TlsTag::Usual,
        }
    }
}

impl RecipientParameters {
    /// Whether the sender wants to hear of it. Without `NOTIFY` that is failure and delay (RFC 3461 §4.1, §5.2.5).
    pub fn wants(&self, event: NotifyEvent) -> bool {
        match (&self.notify, event) {
            (Some(notify), _) => notify.asks_for(event),
            (None, NotifyEvent::Failure | NotifyEvent::Delay) => true,
            (None, NotifyEvent::Success) => false,
        }
    }
}

impl From<Mailbox> for Recipient {
    /// A recipient without parameters.
    fn from(address: Mailbox) -> Self {
        Self {
            address,
            parameters: RecipientParameters::default(),
        }
    }
}
