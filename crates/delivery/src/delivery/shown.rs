//! What an attempt shows about its destination.

use std::time::Duration;

use policy::failure::Failure;
use tokio::time::Instant;

use crate::attempt::{Attempted, Ending, Later, RecipientResult};
use crate::evidence::Evidence;
use crate::when::{Shown, Suspension};

/// What an attempt shows about its destination.
pub(super) fn shown(attempted: &Attempted<'_>) -> Shown {
    match attempted.later {
        Some(Later::Paced(at)) => return Shown::Early(at),
        Some(Later::Crowded) => {
            // Not all of them at the same time.
            let seconds = rand::random_range(1.0..=4.0);
            return Shown::Crowded(Instant::now() + Duration::from_secs_f64(seconds));
        }
        None => {}
    }
    let (mut down, mut busy, mut all_busy) = (None, None, true);
    for result in &attempted.results {
        let failure = match &result.ending {
            Ending::Sent { .. } => return Shown::Works,
            Ending::Failed(failure) | Ending::NotTried(failure) => failure,
        };
        let evidence = match Evidence::of(&failure.cause) {
            // Without a connection it is a host that is left alone because it refused every one.
            Evidence::Busy if result.record.connection.is_none() => Evidence::Down,
            evidence @ (Evidence::Works | Evidence::Busy | Evidence::Down | Evidence::Nothing) => evidence,
        };
        match evidence {
            Evidence::Works => return Shown::Works,
            Evidence::Busy if !failure.is_permanent() => busy = Some((failure, result)),
            // What is final for one message is final for the next one as well, but each learns it for itself.
            Evidence::Down if !failure.is_permanent() && !failure.is_of_message() => {
                down = Some((failure, result));
            }
            Evidence::Busy | Evidence::Down | Evidence::Nothing => all_busy = false,
        }
    }
    let suspension =
        |failure: &Failure, result: &RecipientResult<'_>| Suspension::after(failure, &result.record);
    match (down, busy) {
        (Some((failure, result)), _) => Shown::Down(suspension(failure, result)),
        (None, Some((failure, result))) if all_busy => Shown::Busy(suspension(failure, result)),
        (None, _) => Shown::Nothing,
    }
}
