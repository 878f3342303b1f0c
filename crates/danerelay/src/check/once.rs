//! What many domains have in common, made once and kept while there is room for it: what was asked for again longer than what
//! was needed once.

use std::hash::{Hash, RandomState};
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use tokio::time::Instant;

/// What an ordinary value takes, in octets: it tells the map how many to expect.
const ORDINARY: usize = 4096;

/// What a key or a value takes in memory.
pub(super) trait Octets {
    /// In octets; rather too many than too few.
    fn octets(&self) -> usize;
}

/// How long a value is good.
pub(super) trait Lasting: Octets {
    /// For whom and how long it is good.
    fn good(&self) -> Good {
        Good::Always
    }
}

/// For whom and how long a value is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Good {
    Always,
    Until(Instant),
    /// Who else asks makes another.
    Once,
}

/// Values by their keys, at most so many octets in all. Who asks for one that is being made waits for it; if its maker gives
/// up, the next one who waits makes it.
pub(super) struct Once<K, V>(Cache<K, Arc<V>, Scales, RandomState, DefaultLifecycle<K, Arc<V>>>);

#[derive(Clone)]
struct Scales;

impl<K: Octets, V: Octets> Weighter<K, Arc<V>> for Scales {
    fn weight(&self, key: &K, value: &Arc<V>) -> u64 {
        // What has no weight would never be dropped.
        (key.octets() + value.octets()).max(1) as u64
    }
}

impl<K: Hash + Eq + Clone + Octets, V: Lasting> Once<K, V> {
    pub(super) fn new(octets: usize) -> Self {
        let lifecycle = DefaultLifecycle::default();
        Self(Cache::with(
            octets / ORDINARY,
            octets as u64,
            Scales,
            RandomState::new(),
            lifecycle,
        ))
    }

    /// The value for this key, made unless it is known.
    pub(super) async fn get(&self, key: &K, make: impl Future<Output = V>) -> Arc<V> {
        let is_over = |value: &Arc<V>| matches!(value.good(), Good::Until(end) if end <= Instant::now());
        self.0.remove_if(key, is_over);
        let make = async {
            let value = Arc::new(make.await);
            match value.good() {
                Good::Always | Good::Until(_) => Ok(value),
                Good::Once => Err(value),
            }
        };
        match self.0.get_or_insert_async(key, make).await {
            Ok(value) | Err(value) => value,
        }
    }

    pub(super) fn clear(&self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Octets for i32 {
        fn octets(&self) -> usize {
            24
        }
    }

    struct Weight(usize);

    impl Octets for Weight {
        fn octets(&self) -> usize {
            self.0
        }
    }

    impl Lasting for Weight {}

    #[tokio::test]
    async fn what_is_asked_for_again_is_made_once_and_the_rest_does_not_pile_up() {
        let once = Once::new(1024 * 1024);
        let mut made = 0;
        for number in 0..20_000 {
            once.get(&number, async { Weight(1000) }).await;
            for often in ["mx1", "mx2"] {
                let key = -i32::from(often == "mx1") - 1;
                once.get(&key, async {
                    made += 1;
                    Weight(1000)
                })
                .await;
            }
        }
        assert_eq!(made, 2);
        assert!(once.0.weight() <= 1024 * 1024, "{}", once.0.weight());
        assert!(once.0.len() > 500, "{}", once.0.len());
    }

    struct Judged(Good);

    impl Octets for Judged {
        fn octets(&self) -> usize {
            1
        }
    }

    impl Lasting for Judged {
        fn good(&self) -> Good {
            self.0
        }
    }

    #[test]
    fn a_key_weighs_as_well() {
        assert_eq!(Scales.weight(&1, &Arc::new(Weight(1000))), 1024);
    }

    #[tokio::test]
    async fn what_is_not_good_for_others_is_made_again() {
        for (good, expected) in [
            (Good::Always, 1),
            (Good::Until(Instant::now()), 3),
            (Good::Once, 3),
        ] {
            let (once, mut made) = (Once::new(1000), 0);
            for _ in 0..3 {
                once.get(&1, async {
                    made += 1;
                    Judged(good)
                })
                .await;
            }
            assert_eq!(made, expected, "{good:?}");
        }
    }

    #[tokio::test]
    async fn who_waits_for_somebody_who_gives_up_makes_it() {
        let once = Arc::new(Once::new(1000));
        let never = Arc::clone(&once);
        let first = tokio::spawn(async move {
            never.get(&1, std::future::pending::<Weight>()).await;
        });
        tokio::task::yield_now().await;
        let second = once.get(&1, async { Weight(7) });
        first.abort();
        assert_eq!(second.await.0, 7);
    }
}
