//! Sends TLS reports ([`crate::tlsrpt`]) while the daemon runs.

use std::sync::Arc;
use std::time::Duration;

use ::tlsrpt::Reporter;
use ::tlsrpt::post::Reach;
use arc_swap::ArcSwap;
use delivery::route::StsLookups;
use delivery::{SchedulerHandle, SessionWatch};
use dns::Resolver;
use jiff::Timestamp;
use mail::event::settings::Subject;
use mail::event::spool as spool_event;
use mail::event::tlsrpt::TlsReports;
use mail::{Domain, Event, EventLog};
use spool::{Accepted, Store};
use tokio::sync::watch;
use tokio::time::sleep;

use super::announce::warn;
use crate::config::Config;
use crate::tlsrpt::{Paces, Schedule, Sender, Signing, UnderWay, collector};
use crate::wiring::settings::networks;
use crate::wiring::tlsrpt::SendingError;
use crate::wiring::{WiringError, tls, tlsrpt};

/// How often it is looked what is due.
const LOOK: Duration = Duration::from_mins(1);

/// What sends reports, if it is said who reports. What is wrong with that, or with the key, keeps no mail waiting: the log and
/// `incidents` say so.
pub(super) fn sender<S: Store>(
    config: &Config,
    hostname: &Domain,
    (spool, scheduler): (&Arc<S>, &SchedulerHandle),
    (resolver, events): (&Resolver, &Arc<dyn EventLog>),
) -> Result<Option<Arc<Sender<S>>>, WiringError> {
    let reporter = match tlsrpt::reporter(config, hostname) {
        Ok(Some(reporter)) => reporter,
        Ok(None) => return Ok(None),
        Err(error) => {
            complain(config, &error, &**events);
            return Ok(None);
        }
    };
    let signing = signing(config, &reporter, &**events);
    let ignored = networks(&config.delivery.ignore_addresses);
    let scheduler = scheduler.clone();
    Ok(Some(Arc::new(Sender {
        spool: Arc::clone(spool),
        client: tls::reports_client(config)?,
        reporter,
        signing: ArcSwap::from_pointee(signing),
        // Where mail may go wherever strangers say, so may reports.
        reach: if ignored.is_empty() {
            Reach::Anywhere
        } else {
            Reach::Public
        },
        lookups: Arc::new(StsLookups {
            resolver: resolver.clone(),
            ignored,
        }),
        accepted: Box::new(move |accepted: Accepted| scheduler.schedule(accepted.pending)),
        events: Arc::clone(events),
        paces: Paces::default(),
        under_way: UnderWay::default(),
    })))
}

fn signing(config: &Config, reporter: &Reporter, events: &dyn EventLog) -> Signing {
    match tlsrpt::signer(config, reporter) {
        Ok(Some(signer)) => Signing::Key(Box::new(signer)),
        Ok(None) => Signing::Without,
        Err(error) => {
            complain(config, &error, events);
            Signing::Unreadable(error.to_string())
        }
    }
}

/// A warning is enough where reports are not asked for.
fn complain(config: &Config, error: &SendingError, events: &dyn EventLog) {
    if config.tlsrpt.send {
        events.write(&Event::TlsReports(TlsReports::NotSent(error.to_string())));
    } else {
        warn(&[error], Subject::Config, events);
    }
}

/// Who is shown the results of sessions: the collector of the site, if there is one.
pub(super) fn watch(
    config: &Config,
    resolver: &Resolver,
    events: &Arc<dyn EventLog>,
    stopped: &watch::Receiver<bool>,
) -> Result<Arc<dyn SessionWatch>, WiringError> {
    let path = &config.tlsrpt.collectd;
    if path.as_os_str().is_empty() {
        return Ok(Arc::new(()));
    }
    let lookups = Arc::new(StsLookups {
        resolver: resolver.clone(),
        ignored: Vec::new(),
    });
    let (collector, forwarder) =
        collector(path.clone(), lookups, Arc::clone(events)).map_err(WiringError::System)?;
    tokio::spawn(forwarder.run(stopped.clone()));
    Ok(Arc::new(collector))
}

/// Sends what is due until the daemon stops; where nothing is sent by itself, it is for commands that the key is read again.
pub(super) async fn run<S: Store>(
    sender: Arc<Sender<S>>,
    (config, salt): (Config, String),
    mut stopped: watch::Receiver<bool>,
) {
    tokio::select! {
        () = look_again_and_again(sender, &config, salt) => {}
        // An error means that the sender is gone, and nobody can send the signal.
        _ = stopped.wait_for(|stop| *stop) => {}
    }
}

async fn look_again_and_again<S: Store>(sender: Arc<Sender<S>>, config: &Config, salt: String) {
    let events = Arc::clone(&sender.events);
    let mut schedule = Schedule::new(Arc::clone(&sender), salt);
    loop {
        sleep(LOOK).await;
        read_key_again(&sender, config);
        if config.tlsrpt.send
            && let Err(error) = schedule.look(Timestamp::now()).await
        {
            events.write(&Event::Spool(spool_event::Spool::TlsReports(error.to_string())));
        }
    }
}

/// If the key could not be read, somebody may have mended that.
fn read_key_again<S>(sender: &Sender<S>, config: &Config) {
    if matches!(**sender.signing.load(), Signing::Unreadable(_))
        && let Ok(Some(signer)) = tlsrpt::signer(config, &sender.reporter)
    {
        sender.signing.store(Arc::new(Signing::Key(Box::new(signer))));
        sender.events.write(&Event::TlsReports(TlsReports::SentAgain));
    }
}
