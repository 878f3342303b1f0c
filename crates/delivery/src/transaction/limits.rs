//! What bounds a transaction in time, and the recipients that are named once though they were given twice.

use std::collections::HashMap;
use std::time::Duration;

use mail::{DomainPart, Notify, OriginalRecipient, RecipientParameters};
use spool::{LeasedRecipient, RecipientIndex};

use super::verdict::Judged;

/// The maximum number of recipients in one transaction: the least that every server must accept (RFC 5321 §4.5.3.1.8).
pub(super) const RECIPIENTS: usize = 100;

/// How long one message may take over one session, up to its last final dot. An attempt begins its last connection within
/// ten minutes, so that all of it takes about an hour at most.
pub(super) const LONGEST: Duration = Duration::from_mins(50);

/// How long a transaction may take up to its final dot: 10 minutes, 10 seconds a recipient, and the content at 1 KB/s. The
/// reply to the final dot has its own time limit in addition, because giving up on it makes duplicates (RFC 5321
/// §4.5.3.2.6).
/// At most [`LONGEST`].
pub(super) fn time_limit(recipients: usize, size: u64) -> Duration {
    let recipients = Duration::from_secs(10).saturating_mul(u32::try_from(recipients).unwrap_or(u32::MAX));
    Duration::from_mins(10)
        .saturating_add(recipients)
        .saturating_add(at_slowest(size))
        .min(LONGEST)
}

/// How long content of this size may take: 1 KB/s.
pub(super) fn at_slowest(size: u64) -> Duration {
    Duration::from_secs(size / 1024)
}

/// Recipients that were given again, and where each was given first.
pub(super) struct Twins<'a>(Vec<(RecipientIndex, &'a LeasedRecipient)>);

/// What makes two recipients the same. The local part's case counts (RFC 5321 §2.4); the domain's does not.
type Name<'a> = (&'a str, &'a DomainPart, Option<Asked<'a>>);

/// `NOTIFY` and `ORCPT`.
type Asked<'a> = (Option<&'a str>, Option<&'a str>);

impl<'a> Twins<'a> {
    /// Splits off the recipients that are the same as one before them. If `parameters` are sent, they must be the same, too.
    pub(super) fn split_off(
        recipients: &[&'a LeasedRecipient],
        parameters: bool,
    ) -> (Vec<&'a LeasedRecipient>, Self) {
        let (mut first, mut distinct, mut twins) = (HashMap::new(), Vec::new(), Vec::new());
        for recipient in recipients {
            let address = &recipient.address;
            let asked = parameters.then(|| asked(&recipient.parameters));
            let name: Name<'a> = (address.local_part(), address.domain(), asked);
            if let Some(index) = first.get(&name) {
                twins.push((*index, *recipient));
            } else {
                first.insert(name, recipient.index);
                distinct.push(*recipient);
            }
        }
        (distinct, Self(twins))
    }

    /// Adds the twins to what became of the recipients that were named.
    pub(super) fn share(self, judged: &mut Vec<Judged<'a>>, left: &mut Vec<&'a LeasedRecipient>) {
        if self.0.is_empty() {
            return;
        }
        let by_index: HashMap<_, _> = judged
            .iter()
            .map(|one| (one.recipient.index, one.clone()))
            .collect();
        for (first, recipient) in self.0 {
            match by_index.get(&first) {
                Some(first) => judged.push(Judged {
                    recipient,
                    ..first.clone()
                }),
                None => left.push(recipient),
            }
        }
    }
}

fn asked(parameters: &RecipientParameters) -> Asked<'_> {
    let RecipientParameters { notify, original } = parameters;
    (
        notify.as_ref().map(Notify::as_str),
        original.as_ref().map(OriginalRecipient::as_str),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn time_by_recipients_and_size() {
        assert_eq!(
            time_limit(1, 0),
            Duration::from_mins(10) + Duration::from_secs(10)
        );
        assert_eq!(time_limit(36, 1200 * 1024), Duration::from_mins(36));
        assert_eq!(time_limit(1, 50 * 1024 * 1024), LONGEST);
        assert_eq!(time_limit(usize::MAX, u64::MAX), LONGEST);
    }
}
