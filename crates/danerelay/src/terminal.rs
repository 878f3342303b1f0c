//! Colours, on terminals only.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Palette {
    Colours,
    Plain,
}

/// How a text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Bold,
    Red,
    Green,
    Yellow,
    Plain,
}

impl Palette {
    /// For standard output: no colours in files and pipes, and none where `NO_COLOR` is set (<https://no-color.org>).
    pub(crate) fn for_stdout() -> Self {
        Self::of(io::stdout().is_terminal(), |name| {
            std::env::var_os(name).unwrap_or_default()
        })
    }

    fn of(is_terminal: bool, variable: impl Fn(&str) -> OsString) -> Self {
        if is_terminal && variable("NO_COLOR").is_empty() && variable("TERM") != "dumb" {
            Self::Colours
        } else {
            Self::Plain
        }
    }

    pub(crate) fn style(self, text: &str, style: Style) -> String {
        let code = match (self, style) {
            (Self::Plain, _) | (_, Style::Plain) => return text.to_owned(),
            (Self::Colours, Style::Bold) => "1",
            (Self::Colours, Style::Red) => "31",
            (Self::Colours, Style::Green) => "32",
            (Self::Colours, Style::Yellow) => "33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_gets_colours_and_only_where_they_are_wanted() {
        let with = |name: &'static str, value: &'static str| {
            move |asked: &str| OsString::from(if asked == name { value } else { "" })
        };
        assert_eq!(Palette::of(true, with("TERM", "xterm")), Palette::Colours);
        assert_eq!(Palette::of(true, with("NO_COLOR", "")), Palette::Colours);
        assert_eq!(Palette::of(false, with("TERM", "xterm")), Palette::Plain);
        assert_eq!(Palette::of(true, with("TERM", "dumb")), Palette::Plain);
        assert_eq!(Palette::of(true, with("NO_COLOR", "1")), Palette::Plain);
    }
}
