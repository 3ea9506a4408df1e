//! One connection to the broker, all of whose waits end, and whose socket ends with it.
//!
//! lapin runs a connection on a thread of its own, and that thread outlives the handle: a
//! handshake that the peer never answers would keep its thread, socket and buffers for ever, one
//! more with every attempt. So the socket is dialled here and a second handle to it is kept;
//! dropping a [`Link`], or the future that opens one, shuts the socket down, which ends the thread.

use std::borrow::Cow;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lapin::tcp::{AsyncTcpStream, OwnedTLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Channel, Connection, ConnectionProperties, ConnectionStatus};
use tokio::time::timeout;

use super::{BrokerError, BrokerSettings, url};

const REPLY_SUCCESS: u16 = 200;

pub(super) struct Link {
    connection: Connection,
    operation_timeout: Duration,
    _socket: OwnedSocket,
}

/// How large a frame may be. lapin keeps room for 32 of them in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frames {
    /// As the broker has them, usually 128 KiB: 8 MiB of buffers. For who consumes: the headers of
    /// a message can't be divided, and a frame that is too large costs the connection.
    AsTheBrokerHas,
    /// For who sends only what we made ourselves: bodies are divided, and headers are short.
    Small,
}

const SMALL_FRAME_BYTES: u32 = 16 * 1024;

impl Link {
    pub(super) async fn open(
        settings: &BrokerSettings,
        frames: Frames,
    ) -> Result<Self, BrokerError> {
        let mut uri = url::parse(&settings.url)?;
        if frames == Frames::Small {
            uri.query.frame_max.get_or_insert(SMALL_FRAME_BYTES);
        }
        let seconds = settings.heartbeat.as_secs().clamp(1, u64::from(u16::MAX));
        uri.query.heartbeat = u16::try_from(seconds).ok();
        let place = url::place(&uri);
        let tls = tls(settings.ca_file.as_deref()).await?;
        let socket = OwnedSocket::default();

        let connecting =
            connect(uri, &settings.connection_name, tls, settings.connect_timeout, &socket);
        let connection = match timeout(settings.connect_timeout, connecting).await {
            Ok(connection) => {
                connection.map_err(|source| BrokerError::Unreached { place, source })?
            }
            Err(_) => {
                let doing = format!(
                    "connect to the broker at {place} (is that its address, and does a firewall \
                     let it through?)"
                );
                let (doing, limit) = (doing.into(), settings.connect_timeout);
                return Err(BrokerError::TimedOut { doing, limit });
            }
        };
        Ok(Self { connection, operation_timeout: settings.operation_timeout, _socket: socket })
    }

    pub(super) async fn channel(&self) -> Result<Channel, BrokerError> {
        self.operate("open a channel", self.connection.create_channel()).await
    }

