//! Reports, read by a program that collects them for many a site.

use std::process::Command;

use serde_json::{Value, json};

use crate::cases::{Case, ID};
use crate::judge::{PYTHON, ask, packages};

/// What parsedmarc finds, if its packages are here.
fn read(input: &[u8]) -> Option<Value> {
    let packages = packages()?;
    let mut python = Command::new(PYTHON);
    python.env("PYTHONPATH", packages);
    let found = ask(&mut python, include_str!("readers.py"), input);
    let found = found.unwrap_or_else(|wrong| panic!("{wrong}"));
    Some(serde_json::from_str(found.lines().last().unwrap()).unwrap())
}

#[test]
fn parsedmarc_reads_reports_in_every_form() {
    let case = Case::whole();
    for input in [case.json(), case.packed().octets, case.mail(None)] {
        let Some(found) = read(&input) else {
            return;
        };
        assert_eq!(found["organization_name"], "Bücher \"&\" Co");
        assert_eq!(found["contact_info"], "postmaster@example.nl");
        assert_eq!(found["report_id"], format!("{ID}@example.nl"));
        assert_eq!(found["begin_date"], "2026-11-28T00:00:00Z");
        assert_eq!(found["end_date"], "2026-11-28T23:59:59Z");
        let policies = found["policies"].as_array().unwrap();
        assert_eq!(policies.len(), 3);
        assert_eq!(policies[0]["policy_type"], "tlsa");
        assert_eq!(policies[0]["policy_domain"], "mx1.xn--bcher-kva.example");
        assert_eq!(policies[0]["successful_session_count"], 1000);
        assert_eq!(policies[0]["failed_session_count"], 66);
        assert_eq!(policies[0]["failure_details"].as_array().unwrap().len(), 11);
        let first = &policies[0]["failure_details"][0];
        assert_eq!(first["result_type"], "starttls-not-supported");
        assert_eq!(first["failed_session_count"], 1);
        assert_eq!(first["sending_mta_ip"], "2001:db8::7");
        assert_eq!(first["receiving_ip"], "192.0.2.1");
        assert_eq!(first["receiving_mx_hostname"], "mx1.xn--bcher-kva.example");
        assert_eq!(first["failure_reason_code"], "X509_V_ERR_CERT_HAS_EXPIRED");
        assert_eq!(
            policies[1]["policy_strings"],
            json!([
                "version: STSv1",
                "mode: enforce",
                "mx: *.xn--bcher-kva.example",
                "max_age: 86400"
            ])
        );
        assert_eq!(policies[2]["policy_type"], "no-policy-found");
    }
}
