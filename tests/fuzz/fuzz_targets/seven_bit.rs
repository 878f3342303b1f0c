//! See `danerelay_tests::fuzz::seven_bit`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| danerelay_tests::fuzz::seven_bit(octets));
