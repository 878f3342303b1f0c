//! Why a command is refused, and the one reply that says so.

use thiserror::Error;

/// Why a server refuses a command line; always the client's fault. The text is the whole reply without its CRLF.
///
/// Codes are those of RFC 5321 §4.2.4 and §4.3.2, enhanced codes those of RFC 3463; replies to EHLO and HELO have
/// no enhanced code (RFC 2034 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A line longer than [`crate::line::COMMAND_LINE_LENGTH`].
    #[error("500 5.5.2 Line too long")]
    LineTooLong,
    /// No command that we know.
    #[error("500 5.5.2 Command not recognized")]
    UnknownCommand,
    /// A command that we know and do not offer.
    #[error("502 5.5.1 Command not implemented")]
    NotImplemented,
    /// A method of HTTP: somebody else, for example a web page, made the client connect here, and what follows may be their
    /// commands. The session must end (RFC 5321 §3.8 has 421 for that).
    #[error("421 4.7.0 This is SMTP, not HTTP")]
    OtherProtocol,
    /// A control character, lone CR and LF included.
    #[error("501 5.5.2 Control character in command")]
    ControlCharacter,
    /// Missing, superfluous or malformed arguments.
    #[error("501 5.5.4 Syntax error in arguments")]
    Arguments,
    /// EHLO or HELO without a name, or with control characters in it.
    #[error("501 Syntax: EHLO or HELO followed by your host name")]
    HelloName,
    /// The reverse-path is neither `<>` nor a mailbox in brackets.
    #[error("501 5.1.7 Bad sender address syntax")]
    ReversePath,
    /// The forward-path is not a mailbox in brackets.
    #[error("501 5.1.3 Bad recipient address syntax")]
    ForwardPath,
    /// The domain of the forward-path is an address without brackets (RFC 5321 §4.1.3), which would be looked up as a name.
    #[error("501 5.1.3 An address stands in brackets: u@[192.0.2.1]")]
    BareAddress,
    /// Octets in place of an address that are not UTF-8.
    #[error("501 5.5.2 Addresses must be ASCII or UTF-8")]
    NotUtf8,
    /// A reverse-path beyond ASCII without SMTPUTF8 (RFC 6531 §3.5 has 550 for MAIL).
    #[error("550 5.6.7 Sender address is not ASCII, and MAIL has no SMTPUTF8")]
    InternationalizedSender,
    /// A forward-path or a parameter of RCPT beyond ASCII, in a transaction without SMTPUTF8 (RFC 6531 §3.5 has 553 for
    /// RCPT).
    #[error("553 5.6.7 Recipient address is not ASCII, and MAIL had no SMTPUTF8")]
    InternationalizedRecipient,
    /// A parameter that belongs to no extension offered here.
    #[error("555 5.5.4 Parameter not recognized")]
    UnknownParameter,
    /// A known parameter with a value that belongs to no extension offered here.
    #[error("504 5.5.4 Parameter value not implemented")]
    ParameterValue,
    /// MAIL before EHLO or HELO.
    #[error("503 5.5.1 Send EHLO or HELO first")]
    NoHello,
    /// MAIL within a transaction.
    #[error("503 5.5.1 Nested MAIL command")]
    NestedMail,
    /// RCPT or DATA outside a transaction.
    #[error("503 5.5.1 Need MAIL command")]
    NoMail,
    /// DATA without an accepted recipient.
    #[error("503 5.5.1 No valid recipients")]
    NoRecipients,
    /// A command that is not allowed while the chunks of a message are still coming.
    #[error("503 5.5.1 A message is coming in chunks: BDAT or RSET")]
    WithinChunks,
    /// `BDAT` without a length. What follows may be a chunk, and must not be read as commands: the session must end.
    #[error("501 5.5.4 Chunk size is not known; closing the connection")]
    Chunk,
    /// `STARTTLS` or `XCLIENT` where TLS is in use already.
    #[error("503 5.5.1 TLS is in use already")]
    AlreadySecure,
    /// `AUTH` with a mechanism that we do not support.
    #[error("504 5.5.4 Authentication mechanism not implemented")]
    Mechanism,
    /// `AUTH` in clear text (RFC 4954 §4).
    #[error("538 5.7.11 Encryption required: STARTTLS first")]
    EncryptionNeeded,
    /// `AUTH` a second time.
    #[error("503 5.5.1 Already authenticated")]
    AlreadyAuthenticated,
    /// A command that is only allowed between transactions.
    #[error("503 5.5.1 Not within a mail transaction")]
    WithinTransaction,
    /// A response that is not base64.
    #[error("501 5.5.2 Cannot decode response: not base64")]
    Base64,
    /// The client has cancelled the exchange.
    #[error("501 5.7.0 Authentication cancelled")]
    AuthCancelled,
    /// A response longer than [`crate::line::AUTH_LINE_LENGTH`].
    #[error("500 5.5.6 Authentication exchange line is too long")]
    AuthLineTooLong,
    /// A response without user and password, or with wrong ones.
    #[error("535 5.7.8 Authentication credentials invalid")]
    Credentials,
}
