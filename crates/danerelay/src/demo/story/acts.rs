//! The month, act by act.

use mail::incident::Likely;
use mail::sighting::Ending;
use mail::{DaneVerdict, Status};
use report::incidents::news::News;
use report::incidents::{Incident, letter, page, remedy};
use spool::Store;
use testworld::RecordType;
use testworld::mail::{Identity, MailFault};

use super::office::{Office, Outcome, Said, customer};
use super::teller::Teller;
use crate::demo::error::DemoError;
use crate::demo::scenes::{Certificate, Host, Records};
use crate::demo::stage::Stage;
use crate::failure::Failure;

/// How many domains the provider serves.
const CUSTOMERS: usize = 300;
const PROVIDER: &str = "mx.provider.demo";
const PARTNER: &str = "mx.partner.demo";
const STALE: &str = "mx.stale.demo";
const RELAY: &str = "relay.demo";

/// Plays the month.
pub(super) async fn play<S: Store>(
    stage: &Stage,
    office: &Office<S>,
    teller: &mut Teller,
) -> Result<(), Failure> {
    let key = set(stage).await?;
    soft_fail(office, teller).await?;
    enforce(office, teller).await?;
    let incident = forgotten_rollover(stage, office, teller).await?;
    write_and_except(&incident, office, teller).await?;
    healing((stage, &key), office, teller).await?;
    attack(stage, office, teller).await?;
    month_end(office, teller).await
}

/// A partner, a provider with its customers, and a domain whose record is stale. Returns the provider's key.
async fn set(stage: &Stage) -> Result<Identity, Failure> {
    let mut keys = Vec::new();
    for (name, records) in [
        (PARTNER, Records::Key),
        (STALE, Records::Stale),
        (PROVIDER, Records::Key),
    ] {
        let host = Host::new(Certificate::Issued, records);
        keys.push(stage.host(&host, name).await?);
    }
    let zone = stage.world.domain("customers.demo").signed();
    let named = (1..=CUSTOMERS).map(|number| format!("d{number}.customers.demo"));
    let zone = named.fold(zone, |zone, name| {
        zone.record(&name, RecordType::MX, &format!("10 {PROVIDER}."))
    });
    zone.add().map_err(DemoError::from)?;
    keys.pop()
        .ok_or_else(|| DemoError::NoRelay("no provider".to_owned()).into())
}

fn to(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("u@{name}")).collect()
}

fn customers(numbers: std::ops::RangeInclusive<usize>) -> Vec<String> {
    numbers.map(customer).collect()
}

fn all(outcomes: &[Outcome], is: impl Fn(&Outcome) -> bool) -> bool {
    !outcomes.is_empty() && outcomes.iter().all(is)
}

fn sent(outcome: &Outcome) -> bool {
    outcome.status == Status::Sent
}

fn verified(outcome: &Outcome) -> bool {
    sent(outcome) && outcome.dane == DaneVerdict::Verify
}

fn softfailed(outcome: &Outcome) -> bool {
    sent(outcome) && matches!(outcome.dane, DaneVerdict::Softfail(_))
}

fn deferred(outcome: &Outcome) -> bool {
    outcome.status == Status::Deferred
}

/// The incident that is open at this host.
fn open_at<'a>(incidents: &'a [Incident], name: &str) -> Option<&'a Incident> {
    incidents.iter().find(|one| one.is_open() && one.name == name)
}

fn line(said: &Said) -> String {
    let incident = &said.incident;
    format!(
        "event=incident id={} status={} name={} domains={} messages={}: {}",
        incident.id,
        said.news.as_str(),
        incident.name,
        incident.domains,
        incident.messages,
        incident.finding.likely.words()
    )
}

/// Says what is new, and returns it.
async fn news<S: Store>(office: &Office<S>, teller: &Teller) -> Result<Vec<Said>, Failure> {
    let said = office.news().await?;
    for one in &said {
        teller.show(&line(one))?;
    }
    Ok(said)
}

