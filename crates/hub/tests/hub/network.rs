//! Proxies and certificates, with a hub on the loopback interface.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use rekindle_hub::{HubError, HubOptions};
use tempfile::TempDir;

use super::server::{Quirks, Server};
use super::{CONFIG, VOCAB, get, tls};

fn serve(quirks: Quirks) -> Server {
    super::serve(&[(CONFIG.0, CONFIG.1.into()), (VOCAB.0, VOCAB.1.into()), ("model.safetensors", vec![7; 9])], quirks)
}

/// Options for the hub at `endpoint`, with an empty cache.
fn at(endpoint: String) -> (TempDir, HubOptions) {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let mut options = HubOptions::new(cache.path());
    options.endpoint = endpoint;
    (cache, options)
}

/// The address of a proxy that accepts no connection.
fn dead_proxy() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

#[test]
fn hosts_in_the_list_are_reached_without_the_proxy() {
    let server = serve(Quirks::default());
    let port = server.endpoint().rsplit(':').next().expect("a port").to_owned();
    for list in ["*", "127.0.0.1", "example.org,127.0.0.0/8", &format!("127.0.0.1:{port}")] {
        let (_cache, options) = at(server.endpoint());
        get(&options.with_proxy(&dead_proxy(), list)).expect(list);
    }
    let asked = server.requests().len();
    for list in ["", "example.org", "127.0.0.1:1", "10.0.0.0/8"] {
        let (_cache, options) = at(server.endpoint());
        let error = get(&options.with_proxy(&dead_proxy(), list)).expect_err(list);
        assert!(matches!(error, HubError::Unreachable { .. }), "{list}: {error}");
    }
    assert_eq!(server.requests().len(), asked);
}

#[test]
fn a_certificate_is_trusted_if_its_authority_is_named() {
    let port = tls::listen();
    let server = serve(Quirks { elsewhere: Some(port.endpoint()), ..Quirks::default() });
    let endpoint = port.forward_to(&server);
    let authority = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hub/authority.pem");

    let (_cache, untrusting) = at(endpoint.clone());
    let error = get(&untrusting).expect_err("the system does not know the authority");
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("SSL_CERT_FILE"), "{error}");

    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(&authority, folder.path().join("0a1b2c3d.0")).expect("copied");
    for path in [authority, folder.path().to_owned()] {
        let (_cache, options) = at(endpoint.clone());
        get(&options.with_certificates(&path)).expect("trusted");
    }
}

#[test]
fn a_redirect_to_an_unencrypted_connection_is_an_error() {
    let port = tls::listen();
    let server = serve(Quirks::default());
    let authority = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hub/authority.pem");
    let (_cache, options) = at(port.forward_to(&server));
    let error = get(&options.with_certificates(authority)).expect_err("the weights are at http://");
    assert!(matches!(&error, HubError::Unexpected { reason, .. } if reason.contains("unencrypted")), "{error}");
}

#[test]
fn a_path_without_certificates_is_named() {
    let server = serve(Quirks::default());
    let folder = tempfile::tempdir().expect("a folder");
    let text = folder.path().join("text.pem");
    fs::write(&text, "no certificate\n").expect("written");
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).expect("created");
    for path in [text, empty, folder.path().join("nothing.pem")] {
        let (_cache, options) = at(server.endpoint());
        let error = get(&options.with_certificates(&path)).expect_err("no certificates");
        assert!(matches!(&error, HubError::Certificates { path: named, .. } if *named == path), "{error}");
        assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    }
    assert!(server.requests().is_empty());
}
