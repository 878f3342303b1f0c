//! Receiving hosts of every temper, for many domains, in clear text: only the order of things is looked at here.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use testworld::RecordType;
use testworld::dns::World;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// How a host receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Temper {
    /// As it should.
    Healthy,
    /// Nobody listens.
    Unreachable,
    /// It takes connections and says nothing.
    Silent,
    /// It closes every connection with a 421.
    Closing,
    /// It puts off every recipient that it does not know yet.
    Greylisting,
    /// It answers slowly.
    Tarpit,
    /// It takes three connections.
    Limited,
}

/// The connections that a [`Temper::Limited`] host takes.
const TAKEN: usize = 3;

impl Temper {
    /// 5 % fail, 2 % greylist, 1 % are slow, 1 % take few connections.
    fn of(host: usize) -> Self {
        const FAILING: [Temper; 3] = [Temper::Silent, Temper::Closing, Temper::Unreachable];
        match (host % 20, host % 50, host % 100) {
            (3, _, _) => FAILING[host / 20 % FAILING.len()],
            (_, 7, _) => Self::Greylisting,
            (_, _, 11) => Self::Tarpit,
            (_, _, 13) => Self::Limited,
            (..) => Self::Healthy,
        }
    }

    /// Whether mail can be delivered to it.
    pub(crate) fn delivers(self) -> bool {
        match self {
            Self::Healthy | Self::Greylisting | Self::Tarpit | Self::Limited => true,
            Self::Unreachable | Self::Silent | Self::Closing => false,
        }
    }
}

/// How fast the hosts are.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// From a command to its reply.
    pub(crate) reply: Duration,
    /// The same at a [`Temper::Tarpit`].
    pub(crate) slow_reply: Duration,
    /// How long a [`Temper::Greylisting`] host puts a recipient off.
    pub(crate) greylisted: Duration,
}

/// What a host has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    /// All connections.
    pub(crate) connections: usize,
    /// The most at one time.
    pub(crate) most: usize,
    /// Those that were too many.
    pub(crate) refused: usize,
    /// Messages that it took.
    pub(crate) messages: usize,
    /// Recipients that were offered again before they were due.
    pub(crate) early: usize,
    open: usize,
}

struct Host {
    temper: Temper,
    pace: Pace,
    seen: Mutex<Seen>,
    recipients: Mutex<HashMap<String, Instant>>,
}

/// All hosts and the DNS for them.
pub(crate) struct Town {
    pub(crate) world: World,
    /// The port of all hosts.
    pub(crate) port: u16,
    hosts: Vec<Arc<Host>>,
    _servers: JoinSet<()>,
}

impl Town {
    /// So many hosts, and so many domains that are spread over them: `dN.test`.
    pub(crate) async fn build(hosts: usize, domains: usize, pace: Pace) -> Self {
        let addresses: Vec<IpAddr> = (0..hosts).map(address).collect();
        let port = testworld::mail::free_port_on(&addresses).unwrap();
        let world = World::start().await.unwrap();
        world.set_ttl(86_400);
        let mut zone = world.domain("hosts.test").unsigned();
        for (number, address) in addresses.iter().enumerate() {
            zone = zone.host(&format!("mx{number}.hosts.test"), SocketAddr::new(*address, port));
        }
        zone.add().unwrap();
        for number in 0..domains {
            let name = format!("d{number}.test");
            let mx = format!("10 mx{}.hosts.test.", number % hosts);
            let zone = world.domain(&name).unsigned();
            zone.record(&name, RecordType::MX, &mx).add().unwrap();
        }
        let mut servers = JoinSet::new();
        let mut built = Vec::new();
        for (number, address) in addresses.into_iter().enumerate() {
            let host = Arc::new(Host {
                temper: Temper::of(number),
                pace,
                seen: Mutex::default(),
                recipients: Mutex::default(),
            });
            if host.temper != Temper::Unreachable {
                let listener = TcpListener::bind((address, port)).await.unwrap();
                servers.spawn(serve(listener, Arc::clone(&host)));
            }
            built.push(host);
        }
        Self {
            world,
            port,
            hosts: built,
            _servers: servers,
        }
    }

    /// The temper of a domain's host.
    pub(crate) fn temper(&self, domain: usize) -> Temper {
        self.hosts[domain % self.hosts.len()].temper
    }

    /// What each host of this temper has seen.
    pub(crate) fn seen(&self, temper: Temper) -> Vec<Seen> {
        let hosts = self.hosts.iter().filter(|host| host.temper == temper);
        hosts.map(|host| *host.seen.lock()).collect()
    }

