//! The events: one payment that funds each account, one usage event of each, in an order of its
//! own. The same in every run and on every machine.

pub(crate) struct Workload {
    /// Also the name of its file.
    pub(crate) name: &'static str,
    /// Events as people publish them, one a line.
    pub(crate) lines: Vec<String>,
}

/// Any three numbers: they make names and ids look random, and be the same each time.
const ACCOUNTS: u64 = 1;
const PAYMENTS: u64 = 2;
const USAGE: u64 = 3;

impl Workload {
    /// $100 each, which buys 150 credits: enough that usage crosses no low-balance line.
    pub(crate) fn payments(count: usize) -> Self {
        let event = |mix: &mut Mix, account: &str| {
            format!(
                r#"{{"specversion":"1.0","type":"payment.succeeded","source":"shop","id":"{}","time":"2026-01-31T12:00:00Z","data":{{"account":"{account}","invoice_id":"in_{:016x}","currency":"USD","amount":"100.00"}}}}"#,
                mix.uuid(),
                mix.next(),
            )
        };
        Self { name: "payments", lines: lines(count, PAYMENTS, event) }
    }

    /// One credit each.
    pub(crate) fn usage(count: usize) -> Self {
        let event = |mix: &mut Mix, account: &str| {
            format!(
                r#"{{"specversion":"1.0","type":"usage.recorded","source":"gateway","id":"{}","time":"2026-01-31T13:00:00Z","data":{{"account":"{account}","meter":"api_calls","quantity":"100"}}}}"#,
                mix.uuid(),
            )
        };
        Self { name: "usage", lines: lines(count, USAGE, event) }
    }
}

fn lines(count: usize, seed: u64, event: impl Fn(&mut Mix, &str) -> String) -> Vec<String> {
    let mut names = Mix(ACCOUNTS);
    let accounts: Vec<String> = (0..count).map(|_| format!("cus_{:016x}", names.next())).collect();
    let mut mix = Mix(seed);
    let mut lines: Vec<String> = accounts.iter().map(|account| event(&mut mix, account)).collect();
    for last in (1..lines.len()).rev() {
        lines.swap(last, mix.below(last + 1));
    }
    lines
}

/// SplitMix64: every number once, in an order that looks random.
struct Mix(u64);

impl Mix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(self.next() % bound).unwrap_or(0)
    }

    fn uuid(&mut self) -> uuid::Uuid {
        let bytes = (u128::from(self.next()) << 64) | u128::from(self.next());
        uuid::Builder::from_random_bytes(bytes.to_be_bytes()).into_uuid()
    }
}
