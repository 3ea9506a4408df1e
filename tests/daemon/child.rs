//! The program as a child process: its log, its signals, its end.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::until;

/// A running `creditd run`; killed if the test ends before it was stopped.
pub(crate) struct Daemon {
    child: Child,
    log: Arc<Mutex<Vec<Value>>>,
    /// Where it listens for probes, if it does.
    pub(crate) http: Option<String>,
}

impl Daemon {
    pub(crate) fn spawn(mut command: Command, http: Option<String>) -> Self {
        let mut child =
            command.arg("run").stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let log = Arc::<Mutex<Vec<Value>>>::default();
        let lines = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let entry = serde_json::from_str(&line).unwrap_or(Value::String(line));
                lines.lock().unwrap().push(entry);
            }
        });
        Self { child, log, http }
    }

    /// How many log entries hold all of these, as `message` or as values of other fields.
    pub(crate) fn said(&self, texts: &[&str]) -> usize {
        let log = self.log.lock().unwrap();
        log.iter().filter(|entry| texts.iter().all(|text| holds(entry, text))).count()
    }

    /// Waits until the log has an entry that holds this.
    pub(crate) async fn says(&self, text: &str) {
        until(&format!("the daemon to say {text:?}"), async || self.said(&[text]) > 0).await;
    }

    /// How many deliveries it has settled, whatever their outcome.
    pub(crate) fn settled(&self) -> usize {
        self.said(&["event settled"])
    }

    /// How many events each of its rounds had.
    pub(crate) fn rounds(&self) -> Vec<u64> {
        let log = self.log.lock().unwrap();
        let rounds = log.iter().filter(|entry| entry["message"] == "round begins");
        rounds.filter_map(|entry| entry["events"].as_u64()).collect()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// SIGKILL: nothing is finished, nobody is told.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGTERM, and the end that follows.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        self.signal("-TERM");
        until("the daemon to end", async || !self.is_running()).await;
        self.child.wait().unwrap()
    }

    /// Stops it; it has to end well.
    pub(crate) async fn stop(mut self) {
        let status = self.terminate().await;
        assert!(status.success(), "the daemon ended with {status}");
    }

    /// Status and body of a probe.
    pub(crate) async fn probe(&self, path: &str) -> (u16, String) {
        let address = self.http.as_ref().unwrap();
        let Ok(mut link) = TcpStream::connect(address).await else { return (0, String::new()) };
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        link.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        link.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    /// Waits until a probe answers so.
    pub(crate) async fn answers(&self, path: &str, status: u16, text: &str) {
        until(&format!("{path} to answer {status} {text}"), async || {
            let (answered, body) = self.probe(path).await;
            answered == status && body.contains(text)
        })
        .await;
    }

    pub(crate) fn log_text(&self) -> String {
        let log = self.log.lock().unwrap();
        log.iter().map(|entry| format!("{entry}\n")).collect()
    }
}

fn holds(entry: &Value, text: &str) -> bool {
    let is_it = |value: &Value| value.as_str() == Some(text);
    is_it(entry) || entry.as_object().is_some_and(|fields| fields.values().any(is_it))
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
        if std::thread::panicking() {
            let log = self.log_text();
            let tail: Vec<&str> =
                log.lines().rev().filter(|line| !line.contains("event settled")).take(40).collect();
            eprintln!("-- the daemon's last words, newest first\n{}", tail.join("\n"));
        }
    }
}