    /// Waits for one request's answer, as long as the settings allow for one.
    pub(super) async fn operate<T>(
        &self,
        doing: impl Into<Cow<'static, str>>,
        answer: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T, BrokerError> {
        match timeout(self.operation_timeout, answer).await {
            Ok(answer) => answer.map_err(BrokerError::while_trying_to(doing)),
            Err(_) => {
                Err(BrokerError::TimedOut { doing: doing.into(), limit: self.operation_timeout })
            }
        }
    }

    /// Waits for an answer that is late once `limit` has passed without the broker blocking us.
    ///
    /// While it does (an alarm; it may take hours) the clock stands still: the broker has what was
    /// written but does not read it, and would read it all when the alarm ends. Giving up and
    /// writing again on another connection would pile up one more copy with each attempt. The wait
    /// ends with the alarm, or with the link: the broker's heartbeats go on.
    pub(super) async fn patiently<T>(
        &self,
        limit: Duration,
        doing: impl Into<Cow<'static, str>>,
        answer: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T, BrokerError> {
        let mut answer = pin!(answer);
        loop {
            match timeout(limit, answer.as_mut()).await {
                Ok(answer) => return answer.map_err(BrokerError::while_trying_to(doing)),
                Err(_) if self.is_blocked() => {}
                Err(_) => return Err(BrokerError::TimedOut { doing: doing.into(), limit }),
            }
        }
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.alarm().is_raised()
    }

    pub(super) fn alarm(&self) -> Alarm {
        Alarm(self.connection.status().clone())
    }

    /// Ends a channel before its connection ends; lapin logs an error when both end at once.
    pub(super) async fn end(&self, channel: Channel) {
        // The broker may have closed it, and no answer changes anything.
        let _ = self.operate("close a channel", channel.close(REPLY_SUCCESS, "OK".into())).await;
    }

    /// Says goodbye, as far as the broker answers within the time for one request.
    pub(super) async fn close(self) {
        // A blocked connection writes nothing, its goodbye included.
        if self.is_blocked() {
            return;
        }
        let goodbye = self.connection.close(REPLY_SUCCESS, "OK".into());
        // An unanswered goodbye changes nothing: the socket is shut down either way.
        let _ = self.operate("close the connection", goodbye).await;
    }
}

/// Whether the broker has told a publisher's connection to stop (its memory or disk alarm) and not
/// yet to go on. Looks from the outside, while the publisher publishes.
#[derive(Clone)]
pub struct Alarm(ConnectionStatus);

impl Alarm {
    /// Never of a connection that has ended: lapin would remember it as blocked for ever.
    pub fn is_raised(&self) -> bool {
        self.0.blocked() && self.0.connected()
    }
}

async fn connect(
    uri: AMQPUri,
    name: &str,
    tls: OwnedTLSConfig,
    limit: Duration,
    socket: &OwnedSocket,
) -> lapin::Result<Connection> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let socket = Arc::clone(&socket.0);
    let runtime = lapin::runtime::default_runtime()?;
    Connection::connector(
        uri,
        runtime,
        async move |uri, runtime| {
            // The caller's own deadline cannot end this: it runs on lapin's thread.
            let dialled = timeout(limit, async {
                let (host, port) = (uri.authority.host.as_str(), uri.authority.port);
                let addresses: Vec<_> = tokio::net::lookup_host((host, port)).await?.collect();
                let stream = AsyncTcpStream::connect(&runtime, addresses).await?;
                if let AsyncTcpStream::Plain(stream) = &stream {
                    socket.hold(stream.get_ref().as_fd().try_clone_to_owned()?.into())?;
                }
                match uri.scheme {
                    AMQPScheme::AMQP => Ok(stream),
                    AMQPScheme::AMQPS => stream.into_tls(host, tls.as_ref()).await,
                }
            });
            Ok(dialled.await.map_err(io::Error::from)??)
        },
        properties,
    )
    .await
}

/// The system's certificates are always trusted; the file's are added to them.
async fn tls(ca_file: Option<&Path>) -> Result<OwnedTLSConfig, BrokerError> {
    let Some(path) = ca_file else {
        return Ok(OwnedTLSConfig::default());
    };
    let failed = |source| BrokerError::CaFile { path: path.to_owned(), source };
    let certificates = tokio::fs::read_to_string(path).await.map_err(failed)?;
    // rustls would take a file without certificates for "none to add".
    if !certificates.contains("-----BEGIN CERTIFICATE-----") {
        return Err(failed(io::Error::new(
            io::ErrorKind::InvalidData,
            "it holds no certificate in PEM form",
        )));
    }
    Ok(OwnedTLSConfig { identity: None, cert_chain: Some(certificates) })
}

/// The socket below a connection; shut down with its owner.
#[derive(Default)]
struct OwnedSocket(Arc<Socket>);

impl Drop for OwnedSocket {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

#[derive(Default)]
struct Socket(Mutex<Held>);

#[derive(Default)]
struct Held {
    stream: Option<TcpStream>,
    given_up: bool,
}

impl Socket {
    /// Refused when nobody waits for the connection any more.
    fn hold(&self, stream: TcpStream) -> io::Result<()> {
        let mut held = self.lock();
        if held.given_up {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        held.stream = Some(stream);
        Ok(())
    }

    fn give_up(&self) {
        let mut held = self.lock();
        held.given_up = true;
        if let Some(stream) = held.stream.take() {
            // A socket that is no longer connected needs no shutting down.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
