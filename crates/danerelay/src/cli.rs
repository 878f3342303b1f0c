//! The command line: its commands and options, and the meaning of each exit status.
//!
//! Its help texts are the source of the manual pages.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::{
    check, config, danefail, dns, doctor, explain, flush, incidents, man, queue, report, tlsa, tlsrpt, user,
};
use crate::demo::arguments::DemoArguments;

/// An SMTP relay that delivers under DANE (RFC 7672).
///
/// danerelay takes mail from your own mail server, and sends it on to the recipients' mail exchangers over connections
/// that are secured as the recipients' DNS says: where TLSA records are published in a DNSSEC-signed zone, the server
/// must prove itself with a certificate that matches them, or the mail waits.
#[derive(Debug, Parser)]
#[command(
    name = "danerelay",
    version,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(after_help = EXIT_STATUS)]
pub(crate) struct Cli {
    /// The configuration file; without this option /etc/danerelay/danerelay.toml, and the built-in defaults where that
    /// does not exist.
    #[arg(short, long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_STATUS: &str = "\
Exit status:
  0  done, or what was checked is good
  1  what was checked is bad
  2  wrong usage or configuration
  3  could not be decided now, because DNS or the network failed";

/// A command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the relay in the foreground.
    ///
    /// Under systemd it says when it is ready, and takes listening sockets that systemd passes. SIGHUP re-reads the
    /// configuration, the policy and its lists, and opens the log file anew; a file that is wrong is refused whole, and
    /// the previous settings stay in force. SIGTERM and SIGINT stop accepting, finish running transactions within 30
    /// seconds, and exit with 0; a second one exits at once.
    ///
    /// Needs no root: as root it warns, and refuses a spool that belongs to another user, who could not open what root
    /// makes there. For ports below 1024 it needs the capability `CAP_NET_BIND_SERVICE`.
    ///
    /// Exit status: 0 it was stopped; 1 a failure that may pass by itself, such as an address in use or a full disk; 2 a
    /// failure that only the administrator can mend: configuration, owners, modes, privileges.
    Serve,
    /// Show the relay at work in a small world of its own on loopback.
    ///
    /// Starts a private signed DNS tree, receiving servers with and without faults, and the relay; sends real messages
    /// and prints what became of each with a word of explanation. Needs no privileges, no network and no other
    /// software. A signal, a closed terminal or a closed pipe ends all of it and leaves nothing behind.
    ///
    /// Exit status: 0 every message came to the expected end; 1 one did not; 3 it was ended before that.
    Demo(DemoArguments),
    /// Test whether mail reaches a domain securely: the receiving side's test.
    ///
    /// Looks at the domain's MX records, at each host's addresses, TLSA records and name servers, connects to each address as
    /// a delivery would, and verifies by the same code; also asks about MTA-STS, TLSRPT and CAA. Prints a verdict for the
    /// domain and for each host, what was seen, and what is to be mended, with the record to publish.
    ///
    /// The verdicts: secure (every host proves itself by DANE, and signed MX records name it), insecure (mail can be read or
    /// diverted), broken (senders that verify DANE cannot deliver), unreachable (nothing answers, so that it cannot be told),
    /// no-mail (a null MX, or no such domain). The policy and exceptions of this relay play no part in it. Nothing is sent.
    ///
    /// Exit status: 0 all secure, or say that they take no mail; 1 any is insecure, broken, or takes no mail without saying
    /// so; 3 none of those, but some are unreachable or were skipped, or our own resolver fails.
    Check(check::CheckArguments),
    /// Say what this relay would do with mail for a destination, and why.
    ///
    /// Prints what the policy says and which rule, list entry or exception says it; the MX records; each host in the
    /// order in which it would be tried, with the DNSSEC status of its addresses, its TLSA records and which of them can
    /// be used, and what a connection to it must achieve; and the end: deliver, defer, or fail at once, with the cause, and
    /// an exception to write into the policy until the destination is mended. Looks up and decides by the same code that
    /// delivers.
    ///
    /// Where a relay runs with this configuration, it is asked, and answers with its own resolver and policy; without one,
    /// and with DNS options, the command looks by itself. That resolver is tested first: where it fails, nobody else is
    /// blamed.
    ///
    /// Exit status: 0 it would deliver; 1 it would defer or fail, by policy or because of bogus DNS data; 3 DNS or, with
    /// --connect, the network failed, or our own resolver does.
    Explain(explain::ExplainArguments),
    /// Look a name up in the DNS as the relay sees it.
    ///
    /// Prints the status of the answer: secure, insecure, bogus, indeterminate (RFC 4035 section 4.3), or failed with the
    /// cause; whether there are records, none of the type (nodata) or no such name (nxdomain); each alias on the way with
    /// its own status; the records; and for how many seconds all of it may be kept.
    ///
    /// Exit status: 0 secure or insecure; 1 bogus; 3 indeterminate or failed.
    Dns(dns::DnsArguments),
    /// Check this machine for problems that affect mail, and suggest fixes.
    ///
    /// Tests the resolver, the way outward by IPv4 and IPv6, port 25 of another machine, whether the name in EHLO, the addresses and
    /// their reverse names agree, the clock, the spool's file system, the limits and the permissions. Changes nothing, sends no mail.
    /// To be run as the user that serves.
    ///
    /// With --self-test, the three classic trials instead: is a server with a wrong TLSA record refused under this policy?
    ///
    /// Exit status: 0 nothing is bad; 1 something is, or with --self-test the wrong server gets the mail; 2 the configuration cannot
    /// be used; 3 something could not be found out, and nothing is known to be bad.
    Doctor(doctor::DoctorArguments),
    /// Make TLSA records for a certificate, verify a certificate chain with TLSA records, and change certificates safely.
    #[command(subcommand)]
    Tlsa(tlsa::TlsaCommand),
    /// TLS reports: what is collected for others about their mail servers, and what others report about yours.
    #[command(subcommand)]
    Tlsrpt(tlsrpt::TlsrptCommand),
    /// Look at the queue, and act on what is in it.
    #[command(subcommand)]
    Queue(queue::QueueCommand),
    /// Manage exceptions for destinations whose DANE is broken, and test whether they still need one.
    #[command(subcommand)]
    Danefail(danefail::DanefailCommand),
    /// Report on the traffic: shares of mail that was secured by DANE, otherwise or not at all, and of mail that failed.
    ///
    /// Every recipient of a message is a delivery, counted on the day (UTC) on which it was delivered or given up. Without
    /// --by, --per and --soft-fail: the shares, and who runs the MX hosts that took most. Domains of
    /// `report.internal_domains` are counted apart.
    ///
    /// --soft-fail shows what enforcing DANE would have cost: the domains of which mail was delivered although DANE failed,
    /// why, and whether it has healed since (a later delivery was verified) or its TLSA records were withdrawn.
    ///
    /// --page says on one page what DANE did, month by month; --html also writes it for browsers. --mail has the running relay mail a
    /// summary of yesterday, with what waits and what is wrong now.
    ///
    /// Asks the running relay; where none answers, reads the spool itself, which must be readable then. Figures by domain and
    /// host are kept for `report.keep`, totals for ten years.
    ///
    /// Exit status: 0 reported; 1 the ledger has entries that cannot be read, and standard error says how many; with --mail also 2
    /// nobody is named who gets it, 3 no relay runs, or its spool cannot be used now.
    Report(report::ReportArguments),
    /// Show what holds mail up: security failures, and what is wrong here.
    ///
    /// One line for each incident: since when, how many messages wait and since when the oldest, for how many domains, when the
    /// first of them will be returned, and what fails where. Hundreds of domains on one host, and the hosts of one provider,
    /// are one incident. `incidents show` has the evidence, an exception until it has healed, and the letter to the other
    /// side. Where a relay runs with this configuration, it is asked; otherwise its store is read.
    ///
    /// Exit status: 0 shown, whether there are incidents or not.
    Incidents(incidents::IncidentsArguments),
    /// Reload configuration and policy in the running relay, as SIGHUP does.
    ///
    /// A file that is wrong is refused whole, its faults are printed, and the previous settings stay in force.
    ///
    /// Exit status: 0 what was read is in force; 2 it is wrong, and nothing has changed; 3 no relay answers.
    Reload,
    /// Make the running relay forget cached data about a name, its subdomains and their MX hosts.
    ///
    /// For a zone or a server that was mended just now, whose old answers would be used until their TTL is over.
    /// DNS answers, MTA-STS policies, what is known of these receiving hosts, and that these destinations fail are
    /// forgotten; connections kept with them are closed. `queue retry` does much the same for the destinations of what it
    /// retries, but keeps MTA-STS policies until they have been fetched again.
    ///
    /// Exit status: 0 forgotten; 3 no relay answers.
    Flush(flush::FlushArguments),
    /// Manage the SMTP AUTH users in `access.users_file`.
    #[command(subcommand)]
    User(user::UserCommand),
    /// Check, show or write the configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Write the manual pages into a directory.
    ///
    /// danerelay(1) and a page for each command, danerelay.toml(5) and danerelay-policy.toml(5) for the files, danerelay(8) for the
    /// daemon. They are made of the same definitions as --help and the configuration template.
    ///
    /// Exit status: 0 written; 1 the directory cannot be written to.
    Man(man::ManArguments),
    /// Print the completions of a shell.
    ///
    /// For example: `danerelay completions bash > /usr/share/bash-completion/completions/danerelay`.
    Completions(man::CompletionsArguments),
}

