//! One page for browsers: the shares as a picture, who runs the hosts, what has changed, and the table of domains. It needs
//! nothing else: no script, no font, no other file.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use mail::count;
use mail::printable::Printable;
use mail::words::{day, moment};

use super::compare::Changes;
use super::summary::{Counts, Summary, percent};
use super::verdict::Verdict;

/// The most changes that are listed.
const CHANGES: usize = 500;
/// Up to so many changes are shown at once; of more when somebody asks.
const SHOWN: usize = 20;
/// The most domains that are named as new or gone.
const NAMES: usize = 100;

/// What the page is made of.
pub(crate) struct Page<'a> {
    pub(crate) summary: &'a Summary,
    /// Earlier runs, the oldest first.
    pub(crate) earlier: &'a [Run],
    /// Since the last of them.
    pub(crate) changes: Option<&'a Changes>,
    pub(crate) made: Timestamp,
}

/// An earlier run.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// When its last domain was checked.
    pub(crate) checked: Option<Timestamp>,
    pub(crate) counts: Counts,
}

const STYLE: &str = include_str!("page.css");

impl Page<'_> {
    /// The whole page.
    pub(crate) fn write(&self) -> String {
        let counts = &self.summary.counts;
        let mut out = String::with_capacity(256 * 1024);
        let date = moment(self.made);
        let domains = count(counts.all(), "domain");
        let _ = write!(
            out,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>DANE: {domains}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <h1>Which domains can be reached securely</h1>\n\
             <p class=\"quiet\">{domains}, checked by danerelay {}, {date}</p>\n",
            env!("CARGO_PKG_VERSION"),
        );
        shares(&mut out, counts);
        self.history(&mut out, counts);
        if let Some(changes) = self.changes {
            write_changes(&mut out, changes);
        }
        findings(&mut out, self.summary);
        providers(&mut out, self.summary);
        self.table(&mut out);
        out.push_str("</main>\n</body>\n</html>\n");
        out
    }

    /// The shares of each run, one bar below the other.
    fn history(&self, out: &mut String, now: &Counts) {
        if self.earlier.is_empty() {
            return;
        }
        out.push_str("<h2>Over time</h2>\n<div class=\"runs\">\n");
        for run in self.earlier {
            let date = run.checked.map_or_else(String::new, day);
            run_bar(out, &date, &run.counts);
        }
        run_bar(out, &day(self.made), now);
        out.push_str("</div>\n");
    }

    fn table(&self, out: &mut String) {
        out.push_str(
            "<h2>The domains</h2>\n<table class=\"domains\">\n<thead><tr><th>Domain</th><th>Verdict</th>\
             <th class=\"n\">Hosts</th><th>What is wrong</th></tr></thead>\n<tbody>\n",
        );
        let listed = self.summary.listed();
        for row in &listed {
            let _ = writeln!(
                out,
                "<tr><td>{}</td><td><span class=\"v {v}\">{v}</span></td><td class=\"n\">{}</td><td>{}</td></tr>",
                Html(&row.domain),
                row.hosts,
                Html(row.gravest.as_deref().unwrap_or_default()),
                v = row.verdict.as_str(),
            );
        }
        out.push_str("</tbody>\n</table>\n");
        more(
            out,
            self.summary.counts.all(),
            listed.len(),
            "domains are not listed: the worst come first",
        );
    }
}

/// Says how many there are beside those that are shown.
fn more(out: &mut String, all: usize, shown: usize, words: &str) {
    if all > shown {
        let _ = writeln!(out, "<p class=\"quiet\">{} more {words}.</p>", all - shown);
    }
}

/// A bar of all shares as a picture, and the numbers below it.
fn shares(out: &mut String, counts: &Counts) {
    bar(out, counts, 28);
    out.push_str("<ul class=\"legend\">\n");
    for verdict in Verdict::ALL {
        let _ = writeln!(
            out,
            "<li><span class=\"v {v}\">{v}</span> <b>{}</b><br><span class=\"quiet\">{}: {}</span></li>",
            counts.of(verdict),
            percent(counts.share(verdict)),
            verdict.words(),
            v = verdict.as_str(),
        );
    }
    out.push_str("</ul>\n");
}

fn run_bar(out: &mut String, date: &str, counts: &Counts) {
    let _ = write!(
        out,
        "<div class=\"run\"><span class=\"date\">{}</span>",
        Html(date)
    );
    bar(out, counts, 16);
    let _ = writeln!(
        out,
        "<span class=\"n\">{} secure</span></div>",
        percent(counts.share(Verdict::Secure))
    );
}

