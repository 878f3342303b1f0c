//! See `danerelay_tests::fuzz::policy_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| danerelay_tests::fuzz::policy_file(octets));
