//! See `danerelay_tests::fuzz::mta_sts_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| danerelay_tests::fuzz::mta_sts_record(octets));
