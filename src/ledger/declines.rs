//! Declined usage is told at most once a minute (semantics 8.6).

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::names::{Name, Timestamp};

/// Declined usage of one account and meter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declines {
    pub told_at: Timestamp,
    /// Declined since, and not told yet.
    pub held: i64,
}

const DECLINED_NOTICE_EVERY: SignedDuration = SignedDuration::from_mins(1);

impl Account {
    /// Counts declined usage; how many to tell of now, if it is time to tell.
    pub fn decline(&mut self, meter: Option<&Name>, now: Timestamp) -> Option<i64> {
        let meter = meter.cloned().unwrap_or_else(|| Name::from(""));
        self.change.touch();
        match self.declines.get_mut(&meter) {
            Some(declines) if now.duration_since(declines.told_at) < DECLINED_NOTICE_EVERY => {
                declines.held = declines.held.saturating_add(1);
                None
            }
            known => {
                let count = known.map_or(0, |declines| declines.held).saturating_add(1);
                self.declines.insert(meter, Declines { told_at: now, held: 0 });
                Some(count)
            }
        }
    }
}
