//! `danerelay.toml(5)`: every key, from the table that the template is made of.

use clap_mangen::roff::{Inline, Roff, bold, roman};

use super::key::{Change, Function, Key, Section, Setting};
use super::schema::Config;

/// Whose page it is.
pub(crate) const PAGE_SOURCE: &str = concat!("danerelay ", env!("CARGO_PKG_VERSION"));

/// The page of this date.
pub(crate) fn manual(date: &str) -> String {
    let mut page = Roff::new();
    page.control("TH", ["danerelay.toml", "5", date, PAGE_SOURCE, "danerelay"]);
    page.control("SH", ["NAME"]);
    page.text([roman("danerelay.toml - the configuration of danerelay")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([
        roman("A file in TOML. Every key may be left out; without the file all defaults hold. "),
        bold("danerelay config check"),
        roman(" reports what is wrong in it, "),
        bold("danerelay config show"),
        roman(" what is in force, and "),
        bold("danerelay config template"),
        roman(" prints the file with every key at its default. Paths are relative to the directory of the file."),
    ]);
    section(&mut page, &Config::default());
    page.control("SH", ["FILES"]);
    page.text([
        bold("/etc/danerelay/danerelay.toml"),
        roman(": the file that is read if no other is named."),
    ]);
    page.control("SH", ["SEE ALSO"]);
    page.text([roman("danerelay(1), danerelay-policy.toml(5), danerelay(8)")]);
    page.render()
}

fn section(page: &mut Roff, section_of: &dyn Section) {
    let place = section_of.place();
    let heading = if place.is_empty() {
        "AT THE TOP".to_owned()
    } else {
        format!("[{place}]")
    };
    page.control("SH", [heading.as_str()]);
    let about = prose(section_of.about());
    if !about.is_empty() {
        page.text([roman(about)]);
    }
    for (key, value) in section_of.own() {
        entry(page, key, value);
    }
    for below in section_of.below() {
        section(page, below);
    }
}

fn entry(page: &mut Roff, key: &Key, value: &dyn Setting) {
    page.control("TP", []);
    let default: Inline = roman(format!(" = {}", value.written()));
    page.text([bold(key.name), default]);
    let effect = match (key.rule.function, key.rule.change) {
        (Function::Available, Change::Reload) => "A change takes effect with a reload.",
        (Function::Available, Change::Restart) => "A change takes effect with a restart.",
        (Function::Later, _) => "Not available in this version.",
    };
    let comment = prose(key.comment);
    let gap = if comment.is_empty() { "" } else { " " };
    page.text([roman(format!(
        "{comment}{gap}Default from: {}. {effect}",
        key.origin
    ))]);
}

fn prose(lines: &[&str]) -> String {
    let words: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_in_the_page() {
        let page = manual("2027-01-31");
        for row in Config::default().rows() {
            // Hyphens and dots are escaped for roff; names of keys have neither.
            assert!(
                page.contains(&format!("\\fB{}\\fR", row.key.name)),
                "{}",
                row.dotted()
            );
        }
    }
}