async fn soft_fail<S: Store>(office: &Office<S>, teller: &mut Teller) -> Result<(), Failure> {
    teller.act("Day 1: a first look, with default.dane = \"soft-fail\"")?;
    teller.say("Everything goes out as before; what DANE would have held up is recorded.")?;
    office.set_policy("[default]\ndane = \"soft-fail\"\n")?;
    let fine = office
        .send(&[to(&["partner.demo"]), customers(1..=3)].concat())
        .await?;
    teller.check(
        "the partner and the provider's customers are verified",
        all(&fine, verified),
    )?;
    let stale = office.send(&to(&["stale.demo"])).await?;
    teller.check(
        "stale.demo fails DANE, and gets its mail all the same",
        all(&stale, softfailed),
    )?;
    news(office, teller).await?;
    let incidents = office.incidents().await?;
    let stale = open_at(&incidents, STALE);
    teller.check(
        "an incident says so, for which nothing waits",
        stale.is_some_and(|one| one.messages == 0),
    )?;
    Ok(())
}

async fn enforce<S: Store>(office: &Office<S>, teller: &mut Teller) -> Result<(), Failure> {
    office.turn(7 * 24);
    teller.act("Day 8: enforced, with default.dane = \"opportunistic\"")?;
    teller.say("Before that, what `danerelay report --soft-fail` prints: what enforcing would have cost.")?;
    let cost = office.report(8, "--soft-fail").await?;
    teller.show(&cost)?;
    teller.check(
        "it is one domain",
        cost.contains("stale.demo") && !cost.contains("partner.demo"),
    )?;
    teller.say("The one domain that fails gets the exception that `danerelay incidents show` proposes; its postmaster a letter.")?;
    let incidents = office.incidents().await?;
    let stale = open_at(&incidents, STALE);
    let exception = stale.and_then(|one| remedy::propose(one, office.now()).exception);
    teller.check("there is an exception to paste", exception.is_some())?;
    let exception = exception.unwrap_or_default();
    teller.show(&exception)?;
    office.set_policy(&format!("[default]\ndane = \"opportunistic\"\n{exception}"))?;
    let stale = office.send(&to(&["stale.demo"])).await?;
    teller.check("stale.demo still gets its mail, marked", all(&stale, softfailed))?;
    let fine = office.send(&customers(4..=6)).await?;
    teller.check("everybody else is verified", all(&fine, verified))?;
    Ok(())
}

async fn forgotten_rollover<S: Store>(
    stage: &Stage,
    office: &Office<S>,
    teller: &mut Teller,
) -> Result<Incident, Failure> {
    office.turn(4 * 24);
    teller.act("Day 12: a provider changes its key, and forgets the record")?;
    stage.change_key(PROVIDER)?;
    let held = office.send(&customers(1..=CUSTOMERS)).await?;
    teller.check(
        "all 300 domains' mail waits: none of it is lost, none goes unverified",
        all(&held, deferred),
    )?;
    let said = news(office, teller).await?;
    teller.check(
        "it is one incident, told once",
        said.iter().filter(|one| one.news == News::Opened).count() == 1,
    )?;
    let incidents = office.incidents().await?;
    let incident = open_at(&incidents, PROVIDER).cloned();
    let incident = incident.ok_or_else(|| DemoError::NoRelay("no incident at the provider".to_owned()))?;
    teller.check(
        "with 300 domains and 300 messages",
        (incident.domains, incident.messages) == (CUSTOMERS as u64, CUSTOMERS as u64),
    )?;
    teller.check(
        "and it is recognised as a forgotten roll-over",
        incident.finding.likely == Likely::ForgottenRollover,
    )?;
    teller.say("What `danerelay incidents show` prints of it:")?;
    let page = page::write(&incident, RELAY, office.now());
    let beginning: Vec<&str> = page
        .lines()
        .take_while(|line| !line.starts_with("The letter"))
        .collect();
    teller.show(&beginning.join("\n"))?;
    Ok(incident)
}

async fn write_and_except<S: Store>(
    incident: &Incident,
    office: &Office<S>,
    teller: &mut Teller,
) -> Result<(), Failure> {
    teller.say("The letter to its postmaster:")?;
    let letter = letter::write(incident, RELAY);
    teller.check("there is one", letter.is_some())?;
    if let Some(letter) = letter {
        teller.show(&format!(
            "To: {}\nSubject: {}\n\n{}",
            letter.to, letter.subject, letter.text
        ))?;
    }
    office.turn(61);
    teller.act("Day 14: no answer, and half of the time has passed")?;
    let said = news(office, teller).await?;
    teller.check(
        "people are told before the first message is returned",
        said.iter().any(|one| one.news == News::Half),
    )?;
    teller.say("The operator lets the mail pass for 30 days, for this provider alone.")?;
    office.set_policy("[default]\ndane = \"opportunistic\"\n")?;
    for command in remedy::propose(incident, office.now()).commands {
        let (status, printed) = office.run(&command).await?;
        teller.show(&format!("$ {command}\n{printed}"))?;
        teller.check("the exception is added", status == Some(0))?;
    }
    office.read_policy()?;
    let passed = office.retry().await?;
    teller.check(
        "all 300 messages go out",
        passed.len() == CUSTOMERS && all(&passed, softfailed),
    )?;
    let incidents = office.incidents().await?;
    let still = open_at(&incidents, PROVIDER);
    teller.check(
        "the incident stays open, and nothing waits for it",
        still.is_some_and(|one| one.messages == 0),
    )?;
    Ok(())
}

