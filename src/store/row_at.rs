//! Where a row lies (`ctid`), so that what was loaded is written without being looked up again.
//!
//! Always right, because a batch loads a balance or a lot only under the lock of its account, and
//! everything that ever changes one does so under the same lock: [`super::batch`] is the one way
//! to them, for events, for time and for operators alike. Under the lock,
//!
//! - nobody writes another version of the row: it lies where it lay until this transaction
//!   updates it, which it does once, with one statement a table, after everything was loaded;
//! - the load sees the newest version: its snapshot is taken after the lock was granted;
//! - pruning and VACUUM leave a live row where it is, even as part of a HOT chain: they redirect
//!   and free only the places of dead versions;
//! - what moves live rows (VACUUM FULL, CLUSTER, a rewriting ALTER TABLE) needs the table for
//!   itself, and the load holds a lock on the table until the end of the transaction.
//!
//! Whoever changes rows by hand beside a running daemon breaks the first point. Then the row is
//! not found where it was, so every such statement says the row's key as well, and
//! [`all_found`] has a batch that met fewer rows than it sent done again from the start.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef, Postgres};
use sqlx::{Decode, Encode, Type};

use super::error::StoreError;

/// A block of the table's file and the place in it, as Postgres' `tid` sends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowAt([u8; 6]);

/// Of `tid` and of its array; fixed for ever in Postgres' catalog.
const TID: Oid = Oid(27);
const TID_ARRAY: Oid = Oid(1010);

/// A row that was not loaded is new to the table, and only inserted.
pub(super) const NOT_LOADED: StoreError =
    StoreError::Internal { what: "a row was changed that was never loaded" };

/// # Errors
/// [`StoreError::Overtaken`] unless every row that was sent was found: somebody moved one.
pub(super) fn all_found(found: u64, sent: usize, what: &'static str) -> Result<(), StoreError> {
    match u64::try_from(sent) {
        Ok(sent) if sent == found => Ok(()),
        Ok(_) | Err(_) => Err(StoreError::Overtaken { what }),
    }
}

impl Type<Postgres> for RowAt {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TID)
    }
}

impl PgHasArrayType for RowAt {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TID_ARRAY)
    }
}

impl Encode<'_, Postgres> for RowAt {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for RowAt {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(Self(value.as_bytes()?.try_into()?))
    }
}
