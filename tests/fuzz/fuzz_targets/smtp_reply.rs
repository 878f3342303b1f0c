//! See `danerelay_tests::fuzz::smtp_reply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| danerelay_tests::fuzz::smtp_reply(octets));
