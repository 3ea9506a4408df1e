//! A TCP proxy that tests put between the daemon and a server, to break the link on purpose.
//!
//! ```text
//! daemon <--> Proxy <--> RabbitMQ or Postgres
//! ```
//!
//! - [`Proxy::stall`]: a black hole in one direction. Bytes go into the sender's and the proxy's
//!   buffers and never arrive; nobody is told.
//! - [`Proxy::stall_after`]: the server reads these words from a client, and from then on no client
//!   hears it.
//! - [`Proxy::mute_after`]: the same, but from then on it is the server that hears nothing.
//! - [`Proxy::resume`]: what was stalled arrives after all.
//! - [`Proxy::cut`]: every open link is closed on both sides, what was stalled is lost; new links
//!   are let in.
//! - [`Proxy::refuse`]: like `cut`, and new links are closed as they come, until
//!   [`Proxy::admit`].
//! - [`Proxy::inject`]: the clients read bytes that the server never sent; stalls do not hold them.
//! - [`Proxy::replace`]: the server reads other bytes than the clients wrote.
//!
//! To lose an acknowledgement between a commit and the broker: `stall(ToServer)` before the commit,
//! wait for the commit, `cut()`. To lose the reply to a commit: `stall_after(b"COMMIT")`, wait until
//! another connection sees the row, `cut()`.
//!
//! A link that is opened during a stall connects, and then nothing is heard: the stall holds for
//! it too. Everything ends with the value: dropping it closes the port and all links.
//!
//! Use it with `#[path = "common/proxy.rs"] mod proxy;`.

#![allow(dead_code, reason = "each test file uses its own part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot proceed panics")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Beyond this the sender's own buffers fill, and then its writes block.
const HELD_MAX_BYTES: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

pub(crate) struct Proxy {
    address: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
    links: watch::Receiver<usize>,
    /// Ends all links when it is dropped.
    _tasks: JoinSet<()>,
}

/// What all links live under.
#[derive(Default)]
struct Weather {
    stalls_to_server: bool,
    stalls_to_client: bool,
    refuses: bool,
    /// Links of an earlier generation than this close.
    generation: u64,
    /// All that was ever put into the clients' mouths; each link passes on what is new to it.
    injected: Vec<u8>,
    /// What the server is to read in place of what.
    replaced: Option<(Vec<u8>, Vec<u8>)>,
    /// After which words of a client which side is not heard any more.
    last_words: Option<(Vec<u8>, Direction)>,
    /// How many bytes of clients were held back since the server was last deaf to them.
    withheld: usize,
}

impl Weather {
    fn stalls(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => self.stalls_to_server,
            Direction::ToClient => self.stalls_to_client,
        }
    }
}

impl Proxy {
    /// Listens on a free local port and forwards to `server` (`host:port`).
    pub(crate) async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let weather = Arc::new(watch::Sender::new(Weather::default()));
        let (counter, links) = watch::channel(0);
        let mut tasks = JoinSet::new();
        tasks.spawn(admit_links(listener, server.to_owned(), weather.clone(), counter));
        Self { address, weather, links, _tasks: tasks }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `url` with its host and port replaced by the proxy's; credentials, path and query stay.
    pub(crate) fn url(&self, url: &str) -> String {
        let (scheme, rest) = url.split_once("://").unwrap();
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let credentials = authority.rsplit_once('@').map(|(user, _)| format!("{user}@"));
        format!("{scheme}://{}{}{tail}", credentials.unwrap_or_default(), self.address)
    }

    /// From now on nothing arrives in this direction.
    pub(crate) fn stall(&self, direction: Direction) {
        self.weather.send_modify(|weather| match direction {
            Direction::ToServer => {
                weather.withheld = 0;
                weather.stalls_to_server = true;
            }
            Direction::ToClient => weather.stalls_to_client = true,
        });
    }

    /// The server still reads these bytes from a client, and from then on nothing arrives at any
    /// client. They are recognised where they come in one piece, which small requests do.
    pub(crate) fn stall_after(&self, words: &[u8]) {
        let last = (words.to_vec(), Direction::ToClient);
        self.weather.send_modify(|weather| weather.last_words = Some(last));
    }

    /// The same, and from then on the server hears nothing that clients say.
    pub(crate) fn mute_after(&self, words: &[u8]) {
        let last = (words.to_vec(), Direction::ToServer);
        self.weather.send_modify(|weather| weather.last_words = Some(last));
    }

    /// How many bytes of clients have been held back by a stall towards the server.
    pub(crate) fn withheld(&self) -> usize {
        self.weather.borrow().withheld
    }

    /// Whether what [`Proxy::stall_after`] waits for has been said.
    pub(crate) fn is_stalled(&self) -> bool {
        self.weather.borrow().stalls_to_client
    }

    /// Ends the stalls in both directions; what was held arrives.
    pub(crate) fn resume(&self) {
        self.weather.send_modify(|weather| {
            weather.last_words = None;
            weather.stalls_to_server = false;
            weather.stalls_to_client = false;
        });
    }

    /// Puts these bytes between whatever the server says to the clients of all open links. They
    /// fall between two of its protocol's frames as long as it is quiet.
    pub(crate) fn inject(&self, bytes: &[u8]) {
        self.weather.send_modify(|weather| weather.injected.extend(bytes));
    }

