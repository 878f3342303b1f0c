//! Tells the administrator when logins at a route's server fail: nobody else can mend that, and all mail for the route waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mail::cause::LoginFault;
use mail::event::delivery::LoginState;
use mail::{Alarm, Cause, Event, EventLog, Pace};
use parking_lot::Mutex;
use policy::failure::Failure;
use policy::login::Login;
use tokio::time::Instant;

/// A login that fails is a matter of hours.
const PACE: Pace = Pace {
    reminder: Some(Duration::from_hours(1)),
    pause: Duration::from_mins(1),
};

/// What the log has been told about each login, by its file.
pub(crate) struct Logins {
    events: Arc<dyn EventLog>,
    alarms: Mutex<HashMap<String, Alarm<LoginFault>>>,
}

impl Logins {
    pub(crate) fn new(events: Arc<dyn EventLog>) -> Self {
        Self {
            events,
            alarms: Mutex::default(),
        }
    }

    /// A message was not sent because of this failure. Only those of the login itself are told.
    pub(super) fn failed(&self, login: &Login, failure: &Failure) {
        let Cause::Login(fault) = failure.cause else {
            return;
        };
        let file = login.file().to_owned();
        let mut alarms = self.alarms.lock();
        let alarm = alarms.entry(file.clone()).or_insert_with(|| Alarm::new(PACE));
        if alarm.raise(fault, Instant::now().into_std()) {
            let reason = failure.reason.to_string();
            self.events
                .write(&Event::Login(LoginState::Failing { file, reason }));
        }
    }

    /// The login was accepted.
    pub(super) fn worked(&self, login: &Login) {
        let mut alarms = self.alarms.lock();
        let over = alarms
            .get_mut(login.file())
            .and_then(|alarm| alarm.clear(Instant::now().into_std()));
        if let Some(over) = over {
            self.events.write(&Event::Login(LoginState::Works {
                file: login.file().to_owned(),
                failed: over.raised,
                lasted: over.lasted,
            }));
        }
    }
}