async fn healing<S: Store>(
    (stage, key): (&Stage, &Identity),
    office: &Office<S>,
    teller: &mut Teller,
) -> Result<(), Failure> {
    office.turn(3 * 24);
    teller.act("Day 17: the provider mends it")?;
    stage.set_key(PROVIDER, key);
    office.forget_dns();
    let fine = office.send(&customers(7..=8)).await?;
    teller.check(
        "the next mail is verified, in spite of the exception",
        all(&fine, verified),
    )?;
    let said = news(office, teller).await?;
    let closed = said.iter().find(|one| one.news == News::Closed);
    teller.check(
        "the incident is over, because a delivery was verified",
        closed.is_some_and(|one| one.incident.ending == Some(Ending::Verified)),
    )?;
    teller.say("So the exception is not needed any more: the daily test would take it out; the operator does it at once.")?;
    let recheck = "danerelay danefail recheck --remove-healed";
    let (status, printed) = office.run(recheck).await?;
    teller.show(&format!("$ {recheck}\n{printed}"))?;
    teller.check(
        "the test connects, finds it to work, and removes the exception",
        status == Some(0) && printed.contains("(removed)"),
    )?;
    office.read_policy()?;
    let fine = office.send(&customers(9..=12)).await?;
    teller.check("mail is verified without it", all(&fine, verified))?;
    Ok(())
}

async fn attack<S: Store>(stage: &Stage, office: &Office<S>, teller: &mut Teller) -> Result<(), Failure> {
    office.turn(7 * 24);
    teller.act("Day 24: somebody strips STARTTLS from the partner's replies")?;
    stage.set_faults(PARTNER, vec![MailFault::NoStartTls]);
    let held = office.send(&to(&["partner.demo"])).await?;
    teller.check(
        "the mail waits; nothing goes out in clear text",
        all(&held, deferred),
    )?;
    news(office, teller).await?;
    let incidents = office.incidents().await?;
    let incident = open_at(&incidents, PARTNER);
    teller.check(
        "the incident says that it may be an attack, and why",
        incident.is_some_and(|one| one.finding.likely == Likely::PossibleAttack),
    )?;
    if let Some(incident) = incident {
        teller.show(
            &[
                incident.finding.changes.clone(),
                incident.finding.for_attack.clone(),
            ]
            .concat()
            .join("\n"),
        )?;
    }
    office.turn(5);
    stage.set_faults(PARTNER, Vec::new());
    let fine = office.retry().await?;
    teller.check(
        "when it is over, the mail is delivered and verified",
        all(&fine, verified),
    )?;
    let said = news(office, teller).await?;
    teller.check(
        "and the incident is over",
        said.iter()
            .any(|one| one.news == News::Closed && one.incident.name == PARTNER),
    )?;
    Ok(())
}

/// How many messages the story has sent by now, and how many of them passed although DANE failed.
const SENT: usize = CUSTOMERS + 16;
const PASSED: usize = CUSTOMERS + 2;

async fn month_end<S: Store>(office: &Office<S>, teller: &mut Teller) -> Result<(), Failure> {
    office.turn(6 * 24);
    teller.act("Day 30: the month's report")?;
    teller.say("What `danerelay report` prints:")?;
    let report = office.report(31, "").await?;
    teller.show(&report)?;
    let counts = |name: &str, count: usize| {
        let mut lines = report.lines();
        lines.any(|line| {
            line.starts_with(name) && line.split_whitespace().any(|word| word == count.to_string())
        })
    };
    teller.check("each delivery of the month is in it", counts("all ", SENT))?;
    teller.check(
        "and those that passed although DANE failed",
        counts("soft-failed ", PASSED),
    )?;
    Ok(())
}
