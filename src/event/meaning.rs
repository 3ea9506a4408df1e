//! Names and meanings as 16 bytes (semantics 3.1).
//!
//! A meaning is the SHA-256 of a length-prefixed encoding of the typed event, cut to 128 bits:
//! member order, whitespace, unknown members, `1.0` against `1` and the way it travelled make no
//! difference. The encoding is part of what the inbox keeps for ever: never change it, add to it.

use sha2::{Digest, Sha256};

use crate::ledger::{EventKey, EventName, Fingerprint, Name, Number, Timestamp};

/// Collects what an event means.
pub(super) struct Meaning(Sha256);

impl Meaning {
    pub(super) fn of(kind: &str) -> Self {
        let mut meaning = Self(Sha256::new());
        meaning.text(kind);
        meaning
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.0.update([1]);
        self.bytes(text.as_bytes())
    }

    pub(super) fn maybe_text(&mut self, text: Option<&Name>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.nothing(),
        }
    }

    pub(super) fn integer(&mut self, value: i64) -> &mut Self {
        self.0.update([2]);
        self.0.update(value.to_be_bytes());
        self
    }

    pub(super) fn maybe_integer(&mut self, value: Option<i64>) -> &mut Self {
        match value {
            Some(value) => self.integer(value),
            None => self.nothing(),
        }
    }

    pub(super) fn number(&mut self, value: Number) -> &mut Self {
        let (digits, scale) = value.parts();
        self.0.update([3]);
        self.0.update(digits.to_be_bytes());
        self.0.update(scale.to_be_bytes());
        self
    }

    pub(super) fn time(&mut self, at: Option<Timestamp>) -> &mut Self {
        self.maybe_integer(at.map(Timestamp::as_microsecond))
    }

    pub(super) fn flag(&mut self, value: bool) -> &mut Self {
        self.0.update([5, u8::from(value)]);
        self
    }

    /// How many elements follow.
    pub(super) fn count(&mut self, count: usize) -> &mut Self {
        self.0.update([4]);
        self.0.update(u64::try_from(count).unwrap_or(u64::MAX).to_be_bytes());
        self
    }

    pub(super) fn nothing(&mut self) -> &mut Self {
        self.0.update([0]);
        self
    }

    pub(super) fn fingerprint(self) -> Fingerprint {
        Fingerprint(first_half(self.0))
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.update(bytes);
        self
    }
}

/// What can't be decoded is compared by its bytes.
pub(super) fn fingerprint_of_bytes(body: &[u8]) -> Fingerprint {
    let mut hash = Sha256::new();
    hash.update(body);
    Fingerprint(first_half(hash))
}

/// The SHA-256 of a body in hex: the name of what has none.
pub(super) fn hex_of_bytes(body: &[u8]) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The key of an event's name: the SHA-256 of source and id. Where the id carries its time (a
/// UUID of version 7, a ULID), the first four bytes are that time, a unit of about 65 seconds, so
/// that rows written together lie together in the index; 96 bits of hash remain.
pub fn event_key(name: &EventName) -> EventKey {
    let mut meaning = Meaning::of("event");
    meaning.text(&name.source).text(&name.id);
    let mut key = first_half(meaning.0);
    if let Some(milliseconds) = time_in_id(&name.id) {
        let coarse = u32::try_from(milliseconds >> 16).unwrap_or(u32::MAX);
        key[..4].copy_from_slice(&coarse.to_be_bytes());
    }
    EventKey(key)
}

/// The key under which an event is kept whose name is taken by another meaning: its fingerprint
/// makes it, so that the same conflict again is found again.
pub(super) fn conflict_key(key: EventKey, fingerprint: Fingerprint) -> EventKey {
    let mut mixed = key.0;
    for (byte, other) in mixed.iter_mut().zip(fingerprint.0) {
        *byte ^= other;
    }
    EventKey(mixed)
}

/// Milliseconds since 1970 that an id starts with: 48 bits in a UUID of version 7 (RFC 9562) or a
/// ULID (Crockford base 32).
fn time_in_id(id: &str) -> Option<u64> {
    let bytes = id.as_bytes();
    match bytes.len() {
        36 if bytes[14] == b'7' && [8, 13, 18, 23].iter().all(|at| bytes[*at] == b'-') => {
            u64::from_str_radix(&format!("{}{}", id.get(..8)?, id.get(9..13)?), 16).ok()
        }
        26 if bytes[0] <= b'7' => id.get(..10)?.bytes().try_fold(0_u64, |time, letter| {
            const CROCKFORD: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
            let digit = CROCKFORD.iter().position(|known| *known == letter.to_ascii_uppercase())?;
            Some((time << 5) | u64::try_from(digit).ok()?)
        }),
        _ => None,
    }
}

fn first_half(hash: Sha256) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize()[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> [u8; 16] {
        event_key(&EventName { source: Name::from("shop"), id: Name::from(id) }).0
    }

    #[test]
    fn keys_of_ids_that_carry_their_time_lie_together() {
        let first = key("019345c8-a000-7abc-8def-0123456789ab");
        let second = key("019345c8-a001-7abc-8def-0123456789ab");
        assert_eq!(first[..4], second[..4]);
        assert_ne!(first, second);
        assert_eq!(first[..4], [0x01, 0x93, 0x45, 0xc8]);
        assert_eq!(key("01ARZ3NDEKTSV4RRFFQ69G5FAV")[..4], key("01ARZ3NDEKXXXXXXXXXXXXXXXX")[..4]);
        assert_ne!(key("evt-1")[..4], key("evt-2")[..4]);
    }

    #[test]
    fn a_key_never_changes_because_the_inbox_keeps_it_for_ever() {
        let hex: String = key("evt-1").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "05574c3336ed1aa62b24f904749ccad5");
    }

    #[test]
    fn parts_can_not_run_into_each_other() {
        let left = Meaning::of("k").text("ab").text("c").fingerprint_for_test();
        let right = Meaning::of("k").text("a").text("bc").fingerprint_for_test();
        assert_ne!(left, right);
    }

    impl Meaning {
        fn fingerprint_for_test(&mut self) -> Fingerprint {
            Self(self.0.clone()).fingerprint()
        }
    }
}
