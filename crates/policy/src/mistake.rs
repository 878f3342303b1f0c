//! What a policy file may not say although every key and value in it is valid by itself.

use std::path::PathBuf;

use settings_file::FileError;
use thiserror::Error;

use crate::list::NoList;
use crate::login::LoginError;
use crate::settings::{Key, TlsFloor};

/// One such mistake.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Mistake {
    #[error(
        "the strict list has not been fetched yet, and without it security would be lower: {0}; the daemon fetches it when it starts"
    )]
    NeverFetched(String),
    #[error("{0}")]
    Url(String),
    #[error("a list cannot be fetched all the time; allowed: \"1s\" or longer")]
    Refresh,
    #[error("a list has one source; allowed: either file or url")]
    FileOrUrl,
    #[error(
        "a list with kind = \"{0}\" says already what its entries mean; dane is allowed with kind = \"danefail\""
    )]
    DaneOfList(crate::schema::ListKind),
    #[error("the list cannot be read, and without a strict list security would be lower: {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: String },
    #[error("{}{}, and without a strict list security would be lower; allowed: one domain a line", path.display(), found.words())]
    NoList { path: PathBuf, found: NoList },
    #[error("an exception is about one thing; allowed: either domain or mx")]
    DomainOrMx,
    #[error(
        "an exception must say what it excepts from; allowed: dane = \"off\" or \"soft-fail\", or dnssec = \"off\""
    )]
    NothingExcepted,
    #[error(
        "a negative trust anchor covers a name and everything below it (RFC 7646); allowed: the name without the \
         leading dot"
    )]
    AnchorBelow,
    #[error("the reason is empty; allowed: some words for whoever finds this exception later")]
    NoReason,
    #[error(
        "servers on port 465 speak TLS from the first octet; allowed: this port with route_tls = \"implicit\", or another \
         one, like 587 or 25"
    )]
    ImplicitTls,
    #[error(
        "servers on port 465 speak TLS from the first octet, and at a fallback TLS begins with STARTTLS; allowed: another \
         port, like 587 or 25"
    )]
    FallbackImplicitTls,
    #[error("the login cannot be read: {}: {error}", path.display())]
    UnreadableLogin { path: PathBuf, error: String },
    #[error("{}: {error}", path.display())]
    Login { path: PathBuf, error: LoginError },
    #[error(
        "a password is sent to an authenticated server only, and an address is not authenticated by DANE or by a \
         certificate; allowed: a route to a name"
    )]
    LoginAtAddress,
    #[error(
        "a password is sent to an authenticated server only, and with dane = \"off\" and tls = \"{0}\" none is (for {1}); \
         allowed: tls = \"verify\", or DANE"
    )]
    LoginUnauthenticated(TlsFloor, String),
    #[error("{0} is about a route; allowed: together with route, in the same table")]
    WithoutRoute(&'static str),
    #[error("{key} is set for the same name by the rule in line {line} already")]
    Clash { key: Key, line: usize },
}

/// The policy is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", joined(.errors))]
pub struct PolicyError {
    /// Everything that is wrong, in the order of the files.
    pub errors: Vec<FileError>,
}

fn joined(errors: &[FileError]) -> String {
    let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
