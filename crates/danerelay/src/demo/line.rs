//! Reading the delivery log, as any log tool would.

/// One delivery line.
#[derive(Debug, Clone)]
pub(super) struct DeliveryLine {
    /// The message part of the line, as the relay wrote it.
    pub(super) text: String,
}

impl DeliveryLine {
    /// The message part of a line of the log file, if it is about a delivery to `recipient`.
    pub(super) fn find(line: &str, recipient: &str) -> Option<Self> {
        let (_, message) = line.split_once("id=")?;
        let delivery = message.contains(&format!(", to={recipient}, ")) && message.contains(", status=");
        delivery.then(|| Self {
            text: format!("id={message}"),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_of_a_line() {
        let log = "2026-11-22T10:00:00Z info id=01J, from=<a@b>, to=x@y.demo, mode=dane off, dane=\"Skip (a, b)\", tls=-, status=sent, size=1";
        let line = DeliveryLine::find(log, "x@y.demo").unwrap();
        assert_eq!(line.field("dane"), Some("Skip (a, b)"));
        assert_eq!(line.field("tls"), None);
        assert_eq!(line.field("mode"), Some("dane off"));
        assert_eq!(line.field("size"), Some("1"));
        assert!(DeliveryLine::find(log, "z@y.demo").is_none());
    }
}
