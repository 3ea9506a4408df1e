//! What processes cost: processor time and memory, as Linux counts them. `None` wherever that is
//! not to be had: another system, a server on another machine, somebody else's process.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use url::Url;

/// A process with all that it started, such as a server with its workers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family(u32);

/// Linux counts processor time for us in hundredths of a second, whatever the machine.
const TICK: Duration = Duration::from_millis(10);

impl Family {
    pub(crate) fn of(pid: u32) -> Self {
        Self(pid)
    }

    pub(crate) fn own() -> Self {
        Self(std::process::id())
    }

    /// Whoever listens where this URL leads, on this machine.
    pub(crate) fn listening(url: &Url, default_port: u16) -> Option<Self> {
        let is_here = matches!(url.host_str()?, "localhost" | "127.0.0.1" | "[::1]");
        let port = url.port().unwrap_or(default_port);
        is_here.then(|| listener(port))?.map(Self)
    }

    /// Processor time so far, that of ended children included.
    pub(crate) fn spent(self) -> Option<Duration> {
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        let mut spent: HashMap<u32, u32> = HashMap::new();
        for pid in processes() {
            let Some(stat) = Stat::read(pid) else { continue };
            children.entry(stat.parent).or_default().push(pid);
            spent.insert(pid, stat.ticks);
        }
        let mut family = vec![self.0];
        let mut ticks = *spent.get(&self.0)?;
        while let Some(parent) = family.pop() {
            let born = children.remove(&parent).unwrap_or_default();
            ticks += born.iter().filter_map(|child| spent.get(child)).sum::<u32>();
            family.extend(born);
        }
        Some(TICK * ticks)
    }

    /// The most memory that the process itself ever held, in bytes.
    pub(crate) fn peak(self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
    }
}

struct Stat {
    parent: u32,
    /// Its own and those of children that it has waited for.
    ticks: u32,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before the last parenthesis may hold anything.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u32>().ok();
        let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
        Some(Self { parent: number(1)?, ticks })
    }
}

fn processes() -> Vec<u32> {
    let folder = fs::read_dir("/proc").into_iter().flatten().flatten();
    folder.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The process that has the listening socket of this port: its oldest holder.
fn listener(port: u16) -> Option<u32> {
    const LISTENING: &str = "0A";
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|file| fs::read_to_string(file).ok());
    let socket = tables.iter().flatten().flat_map(|table| table.lines()).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let is_ours = *fields.get(3)? == LISTENING && u16::from_str_radix(local, 16) == Ok(port);
        is_ours.then(|| format!("socket:[{}]", fields.get(9).unwrap_or(&"")))
    })?;
    let holds = |pid: &u32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.filter_map(|file| fs::read_link(file.path()).ok())
            .any(|target| target.as_os_str() == socket.as_str())
    };
    processes().into_iter().filter(holds).min()
}
