//! `danerelay demo send`: one more message through a demonstration that was kept.

use std::path::Path;

use super::arguments::DemoSendArguments;
use super::error::DemoError;
use super::files::HOSTNAME;
use super::layout::delivery_line;
use super::{client, log, report};
use crate::config::{self, LogTarget};
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::terminal::Palette;

/// Sends the message and prints the delivery line of its first attempt. Good if it was delivered.
pub(super) async fn run(arguments: &DemoSendArguments, named: Option<&Path>) -> Result<Verdict, Failure> {
    // The relay of the default configuration is not one to experiment with.
    let named = named.ok_or(DemoError::NotNamed)?;
    let config = config::load(Some(named))?.config;
    let (Some(relay), LogTarget::File(log)) = (config.listen.smtp.first(), &config.log.target) else {
        return Err(DemoError::NotNamed.into());
    };
    let is_demo = config
        .hostname
        .0
        .as_ref()
        .is_some_and(|name| name.as_str() == HOSTNAME);
    if !is_demo {
        return Err(DemoError::NotNamed.into());
    }
    let recipient = arguments.address.as_str();
    let message = client::message(recipient, "Sent by hand", "Hello from the demonstration.");
    let id = client::send(*relay, recipient, &message).await?;
    let line = log::first_line(log, &id).await?;
    let line_shown = delivery_line(&line.text, Palette::for_stdout());
    let written = report::write(&format!("{line_shown}\n"));
    written.or_else(DemoError::unless_unread)?;
    Ok(match line.field("status") {
        Some("sent") => Verdict::Good,
        _ => Verdict::Bad,
    })
}
