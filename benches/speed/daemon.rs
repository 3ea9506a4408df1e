//! creditd as people run it: a process of its own, with its default settings.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Fallible;
use crate::meter::Family;
use crate::world::{Database, World, tail};

/// Killed if it is dropped before it was stopped.
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
    address: SocketAddr,
    began: Instant,
}

/// Longer than the daemon's own grace.
const STOPS_WITHIN: Duration = Duration::from_secs(30);
const READY_WITHIN: Duration = Duration::from_secs(30);
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

impl Daemon {
    /// `name` tells two daemons apart.
    pub(crate) fn start(world: &World, database: &Database, name: &str) -> Fallible<Self> {
        let log = world.file(&format!("{name}.log"));
        let address = free_address()?;
        let mut command = world.command(database);
        command
            .arg("run")
            .env("CREDITD__HTTP__LISTEN", address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?);
        let began = Instant::now();
        Ok(Self { child: command.spawn()?, log, address, began })
    }

    pub(crate) fn still_runs(&mut self) -> Fallible<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(self.failed(&format!("ended by itself: {status}"))),
        }
    }

    /// How long it took from the start of its process until it said that it can work.
    pub(crate) async fn ready(&mut self) -> Fallible<Duration> {
        while self.began.elapsed() < READY_WITHIN {
            self.still_runs()?;
            if self.get("/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return Ok(self.began.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Err(self.failed("does not become ready"))
    }

    pub(crate) fn family(&self) -> Family {
        Family::of(self.child.id())
    }

    /// How many transactions it has committed batches in.
    pub(crate) fn batches(&self) -> Fallible<u64> {
        let metrics = self.get("/metrics")?;
        let count =
            metrics.lines().find_map(|line| line.strip_prefix("creditd_batch_events_count "));
        Ok(count.ok_or("no such metric")?.parse()?)
    }

    /// Batches that it had to write again, for whatever reason.
    pub(crate) fn retries(&self) -> Fallible<usize> {
        let log = std::fs::read_to_string(&self.log)?;
        Ok(log.lines().filter(|line| line.contains("batch not written")).count())
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

    fn get(&self, path: &str) -> Fallible<String> {
        let mut stream = TcpStream::connect_timeout(&self.address, ANSWERS_WITHIN)?;
        stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
        let host = self.address;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
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

/// A port that nobody listens on: the usual one may belong to a daemon of this machine.
fn free_address() -> Fallible<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
