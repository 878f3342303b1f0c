//! MAIL and RCPT.

use mail::{Recipient, ReversePath, TlsTag};
use smtp::{ForwardPath, MailFrom, RcptTo, Refusal};
use spool::SpoolError;

use super::refusals::Subject;
use super::step::Step;
use super::{Session, ehlo, recipients, replies};
use crate::client::Identity;

impl<P> Session<P> {
    /// The size in octets that the client declares for its message (RFC 1870 §6.1 (1)), as far as it is to be believed.
    pub(crate) fn declared(&self, mail: &MailFrom) -> u64 {
        let declared = mail.size.filter(|_| self.client.may_relay(&self.config));
        declared.unwrap_or(0)
    }

    pub(super) fn mail_from(&mut self, mail: MailFrom) -> Result<Step<P>, Refusal> {
        self.may_not_be_within_chunks()?;
        self.state.may_begin()?;
        if mail.tls == TlsTag::Required && !ehlo::offers_require_tls(&self.config, &self.client) {
            return Err(Refusal::UnknownParameter);
        }
        self.mail_refused = false;
        // Clients that may not relay are refused at RCPT, so their parameters are not checked here.
        let reply = if self.declared(&mail) > self.config.limits.message_size {
            Some(replies::TOO_LARGE)
        } else {
            self.has_foreign_sender(&mail).then_some(replies::SENDER_DENIED)
        };
        if let Some(reply) = reply {
            self.mail_refused = true;
            self.origin = None;
            self.refuse(Subject::message(Some(mail.reverse_path)), reply);
            return Ok(Step::Go);
        }
        // Asked now, so that the client does not send its content in vain; the place itself is needed only at DATA.
        Ok(Step::Begin(mail))
    }

    /// Whether the sender's domain is not one of those allowed.
    fn has_foreign_sender(&self, mail: &MailFrom) -> bool {
        let user = match self.client.identity(&self.config) {
            Some(Identity::User(name)) => self.config.user_senders.get(&*name),
            Some(Identity::Key(_)) | None => None,
        };
        let allowed = user.unwrap_or(&self.config.senders);
        match &mail.reverse_path {
            ReversePath::Null => false,
            ReversePath::Mailbox(_) if allowed.is_empty() || !self.client.may_relay(&self.config) => false,
            ReversePath::Mailbox(mailbox) => match mailbox.domain() {
                mail::DomainPart::Name(domain) => !allowed.contains(domain),
                mail::DomainPart::Literal(_) => true,
            },
        }
    }

    /// Begins a transaction if there is room for its message.
    pub(crate) fn begin(&mut self, mail: MailFrom, room: Result<(), SpoolError>) -> Step<P> {
        if let Err(error) = room {
            self.mail_refused = true;
            return self.refuse_for_spool(&error);
        }
        match self.state.begin(mail) {
            Ok(()) => {
                self.recipient_octets = 0;
                self.answer(replies::SENDER_OK, Step::Go)
            }
            Err(refusal) => self.answer(&refusal.to_string(), Step::Flush),
        }
    }

    pub(super) fn rcpt_to(&mut self, rcpt: RcptTo) -> Result<Step<P>, Refusal> {
        self.may_not_be_within_chunks()?;
        let may_relay = self.client.may_relay(&self.config);
        let limits = &self.config.limits;
        let (transaction, rcpt) = self.state.transaction_for(rcpt)?;
        let address = match rcpt.path {
            ForwardPath::Postmaster => self.config.postmaster.clone(),
            ForwardPath::Mailbox(mailbox) => mailbox,
        };
        if !may_relay {
            let subject = Subject::recipient(transaction.mail.reverse_path.clone(), address);
            let reply = self.relay_denied();
            self.refuse(subject, reply);
            return Ok(Step::Flush);
        }
        let recipient = Recipient {
            address,
            parameters: rcpt.parameters,
        };
        let held = self.recipient_octets + recipients::weight(&recipient);
        if transaction.recipients.len() >= limits.recipients || held > recipients::room(limits) {
            return Ok(self.answer(replies::TOO_MANY_RECIPIENTS, Step::Go));
        }
        self.recipient_octets = held;
        transaction.recipients.push(recipient);
        Ok(self.answer(replies::RECIPIENT_OK, Step::Go))
    }

    /// What the client can do about it.
    fn relay_denied(&self) -> &'static str {
        if ehlo::offers_auth(&self.config, &self.client) {
            replies::RELAY_DENIED_WITHOUT_AUTH
        } else if self.config.users.is_some() && ehlo::offers_tls(&self.config, &self.client) {
            replies::RELAY_DENIED_WITHOUT_TLS
        } else {
            replies::RELAY_DENIED
        }
    }

    /// Between the chunks of a message, only chunks and commands that end it are allowed (RFC 3030 §2).
    pub(super) fn may_not_be_within_chunks(&self) -> Result<(), Refusal> {
        match self.arrival {
            Some(_) => Err(Refusal::WithinChunks),
            None => Ok(()),
        }
    }
}
