//! What is written back, to a client that may be slow, gone, or in the way of the daemon's end.

use std::io;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::watch;
use tokio::time::timeout;

use super::protocol::{Acts, Line, Nothing, Refusal};

/// How long a client may take to read on. Somebody may be looking at a list page by page.
const PATIENCE: Duration = Duration::from_mins(5);
/// How long where nobody has anything to look at: the few lines that an action ends with.
const SHORT_PATIENCE: Duration = Duration::from_secs(5);
/// Between two lines that say how far an action is.
const PROGRESS: Duration = Duration::from_secs(1);

/// The way to one client.
pub(super) struct Answers {
    stream: OwnedWriteHalf,
    buffer: Vec<u8>,
    stop: watch::Receiver<bool>,
    patience: Duration,
    /// When it was said how far an action is.
    told: Option<Instant>,
}

/// Why nothing more is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BrokenOff {
    /// Nobody reads any more.
    #[error("the client went away")]
    Gone,
    /// The client takes too long.
    #[error("the client stopped reading")]
    Slow,
    /// The daemon is about to end.
    #[error("the daemon was told to stop")]
    Stopping,
}

impl Answers {
    /// To this client, until `stop` turns true.
    pub(super) fn new(stream: OwnedWriteHalf, stop: watch::Receiver<bool>) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            stop,
            patience: PATIENCE,
            told: None,
        }
    }

    /// Puts a line behind those that wait to be written.
    pub(super) fn add(&mut self, line: &impl Serialize) {
        let before = self.buffer.len();
        match serde_json::to_writer(&mut self.buffer, line) {
            Ok(()) => self.buffer.push(b'\n'),
            // Nothing that we write has keys that are no text; half a line would be worse than none.
            Err(_) => self.buffer.truncate(before),
        }
    }

    /// Writes a line, and all that waits.
    pub(super) async fn line(&mut self, line: &impl Serialize) -> Result<(), BrokenOff> {
        self.add(line);
        self.flush().await
    }

    /// Waits for this client a short time only, from here on.
    pub(super) fn hurry(&mut self) {
        self.patience = SHORT_PATIENCE;
    }

    /// Says how far an action is, once a second, to a client that reads: nobody is waited for.
    pub(super) fn progress(&mut self, acts: Acts) -> Result<(), BrokenOff> {
        if self.told.is_some_and(|told| told.elapsed() < PROGRESS) {
            return Ok(());
        }
        self.told = Some(Instant::now());
        // Half a line may be left of the time before.
        self.push()?;
        if self.buffer.is_empty() {
            self.add(&Line::<Nothing, Nothing>::Progress(acts));
            self.push()?;
        }
        Ok(())
    }

    /// Writes what can be written at once of what waits.
    fn push(&mut self) -> Result<(), BrokenOff> {
        while !self.buffer.is_empty() {
            match self.stream.try_write(&self.buffer) {
                Ok(written) => drop(self.buffer.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return Err(BrokenOff::Gone),
            }
        }
        Ok(())
    }

    /// Writes octets that are no line.
    pub(super) async fn octets(&mut self, octets: &[u8]) -> Result<(), BrokenOff> {
        self.flush().await?;
        self.write(octets).await
    }

    /// Writes the last line of an answer.
    pub(super) async fn end(&mut self, end: &impl Serialize) -> Result<(), BrokenOff> {
        self.line(&Line::<Nothing, _>::End(end)).await
    }

    /// Writes the last line of an answer that is none, or not whole.
    pub(super) async fn refuse(&mut self, refusal: Refusal) -> Result<(), BrokenOff> {
        self.line(&Line::<Nothing, Nothing>::Error(refusal)).await
    }

    /// Writes all that waits.
    pub(super) async fn flush(&mut self) -> Result<(), BrokenOff> {
        let waiting = std::mem::take(&mut self.buffer);
        let written = self.write(&waiting).await;
        self.buffer = waiting;
        self.buffer.clear();
        written
    }

    async fn write(&mut self, octets: &[u8]) -> Result<(), BrokenOff> {
        tokio::select! {
            biased;
            written = timeout(self.patience, self.stream.write_all(octets)) => match written {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(BrokenOff::Gone),
                Err(_) => Err(BrokenOff::Slow),
            },
            // Without a sender the daemon is ending, too.
            _ = self.stop.wait_for(|stop| *stop) => Err(BrokenOff::Stopping),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::AsyncReadExt;
    use tokio::net::UnixStream;

    use super::*;

    #[tokio::test]
    async fn a_client_that_does_not_read_is_not_waited_for_for_ever() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (_stop, stopped) = watch::channel(false);
        let mut answers = Answers::new(ours.into_split().1, stopped);
        answers.patience = Duration::from_millis(50);
        let much = vec![b'x'; 8 << 20];
        assert_eq!(answers.octets(&much).await, Err(BrokenOff::Slow));
        drop(theirs);
        assert_eq!(answers.octets(&much).await, Err(BrokenOff::Gone));
    }

    #[tokio::test]
    async fn progress_waits_for_nobody_and_leaves_whole_lines() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (_stop, stopped) = watch::channel(false);
        let mut answers = Answers::new(ours.into_split().1, stopped);
        for done in 0..100_000 {
            answers.told = None;
            let acts = Acts {
                done,
                ..Acts::default()
            };
            answers.progress(acts).unwrap();
        }
        assert!(answers.buffer.len() < 200, "{} octets wait", answers.buffer.len());
        let reading = async {
            let (mut text, mut theirs) = (String::new(), theirs);
            theirs.read_to_string(&mut text).await.unwrap();
            text
        };
        let ending = async {
            answers.end(&Nothing {}).await.unwrap();
            drop(answers);
        };
        let (text, ()) = tokio::join!(reading, ending);
        let (last, before) = text
            .lines()
            .collect::<Vec<_>>()
            .split_last()
            .map(|(l, b)| (*l, b.to_vec()))
            .unwrap();
        assert_eq!(last, r#"{"end":{}}"#);
        assert!(before.len() > 10);
        for line in before {
            serde_json::from_str::<Line<Nothing, Nothing>>(line).unwrap();
        }
    }

    #[tokio::test]
    async fn progress_is_said_once_a_second_and_ends_with_the_client() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (_stop, stopped) = watch::channel(false);
        let mut answers = Answers::new(ours.into_split().1, stopped);
        answers.progress(Acts::default()).unwrap();
        answers.progress(Acts::default()).unwrap();
        let mut octets = [0; 4096];
        theirs.readable().await.unwrap();
        let read = theirs.try_read(&mut octets).unwrap();
        assert_eq!(
            String::from_utf8_lossy(octets.get(..read).unwrap())
                .lines()
                .count(),
            1
        );
        drop(theirs);
        answers.told = None;
        assert_eq!(answers.progress(Acts::default()), Err(BrokenOff::Gone));
    }

    #[tokio::test]
    async fn nor_does_it_hold_up_the_end_of_the_daemon() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let (stop, stopped) = watch::channel(false);
        let mut answers = Answers::new(ours.into_split().1, stopped);
        let much = vec![b'x'; 8 << 20];
        let writing = answers.octets(&much);
        let stopping = async {
            tokio::task::yield_now().await;
            stop.send(true).unwrap();
        };
        assert_eq!(tokio::join!(writing, stopping).0, Err(BrokenOff::Stopping));
    }
}
