//! The devices of a worker.

use burn::tensor::Device;

use crate::connection::Connection;

/// Separates the names, and the kinds, of devices that share their items.
pub(crate) const AND: &str = " + ";

/// The devices of a worker. Several devices split each batch of a training.
#[derive(Debug)]
pub struct Devices {
    /// The device that takes optimizer steps and evaluates.
    pub first: Device,
    /// More devices.
    pub further: Vec<Device>,
    /// The connections to those that are remote.
    connections: Vec<Connection>,
}

impl Devices {
    /// Returns the devices of some connections; `None` if there are none.
    pub fn of(connections: Vec<Connection>) -> Option<Self> {
        let mut devices = connections.iter().map(|connection| connection.device.clone());
        let (first, further) = (devices.next()?, devices.collect());
        Some(Self { first, further, connections })
    }

    /// Returns what the hosts report about the devices, if known: their kinds, and equal ones of neighbours once.
    pub fn description(&self) -> Option<String> {
        let known = self.connections.iter().filter_map(|connection| connection.description.as_ref());
        let mut kinds: Vec<&str> = known.map(|description| description.kind.as_str()).collect();
        kinds.dedup();
        (!kinds.is_empty()).then(|| kinds.join(AND))
    }
}

impl From<Device> for Devices {
    fn from(first: Device) -> Self {
        Self { first, further: Vec::new(), connections: Vec::new() }
    }
}

impl From<Connection> for Devices {
    fn from(connection: Connection) -> Self {
        Self { first: connection.device.clone(), further: Vec::new(), connections: vec![connection] }
    }
}
