//! What can be wrong with a server's URL that its library would swallow: both ignore a parameter
//! they do not know (one of them prints it, value and all), a stray slash names a vhost that does
//! not exist, and an IPv6 address for the broker silently becomes localhost.
//!
//! No text made here shows any part of the URL but a parameter's name: the rest may be a secret.

use url::{Host, Url};

#[derive(Clone, Copy, Debug)]
pub(super) enum Server {
    Database,
    Broker,
}

/// What is wrong and what would be right.
pub(super) type Wrong = (String, &'static str);

const DATABASE_PARAMETERS: [&str; 16] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];
const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
const MANAGEMENT_PORT: u16 = 15672;

impl Server {
    /// The shape of the URL, for the remedies.
    pub(super) fn wanted(self) -> &'static str {
        match self {
            Self::Database => "write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE",
            Self::Broker => "write it as amqp://USER:PASSWORD@HOST:PORT or, with TLS, amqps://…",
        }
    }

    fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::Database => &["postgres", "postgresql"],
            Self::Broker => &["amqp", "amqps"],
        }
    }

    pub(super) fn check(self, text: &str) -> Result<(), Wrong> {
        if text.is_empty() {
            return Err(("is empty".to_owned(), self.wanted()));
        }
        // The parser would drop a line break without a word.
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            let remedy = "write it on one line, and a space within it as %20";
            return Err(("holds a space or a line break".to_owned(), remedy));
        }
        let url = Url::parse(text).map_err(|error| {
            let remedy = match error == url::ParseError::RelativeUrlWithoutBase {
                true => self.wanted(),
                false => "write @ : / # ? in a name or password as %40 %3A %2F %23 %3F",
            };
            (format!("is not a URL ({error})"), remedy)
        })?;
        if !self.schemes().contains(&url.scheme()) {
            return Err((format!("does not begin with {}://", self.schemes()[0]), self.wanted()));
        }
        if url.fragment().is_some() {
            return Err(("holds a #".to_owned(), "write # in a name or password as %23"));
        }
        match self {
            Self::Database => check_database(&url),
            Self::Broker => check_broker(&url),
        }
    }
}

fn check_database(url: &Url) -> Result<(), Wrong> {
    let mut has_host = url.host_str().is_some_and(|host| !host.is_empty());
    let mut has_name = !url.path().trim_matches('/').is_empty();
    for (key, value) in url.query_pairs() {
        let known = DATABASE_PARAMETERS.contains(&key.as_ref()) || key.starts_with("options[");
        if !known {
            let remedy = "remove it; sslmode, sslrootcert, sslcert, sslkey, host, application_name \
                          and options are known";
            return Err((format!("has the unknown parameter {:?}", printable(&key)), remedy));
        }
        if key == "sslmode" && !SSL_MODES.contains(&value.as_ref()) {
            let remedy = "write disable, allow, prefer, require, verify-ca or verify-full";
            return Err(("has an unknown sslmode".to_owned(), remedy));
        }
        has_host |= key == "host" || key == "hostaddr";
        has_name |= key == "dbname";
    }
    if !has_host {
        return Err(("names no host".to_owned(), Server::Database.wanted()));
    }
    if url.host_str().is_some_and(|host| host.contains(',')) {
        let remedy = "name one: a proxy or a DNS name that follows the primary";
        return Err(("names several hosts".to_owned(), remedy));
    }
    if !has_name {
        return Err(("names no database".to_owned(), Server::Database.wanted()));
    }
    Ok(())
}

fn check_broker(url: &Url) -> Result<(), Wrong> {
    match url.host() {
        None | Some(Host::Domain("")) => {
            return Err(("names no host".to_owned(), Server::Broker.wanted()));
        }
        Some(Host::Ipv6(_)) => {
            let remedy = "use a host name: the AMQP library would connect to localhost instead";
            return Err(("names an IPv6 address".to_owned(), remedy));
        }
        Some(Host::Domain(_) | Host::Ipv4(_)) => {}
    }
    if url.port() == Some(MANAGEMENT_PORT) {
        let remedy = "use AMQP's port, by default 5672, with TLS 5671";
        return Err((format!("names port {MANAGEMENT_PORT}, the management page's"), remedy));
    }
    if url.path() == "/" {
        let remedy = "leave the slash out for the vhost \"/\", or write /NAME for another";
        return Err(("ends in a slash, which names the vhost \"\"".to_owned(), remedy));
    }
    if 1 < url.path().matches('/').count() {
        let remedy = "write a slash within a vhost's name as %2F";
        return Err(("has a slash within the vhost".to_owned(), remedy));
    }
    match url.query_pairs().map(|(key, _)| key).find(|key| key != "auth_mechanism") {
        None => Ok(()),
        Some(key) if key == "heartbeat" => {
            Err(("has the parameter heartbeat".to_owned(), "set broker.heartbeat instead"))
        }
        Some(key) if key == "connection_timeout" => Err((
            "has the parameter connection_timeout".to_owned(),
            "set broker.connect_timeout instead",
        )),
        Some(key) => {
            let remedy = "remove it; only auth_mechanism is known";
            Err((format!("has the parameter {:?}", printable(&key)), remedy))
        }
    }
}

