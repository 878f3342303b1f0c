//! Scheduler, route, attempt and settlement.
