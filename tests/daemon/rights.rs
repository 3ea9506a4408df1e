//! Least privilege: an owner migrates, a writer runs, a reader reads.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::database::{command, command_in_drop, server};
use crate::events::{payment, refund, usage};
use crate::world::World;

/// Roles that no other test has. Made before the world that they have rights in, and so dropped
/// after its database.
struct Roles {
    writer: String,
    reader: String,
}

impl Roles {
    async fn create() -> Self {
        let name = format!("creditd_test_{:016x}", RandomState::new().build_hasher().finish());
        let roles = Self { writer: format!("{name}_writer"), reader: format!("{name}_reader") };
        for role in [&roles.writer, &roles.reader] {
            let sql = format!("CREATE ROLE {role} LOGIN PASSWORD 'of-{role}'");
            command(&server(), &sql).await;
        }
        roles
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        let sql = format!("DROP ROLE {}, {}", self.writer, self.reader);
        if !command_in_drop(server(), sql) {
            eprintln!("roles {} and {} are left behind", self.writer, self.reader);
        }
    }
}

/// The world's database, as another role.
fn url(world: &World, role: &str) -> String {
    let url = world.settings.database.url.expose();
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, tail) = rest.split_once('/').unwrap();
    let host = authority.rsplit('@').next().unwrap();
    format!("{scheme}://{role}:of-{role}@{host}/{tail}")
}

async fn refused(connection: &mut PgConnection, sql: &str) -> bool {
    let error = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.err();
    let code = error.and_then(|error| Some(error.as_database_error()?.code()?.into_owned()));
    code.as_deref() == Some("42501")
}

#[tokio::test]
async fn the_writer_runs_the_daemon_and_can_change_no_entry_and_the_reader_sees_the_views_alone() {
    let roles = Roles::create().await;
    let mut world = World::new().await;
    world.set("DATABASE__WRITER_ROLE", &roles.writer);
    world.set("DATABASE__READER_ROLE", &roles.reader);
    world.ends(0, &["migrate"]).await;
    let writer = url(&world, &roles.writer);
    let settings = [("DATABASE__URL", &*writer), ("DATABASE__MIGRATE_ON_START", "false")];
    let daemon = world.daemon_with(&settings).await;

    // A story that inserts, updates and deletes wherever the daemon ever does.
    let events = [
        refund("r-1", "in-1", "10.00"),
        payment("p-1", "ada", "in-1"),
        usage("u-1", "ada", 20_000),
        refund("r-2", "in-1", "20.00"),
        payment("p-2", "ada", "in-2"),
        "no event".to_owned(),
    ];
    world.publish(&events).await;
    world.until_known(6).await;
    world.all_told().await;
    assert_eq!(world.balance("ada").await, (5_500, 0));
    daemon.stop().await;

    let mut writing = PgConnection::connect(&writer).await.unwrap();
    for sql in [
        "UPDATE creditd.entry SET credits = 1",
        "DELETE FROM creditd.entry",
        "TRUNCATE creditd.entry",
        "UPDATE creditd.inbox SET body = NULL",
        "DELETE FROM creditd.inbox",
        "ALTER TABLE creditd.entry DISABLE TRIGGER ALL",
        "CREATE TABLE creditd.mine ()",
    ] {
        assert!(refused(&mut writing, sql).await, "{sql}");
    }
    let mut reading = PgConnection::connect(&url(&world, &roles.reader)).await.unwrap();
    let balance = sqlx::query_scalar::<_, String>("SELECT balance::TEXT FROM creditd_read.balance");
    assert_eq!(balance.fetch_one(&mut reading).await.unwrap(), "55.00");
    for sql in [
        "SELECT * FROM creditd.entry",
        "SELECT * FROM creditd.inbox",
        "INSERT INTO creditd.lease VALUES ('relay', gen_random_uuid(), now())",
        "UPDATE creditd_read.event SET outcome = 'applied'",
        "DELETE FROM creditd_read.event",
    ] {
        assert!(refused(&mut reading, sql).await, "{sql}");
    }
    writing.close().await.unwrap();
    reading.close().await.unwrap();
    world.proves().await;
}
