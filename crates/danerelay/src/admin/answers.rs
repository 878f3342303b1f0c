//! Writes answers to a client, which may be slow or gone, or may delay the daemon's shutdown.

use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

use serde::Serialize;
use socket2::SockRef;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::watch;

use super::places::{Awaited, BrokenOff, Place};
use super::protocol::{Acts, Line, Nothing, Refusal};
use crate::json;

/// How long a client may take to continue reading: somebody may be reading a list page by page. If that keeps other
/// clients out, they get its place sooner.
const PATIENCE: Duration = Duration::from_hours(1);
/// The same if there is nothing to read page by page: for the few lines at the end of an action.
const SHORT_PATIENCE: Duration = Duration::from_secs(5);
/// The time between two progress lines of an action.
const PROGRESS: Duration = Duration::from_secs(1);
/// How much of the final line may be buffered in a connection, in octets; the system may allow less.
const LAST_WORDS: usize = 1 << 20;

/// The answers to one client.
pub(super) struct Answers {
    connection: Connection,
    buffer: Vec<u8>,
    /// When the last progress line was sent.
    told: Option<Instant>,
}

/// The connection to one client.
struct Connection {
    stream: OwnedWriteHalf,
    place: Arc<Place>,
    stop: watch::Receiver<bool>,
    patience: Duration,
}

impl Answers {
    /// For the client with this place, until `stop` turns true.
    pub(super) fn new(stream: OwnedWriteHalf, place: Arc<Place>, stop: watch::Receiver<bool>) -> Self {
        let connection = Connection {
            stream,
            place,
            stop,
            patience: PATIENCE,
        };
        Self {
            connection,
            buffer: Vec::new(),
            told: None,
        }
    }

    /// Appends a line to those that wait to be written.
    pub(super) fn add(&mut self, line: &impl Serialize) {
        let before = self.buffer.len();
        match json::write(&mut self.buffer, line) {
            Ok(()) => self.buffer.push(b'\n'),
            // All that we write has strings as keys; half a line would be worse than none.
            Err(_) => self.buffer.truncate(before),
        }
    }

    /// Writes a line, and all that waits before it.
    pub(super) async fn line(&mut self, line: &impl Serialize) -> Result<(), BrokenOff> {
        self.add(line);
        self.flush().await
    }

    /// From here on, waits for this client only a short time.
    pub(super) fn hurry(&mut self) {
        self.connection.patience = SHORT_PATIENCE;
    }

    /// Reports an action's progress once a second, if the client is reading; never waits for it.
    pub(super) fn progress(&mut self, acts: Acts) -> Result<(), BrokenOff> {
        if self.told.is_some_and(|told| told.elapsed() < PROGRESS) {
            return Ok(());
        }
        self.told = Some(Instant::now());
        // Half of the previous line may still be unwritten.
        self.push()?;
        if self.buffer.is_empty() {
            self.add(&Line::<Nothing, Nothing>::Progress(acts));
            self.push()?;
        }
        Ok(())
    }

