//! A server of the test's own, to be broken at will; removed with the value.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::PathBuf;
use std::process::Command;

pub(crate) struct PrivateServer {
    directory: PathBuf,
    kind: &'static str,
    pub(crate) url: String,
}

impl PrivateServer {
    pub(crate) async fn postgres() -> Self {
        Self::start("postgres").await
    }

    pub(crate) async fn rabbitmq() -> Self {
        Self::start("rabbitmq").await
    }

    async fn start(kind: &'static str) -> Self {
        let number = RandomState::new().build_hasher().finish();
        let directory =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("servers-{number:016x}"));
        let mut server = Self { directory, kind, url: String::new() };
        server.url = server.does(&["start"]).await;
        server
    }

    /// One of `scripts/servers private`'s actions; its answer.
    pub(crate) async fn does(&self, action: &[&str]) -> String {
        let mut command = self.command(action);
        // Beside the test's own runtime, which may be carrying a proxy.
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} {action:?}: {said}", self.kind);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn command(&self, action: &[&str]) -> Command {
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/servers"));
        command.arg("private").arg(&self.directory).arg(self.kind).args(action);
        command
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        match self.command(&["remove"]).output() {
            Ok(output) if output.status.success() => {
                // The folder itself, now empty.
                let _kept = std::fs::remove_dir(&self.directory);
            }
            other => eprintln!("{} in {:?} is left behind: {other:?}", self.kind, self.directory),
        }
    }
}
