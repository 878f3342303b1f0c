//! `danerelay report --mail`.

use super::arguments::MailTo;
use crate::admin::protocol::{DailyEnd, DailyMail, DailyTo, Request};
use crate::commands::client::Client;
use crate::commands::output::write;
use crate::config::Config;
use crate::failure::Failure;

/// Has the daemon write the daily mail. Returns how many entries of the ledger cannot be read.
pub(super) fn mail(config: &Config, to: &MailTo) -> Result<u64, Failure> {
    let to = match to {
        MailTo::Postmaster => DailyTo::Postmaster,
        MailTo::StandardOutput => DailyTo::Client,
        MailTo::Mailbox(mailbox) => DailyTo::Mailbox(mailbox.clone()),
    };
    let mut client = Client::connect(config)?;
    client.ask(&Request::Daily { to })?;
    let DailyMail { end, unreadable } = client.end()?;
    match end {
        DailyEnd::Text(text) => write(&text)?,
        DailyEnd::Queued { to, id } => write(&format!("mailed to {to} as {id}\n"))?,
    }
    Ok(unreadable)
}
