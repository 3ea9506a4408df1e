//! TOML as JSON text: an event of a scenario as the message that it would be.
//!
//! Numbers keep the text that they were written in, so that a scenario can say what no amount may
//! look like; `nan` and `inf` become bytes that are no JSON.

use toml::de::{DeTable, DeValue};

/// The members of a table in the order in which they were written, after those in `first`.
pub(super) fn object(first: &[(&str, &str)], table: &DeTable<'_>) -> String {
    let mut members: Vec<String> =
        first.iter().map(|(name, value)| format!("{}:{}", quoted(name), quoted(value))).collect();
    let mut written: Vec<_> = table.iter().collect();
    written.sort_by_key(|(key, _)| key.span().start);
    members.extend(
        written
            .into_iter()
            .map(|(key, member)| format!("{}:{}", quoted(key.get_ref()), value(member.get_ref()))),
    );
    format!("{{{}}}", members.join(","))
}

fn value(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(integer) if integer.radix() != 10 => {
            i64::from_str_radix(integer.as_str(), integer.radix())
                .map_or_else(|_| integer.to_string(), |integer| integer.to_string())
        }
        DeValue::Integer(integer) => number(integer.as_str()),
        DeValue::Float(float) => number(float.as_str()),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(at) => quoted(&at.to_string()),
        DeValue::Array(list) => {
            let list: Vec<String> = list.iter().map(|one| self::value(one.get_ref())).collect();
            format!("[{}]", list.join(","))
        }
        DeValue::Table(table) => object(&[], table),
    }
}

/// TOML allows a plus in front, JSON does not.
fn number(text: &str) -> String {
    text.strip_prefix('+').unwrap_or(text).to_owned()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_text_and_members_their_order() {
        let text =
            "z = 1.50\na = 1e3\nb = -5\nc = +7\nd = nan\nbig = 99999999999999999999\nx = 0x10
                    t = \"a\\\"b\"\nat = 2026-01-01T00:00:00Z\nlist = [{ y = true, x = 1_000 }]";
        let (table, errors) = DeTable::parse_recoverable(text);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(
            object(&[("specversion", "1.0")], table.get_ref()),
            r#"{"specversion":"1.0","z":1.50,"a":1e3,"b":-5,"c":7,"d":nan,"big":99999999999999999999,"x":16,"t":"a\"b","at":"2026-01-01T00:00:00Z","list":[{"y":true,"x":1000}]}"#
        );
    }
}
