//! Where the reports go: each as soon as it is there, and what is said of all of them at the end.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use jiff::Timestamp;
use mail::Domain;

use super::arguments::CheckArguments;
use super::sources::Sources;
use crate::check::paint::Paint;
use crate::check::{Changes, Figures, Page, Report, Row, State, Summary, Verdict as Of, nagios_line, text};
use crate::commands::output;
use crate::commands::progress::Progress;
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::json;

/// Takes the reports.
pub(super) struct Sink<'a> {
    arguments: &'a CheckArguments,
    paint: Paint,
    form: Form,
    is_many: bool,
    progress: Progress,
    /// `--resume`, once there is a first line to write.
    journal: Option<File>,
    /// The octets that the file keeps.
    whole: u64,
    rows: Vec<Row>,
    earlier: Vec<Vec<Row>>,
    figures: Vec<Figures>,
    /// Lines of the list that are no domain.
    skipped: usize,
}

/// What is printed of each domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    /// Only what is not secure.
    Quiet,
    /// A line for each.
    Line,
    /// All of it.
    Full,
    Nothing,
}

impl<'a> Sink<'a> {
    pub(super) fn open(arguments: &'a CheckArguments, sources: &Sources, is_many: bool) -> Self {
        let form = match (arguments.json, arguments.quiet, arguments.nagios, is_many) {
            (true, ..) => Form::Json,
            (_, true, ..) => Form::Quiet,
            (_, _, true, _) => Form::Nothing,
            (false, false, false, true) => Form::Line,
            (false, false, false, false) => Form::Full,
        };
        Self {
            arguments,
            paint: Paint::of_output(),
            form,
            is_many,
            progress: Progress::of(if is_many { sources.left() } else { 0 }),
            journal: None,
            whole: sources.whole,
            rows: sources.known.clone(),
            earlier: sources.earlier.clone(),
            figures: Vec::new(),
            skipped: sources.skipped,
        }
    }

    /// Takes one.
    pub(super) fn take(&mut self, report: &Report) -> Result<(), Failure> {
        if let Some(path) = &self.arguments.resume {
            let mut line = json::line(report).map_err(|error| Failure::Output(error.into()))?;
            line.push('\n');
            let file = match &mut self.journal {
                Some(file) => file,
                // What is torn at its end goes only when there is something in its place.
                None => self.journal.insert(journal(path, self.whole)?),
            };
            file.write_all(line.as_bytes()).map_err(unwritten(path))?;
        }
        self.print(report)?;
        self.progress.step();
        if self.arguments.openmetrics.is_some() {
            self.figures.push(report.into());
        }
        self.rows.push(report.into());
        Ok(())
    }

    fn print(&self, report: &Report) -> Result<(), Failure> {
        match self.form {
            Form::Nothing => Ok(()),
            Form::Json => output::write_json(report),
            Form::Quiet if is_quiet(report) => Ok(()),
            Form::Quiet | Form::Line => output::write_painted(&text::line(report, self.paint)),
            Form::Full => {
                let gap = if self.rows.is_empty() { "" } else { "\n" };
                output::write_painted(&format!("{gap}{}", text::write(report, self.paint)))
            }
        }
    }

    /// Says what there is to say about all of them.
    pub(super) fn close(self, lost: &[Domain]) -> Result<Verdict, Failure> {
        drop(self.progress);
        let arguments = self.arguments;
        if let Some(last) = self.earlier.last() {
            let table = Changes::between(last, &self.rows).table();
            match self.form {
                Form::Json | Form::Nothing => output::notice(&table),
                Form::Quiet | Form::Line | Form::Full => output::write(&format!("\n{table}"))?,
            }
        }
        let table = || Summary::of(self.rows.iter()).table();
        match self.form {
            Form::Line => output::write(&format!("\n{}", table()))?,
            Form::Json if self.is_many => output::notice(&table()),
            Form::Json | Form::Quiet | Form::Full | Form::Nothing => {}
        }
        for domain in lost {
            output::notice(&format!("{domain}: not checked, by a fault of this program"));
        }
        let is_whole = lost.is_empty() && self.skipped == 0;
        if let Some(path) = &arguments.openmetrics {
            replace(path, &crate::check::metrics(&self.figures))?;
        }
        if let Some(path) = &arguments.html {
            let page = Page {
                rows: &self.rows,
                earlier: &self.earlier,
                made: Timestamp::now(),
            };
            replace(path, &page.write())?;
        }
        if arguments.nagios {
            let insecure = if arguments.allow_insecure {
                State::Ok
            } else {
                State::Warning
            };
            let (mut line, state) = nagios_line(&self.rows, insecure);
            if state == State::Ok && !is_whole {
                "DANE UNKNOWN - not all of the list could be checked\n".clone_into(&mut line);
            }
            output::write(&line)?;
            return Ok(match state {
                State::Ok if !is_whole => Verdict::Undecided,
                State::Ok => Verdict::Good,
                State::Warning => Verdict::Bad,
                // Its number is that of a critical service.
                State::Critical => Verdict::Unusable,
                State::Unknown => Verdict::Undecided,
            });
        }
        Ok(match verdict(&self.rows, arguments.allow_insecure) {
            // Of what was not looked at nobody can say that it is good.
            Verdict::Good if !is_whole => Verdict::Undecided,
            verdict => verdict,
        })
    }
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

/// The exit status: what is wrong counts more than what is not known.
fn verdict(rows: &[Row], allow_insecure: bool) -> Verdict {
    let is_bad = |row: &Row| match row.verdict {
        Of::Broken => true,
        Of::Insecure => !allow_insecure,
        Of::NoMail => row.is_missing,
        Of::Secure | Of::Unreachable => false,
    };
    if rows.iter().any(is_bad) {
        Verdict::Bad
    } else if rows.iter().any(|row| row.verdict == Of::Unreachable) {
        Verdict::Undecided
    } else {
        Verdict::Good
    }
}

fn unwritten(path: &Path) -> impl Fn(io::Error) -> Failure {
    let path = path.to_owned();
    move |cause| Failure::File {
        path: path.clone(),
        cause,
    }
}

/// The file of `--resume`, without what is torn at its end.
fn journal(path: &Path, whole: u64) -> Result<File, Failure> {
    let fail = unwritten(path);
    let opened = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    let mut file = opened.map_err(&fail)?;
    file.set_len(whole).map_err(&fail)?;
    file.seek(SeekFrom::End(0)).map_err(&fail)?;
    Ok(file)
}

/// Writes a file that readers see whole or not at all.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let fail = unwritten(path);
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o644))
        .tempfile_in(directory.unwrap_or(Path::new(".")))
        .map_err(&fail)?;
    file.write_all(text.as_bytes()).map_err(&fail)?;
    file.persist(path).map_err(|error| fail(error.error))?;
    Ok(())
}
