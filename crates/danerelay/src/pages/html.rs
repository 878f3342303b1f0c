//! HTML, in which no foreign text can be more than text.

use std::fmt::{self, Display, Write};
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64;
use mail::printable::is_unprintable;

const STYLE: &str = include_str!("style.css");

/// What a browser may do with the page: use the style that is in it, and nothing else.
static SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64.encode(digest(&SHA256, STYLE.as_bytes()).as_ref());
    format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'")
});

/// The value of Content-Security-Policy; a server says besides that the page belongs into no frame, which a file cannot.
pub(crate) fn security_policy() -> &'static str {
    &SECURITY_POLICY
}

/// Where a page is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// From the daemon, which tells the security policy apart: it is asked for again each minute.
    Served,
    /// From a file, in which the security policy stands.
    File,
}

/// A text as the content of an element or of a quoted attribute.
pub(crate) struct Escaped<T>(pub(crate) T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// Escapes what is written to it.
struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match c {
            '&' => self.0.write_str("&amp;"),
            '<' => self.0.write_str("&lt;"),
            '>' => self.0.write_str("&gt;"),
            '"' => self.0.write_str("&quot;"),
            '\'' => self.0.write_str("&#39;"),
            c if is_unprintable(c) => write!(self.0, "\\u{{{:x}}}", u32::from(c)),
            c => self.0.write_char(c),
        })
    }
}

/// What is shown, as it grows.
#[derive(Default)]
pub(crate) struct Html(String);

/// How a column of a table is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// Words.
    Words(&'static str),
    /// Words that stay on one line: dates, ids.
    Short(&'static str),
    /// Numbers, to the right.
    Numbers(&'static str),
}

impl Html {
    /// The beginning of a page.
    pub(crate) fn page(title: impl Display, kind: Kind) -> Self {
        let mut page = Self::default();
        page.raw(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\">",
        );
        match kind {
            Kind::Served => page.raw("<meta http-equiv=\"refresh\" content=\"60\">"),
            Kind::File => page.raw(format_args!(
                "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">",
                security_policy()
            )),
        }
        page.raw(format_args!(
            "<title>{} · danerelay</title><style>{STYLE}</style></head><body><main>",
            Escaped(title)
        ));
        page
    }

    /// The end of the page.
    pub(crate) fn end(mut self) -> String {
        self.raw("</main></body></html>\n");
        self.0
    }

    /// Our own markup.
    pub(crate) fn raw(&mut self, markup: impl Display) {
        // A string takes everything.
        let _ = write!(self.0, "{markup}");
    }

    /// Text.
    pub(crate) fn text(&mut self, text: impl Display) {
        self.raw(Escaped(text));
    }

    /// An element with a text.
    pub(crate) fn element(&mut self, tag: &'static str, text: impl Display) {
        self.raw(format_args!("<{tag}>{}</{tag}>", Escaped(text)));
    }

    /// The head of a part of the page.
    pub(crate) fn heading(&mut self, text: impl Display) {
        self.element("h2", text);
    }

    /// What is said where there is nothing to show, or no way to.
    pub(crate) fn remark(&mut self, text: impl Display) {
        self.raw(format_args!("<p class=\"remark\">{}</p>", Escaped(text)));
    }

    /// A table; each row has a cell for each column.
    pub(crate) fn table(&mut self, columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) {
        self.raw("<div class=\"scroll\"><table><thead><tr>");
        for column in columns {
            match column {
                Column::Words(heading) | Column::Short(heading) => {
                    self.raw(format_args!("<th scope=\"col\">{heading}</th>"));
                }
                Column::Numbers(heading) => {
                    self.raw(format_args!("<th scope=\"col\" class=\"number\">{heading}</th>"));
                }
            }
        }
        self.raw("</tr></thead><tbody>");
        for row in rows {
            self.raw("<tr>");
            for (column, cell) in columns.iter().zip(row) {
                match column {
                    Column::Words(_) => self.raw("<td>"),
                    Column::Short(_) => self.raw("<td class=\"short\">"),
                    Column::Numbers(_) => self.raw("<td class=\"number\">"),
                }
                self.text(cell);
                self.raw("</td>");
            }
            self.raw("</tr>");
        }
        self.raw("</tbody></table></div>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_text() {
        let mut html = Html::default();
        html.table(
            &[Column::Words("a")],
            [vec!["<script>\"x\" & 'y'</script>\u{202e}\u{1b}[2J".to_owned()]],
        );
        let text = html.end();
        assert!(
            text.contains(
                "<td>&lt;script&gt;&quot;x&quot; &amp; &#39;y&#39;&lt;/script&gt;\\u{202e}\\u{1b}[2J</td>"
            ),
            "{text}"
        );
    }

    /// Receivers choose their names: up to 253 octets without a place to break, on a phone. So text breaks anywhere, but for
    /// headings of columns, numbers and words of ours.
    #[test]
    fn the_names_of_strangers_break_anywhere() {
        let rules = || STYLE.split('}').filter_map(|rule| rule.rsplit_once('{'));
        assert!(rules().any(|(of, rule)| of.trim() == "body" && rule.contains("overflow-wrap:anywhere")));
        let unbroken =
            rules().filter(|(_, rule)| rule.contains("nowrap") || rule.contains("overflow-wrap:normal"));
        let unbroken: Vec<&str> = unbroken.map(|(of, _)| of.trim()).collect();
        assert_eq!(unbroken, ["th", ".number", ".short"]);
    }
}
