//! The devices of several hosts as workers.

use std::num::NonZero;
use std::thread;

use crate::connection::Connection;
use crate::devices::{AND, Devices};
use crate::token::Token;
use crate::url::HostUrl;
use crate::work::{Unavailable, Worker};
use crate::{connect, connect_all};

/// Connects to all devices of each host, to all hosts at the same time, because one that cannot be reached takes long.
pub fn connect_hosts(urls: &[HostUrl], token: Option<&Token>) -> Vec<Result<Vec<Connection>, Unavailable>> {
    thread::scope(|scope| {
        let threads: Vec<_> = urls.iter().map(|url| scope.spawn(move || connect_all(url, token))).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| thread.join();
        threads
            .into_iter()
            .map(|thread| join(thread).unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Returns the devices of hosts as workers, in groups of `per_worker` devices that share each item. A host without a connection
/// counts as one device, which is connected when it can be reached.
pub fn workers(
    hosts: Vec<(HostUrl, Vec<Connection>)>,
    token: Option<&Token>,
    per_worker: NonZero<usize>,
) -> Vec<Worker> {
    let places = hosts.into_iter().flat_map(|(url, connections)| {
        let count = connections.len().max(1);
        let connections = connections.into_iter().map(Some).chain([None]).take(count);
        connections.enumerate().map(move |(index, connection)| Place { url: url.clone(), index, connection })
    });
    let mut places = places.peekable();
    let mut workers = Vec::new();
    while places.peek().is_some() {
        workers.push(worker(places.by_ref().take(per_worker.get()).collect(), token.cloned()));
    }
    workers
}

/// A device of a host, and its connection, if there is one already.
struct Place {
    url: HostUrl,
    index: usize,
    connection: Option<Connection>,
}

fn worker(mut places: Vec<Place>, token: Option<Token>) -> Worker {
    let name = places.iter().map(|place| place.url.device_name(place.index)).collect::<Vec<_>>().join(AND);
    let connect = Box::new(move || {
        let (mut connections, mut reasons) = (Vec::new(), Vec::new());
        for Place { url, index, connection } in &mut places {
            match connection.take().map_or_else(|| connect(url, token.as_ref(), *index), Ok) {
                Ok(connection) => connections.push(connection),
                Err(Unavailable::Away(reason)) => reasons.push(reason),
                Err(refused) => return Err(refused),
            }
        }
        // The work continues with the devices that can be reached.
        Devices::of(connections).ok_or_else(|| Unavailable::Away(reasons.join("; ")))
    });
    Worker { name, connect }
}
