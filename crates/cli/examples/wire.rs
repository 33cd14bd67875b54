//! Counts the bytes between a client and `rekindle host`: a proxy that prints, for every connection that ends, how many
//! bytes went in each direction.
//!
//! Run `cargo run --example wire -- 127.0.0.1:3000`, and pass the URL that it prints to `--host`.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

fn main() -> io::Result<()> {
    let Some(host) = std::env::args().nth(1) else {
        eprintln!("wire ADDRESS:PORT, of a machine that runs `rekindle host`");
        std::process::exit(2);
    };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("ws://{}", listener.local_addr()?);
    for client in listener.incoming() {
        let (client, host) = (client?, TcpStream::connect(&host)?);
        client.set_nodelay(true)?;
        host.set_nodelay(true)?;
        let (up, down) = ((client.try_clone()?, host.try_clone()?), (host, client));
        thread::spawn(move || {
            let down = thread::spawn(move || copy(down.0, down.1));
            let (up, down) = (copy(up.0, up.1), down.join().unwrap_or(0));
            println!("{up} bytes to the host, {down} bytes back");
        });
    }
    Ok(())
}

/// Forwards bytes until one side closes the connection, and returns their number.
fn copy(mut from: TcpStream, mut to: TcpStream) -> u64 {
    let (mut buffer, mut passed) = ([0; 1 << 16], 0);
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
        passed += read as u64;
    }
    let _ = (to.shutdown(Shutdown::Write), from.shutdown(Shutdown::Read));
    passed
}
