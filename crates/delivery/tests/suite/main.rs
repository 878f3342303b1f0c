//! The whole delivery side, from the spool to receiving servers, in one program: a program for each subject would be
//! linked anew for each.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod beyond_ascii;
mod bounds;
mod damaged_content;
mod dane_hosts;
mod dane_names;
mod decision_modes;
mod decision_rows;
mod deliveries;
mod held_up;
mod hostile_servers;
mod ignored_addresses;
mod incident_ends;
mod logins;
mod notifications;
mod old_answers;
mod outcomes;
mod places;
mod recipients;
mod refusals;
mod reuse;
mod scene;
mod session_order;
mod seven_bit;
mod silent_hosts;
mod small_hello;
mod stage_times;
mod tls_counting;
mod tls_policies;
mod traces;
mod turns;
mod virtual_time;
mod ways;
