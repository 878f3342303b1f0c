//! Checks passwords: outside the runtime's threads, a few at a time, and with a limit for clients that guess.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mail::Network;
use parking_lot::Mutex;
use smtp::Credentials;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::users::Users;

/// Simultaneous checks: each takes a processor for tens of milliseconds, and 19 MiB.
const AT_ONCE: usize = 2;
/// How long a check may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(20);
/// After this many failures from one network within [`WINDOW`], none of its logins is checked for the rest of that
/// time.
const FAILURES: usize = 10;
const WINDOW: Duration = Duration::from_mins(10);
/// The maximum number of networks remembered.
const NETWORKS: usize = 10_000;

/// Checks the credentials that clients send.
#[derive(Debug)]
pub(crate) struct Logins {
    places: Arc<Semaphore>,
    failed: Mutex<HashMap<Network, Failed>>,
    /// Of user names, so that each takes little room.
    digests: RandomState,
}

/// Failures from one network.
#[derive(Debug, Clone)]
struct Failed {
    since: Instant,
    /// The digest of the user name of each.
    users: Vec<u64>,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// The client has authenticated as this user.
    User(Arc<str>),
    /// Name or password is wrong.
    Wrong,
    /// Not checked: there were too many failures from this network.
    TooMany,
    /// Not checked: too many checks are waiting.
    Busy,
}

impl Default for Logins {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            failed: Mutex::default(),
            digests: RandomState::new(),
        }
    }
}

impl Logins {
    /// Checks whether this client knows the user's password.
    pub(crate) async fn check(&self, users: &Arc<Users>, client: IpAddr, said: Credentials) -> Login {
        let network = Network::of(client);
        if self.has_guessed_too_often(network) {
            return Login::TooMany;
        }
        let Ok(Ok(place)) = timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await else {
            return Login::Busy;
        };
        // Again: of many that came at once the first may have been wrong meanwhile.
        if self.has_guessed_too_often(network) {
            return Login::TooMany;
        }
        let (users, digest) = (Arc::clone(users), self.digests.hash_one(&said.user));
        let checked = tokio::task::spawn_blocking(move || {
            let user = users.verify(&said.user, &said.password).then_some(said.user);
            drop(place);
            user
        });
        match checked.await {
            Ok(Some(user)) => {
                self.forgive(network, digest);
                Login::User(user.into())
            }
            Ok(None) => {
                self.count(network, digest);
                Login::Wrong
            }
            Err(_) => Login::Busy,
        }
    }

    fn has_guessed_too_often(&self, network: Network) -> bool {
        let now = Instant::now();
        self.locked(|failed| {
            let recent = failed.get(&network).filter(|failed| now < failed.since + WINDOW);
            recent.is_some_and(|failed| failed.users.len() >= FAILURES)
        })
    }

    /// Somebody has mistyped a password, and knows it after all. What was guessed for others stays.
    fn forgive(&self, network: Network, digest: u64) {
        self.locked(|failed| {
            let Some(known) = failed.get_mut(&network) else {
                return;
            };
            known.users.retain(|user| *user != digest);
            if known.users.is_empty() {
                failed.remove(&network);
            }
        });
    }

    fn count(&self, network: Network, digest: u64) {
        let now = Instant::now();
        self.locked(|failed| {
            if failed.len() >= NETWORKS {
                failed.retain(|_, failed| now < failed.since + WINDOW);
            }
            if failed.len() >= NETWORKS && !failed.contains_key(&network) {
                return;
            }
            let none = Failed {
                since: now,
                users: Vec::new(),
            };
            let entry = failed.entry(network).or_insert_with(|| none.clone());
            if now >= entry.since + WINDOW {
                *entry = none;
            }
            // Checks that had begun already may be more.
            if entry.users.len() < FAILURES {
                entry.users.push(digest);
            }
        });
    }

    fn locked<T>(&self, action: impl FnOnce(&mut HashMap<Network, Failed>) -> T) -> T {
        action(&mut self.failed.lock())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::users::hash_password;

    fn said(password: &str) -> Credentials {
        of("user", password)
    }

    fn of(user: &str, password: &str) -> Credentials {
        Credentials {
            user: user.to_owned(),
            password: password.to_owned(),
        }
    }

    /// Who has an account guesses no others' passwords by it.
    #[tokio::test]
    async fn a_right_password_takes_back_failures_of_the_same_user_alone() {
        let users = Users::parse(&format!("user:{}", hash_password("right").unwrap())).unwrap();
        let (users, logins, client) = (Arc::new(users), Logins::default(), "192.0.2.1".parse().unwrap());
        let check = |user, password| logins.check(&users, client, of(user, password));
        for _ in 0..FAILURES - 1 {
            assert_eq!(check("user", "wrong").await, Login::Wrong);
        }
        assert_eq!(check("user", "right").await, Login::User("user".into()));
        for _ in 0..FAILURES {
            assert_eq!(check("boss", "guess").await, Login::Wrong);
            if !logins.has_guessed_too_often(Network::of(client)) {
                assert_eq!(check("user", "right").await, Login::User("user".into()));
            }
        }
        assert_eq!(check("user", "right").await, Login::TooMany);
    }

    #[tokio::test]
    async fn whoever_guesses_is_not_checked_for_a_while() {
        let users = Users::parse(&format!("user:{}", hash_password("right").unwrap())).unwrap();
        let (users, logins) = (Arc::new(users), Logins::default());
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().unwrap());
        for _ in 0..FAILURES {
            assert_eq!(logins.check(&users, one, said("wrong")).await, Login::Wrong);
        }
        assert_eq!(logins.check(&users, one, said("right")).await, Login::TooMany);
        let user = Login::User("user".into());
        assert_eq!(logins.check(&users, other, said("right")).await, user);
        tokio::time::pause();
        tokio::time::advance(WINDOW).await;
        tokio::time::resume();
        assert_eq!(logins.check(&users, one, said("right")).await, user);
        assert_eq!(logins.check(&users, one, said("wrong")).await, Login::Wrong);
    }
}
