//! The ways of one attempt: the usual one, and then the fallback for the recipients for whom every host of the first was out
//! of reach.

use spool::{Content, Lease};

use super::damage::without_content;
use super::pending;
use super::record::HostRecord;
use super::result::{Attempted, Trail};
use super::walk::{Deliverer, Followed};
use crate::route::LookUps;

impl Deliverer {
    /// Makes the look-ups and tries the hosts in order; then those of the fallback, if there is one, for the recipients
    /// for whom all of them were out of reach.
    pub(crate) async fn attempt<'a>(&self, lease: &'a Lease, look_ups: &LookUps<'_>) -> Attempted<'a> {
        match lease.content {
            Content::Damaged(damage) => {
                let (mode, port) = look_ups.not_made();
                return without_content(lease, damage, HostRecord::without_route(mode, port));
            }
            Content::Inline(_) | Content::File(_) => {}
        }
        let mut usual = self
            .follow(lease, look_ups, pending::all(lease), Trail::default())
            .await;
        let is_over = usual.attempted.later.is_some() || usual.out_of_reach.is_empty();
        let fallback = look_ups.of_fallback().filter(|_| !is_over);
        let Some(fallback) = fallback else {
            return usual.end();
        };
        let pending = std::mem::take(&mut usual.out_of_reach);
        let trail = std::mem::take(&mut usual.attempted.trail);
        let mut attempted = self.follow(lease, &fallback, pending, trail).await.end();
        attempted.results.extend(usual.end().results);
        attempted.results.sort_by_key(|result| result.recipient.index);
        attempted
    }
}

impl<'a> Followed<'a> {
    /// The result if no further way is tried.
    fn end(mut self) -> Attempted<'a> {
        let out_of_reach = self.out_of_reach.into_values();
        let results = out_of_reach.map(|recipient| recipient.finish(&self.route));
        self.attempted.results.extend(results);
        self.attempted
            .results
            .sort_by_key(|result| result.recipient.index);
        self.attempted
    }
}
