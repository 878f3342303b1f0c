//! Why an attempt ended as it did, in words.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Words of ours, a server's reply, or ours with a reply behind them: as text all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(Arc<Words>);

#[derive(Debug, PartialEq, Eq)]
struct Words {
    text: String,
    /// Where in the text the server's reply begins, if there is one.
    reply: Option<usize>,
}

impl Reason {
    /// What stands between our words and a reply.
    const BETWEEN: &str = ": ";

    /// A server's reply, on one line.
    pub fn of_reply(text: impl Into<String>) -> Self {
        Self::new(text.into(), Some(0))
    }

    fn new(text: String, reply: Option<usize>) -> Self {
        Self(Arc::new(Words { text, reply }))
    }

    /// The same, with our words before it.
    #[must_use]
    pub fn below(&self, ours: impl fmt::Display) -> Self {
        let before = format!("{ours}{}", Self::BETWEEN);
        let reply = self.0.reply.map(|reply| before.len().saturating_add(reply));
        Self::new(before + self, reply)
    }

    /// The same, with the reply changed, or all of it if there is none.
    #[must_use]
    pub fn edited(&self, edit: impl FnOnce(&str) -> String) -> Self {
        let (ours, rest) = self
            .split_at_checked(self.0.reply.unwrap_or(0))
            .unwrap_or(("", self));
        Self::new(format!("{ours}{}", edit(rest)), self.0.reply)
    }

    /// The server's words, and nothing else.
    pub fn reply(&self) -> Option<&str> {
        self.get(self.0.reply?..)
    }

    /// Our words, without the reply behind them.
    pub fn ours(&self) -> Option<&str> {
        let ours = match self.0.reply {
            None => return Some(self),
            Some(reply) => self.get(..reply)?,
        };
        ours.strip_suffix(Self::BETWEEN)
    }
}

/// Words of ours.
impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

/// Words of ours.
impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self::new(text, None)
    }
}

impl Deref for Reason {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0.text
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_and_the_servers_words_are_kept_apart() {
        let reply = Reason::of_reply("535 5.7.8 wrong: secret");
        assert_eq!(
            (reply.ours(), reply.reply()),
            (None, Some("535 5.7.8 wrong: secret"))
        );
        let both = reply.below("the login failed").below("no mail");
        assert_eq!(&*both, "no mail: the login failed: 535 5.7.8 wrong: secret");
        assert_eq!(both.ours(), Some("no mail: the login failed"));
        assert_eq!(both.reply(), reply.reply());
        let hidden = both.edited(|text| text.replace("secret", "[hidden]"));
        assert_eq!(hidden.reply(), Some("535 5.7.8 wrong: [hidden]"));
        assert_eq!(hidden.ours(), both.ours());
        let ours = Reason::from("no answer").below("we");
        assert_eq!((ours.ours(), ours.reply()), (Some("we: no answer"), None));
    }
}
