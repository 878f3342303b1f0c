//! The login at a route's server (RFC 4954), once it is authenticated and before the first message.
//!
//! PLAIN and LOGIN send the password itself. It goes over a [`ClearedSession`] alone, and the caller lets only those come
//! here whose requirement names the server. Neither the user name nor the password is logged, not even what a server repeats
//! of the password.

use mail::Stage;
use mail::cause::{Cause, LoginFault};
use policy::login::Login;
use smtp::authenticate::{Response, is_challenge};
use smtp::{Command, Extension, Mechanism, Reply};

use super::session::ClearedSession;
use crate::failure::SessionFailure;

/// Logs in, if the session is not logged in yet.
pub(crate) async fn log_in(session: &mut ClearedSession, login: &Login) -> Result<(), SessionFailure> {
    if session.is_logged_in() {
        return Ok(());
    }
    exchange(session, login)
        .await
        .map_err(|failure| without_password(failure, login))
}

/// How to log in: PLAIN, or LOGIN where that is all a server offers.
pub(crate) fn login_offered(session: &ClearedSession) -> Result<Mechanism, Cause> {
    if session.offers(Extension::AuthPlain) {
        Ok(Mechanism::Plain)
    } else if session.offers(Extension::AuthLogin) {
        Ok(Mechanism::Login)
    } else {
        Err(Cause::Login(LoginFault::NotOffered))
    }
}

async fn exchange(session: &mut ClearedSession, login: &Login) -> Result<(), SessionFailure> {
    let reply = match login_offered(session)? {
        Mechanism::Plain => plain(session, login).await?,
        Mechanism::Login => user_then_password(session, login).await?,
    };
    if reply.code.class() != 2 {
        return Err(refused(session, &reply).await);
    }
    session.logged_in();
    Ok(())
}

/// Some servers repeat what they were sent.
fn without_password(failure: SessionFailure, login: &Login) -> SessionFailure {
    let sent = Response::plain(login.user(), login.password());
    SessionFailure {
        reason: failure.reason.edited(|text| sent.hide_in(text)),
        ..failure
    }
}

/// PLAIN (RFC 4616): the response on the first line if it fits there, otherwise when it is asked for.
async fn plain(session: &mut ClearedSession, login: &Login) -> Result<Reply, SessionFailure> {
    let response = Response::plain(login.user(), login.password());
    if response.fits_plain() {
        return say(session, &Command::Auth(Mechanism::Plain, Some(&response))).await;
    }
    let reply = say(session, &Command::Auth(Mechanism::Plain, None)).await?;
    answer(session, reply, &response).await
}

/// LOGIN: two questions. What they say is not looked at: servers word them in many ways.
async fn user_then_password(session: &mut ClearedSession, login: &Login) -> Result<Reply, SessionFailure> {
    let reply = say(session, &Command::Auth(Mechanism::Login, None)).await?;
    let reply = answer(session, reply, &Response::text(login.user())).await?;
    answer(session, reply, &Response::text(login.password())).await
}

/// Gives the response to a challenge.
async fn answer(
    session: &mut ClearedSession,
    reply: Reply,
    response: &Response,
) -> Result<Reply, SessionFailure> {
    if reply.code.get() == CHALLENGE && is_challenge(&reply) {
        return say(session, &Command::Response(response)).await;
    }
    Err(refused(session, &reply).await)
}

/// The reply that asks the client to go on.
const CHALLENGE: u16 = 334;

/// What a reply means that does not lead on. A challenge is cancelled, whatever the server says to that.
async fn refused(session: &mut ClearedSession, reply: &Reply) -> SessionFailure {
    if reply.code.get() == CHALLENGE {
        let _ = say(session, &Command::CancelAuth).await;
        return Cause::Login(LoginFault::Challenge).into();
    }
    SessionFailure::login_refused(reply)
}

async fn say(session: &mut ClearedSession, command: &Command<'_>) -> Result<Reply, SessionFailure> {
    session.command(command, Stage::Auth).await
}
