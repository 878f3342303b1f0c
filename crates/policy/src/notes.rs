//! Errors and warnings noted for one file while it is compiled, each with its place.

use std::ops::Range;
use std::path::Path;

use settings_file::fault::{Fault, FileError};

use crate::mistake::Mistake;
use crate::warning::{Remark, Warning};

/// A file and its text.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// Its path, as errors show it.
    pub file: &'a Path,
    /// Its content.
    pub text: &'a str,
}

/// Notes on one file, taken while it is compiled.
pub(crate) struct Notes<'a> {
    pub(crate) file: String,
    text: &'a str,
    /// Where its lines end: a file may have tens of thousands of tables, and each wants to know its line.
    ends: Vec<usize>,
    errors: Vec<(usize, FileError)>,
    pub(crate) warnings: Vec<Warning>,
}

impl<'a> Notes<'a> {
    pub(crate) fn new(source: &Text<'a>) -> Self {
        Self {
            file: source.file.display().to_string(),
            text: source.text,
            ends: source.text.match_indices('\n').map(|(at, _)| at).collect(),
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub(crate) fn refuse(&mut self, span: &Range<usize>, mistake: &Mistake) {
        let fault = Fault::Wrong(mistake.to_string());
        let error = FileError::at(&self.file, self.text, span, fault);
        self.errors.push((span.start, error));
    }

    pub(crate) fn warn(&mut self, span: &Range<usize>, remark: Remark) {
        let line = self.line(span);
        let file = self.file.clone();
        self.warnings.push(Warning { file, line, remark });
    }

    pub(crate) fn line(&self, span: &Range<usize>) -> usize {
        self.ends.partition_point(|end| *end < span.start) + 1
    }

    /// Merges the faults found while reading with those found since, in the order of the file.
    pub(crate) fn finish(mut self, faults: Vec<FileError>) -> (Vec<FileError>, Vec<Warning>) {
        self.errors.sort_by_key(|(start, _)| *start);
        let mut errors = faults;
        errors.extend(self.errors.into_iter().map(|(_, error)| error));
        errors.sort_by_key(|error| (error.line, error.column));
        (errors, self.warnings)
    }
}
