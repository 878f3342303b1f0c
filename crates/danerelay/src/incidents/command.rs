//! Runs a command that is told of incidents, in a process group of its own.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};
use tokio::time::timeout;

/// How long a command may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How much of its complaint is kept, in octets; the rest is read and dropped, so that it is not stopped by a full pipe.
const COMPLAINT: usize = 1024;
/// How long its last words are waited for once it has failed: what it has started may hold its standard error.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs a command with this on its standard input, of which it need not read all. It is done as soon as the program itself
/// has ended, whatever it leaves running. An error is what went wrong, in words; a program that takes longer than `patience`
/// is ended with all that it has started.
pub(super) async fn run(command: &[String], input: &[u8], patience: Duration) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(());
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let group = Group::of(&child);
    let mut complaint = Complaint::of(child.stderr.take());
    let stdin = child.stdin.take();
    let ended = timeout(patience, until_ended(&mut child, (stdin, input), &mut complaint)).await;
    let Ok(ended) = ended else {
        drop(group);
        let seconds = patience.as_secs();
        return Err(format!(
            "{program} took longer than {seconds} seconds and was ended"
        ));
    };
    group.leave();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            let _ = timeout(LAST_WORDS, complaint.read()).await;
            Err(format!("{program}: {status}: {}", complaint.text()))
        }
        Err(error) => Err(format!("{program}: {error}")),
    }
}

/// Gives it its input and reads its complaint until it has ended.
async fn until_ended(
    child: &mut Child,
    (stdin, input): (Option<ChildStdin>, &[u8]),
    complaint: &mut Complaint,
) -> io::Result<ExitStatus> {
    let talk = async {
        tokio::join!(
            async {
                if let Some(mut stdin) = stdin {
                    // A command that does not read it all may have seen enough.
                    let _ = stdin.write_all(input).await;
                }
            },
            complaint.read()
        );
        std::future::pending::<()>().await;
    };
    tokio::select! {
        status = child.wait() => status,
        () = talk => Err(io::ErrorKind::Interrupted.into()),
    }
}

/// What a command has started, and itself. All of it is ended when this is dropped.
struct Group(Option<Pid>);

impl Group {
    /// That of a process which has just been started in a group of its own.
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    /// What is left is let be.
    fn leave(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It fails if nothing is left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// What a command writes to its standard error.
struct Complaint {
    stderr: Option<ChildStderr>,
    kept: Vec<u8>,
}

impl Complaint {
    fn of(stderr: Option<ChildStderr>) -> Self {
        Self {
            stderr,
            kept: Vec::new(),
        }
    }

    /// Reads to the end. What has been read stays read if this is dropped.
    async fn read(&mut self) {
        let mut some = [0; 4096];
        while let Some(stderr) = &mut self.stderr {
            match stderr.read(&mut some).await {
                Ok(0) | Err(_) => self.stderr = None,
                Ok(octets) => {
                    let room = COMPLAINT - self.kept.len();
                    let kept = some.get(..octets.min(room)).unwrap_or_default();
                    self.kept.extend_from_slice(kept);
                }
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::path::Path;

    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
    }

    async fn patiently(script: &str, input: &[u8]) -> Result<(), String> {
        run(&shell(script), input, PATIENCE).await
    }

    #[tokio::test]
    async fn a_command_gets_the_notice_and_its_complaint_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("notice");
        patiently(&format!("cat > {}", file.display()), b"{}\n")
            .await
            .unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"{}\n");
        // It need not read it.
        patiently("exit 0", &vec![b'x'; 1 << 20]).await.unwrap();
        let error = patiently("echo no line >&2; exit 3", b"").await.unwrap_err();
        assert_eq!(error, "/bin/sh: exit status: 3: no line");
        let error = run(&["/no/such/program".to_owned()], b"", PATIENCE).await;
        let error = error.unwrap_err();
        assert!(error.starts_with("/no/such/program: No such file"), "{error}");
        run(&[], b"", PATIENCE).await.unwrap();
    }

    /// It would be ended by SIGPIPE, or by the time limit, if nobody read what it writes.
    #[tokio::test]
    async fn a_command_that_complains_at_length_is_not_stopped_by_that() {
        let long = "head -c 1000000 /dev/zero | tr '\\0' n >&2 || exit 9; exit 3";
        let error = patiently(long, b"").await.unwrap_err();
        assert!(error.starts_with("/bin/sh: exit status: 3: nnn"), "{error}");
        assert!(error.len() < 1200, "{}", error.len());
    }

    /// Whether this process runs: one that has ended may be left until somebody asks for its status.
    fn runs(id: &str) -> bool {
        let status = fs::read_to_string(Path::new("/proc").join(id.trim()).join("stat"));
        status.is_ok_and(|status| !status.contains(") Z "))
    }

    #[tokio::test]
    async fn what_a_command_leaves_running_does_not_make_it_late() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("left");
        let script = format!("sleep 1000 & echo $! > {}; exit 0", file.display());
        patiently(&script, b"").await.unwrap();
        let left = fs::read_to_string(&file).unwrap();
        assert!(runs(&left), "it is nobody's business");
        let left = Pid::from_raw(left.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(left, Signal::KILL).unwrap();
        // Also if it has failed.
        let error = patiently("echo no >&2; sleep 5 & exit 1", b"").await;
        assert_eq!(error.unwrap_err(), "/bin/sh: exit status: 1: no");
    }

    #[tokio::test]
    async fn a_command_that_takes_too_long_is_ended_with_all_that_it_has_started() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("started");
        let script = format!("sleep 1000 & echo $! > {}; wait", file.display());
        let ended = run(&shell(&script), b"", Duration::from_secs(1)).await;
        assert_eq!(
            ended.unwrap_err(),
            "/bin/sh took longer than 1 seconds and was ended"
        );
        let started = fs::read_to_string(&file).unwrap();
        while runs(&started) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