#[cfg(test)]
mod tests_docs;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn there_is_a_manual_page_for_each_command_and_file() {
        let pages = crate::commands::man::pages(super::Cli::command(), "2027-01-31").unwrap();
        let names: std::collections::BTreeSet<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.len(), pages.len(), "each name once");
        for name in [
            "danerelay.1",
            "danerelay.8",
            "danerelay.toml.5",
            "danerelay-policy.toml.5",
            "danerelay-queue.1",
            "danerelay-queue-list.1",
        ] {
            assert!(names.contains(name), "{name} in {names:?}");
        }
        for (name, page) in &pages {
            let text = std::str::from_utf8(page)
                .unwrap()
                .replace("\\-", "-")
                .replace("\\fR", "")
                .replace("\\fB", "");
            assert!(text.contains("2027-01-31") && text.contains("SEE ALSO"), "{name}");
            assert!(!text.contains("Exit status:"), "{name}: it has a section");
            // Each of our pages that is named is there.
            for word in text.split([' ', '\n', ',']) {
                let reference = word.strip_suffix(')').and_then(|word| word.split_once('('));
                if let Some((page, section)) = reference.filter(|(page, _)| page.starts_with("danerelay")) {
                    assert!(names.contains(&*format!("{page}.{section}")), "{name}: {word}");
                }
            }
        }
    }

    /// Implementation details that a user must never see.
    const INSIDES: [&str; 9] = [
        "invalid digit",
        "too large to fit",
        "cannot parse",
        "IP address syntax",
        "socket address",
        "os error",
        "is not in 0..",
        "Err(",
        "ParseIntError",
    ];

    /// Every option and argument that has a value, with the words that lead to its command.
    fn collect(command: &clap::Command, words: &[String], found: &mut Vec<(Vec<String>, clap::Arg)>) {
        for argument in command
            .get_arguments()
            .filter(|argument| argument.get_action().takes_values())
        {
            found.push((words.to_vec(), argument.clone()));
        }
        for inner in command.get_subcommands() {
            let words = [words, &[inner.get_name().to_owned()]].concat();
            collect(inner, &words, found);
        }
    }

    #[test]
    fn wrong_values_are_refused_in_plain_words() {
        let mut found = Vec::new();
        collect(&super::Cli::command(), &["danerelay".to_owned()], &mut found);
        let mut refused = 0;
        for (words, argument) in found {
            for value in ["no such thing", "99999999999999999999", "-0x", "\u{e9}"] {
                let mut line = words.clone();
                match argument.get_long() {
                    Some(long) => line.push(format!("--{long}={value}")),
                    None => line.extend(["--".to_owned(), value.to_owned()]),
                }
                let Err(error) = super::Cli::command().try_get_matches_from(&line) else {
                    continue;
                };
                let error = error.to_string();
                refused += 1;
                for word in INSIDES {
                    assert!(!error.contains(word), "{word:?} in {line:?}: {error}");
                }
            }
        }
        assert!(refused > 20, "{refused}");
    }
}
