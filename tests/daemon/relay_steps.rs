//! The relay stopped at each of its steps, on real servers (semantics 8.1): whoever follows the
//! sequence misses nothing, and what comes again comes under its old id.

use creditd::catalog::Catalog;
use creditd::store::Store;
use uuid::Uuid;

use crate::books::{self, read};
use crate::child::Daemon;
use crate::events::payment;
use crate::proxy::{Direction, Proxy};
use crate::world::{World, address, until, with};

/// What the relay has done last when it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// It asked for the lease, and was not told that it has it.
    AskedToLead,
    /// It leads, and waits for its link to the broker.
    Led,
    /// It asked what waits, and was not told.
    Asked,
    /// It knows what waits, and nothing of it reached the broker.
    Knew,
    /// Only the first notices of the window reached the broker.
    PublishedSome,
    /// The window reached the broker, and no confirm came back.
    Published,
    /// All is confirmed, and nothing was marked.
    Confirmed,
    /// All is marked, and it was not told so.
    Marked,
}

const STEPS: [Last; 8] = [
    Last::AskedToLead,
    Last::Led,
    Last::Asked,
    Last::Knew,
    Last::PublishedSome,
    Last::Published,
    Last::Confirmed,
    Last::Marked,
];

const ACCOUNTS: usize = 20;
const EACH: usize = 20;
/// Bytes, as no heartbeat or acknowledgement has them.
const MANY: usize = 10_000;
const WAITING: &str = "SELECT count(*) FROM notice WHERE published_at IS NULL";

/// A daemon behind proxies, in a world where notices come from elsewhere.
struct Relayed {
    world: World,
    store: Store,
    database: Proxy,
    broker: Proxy,
    round: usize,
}

impl Relayed {
    async fn new() -> Self {
        let world = World::new().await;
        let store = Store::connect(&world.settings.database).await.unwrap();
        let database = Proxy::to(&address(world.settings.database.url.expose())).await;
        let broker = Proxy::to(&address(world.settings.broker.url.expose())).await;
        Self { world, store, database, broker, round: 0 }
    }

    /// A daemon that reaches both servers through the proxies only.
    fn starting(&self) -> Daemon {
        // Without TLS, or the proxy could not tell what is said.
        let database = self.database.url(self.world.settings.database.url.expose());
        let database = with(&database, "sslmode=disable");
        let broker = self.broker.url(self.world.settings.broker.url.expose());
        let settings =
            [("DATABASE__URL", &*database), ("BROKER__URL", &*broker), ("RELAY__LEASE", "500ms")];
        self.world.starting(&settings)
    }

    async fn leader(&self) -> Daemon {
        let leader = self.starting();
        leader.says("relaying notices").await;
        leader.says("consuming").await;
        leader
    }

    /// Commits notices as another daemon's intake would: so many an account.
    async fn post(&mut self, each: usize) {
        self.round += 1;
        let catalog = Catalog::load(&self.world.catalog_file()).unwrap();
        let arrivals: Vec<_> = (0..ACCOUNTS * each)
            .map(|n| (format!("{}-{n}", self.round), format!("a-{}", n % ACCOUNTS)))
            .map(|(id, account)| read(&payment(&id, &account, &id), &catalog))
            .collect();
        books::post(&self.store, &arrivals, &catalog.rules(), &catalog).await;
    }

    async fn waiting(&self) -> usize {
        usize::try_from(self.world.count(WAITING).await).unwrap()
    }

    /// The id of a notice that the relay publishes next, counted from 0.
    async fn next_id(&self, place: usize) -> Uuid {
        let next = "SELECT notice_id::TEXT FROM notice WHERE published_at IS NULL
            ORDER BY account_id, sequence";
        self.world.texts(next).await[place].parse().unwrap()
    }

    async fn heard(&mut self) -> usize {
        self.world.subscriber.listen().await;
        self.world.subscriber.heard.len()
    }

