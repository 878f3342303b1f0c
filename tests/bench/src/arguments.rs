//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::contender::Contender;
use crate::work::{Manner, Work};

/// How many messages each measurement of the matrix has.
const MESSAGES: usize = 2000;
/// And with `--quick`.
const FEW: usize = 500;
/// Held mail is only accepted, which is quick: so many times the messages.
const HELD: usize = 5;
/// Messages that are sent one by one.
const ONE_BY_ONE: usize = 100;

/// Measures danerelay beside Postfix and Exim: the same mail through each of them in turn, DANE (3 1 1) verified on every
/// delivery.
///
/// All of it runs in namespaces of its own on loopback: signed zones (Knot), a validating resolver (Unbound), a receiving
/// server and a feeder that cost little. Without a mode all modes are measured.
#[derive(Parser, Debug)]
#[command(name = "tests/bench/run", version)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct Arguments {
    /// 500 messages, 10 sessions: to see that it works
    #[arg(long)]
    quick: bool,

    /// Only these relays; ratios need postfix-reuse
    #[arg(long, value_name = "RELAY", value_delimiter = ',')]
    only: Vec<Contender>,

    /// Messages of each measurement in the matrix [default: 2000; 500 with --quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    messages: Option<u32>,

    /// Mode: the whole way, to 1 and 200 destinations from 1, 10 and 50 sessions
    #[arg(long)]
    matrix: bool,

    /// Mode: how fast mail is accepted from 50 sessions while the receiving server does not answer; five times the
    /// messages, and without Exim
    #[arg(long)]
    deliveries_held: bool,

    /// Mode: how long a single message takes through an idle relay
    #[arg(long)]
    idle: bool,

    /// Where table and picture are left
    #[arg(long, value_name = "DIRECTORY", default_value = "target/bench")]
    pub(crate) output: PathBuf,
}

impl Arguments {
    /// The relays, in the order in which they have their turns.
    pub(crate) fn contenders(&self) -> Vec<Contender> {
        if self.only.is_empty() {
            Contender::ALL.to_vec()
        } else {
            self.only.clone()
        }
    }

    /// What each of them is to do.
    pub(crate) fn plan(&self) -> Vec<Work> {
        let all = !self.matrix && !self.deliveries_held && !self.idle;
        let messages = self
            .messages
            .map_or(if self.quick { FEW } else { MESSAGES }, |messages| {
                messages as usize
            });
        let mut plan = Vec::new();
        if all || self.matrix {
            let sessions: &[usize] = if self.quick { &[10] } else { &[1, 10, 50] };
            for destinations in [1, 200] {
                plan.extend(sessions.iter().map(|&sessions| Work {
                    manner: Manner::Through,
                    destinations,
                    sessions,
                    messages,
                }));
            }
        }
        if all || self.deliveries_held {
            plan.push(Work {
                manner: Manner::Held,
                destinations: 1,
                sessions: 50,
                messages: messages * HELD,
            });
        }
        if all || self.idle {
            plan.push(Work {
                manner: Manner::OneByOne,
                destinations: 1,
                sessions: 1,
                messages: ONE_BY_ONE,
            });
        }
        plan
    }
}
