//! What is examined.

use delivery::{DeliveryConfig, TlsClient};
use dns::Resolver;
use mail::{Domain, NextHop};
use policy::Policy;

use crate::config::Loaded;
use crate::wiring::resolver::Choice;

/// What is examined, and the means to do it.
pub(crate) struct Patient<'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) policy: &'a Policy,
    pub(crate) hostname: &'a Domain,
    pub(crate) delivery: &'a DeliveryConfig,
    pub(crate) resolver: &'a Resolver,
    pub(crate) choice: &'a Choice,
    pub(crate) tls: &'a TlsClient,
    /// Whose port 25 is tried; `None`: nobody's.
    pub(crate) probe: Option<NextHop>,
}
