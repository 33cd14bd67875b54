//! The TCP connections of this process, including those opened by libraries.

use std::net::{SocketAddr, TcpStream};

/// Returns this process's connections to any of `peers`, each as an additional handle: shutting it down also shuts down
/// the original. Empty on systems that do not list open file descriptors.
pub fn to(peers: &[SocketAddr]) -> Vec<TcpStream> {
    let is_theirs = |connection: &TcpStream| connection.peer_addr().is_ok_and(|peer| peers.contains(&peer));
    let mut found: Vec<TcpStream> = open().filter(is_theirs).collect();
    // A descriptor that was closed in the meantime may have been reused for a copy.
    found.sort_by_key(|connection| connection.local_addr().ok());
    found.dedup_by_key(|connection| connection.local_addr().ok());
    found
}

#[cfg(unix)]
fn open() -> impl Iterator<Item = TcpStream> {
    use std::os::fd::{FromRawFd, OwnedFd, RawFd};

    let names = std::fs::read_dir("/dev/fd").into_iter().flatten().flatten();
    let numbers = names.filter_map(|entry| entry.file_name().to_str()?.parse::<RawFd>().ok());
    // Collected first, because iterating further must not encounter the copies.
    numbers.collect::<Vec<_>>().into_iter().filter_map(|number| {
        // SAFETY: the call accepts any number, and fails if it is not an open descriptor; the descriptor may have been
        // reused.
        let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 0) };
        // SAFETY: the copy was just created, so nothing else owns its descriptor.
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
    fn a_connection_is_found_and_shut_down() {
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
