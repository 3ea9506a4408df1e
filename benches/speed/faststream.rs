//! The same consumer as people write it in Python, with FastStream and asyncpg: `one_by_one.py`, in
//! a virtual environment below target/ that is made when it is first asked for.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::meter::Family;
use crate::world::{Database, World, tail};
use crate::{Fallible, Options};

/// A Python that has what the script needs.
#[derive(Clone, Debug)]
pub(crate) struct Python(PathBuf);

/// Killed if it is dropped before it was stopped.
pub(crate) struct FastStream {
    child: Child,
    log: PathBuf,
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/speed/one_by_one.py");
const PACKAGES: [&str; 2] = ["faststream[rabbit]==0.7.8", "asyncpg==0.32.0"];
const STOPS_WITHIN: Duration = Duration::from_secs(30);

impl Python {
    /// `None`, and a line that says why, where there is no Python or no way to its packages.
    pub(crate) fn find() -> Option<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faststream");
        let python = folder.join("bin/python");
        let is_there = |python: &Path| {
            let import = "import asyncpg, faststream.rabbit";
            succeeds(Command::new(python).args(["-c", import]))
        };
        if is_there(&python) {
            return Some(Self(python));
        }
        eprintln!("python: an environment with {} in {}", PACKAGES.join(" "), folder.display());
        let made = succeeds(Command::new("python3").args(["-m", "venv"]).arg(&folder))
            && succeeds(Command::new(&python).args(["-m", "pip", "install", "-q"]).args(PACKAGES));
        if made && is_there(&python) {
            return Some(Self(python));
        }
        eprintln!("python: skipped, because python3 with venv, or PyPI, is not there");
        None
    }
}

impl FastStream {
    pub(crate) fn start(
        python: &Python,
        world: &World,
        database: &Database,
        options: &Options,
    ) -> Fallible<Self> {
        let log = world.file("faststream.log");
        let child = Command::new(&python.0)
            .arg(SCRIPT)
            .args([world.amqp.as_str(), database.url.as_str(), &world.queue_name()])
            .args([options.parallel.to_string(), options.prefetch.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()?;
        Ok(Self { child, log })
    }

    pub(crate) fn still_runs(&mut self) -> Fallible<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(self.failed(&format!("ended by itself: {status}"))),
        }
    }

    pub(crate) fn family(&self) -> Family {
        Family::of(self.child.id())
    }

    pub(crate) async fn stop(mut self) -> Fallible<()> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        let began = Instant::now();
        while began.elapsed() < STOPS_WITHIN {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.failed(&format!("did not end well: {status}"))),
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        Err(self.failed("does not end"))
    }

    fn failed(&self, how: &str) -> Box<dyn std::error::Error + Send + Sync> {
        format!("one_by_one.py {how}\n{}", tail(&self.log)).into()
    }
}

impl Drop for FastStream {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
