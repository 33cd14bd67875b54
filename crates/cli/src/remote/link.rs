//! Whether a host can still be reached. Burn's engine leaves that to the system, which on a link that was cut with
//! bytes under way keeps trying for a quarter of an hour and more.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rekindle_raw::connections;

/// How often a host is looked for.
const EVERY: Duration = Duration::from_secs(5);
/// How long it has to answer. Its kernel does, also when the host itself is busy.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often in a row it must be missing.
const MISSES: usize = 3;

/// The hosts that are looked for.
static WATCHED: Mutex<Vec<Vec<SocketAddr>>> = Mutex::new(Vec::new());

/// Hangs up on a host when it can no longer be reached: whoever waits for it then has an error. Looks for it as long as
/// there are connections to it.
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
        // Who connects meanwhile waits, and is looked for anew.
        let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = connections::to(addresses);
        if misses == MISSES || connections.is_empty() {
            watched.retain(|other| other != addresses);
            // Where one is closed already, nothing is left to do.
            connections.iter().for_each(|connection| drop(connection.shutdown(Shutdown::Both)));
            return;
        }
    }
}