/// A parameter's name, cut short: where a `?` in a password was not escaped, it is what follows.
fn printable(key: &str) -> String {
    const SHOWN_CHARS: usize = 4;
    match key.char_indices().nth(SHOWN_CHARS) {
        None => key.to_owned(),
        Some((end, _)) => format!("{}…", key.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(server: Server, text: &str) -> String {
        server.check(text).expect_err(text).0
    }

    #[test]
    fn a_plain_url_of_either_server_is_accepted() {
        for text in [
            "postgres://postgres@127.0.0.1:5432/creditd",
            "postgresql://u:p%40ss@db.example/creditd?sslmode=verify-full&sslrootcert=/ca.pem",
            "postgres:///creditd?host=/var/run/postgresql",
            "postgres://u@h/db?options[search_path]=creditd",
        ] {
            assert_eq!(Server::Database.check(text), Ok(()), "{text}");
        }
        for text in [
            "amqp://guest:guest@127.0.0.1:5672",
            "amqps://u:p@broker.example",
            "amqp://u:p@h/%2f",
            "amqp://u:p@h/billing?auth_mechanism=plain",
        ] {
            assert_eq!(Server::Broker.check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_database_url_that_would_be_misread_is_refused() {
        let cases = [
            ("", "is empty"),
            ("creditd", "is not a URL (relative URL without a base)"),
            ("mysql://u@h/db", "does not begin with postgres://"),
            ("postgres://u:p@h/db\nx", "holds a space or a line break"),
            ("postgres://u:p#w@h/db", "is not a URL (invalid port number)"),
            ("postgres://u:p/w@h/db", "is not a URL (invalid port number)"),
            ("postgres://u:p@h/db#x", "holds a #"),
            ("postgres://u@/db", "is not a URL (empty host)"),
            ("postgres:///db", "names no host"),
            ("postgres://a,b/db", "names several hosts"),
            ("postgres://u@h", "names no database"),
            ("postgres://u@h/", "names no database"),
            ("postgres://u@h/db?sslmode=on", "has an unknown sslmode"),
            ("postgres://u@h/db?pasword=hunter2", "has the unknown parameter \"pasw…\""),
        ];

        for (text, expected) in cases {
            assert_eq!(problem(Server::Database, text), expected, "{text}");
        }
    }

    #[test]
    fn an_address_alone_is_told_what_a_url_looks_like() {
        for (server, begins) in [(Server::Database, "postgres://"), (Server::Broker, "amqp://")] {
            let (_, remedy) = server.check("localhost/creditd").unwrap_err();
            assert!(remedy.contains(begins), "{remedy}");
        }
    }

    #[test]
    fn a_broker_url_that_would_be_misread_is_refused() {
        let cases = [
            ("http://h:15672", "does not begin with amqp://"),
            ("amqp://", "names no host"),
            ("amqp://[fd00::1]:5672", "names an IPv6 address"),
            ("amqp://h:15672", "names port 15672, the management page's"),
            ("amqp://h:5672/", "ends in a slash, which names the vhost \"\""),
            ("amqp://h/a/b", "has a slash within the vhost"),
            ("amqp://h?heartbeat=5", "has the parameter heartbeat"),
            ("amqp://h?connection_timeout=5", "has the parameter connection_timeout"),
            ("amqp://h?frame_max=9", "has the parameter \"fram…\""),
        ];

        for (text, expected) in cases {
            assert_eq!(problem(Server::Broker, text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_told_without_its_secret() {
        let cases = [
            (Server::Database, "postgres://u:hunter2/x@h/db"),
            (Server::Database, "postgres://u:hun?hunter2@h/db"),
            (Server::Database, "hunter2"),
            (Server::Broker, "amqp://u:hunter2@h/"),
            (Server::Broker, "amqp://u@h?hunter2"),
        ];

        for (server, text) in cases {
            let (problem, remedy) = server.check(text).expect_err(text);
            assert!(!format!("{problem}{remedy}").contains("hunter2"), "{problem}");
        }
    }
}
