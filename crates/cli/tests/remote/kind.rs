//! The kinds of hosts' devices, and hosts that run other programs.

use std::net::TcpListener;

use burn::backend::Flex;
use burn::backend::ops::FloatTensorOps;
use burn::server::{RemoteServer, WebSocketTransport};
use burn::tensor::{Device, TensorData};

use crate::common::{Place, text};
use crate::hosts::{Host, command, devices};

/// Starts another program that serves Burn's engine, and returns its URL. It ends with this process.
fn other_program(server: impl FnOnce(RemoteServer) -> RemoteServer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("ws://{}", listener.local_addr().expect("an address"));
    let server = server(RemoteServer::new([Device::flex()]));
    std::thread::spawn(move || server.serve(WebSocketTransport::from_listener(listener)));
    url
}

/// Starts a host that reports a given text about itself.
fn saying(text: String) -> String {
    other_program(|server| {
        server.with_custom_op::<Flex, _>("rekindle.device", move |handles, operation, device| {
            let mut bytes: Vec<f32> = text.bytes().map(f32::from).collect();
            bytes.resize(256, 0.0);
            let tensor = Flex::float_from_data(TensorData::new(bytes, [256]), device);
            handles.register_float_tensor::<Flex>(&operation.outputs[0].id, tensor);
        })
    })
}

/// Returns a command of an experiment with one run.
fn experiment(place: &Place, url: &str) -> (Option<i32>, String) {
    let mut command = command(place, None);
    command.args(["experiment", "--offline", "--output", "out", "--overwrite", "--model", "embedded", "--epochs", "1"]);
    let output = command.args(["--approaches", "last-layer", "--backend", "remote", "--host", url]).output();
    let output = output.expect("it ran");
    (output.status.code(), text(&output.stderr))
}

#[test]
fn devices_are_listed_with_their_kind() {
    let place = Place::new();
    let mut backends = vec!["flex"];
    if cfg!(feature = "ndarray") {
        backends.push("ndarray");
    }
    let hosts: Vec<Host> = backends.iter().map(|backend| Host::local(&place, backend, backend)).collect();
    let urls: Vec<&str> = hosts.iter().map(|host| host.url.as_str()).collect();
    let listed = text(&devices(&place, None, &urls).stdout);
    for (backend, url) in backends.iter().zip(urls) {
        let cores = std::thread::available_parallelism().expect("cores");
        let line = format!("remote   {url}  {backend}: CPU, {cores} threads\n");
        assert!(listed.contains(&line), "{line}{listed}");
    }
}

#[test]
fn another_program_has_an_unknown_kind_and_can_be_used() {
    let place = Place::new();
    let url = other_program(|server| server);
    let listed = text(&devices(&place, None, &[&url]).stdout);
    assert!(listed.contains(&format!("{url}  of unknown kind")), "{listed}");
    let (code, said) = experiment(&place, &url);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_host_with_another_version_of_rekindle_is_refused() {
    let place = Place::new();
    let newer = saying("9.8.7\nwgpu: a card".into());
    let (code, said) = experiment(&place, &newer);
    assert_eq!(code, Some(6), "{said}");
    assert!(said.contains(&newer) && said.contains("runs Rekindle 9.8.7, this machine"), "{said}");
    assert!(!place.path("out").exists() && !place.path("out.checkpoint").exists(), "nothing is written");
    let listed = text(&devices(&place, None, &[&newer]).stdout);
    assert!(listed.contains("runs Rekindle 9.8.7"), "{listed}");
    let close = format!("{}-next", env!("CARGO_PKG_VERSION"));
    let corrected = saying(format!("{close}\nflex: CPU"));
    let listed = text(&devices(&place, None, &[&corrected]).stdout);
    assert!(listed.contains(&format!("flex: CPU (by Rekindle {close})")), "{listed}");
}
