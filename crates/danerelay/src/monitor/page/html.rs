//! HTML, in which no foreign text can be more than text.

use std::fmt::{self, Display, Write};

use mail::printable::is_unprintable;

/// A text as the content of an element or of a quoted attribute.
pub(super) struct Escaped<T>(pub(super) T);

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
pub(super) struct Html(String);

/// How a column of a table is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// Words.
    Words(&'static str),
    /// Numbers, to the right.
    Numbers(&'static str),
}

impl Html {
    /// Our own markup.
    pub(super) fn raw(&mut self, markup: impl Display) {
        // A string takes everything.
        let _ = write!(self.0, "{markup}");
    }

    /// Text.
    pub(super) fn text(&mut self, text: impl Display) {
        self.raw(Escaped(text));
    }

    /// An element with a text.
    pub(super) fn element(&mut self, tag: &'static str, text: impl Display) {
        self.raw(format_args!("<{tag}>{}</{tag}>", Escaped(text)));
    }

    /// The head of a part of the page.
    pub(super) fn heading(&mut self, text: &'static str) {
        self.element("h2", text);
    }

    /// What is said where there is nothing to show, or no way to.
    pub(super) fn remark(&mut self, text: impl Display) {
        self.raw(format_args!("<p class=\"remark\">{}</p>", Escaped(text)));
    }

    /// A table; each row has a cell for each column.
    pub(super) fn table(&mut self, columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) {
        self.raw("<div class=\"scroll\"><table><thead><tr>");
        for column in columns {
            match column {
                Column::Words(heading) => self.raw(format_args!("<th scope=\"col\">{heading}</th>")),
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
                    Column::Numbers(_) => self.raw("<td class=\"number\">"),
                }
                self.text(cell);
                self.raw("</td>");
            }
            self.raw("</tr>");
        }
        self.raw("</tbody></table></div>");
    }

    /// All of it.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// What others said, without the addresses of people that may be in it.
pub(super) fn without_addresses(text: &str) -> String {
    let words: Vec<&str> = text
        .split(' ')
        .map(|word| if word.contains('@') { "[address]" } else { word })
        .collect();
    words.join(" ")
}

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            // Narrow, and no place to break the line.
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number and its noun.
pub(super) fn count(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {noun}{s}", grouped(number))
}

/// A share from 0 to 1, in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1}\u{202f}%", share * 100.0)
}

/// A number of octets in the unit that suits it.
pub(super) fn octets(octets: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut whole = octets;
    let mut tenths = 0;
    let mut unit = 0;
    while whole >= 1024 && unit + 1 < UNITS.len() {
        tenths = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 {
        format!("{whole}\u{202f}{name}")
    } else {
        format!("{whole}.{tenths}\u{202f}{name}")
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
        let text = html.into_text();
        assert!(
            text.contains(
                "<td>&lt;script&gt;&quot;x&quot; &amp; &#39;y&#39;&lt;/script&gt;\\u{202e}\\u{1b}[2J</td>"
            ),
            "{text}"
        );
    }

    #[test]
    fn addresses_of_people_are_left_out_of_what_servers_say() {
        assert_eq!(
            without_addresses("450 4.2.1 <info@example.nl>: mailbox of info@example.nl is busy"),
            "450 4.2.1 [address] mailbox of [address] is busy"
        );
    }

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!((grouped(999), grouped(0)), ("999".to_owned(), "0".to_owned()));
        assert_eq!(percent(0.876), "87.6\u{202f}%");
        assert_eq!(octets(1_023), "1023\u{202f}B");
        assert_eq!(octets(1_572_864), "1.5\u{202f}MiB");
    }
}
