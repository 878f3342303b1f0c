//! Why a report could not be read.

use crate::gzip::GzipFault;

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// There is nothing.
    #[error("there is nothing in it")]
    Empty,
    /// It is too large.
    #[error("it is larger than {0} octets, which no report is")]
    TooLarge(usize),
    /// It has too many values.
    #[error("it has more than {0} values, which no report has")]
    TooMany(usize),
    /// It is gzip, but damaged or a bomb.
    #[error(transparent)]
    Gzip(#[from] GzipFault),
    /// It is mail, but brings no report; what it has instead.
    #[error(
        "it is mail without a report: it has {0}; wanted: a part of application/tlsrpt+gzip or application/tlsrpt+json, or an \
         attachment named .json.gz or .json"
    )]
    NoReport(String),
    /// It is neither mail nor gzip nor JSON.
    #[error("it is neither a report in JSON, nor gzip, nor mail")]
    Unknown,
    /// The JSON is malformed.
    #[error("the JSON of the report is malformed: {0}")]
    Json(serde_json::Error),
    /// It is JSON, but something else.
    #[error("it is JSON, but no TLS report (RFC 8460 section 4.4): there is no \"policies\"")]
    NotReport,
}
