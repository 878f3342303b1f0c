//! Where the reports go: each as soon as it is there, and what is said of all of them at the end.

use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use dns::self_test::Fault;
use jiff::Timestamp;

use super::arguments::CheckArguments;
use super::sources::{Journal, Sources};
use crate::check::{
    Audience, Comparison, Ended, Figures, Left, Page, Report, Row, Run, State, Summary, Verdict as Of, Worst,
    nagios_unknown, text,
};
use crate::commands::output;
use crate::commands::progress::Progress;
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::json;
use crate::terminal::Palette;

/// Of more domains than these each has one line.
const FEW: usize = 8;

/// Takes the reports.
pub(super) struct Sink<'a> {
    arguments: &'a CheckArguments,
    palette: Palette,
    form: Form,
    is_many: bool,
    progress: Progress,
    /// `--resume`.
    journal: Option<Journal>,
    /// Whether a line was written to it.
    has_kept: bool,
    summary: Summary,
    worst: Worst,
    /// With the last of the earlier runs.
    comparison: Option<Comparison>,
    runs: Vec<Run>,
    figures: Vec<Figures>,
    /// Whether something was printed already.
    has_begun: bool,
    /// Lines of the list that are no domain.
    skipped: usize,
}

/// What is printed of each domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    /// Only where there is something to tell.
    Quiet,
    /// A line for each.
    Line,
    /// All of it.
    Full,
    Nothing,
}

impl<'a> Sink<'a> {
    pub(super) fn open(arguments: &'a CheckArguments, sources: &mut Sources) -> Result<Self, Failure> {
        let is_many = sources.all() > FEW;
        let form = match (arguments.json, arguments.quiet, arguments.nagios, is_many) {
            (true, ..) => Form::Json,
            (_, true, ..) => Form::Quiet,
            (_, _, true, _) => Form::Nothing,
            (false, false, false, true) => Form::Line,
            (false, false, false, false) => Form::Full,
        };
        // What cannot be written is better known before hours of work.
        for path in [&arguments.html, &arguments.openmetrics].into_iter().flatten() {
            output::replacement(path)?;
        }
        let mut sink = Self {
            arguments,
            palette: Palette::for_stdout(),
            form,
            is_many,
            progress: Progress::of(if is_many { sources.left() } else { 0 }),
            journal: sources.journal.take(),
            has_kept: false,
            summary: Summary::default(),
            worst: Worst::new(if arguments.allow_insecure {
                State::Ok
            } else {
                State::Warning
            }),
            comparison: sources.comparison.take(),
            runs: std::mem::take(&mut sources.runs),
            figures: Vec::new(),
            has_begun: false,
            skipped: sources.skipped,
        };
        sources.each_known(|row| sink.count(&row))?;
        Ok(sink)
    }

    fn count(&mut self, row: &Row) {
        self.summary.add(row);
        self.worst.add(row);
        if let Some(comparison) = &mut self.comparison {
            comparison.add(row);
        }
    }

    fn keep(&mut self, report: &Report) -> Result<(), Failure> {
        let (Some(path), Some(journal)) = (&self.arguments.resume, &mut self.journal) else {
            return Ok(());
        };
        // What is torn at its end goes only when there is something in its place.
        if !self.has_kept {
            cut(journal).map_err(unwritten(path))?;
            self.has_kept = true;
        }
        let mut line = json::line(report).map_err(|error| Failure::Output(error.into()))?;
        line.push('\n');
        journal.file.write_all(line.as_bytes()).map_err(unwritten(path))
    }

    fn print(&mut self, report: &Report) -> Result<(), Failure> {
        let gap = if self.has_begun { "\n" } else { "" };
        self.has_begun = true;
        match self.form {
            Form::Nothing => Ok(()),
            Form::Json => output::write_json(report),
            Form::Quiet if is_quiet(report) => Ok(()),
            Form::Quiet | Form::Line => output::write_painted(&text::line(report, self.palette)),
            Form::Full => output::write_painted(&format!("{gap}{}", text::write(report, self.palette))),
        }
    }

