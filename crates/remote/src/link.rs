//! Probes whether hosts can be reached. Burn's engine relies on the operating system, which retries for a quarter of an
//! hour or more if a link is cut while data is being sent.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rekindle_raw::connections;

/// The interval between probes.
const EVERY: Duration = Duration::from_secs(5);
/// The time limit of a probe. The host's kernel answers, even if the host itself is busy.
const PATIENCE: Duration = Duration::from_secs(5);
/// The number of consecutive failed probes after which a host is lost.
const MISSES: usize = 3;

/// The hosts that are probed.
static WATCHED: Mutex<Vec<Vec<SocketAddr>>> = Mutex::new(Vec::new());

/// Closes the connections to a host when it cannot be reached any more, so that threads that wait for it get an error.
/// Probes the host as long as there are connections to it.
pub fn watch(addresses: Vec<SocketAddr>) {
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    if !watched.contains(&addresses) {
        watched.push(addresses.clone());
        thread::spawn(move || look_for(&addresses));
    }
}

fn look_for(addresses: &Vec<SocketAddr>) {
    let mut misses = 0;
    loop {
        thread::sleep(EVERY);
        let reached = addresses.iter().any(|address| TcpStream::connect_timeout(address, PATIENCE).is_ok());
        misses = if reached { 0 } else { misses + 1 };
        // A new connection waits for this lock, and then starts new probes.
        let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = connections::to(addresses);
        if misses == MISSES || connections.is_empty() {
            watched.retain(|other| other != addresses);
            // If a connection is already closed, there is nothing to do.
            connections.iter().for_each(|connection| drop(connection.shutdown(Shutdown::Both)));
            return;
        }
    }
}
