//! Selectors on the command line.

use clap::Args;
use mail::{Domain, QueueId, ReversePath};

use crate::admin::selectors::Selectors;
use crate::config::units::Interval;

/// Each selector given must fit.
#[derive(Debug, Args)]
#[group(multiple = true)]
pub(super) struct SelectorArguments {
    /// All that is in the queue.
    #[arg(long, conflicts_with_all = ["id", "recipient_domain", "sender", "older_than", "reason"])]
    all: bool,

    /// The message of this queue id; may be given more than once.
    #[arg(long, value_name = "ID")]
    id: Vec<QueueId>,

    /// Messages with a recipient at this domain, and of these such recipients.
    #[arg(long, value_name = "DOMAIN")]
    recipient_domain: Option<Domain>,

    /// Messages of this envelope sender; <> for reports.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_sender)]
    sender: Option<ReversePath>,

    /// Messages accepted longer ago than this, for example 4h.
    #[arg(long, value_name = "DURATION")]
    older_than: Option<Interval>,

    /// Messages with a recipient whose last attempt ended for a reason that contains this text, and of these such
    /// recipients; upper and lower case are the same.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

fn parse_sender(text: &str) -> Result<ReversePath, mail::AddressError> {
    let bare = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    ReversePath::parse(bare.unwrap_or(text))
}

impl From<&SelectorArguments> for Selectors {
    fn from(arguments: &SelectorArguments) -> Self {
        Self {
            all: arguments.all,
            id: arguments.id.clone(),
            recipient_domain: arguments.recipient_domain.clone(),
            sender: arguments.sender.as_ref().map(|sender| sender.as_str().to_owned()),
            older_than: arguments.older_than,
            reason: arguments.reason.clone(),
        }
    }
}
