//! `danerelay queue export`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, StdoutLock, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use mail::QueueId;
use spool::ReadOnlySpool;

use super::source::Source;
use crate::admin::protocol::{Contents, Line, Nothing, Refusal, Request};
use crate::cli::Verdict;
use crate::cli::client::{AdminError, Client};
use crate::config::Config;
use crate::failure::Failure;
use crate::serve::StartError;

/// What to write, and where.
#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// The queue id.
    id: QueueId,

    /// The file, made for its owner alone, or written over; without this option standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes one message.
pub(super) fn run(config: &Config, arguments: &ExportArguments) -> Result<Verdict, Failure> {
    let exported = match Source::open(config)? {
        Source::Daemon(client) => ask(client, arguments),
        Source::Spool(spool) => read(&spool, arguments),
    };
    match exported {
        // Whoever reads has seen enough, as `head` has.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Verdict::Good),
        ended => ended.map(|()| Verdict::Good),
    }
}

fn ask(mut client: Client, arguments: &ExportArguments) -> Result<(), Failure> {
    client.ask(&Request::Export { id: arguments.id })?;
    loop {
        match client.next::<Contents, Nothing>()? {
            Line::Result(contents) => {
                let mut output = Output::open(arguments.output.as_deref())?;
                client.octets(contents.size, |octets| output.write(octets))??;
                output.finish()?;
            }
            Line::Progress(_) | Line::Error(_) => {}
            Line::End(Nothing {}) => return Ok(()),
        }
    }
}

fn read(spool: &ReadOnlySpool, arguments: &ExportArguments) -> Result<(), Failure> {
    let Some(content) = spool.content(arguments.id)? else {
        return Err(AdminError::Refused(Refusal::unknown(arguments.id)).into());
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(StartError::System)?;
    let mut output = Output::open(arguments.output.as_deref())?;
    runtime.block_on(async {
        let mut reader = content.reader().await?;
        while let Some(chunk) = reader.next().await? {
            output.write(&chunk)?;
        }
        output.finish()
    })
}

/// Where the message goes.
enum Output {
    Standard(BufWriter<StdoutLock<'static>>),
    File(PathBuf, BufWriter<File>),
}

impl Output {
    fn open(file: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = file else {
            return Ok(Self::Standard(BufWriter::new(io::stdout().lock())));
        };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        match options.open(path) {
            Ok(file) => Ok(Self::File(path.to_owned(), BufWriter::new(file))),
            Err(cause) => Err(Failure::File {
                path: path.to_owned(),
                cause,
            }),
        }
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), Failure> {
        let written = match self {
            Self::Standard(output) => output.write_all(octets),
            Self::File(_, output) => output.write_all(octets),
        };
        written.map_err(|cause| self.failed(cause))
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let flushed = match self {
            Self::Standard(output) => output.flush(),
            Self::File(_, output) => output.flush(),
        };
        flushed.map_err(|cause| self.failed(cause))
    }

    fn failed(&self, cause: io::Error) -> Failure {
        match self {
            Self::Standard(_) => Failure::Output(cause),
            Self::File(path, _) => Failure::File {
                path: path.clone(),
                cause,
            },
        }
    }
}
