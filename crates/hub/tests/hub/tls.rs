//! Encrypts the connections of the loopback server, with the certificate of make_certificates.py.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

use super::server::Server;

/// A port that is not served yet.
pub struct Port(TcpListener);

/// Opens a port.
pub fn listen() -> Port {
    Port(TcpListener::bind("127.0.0.1:0").expect("a port"))
}

impl Port {
    /// The address of the port.
    pub fn endpoint(&self) -> String {
        format!("https://{}", self.0.local_addr().expect("an address"))
    }

    /// Passes each request on to the server, and returns the address.
    pub fn forward_to(self, server: &Server) -> String {
        let (endpoint, target) = (self.endpoint(), server.endpoint());
        let target: SocketAddr = target.trim_start_matches("http://").parse().expect("an address");
        let certificate = CertificateDer::from_pem_slice(include_bytes!("server.pem")).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("server.key")).expect("a key");
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
        let config = Arc::new(config.expect("a key for the certificate"));
        thread::spawn(move || {
            for stream in self.0.incoming().flatten() {
                let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
                // A client that does not trust the certificate closes the connection.
                let _ = relay(connection, stream, target);
            }
        });
        endpoint
    }
}

/// Relays one request, which ends with an empty line, and its answer.
fn relay(mut connection: ServerConnection, mut stream: TcpStream, target: SocketAddr) -> std::io::Result<()> {
    let mut client = Stream::new(&mut connection, &mut stream);
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"\r\n\r\n") {
        match client.read(&mut buffer)? {
            0 => return Ok(()),
            read => request.extend(&buffer[..read]),
        }
    }
    let mut server = TcpStream::connect(target)?;
    server.write_all(&request)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    client.write_all(&answer)?;
    client.flush()?;
    connection.send_close_notify();
    connection.complete_io(&mut stream).map(drop)
}
