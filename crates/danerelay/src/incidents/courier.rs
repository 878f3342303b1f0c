//! Runs the command and calls the webhook for incidents: each notice in its turn, with patience, and never in the way of mail.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use mail::Mailbox;
use mail::event::incident::NotTold;
use mail::event::{Event, EventLog};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::notice::{Item, json};
use super::webhook::Web;
use crate::config::schema::Incidents;

/// How many notices may wait; what comes then is not told.
const WAITING: usize = 64;
/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pauses between the tries; after the last one the notice is given up.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(10),
];
/// How much of a command's complaint is read, in octets.
const COMPLAINT: u64 = 1024;

/// Those who take notices to where they are wanted.
pub(crate) struct Couriers {
    shared: Arc<Shared>,
    command: mpsc::Sender<Arc<[u8]>>,
    webhook: mpsc::Sender<Arc<[u8]>>,
}

/// What they share.
struct Shared {
    settings: Arc<ArcSwap<Incidents>>,
    web: Web,
    events: Arc<dyn EventLog>,
}

/// How a notice is taken there.
#[derive(Debug, Clone, Copy)]
enum Way {
    Command,
    Webhook,
}

impl Way {
    const fn key(self) -> &'static str {
        match self {
            Self::Command => "incidents.command",
            Self::Webhook => "incidents.webhook",
        }
    }
}

impl Couriers {
    /// Starts them; they end when this is dropped.
    pub(crate) fn start(settings: Arc<ArcSwap<Incidents>>, web: Web, events: Arc<dyn EventLog>) -> Arc<Self> {
        let shared = Arc::new(Shared {
            settings,
            web,
            events,
        });
        let start = |way| {
            let (sender, waiting) = mpsc::channel(WAITING);
            tokio::spawn(work(way, waiting, Arc::clone(&shared)));
            sender
        };
        Arc::new(Self {
            command: start(Way::Command),
            webhook: start(Way::Webhook),
            shared,
        })
    }

    /// Who gets mail, if anybody does.
    pub(super) fn mail_to(&self) -> Option<Mailbox> {
        self.shared.settings.load().mail.0.clone()
    }

    /// Sends a notice on its ways, without waiting for it.
    pub(super) fn send(&self, relay: &str, items: &[Item]) {
        let settings = self.shared.settings.load();
        let ways = [
            (Way::Command, &self.command, settings.command.is_empty()),
            (Way::Webhook, &self.webhook, settings.webhook.0.is_none()),
        ];
        let mut wanted = ways.into_iter().filter(|(_, _, unset)| !unset).peekable();
        if wanted.peek().is_none() {
            return;
        }
        let notice: Arc<[u8]> = json(relay, items).into();
        for (way, courier, _) in wanted {
            if courier.try_send(Arc::clone(&notice)).is_err() {
                let error = format!("{WAITING} notices wait already");
                self.shared.not_told(way, error, false);
            }
        }
    }
}

impl Shared {
    fn not_told(&self, way: Way, error: String, again: bool) {
        let key = way.key();
        self.events.write(&Event::NotTold(NotTold { key, error, again }));
    }

    /// One try. An error is what went wrong, in words. What was taken out of the configuration meanwhile is done.
    async fn take(&self, way: Way, notice: &Arc<[u8]>) -> Result<(), String> {
        let settings = self.settings.load_full();
        match way {
            Way::Command => run(&settings.command, notice).await,
            Way::Webhook => match &settings.webhook.0 {
                Some(url) => self.web.post(url, notice).await,
                None => Ok(()),
            },
        }
    }
}

/// Takes one notice after the other.
async fn work(way: Way, mut waiting: mpsc::Receiver<Arc<[u8]>>, shared: Arc<Shared>) {
    while let Some(notice) = waiting.recv().await {
        let mut pauses = PAUSES.iter();
        while let Err(error) = shared.take(way, &notice).await {
            let pause = pauses.next();
            shared.not_told(way, error, pause.is_some());
            match pause {
                Some(pause) => sleep(*pause).await,
                None => break,
            }
        }
    }
}

/// Runs a command with this on its standard input. An error is what went wrong, in words.
async fn run(command: &[String], input: &[u8]) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(());
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let ended = timeout(PATIENCE, async {
        if let Some(mut stdin) = stdin {
            // A command that does not read it all may have seen enough.
            let _ = stdin.write_all(input).await;
        }
        let mut complaint = Vec::new();
        if let Some(stderr) = stderr {
            let _ = stderr.take(COMPLAINT).read_to_end(&mut complaint).await;
        }
        (child.wait().await, complaint)
    });
    match ended.await {
        Ok((Ok(status), _)) if status.success() => Ok(()),
        Ok((Ok(status), complaint)) => {
            let complaint = String::from_utf8_lossy(&complaint);
            Err(format!("{program}: {status}: {}", complaint.trim()))
        }
        Ok((Err(error), _)) => Err(format!("{program}: {error}")),
        Err(_) => Err(format!(
            "{program} took longer than {} seconds and was ended",
            PATIENCE.as_secs()
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn a_command_gets_the_notice_and_its_complaint_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("notice");
        run(&shell(&format!("cat > {}", file.display())), b"{}\n")
            .await
            .unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"{}\n");
        // It need not read it.
        run(&shell("exit 0"), &vec![b'x'; 1 << 20]).await.unwrap();
        let error = run(&shell("echo no line >&2; exit 3"), b"").await.unwrap_err();
        assert_eq!(error, "/bin/sh: exit status: 3: no line");
        let error = run(&["/no/such/program".to_owned()], b"").await.unwrap_err();
        assert!(error.starts_with("/no/such/program: No such file"), "{error}");
        run(&[], b"").await.unwrap();
    }

    #[tokio::test]
    async fn a_command_that_complains_without_end_is_not_listened_to() {
        let endless = shell("yes no >&2; exit 1");
        let error = run(&endless, b"").await.unwrap_err();
        assert!(error.len() < 1200, "{}", error.len());
    }
}