/// In units of a thousandth of the width.
fn bar(out: &mut String, counts: &Counts, height: usize) {
    let all = counts.all().max(1);
    let words: Vec<String> = Verdict::ALL
        .iter()
        .map(|verdict| format!("{} {}", percent(counts.share(*verdict)), verdict.as_str()))
        .collect();
    let _ = write!(
        out,
        "<svg class=\"bar\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 1000 {height}\" \
         preserveAspectRatio=\"none\" height=\"{height}\">",
        words.join(", ")
    );
    let (mut before, mut start) = (0, 0);
    for verdict in Verdict::ALL {
        before += counts.of(verdict);
        let end = before * 1000 / all;
        if end > start {
            let _ = write!(
                out,
                "<rect class=\"{}\" x=\"{start}\" width=\"{}\" height=\"{height}\"/>",
                verdict.as_str(),
                end - start
            );
        }
        start = end;
    }
    out.push_str("</svg>");
}

fn write_changes(out: &mut String, changes: &Changes) {
    out.push_str("<h2>Since the last run</h2>\n");
    if changes.is_empty() {
        out.push_str("<p>Nothing has changed.</p>\n");
        return;
    }
    // A long list would hide what follows.
    let open = if changes.changed.len() <= SHOWN {
        " open"
    } else {
        ""
    };
    let _ = writeln!(
        out,
        "<details{open}>\n<summary>{} changed, {} new, {} not checked any more</summary>\n<ul class=\"changes\">",
        changes.changed.len(),
        changes.new.len(),
        changes.gone.len()
    );
    for change in changes.changed.iter().take(CHANGES) {
        let _ = write!(
            out,
            "<li>{}: <span class=\"v {b}\">{b}</span>",
            Html(&change.domain),
            b = change.before.as_str()
        );
        if change.before != change.now {
            let _ = write!(
                out,
                " → <span class=\"v {n}\">{n}</span>",
                n = change.now.as_str()
            );
        }
        let words = |sign: char, all: &[(String, Option<String>)]| {
            let one = |(code, host): &(String, Option<String>)| match host {
                Some(host) => format!("{sign} {code} at {host}"),
                None => format!("{sign} {code}"),
            };
            all.iter().map(one).collect::<Vec<_>>()
        };
        let words = [words('+', &change.new), words('−', &change.gone)].concat();
        let _ = writeln!(
            out,
            " <span class=\"quiet\">{}</span></li>",
            Html(&words.join(", "))
        );
    }
    out.push_str("</ul>\n");
    more(out, changes.changed.len(), CHANGES, "changes are not listed");
    for (words, names) in [("New", &changes.new), ("Not checked any more", &changes.gone)] {
        if !names.is_empty() {
            let first: Vec<&str> = names.iter().take(NAMES).map(String::as_str).collect();
            let rest = match names.len() - first.len() {
                0 => String::new(),
                rest => format!(", and {rest} more"),
            };
            let _ = writeln!(
                out,
                "<p class=\"names\">{words}: {}{rest}.</p>",
                Html(&first.join(", "))
            );
        }
    }
    out.push_str("</details>\n");
    if changes.unlike > 0 {
        let _ = writeln!(out, "<p class=\"quiet\">{}.</p>", changes.unlike_words());
    }
}

fn findings(out: &mut String, summary: &Summary) {
    let counts = summary.findings();
    if counts.is_empty() {
        return;
    }
    out.push_str("<h2>What is wrong</h2>\n<table>\n<thead><tr><th>Finding</th><th class=\"n\">Domains</th></tr></thead>\n<tbody>\n");
    for (code, count) in counts {
        let _ = writeln!(
            out,
            "<tr><td><code>{}</code></td><td class=\"n\">{count}</td></tr>",
            Html(code)
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

fn providers(out: &mut String, summary: &Summary) {
    let providers = summary.providers();
    if providers.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Who runs the hosts</h2>\n<table>\n<thead><tr><th>Provider</th><th class=\"n\">Domains</th>\
         <th>Shares</th></tr></thead>\n<tbody>\n",
    );
    for provider in &providers {
        let _ = write!(
            out,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"share\">",
            Html(&provider.name),
            provider.counts.all()
        );
        bar(out, &provider.counts, 12);
        out.push_str("</td></tr>\n");
    }
    out.push_str("</tbody>\n</table>\n");
}

/// Text that is nothing but text in a page.
struct Html<'a>(&'a str);

impl fmt::Display for Html<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in Printable(self.0).to_string().chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}
