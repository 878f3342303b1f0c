//! Reading beside the writer: [`pool`], connections that only read, away from the runtime's threads; [`recent`], what was
//! just accepted, so that most deliveries read nothing.

pub(crate) mod pool;
pub(crate) mod recent;
