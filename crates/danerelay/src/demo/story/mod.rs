//! `danerelay demo --story`: an operator's month, by a calendar that is turned.
//!
//! [`office`]: the relay. [`acts`]: what happens. [`teller`]: tells it. Nothing is simulated but the calendar: each message
//! goes through the queue, the validating resolver and a TLS handshake with a real server, and the incidents are those of the
//! queue's own store.

mod acts;
mod office;
mod teller;

use super::stage::Stage;
use crate::exit::Verdict;
use crate::failure::Failure;
use teller::Teller;

/// Tells the story. Good if everything went as it should.
pub(super) async fn tell() -> Result<Verdict, Failure> {
    let stage = Stage::build().await?;
    let office = office::open(&stage).await?;
    let mut teller = Teller::new();
    let told = acts::play(&stage, &office, &mut teller).await;
    office.close().await?;
    told?;
    teller.end()
}