    /// Writes as much of the buffer as is possible without waiting.
    fn push(&mut self) -> Result<(), BrokenOff> {
        while !self.buffer.is_empty() {
            match self.connection.stream.try_write(&self.buffer) {
                Ok(written) => drop(self.buffer.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return Err(BrokenOff::Gone),
            }
        }
        Ok(())
    }

    /// Writes octets that are not a line. In the middle of them a client that loses its place is not told: it would
    /// take the message for more of them.
    pub(super) async fn octets(&mut self, octets: &[u8]) -> Result<(), BrokenOff> {
        self.flush().await?;
        let mut left = octets;
        while !left.is_empty() {
            let written = self.connection.write(left).await?;
            left = left.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    /// Writes the last line of an answer.
    pub(super) async fn end(&mut self, end: &impl Serialize) -> Result<(), BrokenOff> {
        self.line(&Line::<Nothing, _>::End(end)).await
    }

    /// Ends the answer with a refusal, because there is no result or only a part of it.
    pub(super) async fn refuse(&mut self, refusal: Refusal) -> Result<(), BrokenOff> {
        self.line(&Line::<Nothing, Nothing>::Error(refusal)).await
    }

    /// Writes everything that waits.
    pub(super) async fn flush(&mut self) -> Result<(), BrokenOff> {
        while !self.buffer.is_empty() {
            match self.connection.write(&self.buffer).await {
                Ok(written) => drop(self.buffer.drain(..written)),
                Err(BrokenOff::GivenAway) => return Err(self.give_way()),
                Err(why @ (BrokenOff::Gone | BrokenOff::Slow | BrokenOff::Stopping)) => return Err(why),
            }
        }
        Ok(())
    }

    /// Tells a client that its place was needed by others, after the line that was being written, and without waiting.
    pub(super) fn give_way(&mut self) -> BrokenOff {
        let begun = self.buffer.iter().position(|octet| *octet == b'\n');
        self.buffer.truncate(begun.map_or(0, |end| end.saturating_add(1)));
        self.add(&Line::<Nothing, Nothing>::Error(Refusal::given_away()));
        // As the client does not read, the connection's buffer is full: it is enlarged a little. If the line does not
        // fit even then, the client sees only that the connection ends.
        let socket = SockRef::from(self.connection.stream.as_ref());
        let _ = socket.set_send_buffer_size(LAST_WORDS);
        let _ = socket.send(&self.buffer);
        BrokenOff::GivenAway
    }
}

impl Connection {
    /// Writes the first of these octets as soon as there is room for any, and returns how many.
    async fn write(&mut self, octets: &[u8]) -> Result<usize, BrokenOff> {
        loop {
            match self.stream.try_write(octets) {
                Ok(written) => return Ok(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.room().await?,
                Err(_) => return Err(BrokenOff::Gone),
            }
        }
    }

    /// Waits until the client continues to read. Nothing is written here, so that it is known exactly what has been
    /// written when the place is given away.
    async fn room(&mut self) -> Result<(), BrokenOff> {
        let reading = (Awaited::Reading, self.patience);
        tokio::select! {
            biased;
            room = self.place.wait(reading, self.stream.writable()) => room,
            // If the sender is gone, the daemon is shutting down, too.
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
    use crate::admin::places::Places;

    fn place() -> Arc<Place> {
        Places::new(1).take().unwrap()
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_not_waited_for_for_ever() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (_stop, stopped) = watch::channel(false);
        let mut answers = Answers::new(ours.into_split().1, place(), stopped);
        answers.connection.patience = Duration::from_millis(50);
        let much = vec![b'x'; 8 << 20];
        assert_eq!(answers.octets(&much).await, Err(BrokenOff::Slow));
        drop(theirs);
        assert_eq!(answers.octets(&much).await, Err(BrokenOff::Gone));
    }

    #[tokio::test]
    async fn progress_waits_for_nobody_and_leaves_whole_lines() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (_stop, stopped) = watch::channel(false);
        let mut answers = Answers::new(ours.into_split().1, place(), stopped);
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
        let mut answers = Answers::new(ours.into_split().1, place(), stopped);
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

    /// What the client reads if it continues after its place was given away during `answers`.
    async fn heard_after(speak: impl AsyncFnOnce(&mut Answers) -> Result<(), BrokenOff>) -> String {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (_stop, stopped) = watch::channel(false);
        let mut places = Places::new(1);
        let mut answers = Answers::new(ours.into_split().1, places.take().unwrap(), stopped);
        let waiting = async {
            let ended = speak(&mut answers).await;
            drop(answers);
            ended
        };
        let coming = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert!(places.take().is_some());
        };
        assert_eq!(tokio::join!(waiting, coming).0, Err(BrokenOff::GivenAway));
        let mut heard = String::new();
        theirs.read_to_string(&mut heard).await.unwrap();
        heard
    }

    #[tokio::test]
    async fn a_client_that_must_give_way_reads_whole_lines_and_why() {
        let heard = heard_after(async |answers| {
            for line in 0..100_000 {
                answers.add(&Line::<_, Nothing>::Result(line));
            }
            answers.flush().await
        })
        .await;
        let (results, why) = heard.trim_end().rsplit_once('\n').unwrap();
        for (number, line) in results.lines().enumerate() {
            assert_eq!(line, format!("{{\"result\":{number}}}"));
        }
        assert!(results.lines().count() > 1000);
        let why: Line<Nothing, Nothing> = serde_json::from_str(why).unwrap();
        assert!(matches!(why, Line::Error(refusal) if refusal == Refusal::given_away()));
    }

    #[tokio::test]
    async fn nothing_is_said_in_the_midst_of_octets() {
        let heard = heard_after(async |answers| answers.octets(&vec![b'x'; 8 << 20]).await).await;
        assert!(!heard.is_empty());
        assert!(heard.bytes().all(|octet| octet == b'x'));
    }

    #[tokio::test]
    async fn nor_does_it_hold_up_the_end_of_the_daemon() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let (stop, stopped) = watch::channel(false);
        let mut answers = Answers::new(ours.into_split().1, place(), stopped);
        let much = vec![b'x'; 8 << 20];
        let writing = answers.octets(&much);
        let stopping = async {
            tokio::task::yield_now().await;
            stop.send(true).unwrap();
        };
        assert_eq!(tokio::join!(writing, stopping).0, Err(BrokenOff::Stopping));
    }
}