    /// Brings a relay to the end of this step, and no further; notices wait for it then.
    async fn bring_to(&mut self, last: Last) -> Daemon {
        let before = self.heard().await;
        let all = ACCOUNTS * EACH;
        match last {
            Last::AskedToLead | Last::Led => self.post(EACH).await,
            _ => {}
        }
        let lease = "SELECT count(*) FROM lease WHERE name = 'relay'";
        let relay = match last {
            Last::AskedToLead => {
                self.database.stall_after(b"relay");
                self.starting()
            }
            Last::Led => {
                self.broker.stall(Direction::ToClient);
                self.starting()
            }
            _ => self.leader().await,
        };
        match last {
            Last::AskedToLead => {
                until("the lease to be asked for", async || self.database.is_stalled()).await;
                self.world.until_count(lease, 1).await;
            }
            Last::Led => self.world.until_count(lease, 1).await,
            Last::Asked => {
                self.database.stall(Direction::ToClient);
                self.post(EACH).await;
            }
            Last::Knew => {
                self.broker.stall(Direction::ToServer);
                self.post(EACH).await;
                until("the window to be on its way", async || self.broker.withheld() > MANY).await;
            }
            Last::PublishedSome => {
                self.database.stall(Direction::ToClient);
                self.post(EACH).await;
                self.broker.mute_after(self.next_id(10).await.to_string().as_bytes());
                self.database.resume();
                until("the first to be heard", async || self.heard().await > before).await;
            }
            Last::Published => {
                self.broker.stall(Direction::ToClient);
                self.post(EACH).await;
                until("all to be heard", async || self.heard().await == before + all).await;
            }
            Last::Confirmed => {
                // Asked whether the statement is right, the database does not answer.
                self.database.stall_after(b"UPDATE notice");
                self.post(EACH).await;
                until("the mark to be tried", async || self.database.is_stalled()).await;
            }
            Last::Marked => {
                // All are in one statement, by their ids.
                self.broker.stall(Direction::ToClient);
                self.post(EACH).await;
                self.database.stall_after(self.next_id(0).await.as_bytes());
                self.broker.resume();
                until("the mark to be said", async || self.database.is_stalled()).await;
                self.world.until_count(WAITING, 0).await;
            }
        }
        relay
    }

    fn calm(&self) {
        for proxy in [&self.database, &self.broker] {
            proxy.cut();
            proxy.resume();
        }
    }
}

#[tokio::test]
async fn a_relay_killed_at_any_of_its_steps_loses_nothing_and_repeats_under_the_same_ids() {
    let mut relayed = Relayed::new().await;
    let all = ACCOUNTS * EACH;

    for last in STEPS {
        let before = relayed.heard().await;
        let mut relay = relayed.bring_to(last).await;
        relay.kill();
        relayed.calm();
        let heard = relayed.heard().await - before;
        let is_as_meant = match last {
            Last::AskedToLead | Last::Led | Last::Asked | Last::Knew => heard == 0,
            Last::PublishedSome => 0 < heard && heard < all,
            Last::Published | Last::Confirmed | Last::Marked => heard == all,
        };
        assert!(is_as_meant, "{heard} of {all} were heard: {last:?}");
        let waiting = if last == Last::Marked { 0 } else { all };
        assert_eq!(relayed.waiting().await, waiting, "{last:?}");

        let repeats = relayed.world.subscriber.repeats();
        let next = relayed.world.daemon().await;
        relayed.post(1).await;
        relayed.world.all_told().await;
        next.stop().await;

        let repeated = if last == Last::Marked { 0 } else { heard };
        assert_eq!(relayed.world.subscriber.repeats() - repeats, repeated, "{last:?}");
    }
    assert_eq!(relayed.world.subscriber.distinct(), STEPS.len() * (all + ACCOUNTS));
    relayed.store.close().await;
    relayed.world.proves().await;
}

/// It sleeps so long that its lease runs out, and wakes up with a window in hand.
#[tokio::test]
async fn a_relay_that_lost_its_lease_in_its_sleep_repeats_at_most_what_was_told() {
    for last in [Last::Knew, Last::Published] {
        let mut relayed = Relayed::new().await;
        let sleeper = relayed.bring_to(last).await;
        sleeper.signal("-STOP");
        let next = relayed.world.daemon().await;
        next.says("relaying notices").await;
        relayed.post(EACH).await;
        relayed.world.all_told().await;

        for proxy in [&relayed.database, &relayed.broker] {
            proxy.resume();
        }
        sleeper.signal("-CONT");
        sleeper.says("another daemon relays notices now").await;
        relayed.post(EACH).await;
        relayed.world.all_told().await;
        sleeper.stop().await;
        next.stop().await;

        relayed.world.subscriber.listen().await;
        relayed.world.subscriber.believes();
        assert_eq!(relayed.world.subscriber.distinct(), 3 * ACCOUNTS * EACH, "{last:?}");
        assert!(relayed.world.subscriber.repeats() > 0, "{last:?}");
        relayed.store.close().await;
        relayed.world.proves().await;
    }
}

#[tokio::test]
async fn a_relay_that_loses_a_link_between_two_steps_goes_on_by_itself() {
    let mut relayed = Relayed::new().await;

    for last in [Last::Asked, Last::Knew, Last::PublishedSome, Last::Published, Last::Confirmed] {
        let relay = relayed.bring_to(last).await;
        relayed.calm();
        relayed.post(1).await;
        relayed.world.all_told().await;
        assert!(relay.said(&["relaying broke off, trying again"]) > 0, "{last:?}");
        relay.stop().await;
    }
    relayed.store.close().await;
    relayed.world.proves().await;
}