    /// How many messages have arrived anywhere.
    pub(crate) fn messages(&self) -> usize {
        self.hosts.iter().map(|host| host.seen.lock().messages).sum()
    }
}

fn address(host: usize) -> IpAddr {
    let [.., high, low] = u16::try_from(host + 2).unwrap().to_be_bytes();
    IpAddr::from([127, 9, high, low])
}

async fn serve(listener: TcpListener, host: Arc<Host>) {
    let mut sessions = JoinSet::new();
    loop {
        while sessions.try_join_next().is_some() {}
        if let Ok((stream, _)) = listener.accept().await {
            let open = Open::count(Arc::clone(&host));
            sessions.spawn(async move {
                let _ = receive(&open, stream).await;
            });
        }
    }
}

/// A connection that counts as open until it is dropped.
struct Open {
    host: Arc<Host>,
    /// Whether the host takes it.
    taken: bool,
}

impl Open {
    fn count(host: Arc<Host>) -> Self {
        let mut seen = host.seen.lock();
        seen.connections += 1;
        seen.open += 1;
        seen.most = seen.most.max(seen.open);
        let is_full = host.temper == Temper::Limited && seen.open > TAKEN;
        seen.refused += usize::from(is_full);
        let taken = !is_full && host.temper != Temper::Closing;
        drop(seen);
        Self { host, taken }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.host.seen.lock().open -= 1;
    }
}

async fn receive(open: &Open, mut stream: TcpStream) -> io::Result<()> {
    let host = &*open.host;
    stream.set_nodelay(true)?;
    let mut input = Vec::new();
    if host.temper == Temper::Silent {
        stream.read_to_end(&mut input).await?;
        return Ok(());
    }
    let pause = match host.temper {
        Temper::Tarpit => host.pace.slow_reply,
        Temper::Healthy
        | Temper::Unreachable
        | Temper::Silent
        | Temper::Closing
        | Temper::Greylisting
        | Temper::Limited => host.pace.reply,
    };
    sleep(pause).await;
    if !open.taken {
        return stream.write_all(b"421 4.7.0 too many connections\r\n").await;
    }
    stream.write_all(b"220 mx ESMTP\r\n").await?;
    let mut dialogue = Dialogue {
        host,
        recipients: 0,
        in_content: false,
        has_quit: false,
    };
    while !dialogue.has_quit && stream.read_buf(&mut input).await? > 0 {
        let whole = input
            .iter()
            .rposition(|octet| *octet == b'\n')
            .map_or(0, |end| end + 1);
        let lines: Vec<u8> = input.drain(..whole).collect();
        let mut replies = String::new();
        for line in String::from_utf8_lossy(&lines).split_terminator("\r\n") {
            dialogue.answer(line, &mut replies);
        }
        if !replies.is_empty() {
            sleep(pause).await;
            stream.write_all(replies.as_bytes()).await?;
        }
    }
    Ok(())
}

struct Dialogue<'a> {
    host: &'a Host,
    recipients: usize,
    in_content: bool,
    has_quit: bool,
}

impl Dialogue<'_> {
    fn answer(&mut self, line: &str, replies: &mut String) {
        if self.in_content {
            if line == "." {
                self.in_content = false;
                self.recipients = 0;
                self.host.seen.lock().messages += 1;
                replies.push_str("250 2.0.0 taken\r\n");
            }
            return;
        }
        let verb = line.split([' ', ':']).next().unwrap_or_default();
        replies.push_str(match verb {
            "EHLO" => "250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n",
            "RCPT" if self.is_put_off(line) => "450 4.2.0 greylisted\r\n",
            "RCPT" => {
                self.recipients += 1;
                "250 2.1.5 ok\r\n"
            }
            "DATA" if self.recipients == 0 => "554 5.5.1 no recipients\r\n",
            "DATA" => {
                self.in_content = true;
                "354 go on\r\n"
            }
            "QUIT" => {
                self.has_quit = true;
                "221 2.0.0 bye\r\n"
            }
            _ => {
                self.recipients = 0;
                "250 2.0.0 ok\r\n"
            }
        });
    }

    fn is_put_off(&self, recipient: &str) -> bool {
        if self.host.temper != Temper::Greylisting {
            return false;
        }
        let now = Instant::now();
        let mut known = self.host.recipients.lock();
        let Some(first) = known.get(recipient) else {
            known.insert(recipient.to_owned(), now);
            return true;
        };
        let is_early = now.duration_since(*first) < self.host.pace.greylisted;
        self.host.seen.lock().early += usize::from(is_early);
        is_early
    }
}
