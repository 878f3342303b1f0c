//! `danerelay queue export`.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use mail::QueueId;
use spool::Inspect;

use crate::admin::protocol::{Contents, Line, Nothing, Refusal, Request};
use crate::commands::client::{AdminError, Client};
use crate::commands::output::for_terminal;
use crate::commands::source::{self, Source, wait};
use crate::config::Config;
use crate::exit::Verdict;
use crate::failure::Failure;
use crate::replace_file::Replacement;

/// What to write, and where.
#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// The queue id.
    id: QueueId,

    /// The file, made for its owner alone when the message is whole, in place of what is there; without this option
    /// standard output. On a terminal, control characters are escaped.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes one message.
pub(super) fn run(config: &Config, arguments: &ExportArguments) -> Result<Verdict, Failure> {
    let exported = match source::open(config)? {
        Source::Daemon(client) => ask(client, arguments),
        Source::Spool(spool) => wait(read(&spool, arguments)),
    };
    match exported {
        // The reader has seen enough, as `head` has.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Verdict::Good),
        ended => ended.map(|()| Verdict::Good),
    }
}

fn ask(mut client: Client, arguments: &ExportArguments) -> Result<(), Failure> {
    client.ask(&Request::Export { id: arguments.id })?;
    let mut whole = None;
    loop {
        match client.next::<Contents, Nothing>()? {
            Line::Result(contents) => {
                let mut output = Output::open(arguments.output.as_deref())?;
                client.octets(contents.size, |octets| output.write(octets))??;
                whole = Some(output);
            }
            Line::Progress(_) | Line::Error(_) => {}
            // Only now is it known that the content is what was accepted.
            Line::End(Nothing {}) => return whole.map_or(Ok(()), Output::finish),
        }
    }
}

async fn read<S: Inspect>(spool: &S, arguments: &ExportArguments) -> Result<(), Failure> {
    let Some(content) = spool.content(arguments.id).await? else {
        return Err(AdminError::Refused(Refusal::unknown(arguments.id)).into());
    };
    let mut output = Output::open(arguments.output.as_deref())?;
    let mut reader = content.reader().await?;
    while let Some(chunk) = reader.next().await? {
        output.write(&chunk)?;
    }
    output.finish()
}

/// Where the message is written.
enum Output {
    Standard(BufWriter<StdoutLock<'static>>),
    /// Standard output, if it is a terminal.
    Terminal(BufWriter<StdoutLock<'static>>),
    /// A file next to the requested one, which it replaces when it is complete.
    File(BufWriter<Replacement>),
    /// An existing path that is not a regular file, such as a pipe: it must not be replaced.
    Device(PathBuf, BufWriter<File>),
}

impl Output {
    fn open(file: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = file else {
            let output = io::stdout();
            let shown = output.is_terminal();
            let output = BufWriter::new(output.lock());
            return Ok(if shown {
                Self::Terminal(output)
            } else {
                Self::Standard(output)
            });
        };
        let opened = match fs::metadata(path) {
            Ok(found) if !found.is_file() => File::options()
                .write(true)
                .open(path)
                .map(|device| Self::Device(path.to_owned(), BufWriter::new(device))),
            Ok(_) | Err(_) => {
                // If the name is that of a symbolic link, its target is meant.
                let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
                // The message is for its owner alone.
                Replacement::begin(&path, 0o600).map(|file| Self::File(BufWriter::new(file)))
            }
        };
        opened.map_err(|cause| Failure::File {
            path: path.to_owned(),
            cause,
        })
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), Failure> {
        let written = match self {
            Self::Standard(output) => output.write_all(octets),
            Self::Terminal(output) => output.write_all(for_terminal(octets).as_bytes()),
            Self::File(output) => output.write_all(octets),
            Self::Device(_, output) => output.write_all(octets),
        };
        written.map_err(|cause| match self {
            Self::Standard(_) | Self::Terminal(_) => Failure::Output(cause),
            Self::File(output) => unwritten(output.get_ref().path(), cause),
            Self::Device(path, _) => unwritten(path, cause),
        })
    }

    /// Turns what was written into the requested file; without this call there is none.
    fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Standard(mut output) | Self::Terminal(mut output) => {
                output.flush().map_err(Failure::Output)
            }
            Self::Device(path, mut output) => output.flush().map_err(|cause| unwritten(&path, cause)),
            Self::File(output) => {
                let path = output.get_ref().path().to_owned();
                let whole = output.into_inner().map_err(io::IntoInnerError::into_error);
                whole
                    .and_then(Replacement::finish)
                    .map_err(|cause| unwritten(&path, cause))
            }
        }
    }
}

fn unwritten(path: &Path, cause: io::Error) -> Failure {
    Failure::File {
        path: path.to_owned(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_file_is_replaced_when_the_message_is_whole_and_not_before() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("message.eml");
        fs::write(&path, "before").unwrap();
        let mut output = Output::open(Some(&path)).unwrap();
        output.write(&vec![b'x'; 100_000]).unwrap();
        drop(output);
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        assert_eq!(names(directory.path()), ["message.eml"]);

        let mut output = Output::open(Some(&path)).unwrap();
        output.write(b"after").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        output.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "after");
        assert_eq!(names(directory.path()), ["message.eml"]);
    }

    #[test]
    fn what_is_no_file_is_written_to_and_stays() {
        let mut output = Output::open(Some(Path::new("/dev/null"))).unwrap();
        assert!(matches!(output, Output::Device(..)));
        output.write(b"nothing").unwrap();
        output.finish().unwrap();
        let nowhere = Path::new("/nowhere/message.eml");
        let failure = Output::open(Some(nowhere)).err().unwrap();
        assert_eq!(
            failure.to_string(),
            "/nowhere/message.eml: No such file or directory"
        );
    }
}
