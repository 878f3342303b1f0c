//! The content as it is sent: as it came in, or converted for a server without 8BITMIME (RFC 6152 §3).

use bytes::{Bytes, BytesMut};
use mail::BodyType;
use smtp::Extension;
use smtp::seven_bit::{Converter, Plan, Survey, Unconvertible};
use spool::{ContentReader, Damage, Lease, SpoolError};

use crate::connections::ClearedSession;
use crate::failure::SessionFailure;

/// The form in which the content of a lease is sent.
pub(super) enum Letter {
    /// Octet for octet.
    AsItIs,
    /// Without octets above 127, by this plan; `size` octets of it.
    SevenBit { plan: Plan, size: u64 },
}

/// Why content was not sent, or not completely.
pub(super) enum Stopped {
    Damaged(Damage),
    Failed(SessionFailure),
}

impl Letter {
    /// The form for this server. Content that has to be converted is read twice for that and again while it is sent: no more
    /// of it than a chunk and its new form is in memory.
    pub(super) async fn for_server(session: &ClearedSession, lease: &Lease) -> Result<Self, Stopped> {
        match lease.parameters.body {
            BodyType::EightBitMime if !session.offers(Extension::EightBitMime) => {}
            BodyType::EightBitMime | BodyType::SevenBit => return Ok(Self::AsItIs),
        }
        let mut content = lease.content.reader().await?;
        let mut survey = Survey::new();
        while let Some(chunk) = content.next().await? {
            survey.push(&chunk)?;
        }
        let plan = survey.finish()?;
        let mut reader = LetterReader::converted(lease, &plan).await?;
        let mut size = 0;
        while let Some(chunk) = reader.next().await? {
            size += chunk.len() as u64;
        }
        Ok(Self::SevenBit { plan, size })
    }

    /// Octets, without what the protocol adds (RFC 1870 §5).
    pub(super) fn size(&self, lease: &Lease) -> u64 {
        match self {
            Self::AsItIs => lease.size,
            Self::SevenBit { size, .. } => *size,
        }
    }

    /// What MAIL declares.
    pub(super) fn body(&self, lease: &Lease) -> BodyType {
        match self {
            Self::AsItIs => lease.parameters.body,
            Self::SevenBit { .. } => BodyType::SevenBit,
        }
    }

    /// Starts reading.
    pub(super) async fn reader(&self, lease: &Lease) -> Result<LetterReader<'_>, Stopped> {
        match self {
            Self::AsItIs => Ok(LetterReader {
                content: lease.content.reader().await?,
                converter: None,
            }),
            Self::SevenBit { plan, .. } => LetterReader::converted(lease, plan).await,
        }
    }
}

/// Reads a letter from its beginning to its end.
pub(super) struct LetterReader<'p> {
    content: ContentReader,
    /// None: octet for octet; or the end has been reached.
    converter: Option<Converter<'p>>,
}

impl<'p> LetterReader<'p> {
    async fn converted(lease: &Lease, plan: &'p Plan) -> Result<Self, Stopped> {
        Ok(Self {
            content: lease.content.reader().await?,
            converter: Some(Converter::new(plan)),
        })
    }

    /// The next octets, never none; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Stopped> {
        let mut out = BytesMut::new();
        while out.is_empty() {
            let chunk = self.content.next().await?;
            match (chunk, &mut self.converter) {
                (Some(chunk), Some(converter)) => converter.push(&chunk, &mut out)?,
                (None, converter @ Some(_)) => {
                    if let Some(converter) = converter.take() {
                        converter.finish(&mut out)?;
                    }
                }
                (chunk, None) => return Ok(chunk),
            }
        }
        Ok(Some(out.freeze()))
    }
}

impl From<SessionFailure> for Stopped {
    fn from(failure: SessionFailure) -> Self {
        Self::Failed(failure)
    }
}

impl From<SpoolError> for Stopped {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::Damaged(damage) => Self::Damaged(damage),
            error => Self::Failed(SessionFailure::content(error)),
        }
    }
}

impl From<Unconvertible> for Stopped {
    fn from(why: Unconvertible) -> Self {
        Self::Failed(SessionFailure::unconvertible(why))
    }
}
