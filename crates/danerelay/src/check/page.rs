//! One page for browsers: the shares as a picture, who runs the hosts, what has changed, and the table of domains. It needs
//! nothing else: no script, no font, no other file.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use mail::printable::Printable;

use super::compare::Changes;
use super::row::Row;
use super::summary::{Counts, Summary, frequent, percent};
use super::verdict::Verdict;

/// The most domains in the table; the worst come first.
const ROWS: usize = 5000;
/// The most changes that are listed.
const CHANGES: usize = 500;
/// The kinds of findings that are counted.
const CODES: usize = 12;

/// What the page is made of.
pub(crate) struct Page<'a> {
    pub(crate) rows: &'a [Row],
    /// Earlier runs, the oldest first.
    pub(crate) earlier: &'a [Vec<Row>],
    pub(crate) made: Timestamp,
}

const STYLE: &str = include_str!("page.css");

impl Page<'_> {
    /// The whole page.
    pub(crate) fn write(&self) -> String {
        let summary = Summary::of(self.rows.iter());
        let mut out = String::with_capacity(4096 + 160 * self.rows.len().min(ROWS));
        let date = self.made.strftime("%Y-%m-%d %H:%M UTC");
        let _ = write!(
            out,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>DANE: {} domains</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <h1>Who can be reached securely</h1>\n\
             <p class=\"quiet\">{} domains, checked by danerelay {}, {date}</p>\n",
            self.rows.len(),
            self.rows.len(),
            env!("CARGO_PKG_VERSION"),
        );
        shares(&mut out, &summary.counts);
        self.history(&mut out, &summary.counts);
        if let Some(last) = self.earlier.last() {
            changes(&mut out, &Changes::between(last, self.rows));
        }
        findings(&mut out, self.rows);
        providers(&mut out, &summary);
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
            let counts = Summary::of(run.iter()).counts;
            let date = run.iter().map(|row| row.checked).max();
            let date = date.map_or_else(String::new, |date| date.strftime("%Y-%m-%d").to_string());
            run_bar(out, &date, &counts);
        }
        run_bar(out, &self.made.strftime("%Y-%m-%d").to_string(), now);
        out.push_str("</div>\n");
    }

    fn table(&self, out: &mut String) {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_by(|one, other| (one.verdict, &one.domain).cmp(&(other.verdict, &other.domain)));
        out.push_str(
            "<h2>The domains</h2>\n<table class=\"domains\">\n<thead><tr><th>Domain</th><th>Verdict</th>\
             <th class=\"n\">Hosts</th><th>What is wrong</th></tr></thead>\n<tbody>\n",
        );
        for row in rows.iter().take(ROWS) {
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
        if rows.len() > ROWS {
            let _ = writeln!(
                out,
                "<p class=\"quiet\">{} more domains are not listed: the worst come first.</p>",
                rows.len() - ROWS
            );
        }
    }
}

/// A bar of all shares as a picture, and the numbers below it.
fn shares(out: &mut String, counts: &Counts) {
    bar(out, counts, 28);
    out.push_str("<ul class=\"legend\">\n");
    for verdict in Verdict::ALL {
        let _ = writeln!(
            out,
            "<li><span class=\"v {v}\">{v}</span> <b>{}</b> <span class=\"quiet\">{}</span><br>\
             <span class=\"quiet\">{}</span></li>",
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

fn changes(out: &mut String, changes: &Changes) {
    out.push_str("<h2>Since the last run</h2>\n");
    if *changes == Changes::default() {
        out.push_str("<p>Nothing has changed.</p>\n");
        return;
    }
    let _ = writeln!(
        out,
        "<p>{} changed, {} new, {} not checked any more.</p>\n<ul class=\"changes\">",
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
        let new = change.new.iter().map(|(code, _)| format!("+ {code}"));
        let gone = change.gone.iter().map(|(code, _)| format!("− {code}"));
        let words: Vec<String> = new.chain(gone).collect();
        let _ = writeln!(
            out,
            " <span class=\"quiet\">{}</span></li>",
            Html(&words.join(", "))
        );
    }
    out.push_str("</ul>\n");
}

fn findings(out: &mut String, rows: &[Row]) {
    let mut counts: Vec<_> = frequent(rows.iter()).into_iter().collect();
    if counts.is_empty() {
        return;
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    out.push_str("<h2>What is wrong</h2>\n<table>\n<thead><tr><th>Finding</th><th class=\"n\">Domains</th></tr></thead>\n<tbody>\n");
    for (code, count) in counts.iter().take(CODES) {
        let _ = writeln!(
            out,
            "<tr><td><code>{}</code></td><td class=\"n\">{count}</td></tr>",
            Html(code)
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

fn providers(out: &mut String, summary: &Summary) {
    if summary.providers.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Who runs the hosts</h2>\n<table>\n<thead><tr><th>Provider</th><th class=\"n\">Domains</th>\
         <th>Shares</th></tr></thead>\n<tbody>\n",
    );
    for provider in &summary.providers {
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
