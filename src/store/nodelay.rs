//! Sends statements at once.
//!
//! sqlx 0.9.0 leaves TCP's own buffering on (launchbadge/sqlx#4335, mended upstream behind 0.9.0):
//! the last part of every statement of more than some 30 kB then waits 40 ms for an acknowledgement
//! that the server delays, which makes a batch several times slower. sqlx shows no socket, so this
//! asks the system which the process has, and switches the buffering off for all of them: nothing
//! here profits from it. Goes, with the crate `nix`, when a newer sqlx comes.

use std::os::fd::RawFd;

use nix::sys::socket::{setsockopt, sockopt};

/// To be called whenever a connection was made. A socket that it can't see stays slow, no more.
pub(super) fn send_at_once() {
    for socket in open_files() {
        // Refused by everything that is no TCP socket.
        let _ = setsockopt(socket, sockopt::TcpNoDelay, &true);
    }
}

fn open_files() -> Vec<RawFd> {
    let Ok(listed) = std::fs::read_dir("/dev/fd") else { return Vec::new() };
    listed.flatten().filter_map(|file| file.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn an_open_connection_sends_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(!connection.nodelay().unwrap());

        send_at_once();

        assert!(connection.nodelay().unwrap());
    }
}
