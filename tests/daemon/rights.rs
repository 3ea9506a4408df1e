//! Least privilege: an owner migrates, a writer runs, a reader reads.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::events::{payment, refund, usage};
use crate::world::World;

/// Roles that no other test has; dropped after the database that they have rights in.
struct Roles {
    server: String,
    writer: String,
    reader: String,
}

impl Roles {
    async fn create(world: &World) -> Self {
        let name = world.settings.broker.connection_name.replace('-', "_");
        let roles = Self {
            server: world.settings.database.url.expose().to_owned(),
            writer: format!("{name}_writer"),
            reader: format!("{name}_reader"),
        };
        for role in [&roles.writer, &roles.reader] {
            let sql = format!("CREATE ROLE {role} LOGIN PASSWORD 'secret-of-{role}'");
            sqlx::query(AssertSqlSafe(sql)).execute(&world.tables).await.unwrap();
        }
        roles
    }

    fn url(&self, role: &str) -> String {
        let (scheme, rest) = self.server.split_once("://").unwrap();
        let end = rest.find('/').unwrap();
        let host = rest[..end].rsplit('@').next().unwrap();
        format!("{scheme}://{role}:secret-of-{role}@{host}{}", &rest[end..])
    }

    async fn connect(&self, role: &str) -> PgConnection {
        PgConnection::connect(&self.url(role)).await.unwrap()
    }

    /// After the rights that they were given are gone.
    async fn drop(self, world: World) {
        for role in [&self.writer, &self.reader] {
            for sql in [format!("DROP OWNED BY {role}"), format!("DROP ROLE {role}")] {
                sqlx::query(AssertSqlSafe(sql)).execute(&world.tables).await.unwrap();
            }
        }
    }
}

async fn refused(connection: &mut PgConnection, sql: &str) -> bool {
    let error = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.err();
    let code = error.and_then(|error| Some(error.as_database_error()?.code()?.into_owned()));
    code.as_deref() == Some("42501")
}

#[tokio::test]
async fn the_writer_runs_the_daemon_and_can_change_no_entry_and_the_reader_sees_the_views_alone() {
    let mut world = World::new().await;
    let roles = Roles::create(&world).await;
    world.set("DATABASE__WRITER_ROLE", &roles.writer);
    world.set("DATABASE__READER_ROLE", &roles.reader);
    world.ends(0, &["migrate"]).await;
    let writer = roles.url(&roles.writer);
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

    let mut writing = roles.connect(&roles.writer).await;
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
    let mut reading = roles.connect(&roles.reader).await;
    let balance = sqlx::query_scalar::<_, String>("SELECT balance::TEXT FROM creditd_read.balance");
    assert_eq!(balance.fetch_one(&mut reading).await.unwrap(), "55.00");
    for sql in [
        "SELECT * FROM creditd.entry",
        "SELECT * FROM creditd.inbox",
        "UPDATE creditd_read.balance SET unit = 'X'",
        "DELETE FROM creditd_read.entry",
    ] {
        assert!(refused(&mut reading, sql).await, "{sql}");
    }
    writing.close().await.unwrap();
    reading.close().await.unwrap();
    world.proves().await;
    roles.drop(world).await;
}
