//! The broker's address: reading it, and saying what is odd about it.
//!
//! Pure. No text that leaves here holds more of the URL than its host, port, virtual host and the
//! names of its parameters.

use lapin::uri::{AMQPAuthority, AMQPUri};

use super::{BrokerError, BrokerSettings};
use crate::secret::Secret;

const SHORT_STRING_MAX_BYTES: usize = 255;
const EXPECTED: &str = "expected amqp[s]://user:password@host:port/virtual%2fhost";

/// Reads the URL as lapin does, save for two of its traps: an IPv6 address is kept (lapin takes
/// `localhost` instead, silently), and a virtual host of over 255 bytes is refused (lapin panics).
pub(super) fn parse(url: &Secret) -> Result<AMQPUri, BrokerError> {
    let text = url.expose();
    let mut uri: AMQPUri = text.parse().map_err(|reason: String| BrokerError::Url {
        // Some of the parser's texts quote the whole URL.
        reason: if reason.contains(text) { EXPECTED.to_owned() } else { reason },
    })?;
    if SHORT_STRING_MAX_BYTES < uri.vhost.len() {
        return Err(BrokerError::TooLong {
            what: "the virtual host".into(),
            bytes: uri.vhost.len(),
            max: SHORT_STRING_MAX_BYTES,
        });
    }
    if let Some(address) = ipv6_host(text) {
        address.clone_into(&mut uri.authority.host);
    }
    Ok(uri)
}

impl BrokerSettings {
    /// Host, port, vhost and user, as the URL names them.
    pub fn place(&self) -> String {
        parse(&self.url).map_or_else(|error| error.to_string(), |uri| place(&uri))
    }
}

pub(super) fn place(uri: &AMQPUri) -> String {
    let AMQPAuthority { host, port, userinfo } = &uri.authority;
    format!("{host}:{port}, vhost {}, as {}", uri.vhost, userinfo.username)
}

/// What is odd about a URL that parses, in sentences for an operator; a URL that does not parse is
/// the one warning.
pub fn url_warnings(url: &str) -> Vec<String> {
    let uri = match parse(&Secret::new(url.to_owned())) {
        Ok(uri) => uri,
        Err(error) => return vec![error.to_string()],
    };
    let mut warnings = Vec::new();
    if uri.vhost.is_empty() {
        warnings.push(
            "the url ends in a slash, which names the virtual host \"\"; leave the slash out or \
             write %2f for the default one"
                .to_owned(),
        );
    }
    for name in parameter_names(url) {
        match name {
            "frame_max" | "channel_max" | "auth_mechanism" => {}
            "heartbeat" => warnings.push(
                "the url's parameter heartbeat is overridden by the setting of that name"
                    .to_owned(),
            ),
            "connection_timeout" => warnings.push(
                "the url's parameter connection_timeout is overridden by the connect timeout of \
                 the settings"
                    .to_owned(),
            ),
            unknown => {
                warnings.push(format!("the url's parameter {unknown} is unknown and ignored"));
            }
        }
    }
    warnings
}

/// The address between brackets, when the host is one.
fn ipv6_host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    host.strip_prefix('[')?.split_once(']').map(|(address, _)| address)
}

fn parameter_names(url: &str) -> impl Iterator<Item = &str> {
    let query = url.split('#').next().and_then(|url| url.split_once('?')).map(|(_, query)| query);
    query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name))
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<AMQPUri, BrokerError> {
        parse(&Secret::new(url.to_owned()))
    }

    #[test]
    fn a_plain_url_has_no_warnings() {
        assert_eq!(url_warnings("amqp://creditd:pass@broker:5672"), Vec::<String>::new());
        assert_eq!(url_warnings("amqps://creditd:pass@broker/%2f"), Vec::<String>::new());
        assert_eq!(url_warnings("amqp://broker/billing?channel_max=8"), Vec::<String>::new());
    }

    #[test]
    fn a_trailing_slash_is_warned_of_because_it_names_an_empty_virtual_host() {
        let [warning] = url_warnings("amqp://broker:5672/").try_into().unwrap();

        assert!(warning.contains("virtual host \"\""), "{warning}");
    }

    #[test]
    fn parameters_that_do_nothing_are_each_named() {
        let warnings =
            url_warnings("amqp://broker?verify=verify_none&heartbeat=3&connection_timeout=9");

        assert_eq!(warnings.len(), 3, "{warnings:?}");
        assert!(warnings[0].contains("verify is unknown"), "{warnings:?}");
        assert!(warnings[1].contains("heartbeat"), "{warnings:?}");
        assert!(warnings[2].contains("connection_timeout"), "{warnings:?}");
    }

    #[test]
    fn a_url_that_does_not_parse_is_the_one_warning_and_keeps_its_password() {
        for url in ["guest:hunter2@broker", "amqp://u:hunter2@broker:port", "http://u:hunter2@b"] {
            let [warning] = url_warnings(url).try_into().unwrap();

            assert!(!warning.contains("hunter2"), "{warning}");
        }
    }

    #[test]
    fn an_ipv6_address_is_not_taken_for_localhost() {
        assert_eq!(read("amqp://u:p@[2001:db8::1]:5672/v").unwrap().authority.host, "2001:db8::1");
        assert_eq!(read("amqp://[::1]").unwrap().authority.host, "::1");
        assert_eq!(read("amqp://u:[p@broker").unwrap().authority.host, "broker");
    }

    #[test]
    fn a_virtual_host_of_256_bytes_is_an_error_and_not_a_panic() {
        let url = format!("amqp://broker/{}", "v".repeat(256));

        assert!(matches!(read(&url), Err(BrokerError::TooLong { bytes: 256, max: 255, .. })));
    }
}
