//! The TCP connections of this process, whoever opened them.

use std::net::{SocketAddr, TcpStream};

/// This process's connections to any of `peers`, each as one more handle to it: what is shut down by it is shut down for
/// whoever opened it. None on systems that do not list what a process has open.
pub fn to(peers: &[SocketAddr]) -> Vec<TcpStream> {
    let is_theirs = |connection: &TcpStream| connection.peer_addr().is_ok_and(|peer| peers.contains(&peer));
    let mut found: Vec<TcpStream> = open().filter(is_theirs).collect();
    // A number of the list that was closed meanwhile may be a copy's.
    found.sort_by_key(|connection| connection.local_addr().ok());
    found.dedup_by_key(|connection| connection.local_addr().ok());
    found
}

#[cfg(unix)]
fn open() -> impl Iterator<Item = TcpStream> {
    use std::os::fd::{FromRawFd, OwnedFd, RawFd};

    let names = std::fs::read_dir("/dev/fd").into_iter().flatten().flatten();
    let numbers = names.filter_map(|entry| entry.file_name().to_str()?.parse::<RawFd>().ok());
    // All first: going on with the list must not meet the copies.
    numbers.collect::<Vec<_>>().into_iter().filter_map(|number| {
        // SAFETY: the call takes any number, and fails where nothing is open by it; by then it may be something else's.
        let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 0) };
        // SAFETY: the copy was just made, and nobody else has its number.
        (copy >= 0).then(|| TcpStream::from(unsafe { OwnedFd::from_raw_fd(copy) }))
    })
}

#[cfg(not(unix))]
fn open() -> impl Iterator<Item = TcpStream> {
    std::iter::empty()
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Read;
    use std::net::{Shutdown, TcpListener};

    use super::*;

    #[test]
    fn a_connection_is_found_and_shut_down_for_whoever_opened_it() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        assert!(to(&[address]).is_empty(), "a listener is no connection");
        let mut stream = TcpStream::connect(address).expect("connected");
        let found = to(&[address]);
        assert_eq!(found.len(), 1);
        found[0].shutdown(Shutdown::Both).expect("shut down");
        assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
        drop((found, stream));
        assert!(to(&[address]).is_empty(), "no copy is left");
    }
}
