//! Reads the delivery log, as any log tool would.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::DemoError;

/// How often the log file is checked.
const GLANCE: Duration = Duration::from_millis(20);
/// How long the relay may take for one message.
const PATIENCE: Duration = Duration::from_secs(20);

/// One delivery line.
#[derive(Debug, Clone)]
pub(super) struct DeliveryLine {
    /// The message part of the line, as written by the relay.
    pub(super) text: String,
}

impl DeliveryLine {
    /// The message part of a line of the log file, if it is about a delivery of the message with this queue id.
    fn find(line: &str, id: &str) -> Option<Self> {
        let (_, message) = line.split_once(&format!("id={id}, "))?;
        let delivery = message.contains(", to=") && message.contains(", status=");
        delivery.then(|| Self {
            text: format!("id={id}, {message}"),
        })
    }

    /// The value of a field, without its quotes; `None` for `-`.
    pub(super) fn field(&self, key: &str) -> Option<&str> {
        let (_, rest) = self.text.split_once(&format!(", {key}="))?;
        let value = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?.0,
            None => rest.split_once(", ").map_or(rest, |(value, _)| value),
        };
        (value != "-").then_some(value)
    }
}

/// The first delivery line in the log file `log` for the message with this queue id; waits for it.
pub(super) async fn first_line(log: &Path, id: &str) -> Result<DeliveryLine, DemoError> {
    let began = Instant::now();
    loop {
        let text = fs::read_to_string(log).unwrap_or_default();
        // A line counts once it is complete.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        if let Some(line) = whole.lines().find_map(|line| DeliveryLine::find(line, id)) {
            return Ok(line);
        }
        if began.elapsed() > PATIENCE {
            return Err(DemoError::NoLine {
                id: id.to_owned(),
                log: text,
            });
        }
        sleep(GLANCE).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_of_a_line() {
        let log = "2026-11-22T10:00:00Z info id=01J, from=<a@b>, to=x@y.demo, mode=dane off, dane=\"Skip (a, b)\", tls=-, status=sent, size=1";
        let line = DeliveryLine::find(log, "01J").unwrap();
        assert_eq!(line.field("dane"), Some("Skip (a, b)"));
        assert_eq!(line.field("tls"), None);
        assert_eq!(line.field("mode"), Some("dane off"));
        assert_eq!(line.field("size"), Some("1"));
        assert!(DeliveryLine::find(log, "01K").is_none());
        let accepted = "2026-11-22T10:00:00Z info id=01J, client=a [::1], from=<a@b>, event=accepted";
        assert!(DeliveryLine::find(accepted, "01J").is_none());
    }
}
