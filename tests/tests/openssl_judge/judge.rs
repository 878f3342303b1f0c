//! The judge: a small C program against OpenSSL's library, compiled when the test starts.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use dane::TlsaRecord;
use danerelay_tests::process;
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

/// What both sides are asked.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// Seconds since 1970.
    pub(crate) at: u64,
    /// Reference identifiers; the first is the TLSA base domain.
    pub(crate) names: Vec<&'static str>,
    pub(crate) records: Vec<TlsaRecord>,
    /// The server's own certificate first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
}

/// OpenSSL's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Number of records that can be used.
    pub(crate) usable: usize,
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No record can be used, so the chain was not looked at.
    NothingUsable,
    /// The usage of the record that matched, and where on the path.
    Verified { usage: u8, depth: usize },
    /// The number of what was found wrong, `X509_V_ERR_…`.
    Refused(u16),
}

/// The running program.
pub(crate) struct Judge {
    program: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    _directory: TempDir,
}

impl Judge {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dane_judge");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openssl_judge/dane_judge.c");
        let mut compiler = process::command("cc");
        compiler
            .args(["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O1"])
            .args(["-Wall", "-Wextra", "-Werror", "-o"])
            .args([&path, &source])
            .args(["-lssl", "-lcrypto"]);
        let outcome = process::output(&mut compiler);
        assert!(
            outcome.status.success(),
            "the judge needs a C compiler and OpenSSL's headers (libssl-dev); tests/run brings them\n{}",
            process::words(&outcome)
        );
        let mut program = Command::new(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            questions: program.stdin.take(),
            answers: BufReader::new(program.stdout.take().unwrap()),
            program,
            _directory: directory,
        }
    }

    pub(crate) fn ask(&mut self, question: &Question) -> Answer {
        let questions = self.questions.as_mut().unwrap();
        questions.write_all(question.lines().as_bytes()).unwrap();
        questions.flush().unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        answer(&line).unwrap_or_else(|| panic!("no answer: {line:?} to {question:?}"))
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        // The end of the questions is the end of the program.
        self.questions = None;
        let _ = self.program.wait();
    }
}

impl Question {
    /// As the judge reads it.
    pub(crate) fn lines(&self) -> String {
        let mut lines = format!("at {}\n", self.at);
        for name in &self.names {
            writeln!(lines, "name {name}").unwrap();
        }
        for record in &self.records {
            let (usage, selector, matching): (u8, u8, u8) = (
                record.usage.into(),
                record.selector.into(),
                record.matching.into(),
            );
            let data = hex(&record.data);
            writeln!(lines, "tlsa {usage} {selector} {matching} {data}").unwrap();
        }
        for certificate in &self.chain {
            writeln!(lines, "cert {}", hex(certificate)).unwrap();
        }
        lines.push_str("end\n");
        lines
    }
}

fn hex(octets: &[u8]) -> String {
    if octets.is_empty() {
        return "-".to_owned();
    }
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    octets
        .iter()
        .flat_map(|octet| [digit(octet >> 4), digit(octet & 15)])
        .collect()
}

fn answer(line: &str) -> Option<Answer> {
    let numbers: Vec<i32> = line
        .split_whitespace()
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    let [usable, code, usage, depth] = numbers[..] else {
        return None;
    };
    let verdict = match code {
        -1 => Verdict::NothingUsable,
        0 => Verdict::Verified {
            usage: usage.try_into().ok()?,
            depth: depth.try_into().ok()?,
        },
        code => Verdict::Refused(code.try_into().ok()?),
    };
    Some(Answer {
        usable: usable.try_into().ok()?,
        verdict,
    })
}
