//! The paths of `MAIL` and `RCPT`, with their parameters.

use mail::{BodyType, EnvelopeId, Mailbox, RecipientParameters, Ret, ReversePath, TlsTag};

/// The reverse-path and parameters of `MAIL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailFrom {
    /// Where reports go.
    pub reverse_path: ReversePath,
    /// `SIZE=`, in octets: what the client believes (RFC 1870 §5).
    pub size: Option<u64>,
    /// `BODY=` (RFC 6152).
    pub body: Option<BodyType>,
    /// `SMTPUTF8` (RFC 6531 §3.4): addresses and header may have characters beyond ASCII.
    pub smtputf8: bool,
    /// `RET=` (RFC 3461 §4.3).
    pub ret: Option<Ret>,
    /// `ENVID=` (RFC 3461 §4.4).
    pub envelope_id: Option<EnvelopeId>,
    /// `REQUIRETLS` (RFC 8689 §2), or nothing.
    pub tls: TlsTag,
    /// `AUTH=` (RFC 4954 §5), decoded: who is said to have submitted the message. It is not verified.
    pub submitter: Option<String>,
}

/// The forward-path and parameters of `RCPT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RcptTo {
    /// The path.
    pub path: ForwardPath,
    /// `NOTIFY=` and `ORCPT=` (RFC 3461 §4.1, §4.2).
    pub parameters: RecipientParameters,
}

/// The forward-path of a `RCPT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain, in any case (RFC 5321 §4.5.1): whoever runs this relay.
    Postmaster,
    /// A mailbox; a source route is reduced to its final address (RFC 5321 §3.3).
    Mailbox(Mailbox),
}

impl RcptTo {
    /// The same for a transaction without SMTPUTF8: the domain is converted to A-labels. `None` if anything else is not
    /// ASCII (RFC 6531 §3.3).
    pub(crate) fn into_ascii(self) -> Option<Self> {
        let path = match self.path {
            ForwardPath::Postmaster => ForwardPath::Postmaster,
            ForwardPath::Mailbox(mailbox) => ForwardPath::Mailbox(mailbox.to_ascii()?),
        };
        let original = self.parameters.original.as_ref();
        let is_ascii = original.is_none_or(|original| original.as_str().is_ascii());
        is_ascii.then_some(Self { path, ..self })
    }
}