    /// Says what there is to say about all of them.
    pub(super) fn close(self, ended: &Ended) -> Result<Verdict, Failure> {
        drop(self.progress);
        let arguments = self.arguments;
        let changes = self.comparison.map(Comparison::end);
        if let Some(changes) = &changes {
            match self.form {
                Form::Json | Form::Nothing => output::notice(&changes.table()),
                // Nothing to tell.
                Form::Quiet if changes.is_empty() => {}
                Form::Quiet | Form::Line | Form::Full => {
                    output::write(&format!("\n{}", changes.table()))?;
                }
            }
        }
        match self.form {
            Form::Line => output::write(&format!("\n{}", self.summary.table()))?,
            Form::Json if self.is_many => output::notice(&self.summary.table()),
            Form::Json | Form::Quiet | Form::Full | Form::Nothing => {}
        }
        for domain in &ended.lost {
            output::notice(&format!("{domain}: not checked, by a fault of this program"));
        }
        if let Some(left) = &ended.left {
            let words = match left {
                Left::Resolver(count, fault) => {
                    format!("our own resolver does not recover ({fault}); {count} domains have no result")
                }
                Left::Time(limit) => format!("not all could be checked within {} s", limit.as_secs()),
            };
            let hint = arguments
                .resume
                .as_ref()
                .map_or("", |_| ": the same command goes on");
            output::notice(&format!("{words}{hint}"));
        }
        if let Some(path) = &arguments.openmetrics {
            output::write_file(path, &crate::check::metrics(&self.figures))?;
        }
        if let Some(path) = &arguments.html {
            let page = Page {
                summary: &self.summary,
                earlier: &self.runs,
                changes: changes.as_ref(),
                made: Timestamp::now(),
            };
            output::write_file(path, &page.write())?;
        }
        let rest = Rest::of(self.skipped, ended);
        if arguments.nagios {
            return nagios(&self.worst, &self.summary, rest);
        }
        Ok(verdict(&self.summary, arguments.allow_insecure, rest))
    }
}

impl Audience for Sink<'_> {
    type Error = Failure;

    fn report(&mut self, report: Report) -> Result<(), Failure> {
        self.keep(&report)?;
        self.print(&report)?;
        self.progress.step();
        if self.arguments.openmetrics.is_some() {
            self.figures.push((&report).into());
        }
        self.count(&(&report).into());
        Ok(())
    }

    fn put_off(&mut self, report: &Report) -> Result<(), Failure> {
        self.keep(report)
    }

    fn pause(&mut self, fault: &Fault) {
        self.progress.hide();
        output::notice(&format!(
            "our own resolver fails: {fault}; paused until it is well again"
        ));
    }

    fn resume(&mut self, after: Duration, again: usize) {
        self.progress.hide();
        output::notice(&format!(
            "our own resolver is well again after {} s; {again} domains are looked at once more",
            after.as_secs()
        ));
    }
}

/// What was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    /// Our own resolver failed, or the time was over.
    Left,
    /// Lines of the list that are no domain.
    Skipped,
    /// By a fault of this program.
    Lost,
}

impl Rest {
    fn of(skipped: usize, ended: &Ended) -> Self {
        if !ended.lost.is_empty() {
            Self::Lost
        } else if skipped > 0 {
            Self::Skipped
        } else if ended.left.is_some() {
            Self::Left
        } else {
            Self::Nothing
        }
    }
}

fn nagios(worst: &Worst, summary: &Summary, rest: Rest) -> Result<Verdict, Failure> {
    let (line, state) = worst.line(&summary.counts);
    let (line, state) = match (state, rest) {
        (State::Ok | State::Unknown, Rest::Left | Rest::Skipped | Rest::Lost) => (
            nagios_unknown("not all of the list could be checked"),
            State::Unknown,
        ),
        (state, _) => (line, state),
    };
    output::write(&line)?;
    Ok(match state {
        State::Ok => Verdict::Good,
        State::Warning => Verdict::Bad,
        // Its number is that of a critical service.
        State::Critical => Verdict::Unusable,
        State::Unknown => Verdict::Undecided,
    })
}

/// Whether there is nothing to tell: also of a secure domain whose certificate or signatures are about to expire there is.
fn is_quiet(report: &Report) -> bool {
    let is_good = match report.verdict {
        Of::Secure => true,
        Of::NoMail => !report.is_missing(),
        Of::Insecure | Of::Broken | Of::Unreachable => false,
    };
    is_good && report.gravest().is_none()
}

/// The exit status: what is wrong counts more than what is not known, and a list that cannot be read whole is no good list.
fn verdict(summary: &Summary, allow_insecure: bool, rest: Rest) -> Verdict {
    let counts = &summary.counts;
    let insecure = if allow_insecure { 0 } else { counts.insecure };
    if counts.broken + insecure + summary.missing > 0 {
        return Verdict::Bad;
    }
    match rest {
        Rest::Lost => Verdict::Bad,
        Rest::Skipped => Verdict::Unusable,
        Rest::Left => Verdict::Undecided,
        Rest::Nothing if counts.unreachable > 0 => Verdict::Undecided,
        Rest::Nothing => Verdict::Good,
    }
}

fn unwritten(path: &Path) -> impl Fn(io::Error) -> Failure {
    let path = path.to_owned();
    move |cause| Failure::File {
        path: path.clone(),
        cause,
    }
}

/// Cuts off what is torn at the end of the file.
fn cut(journal: &mut Journal) -> io::Result<()> {
    journal.file.set_len(journal.whole)?;
    journal.file.seek(SeekFrom::End(0))?;
    Ok(())
}