    /// From now on, wherever clients write `what`, the server reads `with`, which is as long. It
    /// is recognised where it comes in one piece, which small requests do.
    pub(crate) fn replace(&self, what: &[u8], with: &[u8]) {
        assert_eq!(what.len(), with.len());
        let replaced = Some((what.to_vec(), with.to_vec()));
        self.weather.send_modify(|weather| weather.replaced = replaced);
    }

    /// Closes every open link. Stalls stay as they are.
    pub(crate) fn cut(&self) {
        self.weather
            .send_modify(|weather| weather.generation = weather.generation.saturating_add(1));
    }

    pub(crate) fn refuse(&self) {
        self.weather.send_modify(|weather| {
            weather.refuses = true;
            weather.generation = weather.generation.saturating_add(1);
        });
    }

    pub(crate) fn admit(&self) {
        self.weather.send_modify(|weather| weather.refuses = false);
    }

    /// How many links are open now.
    pub(crate) fn open_links(&self) -> usize {
        *self.links.borrow()
    }

    /// Waits until exactly this many links are open.
    pub(crate) async fn wait_for_links(&self, count: usize) {
        let mut links = self.links.clone();
        let waited = tokio::time::timeout(PATIENCE, links.wait_for(|open| *open == count)).await;
        let open = self.open_links();
        waited.unwrap_or_else(|_| panic!("{open} links are open, not {count}")).unwrap();
    }
}

async fn admit_links(
    listener: TcpListener,
    server: String,
    weather: Arc<watch::Sender<Weather>>,
    counter: watch::Sender<usize>,
) {
    let mut links = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                if weather.borrow().refuses {
                    continue;
                }
                links.spawn(forward(client, server.clone(), weather.clone()));
                counter.send_replace(links.len());
            }
            Some(_) = links.join_next() => {
                counter.send_replace(links.len());
            }
        }
    }
}

/// One link, until either side closes it, it is cut, or the proxy is dropped.
async fn forward(client: TcpStream, server: String, weather: Arc<watch::Sender<Weather>>) {
    let born = weather.borrow().generation;
    let Ok(server) = TcpStream::connect(server).await else { return };
    // Requests and replies are small, and tests wait for them.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = weather.subscribe();
    tokio::select! {
        // First, or a stall that ends right after the cut would let through what it held.
        biased;
        _ = cut.wait_for(|weather| born < weather.generation) => {}
        _ = copy(from_client, to_server, Direction::ToServer, weather.clone()) => {}
        _ = copy(from_server, to_client, Direction::ToClient, weather.clone()) => {}
    }
}

/// Reads on during a stall, as far as it may hold, so that it sees the sender close.
async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    sky: Arc<watch::Sender<Weather>>,
) -> io::Result<()> {
    let mut weather = sky.subscribe();
    let mut held = Vec::with_capacity(HELD_MAX_BYTES);
    let mut injections = weather.clone();
    let mut injected = injections.borrow().injected.len();
    loop {
        tokio::select! {
            biased;
            bytes = fresh(&mut injections, injected), if direction == Direction::ToClient => {
                let bytes = bytes?;
                to.write_all(&bytes).await?;
                injected = injected.saturating_add(bytes.len());
            }
            passed = pass(&mut weather, direction), if !held.is_empty() => {
                passed?;
                if direction == Direction::ToServer {
                    replace(&weather, &mut held);
                    stall_if_last(&sky, &held);
                }
                to.write_all(&held).await?;
                held.clear();
            }
            read = from.read_buf(&mut held), if held.len() < HELD_MAX_BYTES => {
                let read = read?;
                if read == 0 {
                    return Ok(());
                }
                if direction == Direction::ToServer {
                    withhold(&sky, read);
                }
            }
        }
    }
}

async fn fresh(weather: &mut watch::Receiver<Weather>, known: usize) -> io::Result<Vec<u8>> {
    let more = weather.wait_for(|weather| known < weather.injected.len()).await;
    more.map(|weather| weather.injected[known..].to_vec()).map_err(io::Error::other)
}

/// Before the server reads the words, so that it can't be faster with its answer.
fn stall_if_last(sky: &watch::Sender<Weather>, held: &[u8]) {
    sky.send_if_modified(|weather| {
        let Some((words, direction)) = &weather.last_words else { return false };
        let is_said = held.windows(words.len()).any(|place| place == words);
        match direction {
            _ if !is_said => {}
            Direction::ToServer => weather.stalls_to_server = true,
            Direction::ToClient => weather.stalls_to_client = true,
        }
        is_said
    });
}

/// Nobody is woken by it.
fn withhold(sky: &watch::Sender<Weather>, bytes: usize) {
    sky.send_if_modified(|weather| {
        if weather.stalls_to_server {
            weather.withheld = weather.withheld.saturating_add(bytes);
        }
        false
    });
}

fn replace(weather: &watch::Receiver<Weather>, held: &mut [u8]) {
    let weather = weather.borrow();
    let Some((what, with)) = &weather.replaced else { return };
    let last = held.len().saturating_sub(what.len());
    for start in 0..=last {
        if let Some(place) = held[start..].get_mut(..what.len())
            && *place == **what
        {
            place.copy_from_slice(with);
        }
    }
}

async fn pass(weather: &mut watch::Receiver<Weather>, direction: Direction) -> io::Result<()> {
    let clear = weather.wait_for(|weather| !weather.stalls(direction)).await;
    clear.map(drop).map_err(io::Error::other)
}
