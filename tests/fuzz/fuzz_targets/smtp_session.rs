//! See `danerelay_tests::fuzz::smtp_session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| danerelay_tests::fuzz::smtp_session(octets));
