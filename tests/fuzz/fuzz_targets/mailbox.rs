//! See `danerelay_tests::fuzz::mailbox`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| danerelay_tests::fuzz::mailbox(octets));
