//! The `[policy]` table: what holds for everything that is sold and used.

use std::collections::HashSet;

use jiff::SignedDuration;

use super::reader::{Fields, Keys};

#[derive(Debug)]
pub(super) struct Policy {
    /// Event types that are acknowledged and have no effect.
    pub(super) ignored: HashSet<String>,
    /// How long after its expiry a lot pays for usage that happened before.
    pub(super) late_usage: SignedDuration,
    /// How long after a lot's time is over its expiry is posted.
    pub(super) expiry_grace: SignedDuration,
    /// A notice that repeats one told so shortly ago is held back.
    pub(super) notify_interval: SignedDuration,
}

pub(super) const KEYS: Keys = &["ignore", "late_usage", "expiry_grace", "notify_interval"];

/// Unless said; late usage waits for no longer than the expiry does.
const EXPIRY_GRACE_DEFAULT: SignedDuration = SignedDuration::from_hours(1);
const LATE_USAGE_DEFAULT: SignedDuration = SignedDuration::from_hours(1);

impl Policy {
    pub(super) fn read(root: &Fields<'_, '_>) -> Self {
        let mut policy = Self::default();
        let Some(table) = root.table("policy") else { return policy };
        let fields = Fields::new(root.report(), "policy", table.at, table.value, KEYS);
        let ignored = fields.names("ignore").unwrap_or_default();
        policy.ignored = ignored.into_iter().map(|name| name.value.to_string()).collect();
        let (late, grace) = (fields.duration("late_usage"), fields.duration("expiry_grace"));
        policy.notify_interval = fields.duration("notify_interval").unwrap_or_default();
        policy.expiry_grace = grace.unwrap_or(EXPIRY_GRACE_DEFAULT);
        policy.late_usage = late.unwrap_or(LATE_USAGE_DEFAULT.min(policy.expiry_grace));
        if policy.late_usage > policy.expiry_grace {
            fields.wrong(
                "late_usage",
                "is longer than expiry_grace (\"1h\" unless written), but what has been posted \
                 as expired can't be used any more",
                "write at most as long, or a longer expiry_grace",
            );
        }
        policy
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            ignored: HashSet::new(),
            late_usage: LATE_USAGE_DEFAULT,
            expiry_grace: EXPIRY_GRACE_DEFAULT,
            notify_interval: SignedDuration::ZERO,
        }
    }
}
