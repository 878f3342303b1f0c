//! `danerelay queue show`.

use std::fmt::Write as _;

use clap::Args;
use jiff::Timestamp;
use mail::{QueueId, TlsTag};
use spool::{Declared, DeclaredRecipient};

use super::table;
use crate::admin::details::MessageDetails;
use crate::admin::details_of;
use crate::admin::protocol::Request;
use crate::commands::client::AdminError;
use crate::commands::output::{printable, write, write_json};
use crate::commands::source::{self, Source, wait};
use crate::config::Config;
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::wiring::settings;

/// What to show.
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// The queue id.
    id: QueueId,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Shows one message.
pub(super) fn run(config: &Config, arguments: &ShowArguments) -> Result<Verdict, Failure> {
    let id = arguments.id;
    let details = match source::open(config)? {
        Source::Daemon(mut client) => {
            client.ask(&Request::Show { id })?;
            client.end()?
        }
        Source::Spool(spool) => wait(async {
            let details: Result<MessageDetails, _> = details_of(&spool, id, &settings::retry(config)).await;
            details.map_err(|refusal| AdminError::Refused(refusal).into())
        })?,
    };
    if arguments.json {
        write_json(&details)?;
    } else {
        write(&text(&details, Timestamp::now()))?;
    }
    Ok(Verdict::Good)
}

fn text(details: &MessageDetails, now: Timestamp) -> String {
    let message = &details.message;
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<11} {}", printable(value));
    };
    line("id", &message.id.to_string());
    line("sender", &format!("<{}>", message.sender));
    line("size", &format!("{} octets", message.size));
    line("accepted", &table::since(message.created, now));
    line("given up", &table::until(details.expires, now));
    line("attempts", &message.attempts.to_string());
    if let Some(next) = message.next_attempt {
        line("next", &table::until(next, now));
    }
    let declared = declared(&details.declared);
    if !declared.is_empty() {
        line("declared", &declared);
    }
    if let Some(trouble) = &details.trouble {
        line("content", &format!("cannot be read: {trouble}"));
    }
    for (name, body) in details.header.fields() {
        line(name, body);
    }
    text.push('\n');
    let mut declared = details.declared.recipients.iter();
    for recipient in &message.recipients {
        let mut line = Vec::new();
        // Writing to memory does not fail.
        let _ = table::write_recipient(recipient, &mut line);
        let _ = write!(text, "{}", String::from_utf8_lossy(&line));
        let _ = write!(text, "            next hop {}", printable(&recipient.next_hop));
        if let Some(host) = &recipient.host {
            let _ = write!(text, ", host {}", printable(host));
        }
        for (name, value) in declared.next().into_iter().flat_map(of_recipient) {
            let _ = write!(text, ", {name}={}", printable(value));
        }
        text.push('\n');
    }
    text
}

/// The parameters of MAIL, as a client writes them.
fn declared(declared: &Declared) -> String {
    let flags = [
        (declared.eight_bit, "BODY=8BITMIME"),
        (declared.smtputf8, "SMTPUTF8"),
        (declared.tls == TlsTag::Required, "REQUIRETLS"),
    ];
    let flags = flags.into_iter().filter(|(set, _)| *set);
    let mut words: Vec<String> = flags.map(|(_, word)| word.to_owned()).collect();
    words.extend(declared.ret.as_ref().map(|ret| format!("RET={ret}")));
    words.extend(declared.envid.as_ref().map(|envid| format!("ENVID={envid}")));
    words.join(" ")
}

/// The parameters of RCPT.
fn of_recipient(declared: &DeclaredRecipient) -> impl Iterator<Item = (&'static str, &str)> {
    [("NOTIFY", &declared.notify), ("ORCPT", &declared.orcpt)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
}
