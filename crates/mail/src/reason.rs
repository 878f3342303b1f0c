//! Why an attempt ended as it did, in words.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Words of ours, a server's reply, or ours with a reply behind them: as text all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    text: Arc<str>,
    /// Where in the text the server's reply begins, if there is one.
    reply: Option<usize>,
}

impl Reason {
    /// What stands between our words and a reply.
    const BETWEEN: &str = ": ";

    /// A server's reply, on one line.
    pub fn of_reply(text: impl Into<Arc<str>>) -> Self {
        Self {
            text: text.into(),
            reply: Some(0),
        }
    }

    /// The same, with our words before it.
    #[must_use]
    pub fn below(&self, ours: impl fmt::Display) -> Self {
        let before = format!("{ours}{}", Self::BETWEEN);
        Self {
            reply: self.reply.map(|reply| before.len().saturating_add(reply)),
            text: (before + self).into(),
        }
    }

    /// The same, with the reply changed, or all of it if there is none.
    #[must_use]
    pub fn edited(&self, edit: impl FnOnce(&str) -> String) -> Self {
        let (ours, rest) = self
            .text
            .split_at_checked(self.reply.unwrap_or(0))
            .unwrap_or(("", &*self.text));
        Self {
            text: format!("{ours}{}", edit(rest)).into(),
            reply: self.reply,
        }
    }

    /// The server's words, and nothing else.
    pub fn reply(&self) -> Option<&str> {
        self.text.get(self.reply?..)
    }

    /// Our words, without the reply behind them.
    pub fn ours(&self) -> Option<&str> {
        let ours = match self.reply {
            None => return Some(&*self.text),
            Some(reply) => self.text.get(..reply)?,
        };
        ours.strip_suffix(Self::BETWEEN)
    }
}

/// Words of ours.
impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        Self {
            text: text.into(),
            reply: None,
        }
    }
}

/// Words of ours.
impl From<String> for Reason {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl Deref for Reason {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
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
