//! What was answered with 250 survives.
//!
//! 1. [`kills`]: SIGKILL at random moments.
//! 2. [`cuts`]: loss of power at random moments, and the proof that this test can fail: a disk that lies.
//! 3. [`steps`]: SIGKILL and loss of power at each step by which the relay changes its disk.
//! 4. [`faults`]: disks that fail, fill up, or cannot be written to any more, and work again later.
//! 5. [`alone`]: these disks, whatever else the machine does.
//!
//! All but the first run on a disk of their own ([`machine`]), which needs root, `/dev/fuse` and unshare(1); elsewhere
//! they say so and do nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod alone;
mod cuts;
mod faults;
mod kills;
mod machine;
mod steps;
