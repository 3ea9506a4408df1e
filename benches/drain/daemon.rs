//! creditd as people run it: a process of its own, with its default settings.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Fallible;
use crate::world::{Database, World, tail};

/// Killed if it is dropped before it was stopped.
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
}

/// Longer than the daemon's own grace.
const STOPS_WITHIN: Duration = Duration::from_secs(30);

impl Daemon {
    pub(crate) fn start(world: &World, database: &Database) -> Fallible<Self> {
        let log = world.file("creditd.log");
        let mut command = world.command(database);
        command.arg("run").stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        Ok(Self { child: command.spawn()?, log })
    }

    pub(crate) fn still_runs(&mut self) -> Fallible<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(self.failed(&format!("ended by itself: {status}"))),
        }
    }

    pub(crate) async fn stop(mut self) -> Fallible<()> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        let began = Instant::now();
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.failed(&format!("did not end well: {status}"))),
                None if began.elapsed() > STOPS_WITHIN => return Err(self.failed("does not end")),
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    fn failed(&self, how: &str) -> Box<dyn std::error::Error + Send + Sync> {
        format!("creditd run {how}\n{}", tail(&self.log)).into()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
