//! What an event does to the books. Pure: no clock, no randomness, no server, no logging.
//!
//! [`decide`] is the one door. Reading order: `amount`, `money`, `names` (values); `terms`,
//! `command`, `outcome`, `desk` (what comes in, how it ends); `account`, `balance`, `lot`, `settings`,
//! `entry`, `purchase`, `usage`, `book` (the books); `post` (the rules); `time` (what falls due by
//! itself); `latches`, `topup`, `notices` (what is told).

mod account;
mod amount;
mod balance;
mod book;
mod claims;
mod command;
mod declines;
mod desk;
mod entry;
mod fold;
mod latches;
mod lot;
mod money;
mod names;
mod notices;
mod outcome;
mod post;
mod purchase;
mod settings;
mod terms;
mod time;
mod topup;
mod usage;

pub use account::{Account, Change};
pub use amount::{AmountError, Credits, Number, Overflow, divided};
pub use balance::{Balance, Repayment};
pub use book::{AdjustmentRecord, Book, Ids, Journal, Met, Record, Span, Used};
pub use command::{
    AccountUpdate, Adjustment, Asks, Command, DisputeReport, DisputeStatus, LineFacts, LineRefund,
    PaidLine, Payment, PaymentFailure, Refund, RefundClaim, RefundName, RefundStatus, RefundedLine,
    Request, UnitUpdate, UnreadPayment, Usage, UsageReversal,
};
pub use declines::Declines;
pub use desk::{
    DeskState, Discard, Fate, Forget, Moved, NotOnDesk, OPERATOR, OnDesk, ParkedEvent, Release,
    Remedy, WaitsFor, Waiver, forgetting,
};
pub use entry::{Cause, Entry, EntryKind};
pub use latches::{Flip, Told};
pub use lot::{Forfeit, Lot, PastReset, ResetMark};
pub use money::{Currency, MajorUnits, Money, StatedMoney};
pub use names::{
    AccountId, AccountKind, EventKey, EventName, Fingerprint, LotNo, Name, PurchaseId, Reference,
    ReferenceKind, Timestamp,
};
pub use notices::{About, Notice, ParkedNotice, Tells};
pub use outcome::{AppliedReason, Reason, Rejection, Verdict};
pub use post::{Rules, decide};
pub use purchase::{
    Line, PaymentRecord, Purchase, RefundRecord, ReversalRecord, Sale, Slice, SliceFrom, Target,
};
pub use settings::{Said, Settings, Stamped, TopUp};
pub use terms::{
    ADJUSTMENT, Expires, Mode, OPENING_BALANCE, PRIORITY_DEFAULT, Priced, Pricing, Reset,
    ResetOverdraft, ResetScope, RevokeOnDispute, Terms, Watch, WhenShort, WhenSpent,
};
pub use time::{After, Due, DueKind, due, next_due};
pub use topup::{Answer, Asked, Asking, TopUpRequest, WhyAsked};
pub use usage::{Draw, DrawSlice, DrawnFrom, Standing, UsageRecord, UsageReversalRecord};
