//! Hosts whose links are cut: each host and the client have network namespaces of their own. Needs root and `ip`.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::Place;
use crate::hosts::{Experiment, Host, RUNS, TOKEN, command, remote, results, writing};

/// The namespaces of a client and its hosts.
struct Net {
    name: String,
    hosts: usize,
}

impl Net {
    /// `None`, with a message, if namespaces are not available.
    fn new(hosts: usize) -> Option<Self> {
        static NETS: AtomicUsize = AtomicUsize::new(0);
        let number = NETS.fetch_add(1, Ordering::Relaxed);
        let net = Self { name: format!("rekindle-{}-{number}", std::process::id()), hosts };
        if !ip(&["netns", "add", &net.namespace(0)]) {
            eprintln!("skipped: no network namespaces here; they need root, and `ip` of iproute2");
            return None;
        }
        // With the loopback interface, the system can report that nobody answers.
        assert!(ip(&["-n", &net.namespace(0), "link", "set", "lo", "up"]));
        for host in 1..=hosts {
            net.connect(host);
        }
        Some(net)
    }

    /// Creates a link from the client to a host.
    fn connect(&self, host: usize) {
        let (client, host, end) = (self.namespace(0), self.namespace(host), format!("host{host}"));
        let must = |words: &[&str]| assert!(ip(words), "ip {words:?}");
        must(&["netns", "add", &host]);
        must(&["link", "add", &end, "netns", &client, "type", "veth", "peer", "name", "up0", "netns", &host]);
        let subnet = end.trim_start_matches("host");
        for (space, link, own) in [(&client, end.as_str(), 1), (&host, "up0", 2)] {
            must(&["-n", space, "address", "add", &format!("10.99.{subnet}.{own}/30"), "dev", link]);
            must(&["-n", space, "link", "set", link, "up"]);
        }
    }

    /// The namespace of a machine; 0 is the client.
    fn namespace(&self, number: usize) -> String {
        format!("{}-{number}", self.name)
    }

    /// Cuts or restores a host's link.
    fn link(&self, host: usize, state: &str) {
        assert!(ip(&["-n", &self.namespace(host), "link", "set", "up0", state]));
    }

    /// Returns a command in a namespace.
    fn inside(&self, number: usize, command: &Command) -> Command {
        let mut inside = Command::new("/usr/bin/env");
        inside
            .args(["ip", "netns", "exec", &self.namespace(number)])
            .arg(command.get_program())
            .args(command.get_args());
        inside.current_dir(command.get_current_dir().expect("a folder"));
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside
    }

    fn host(&self, place: &Place, number: usize) -> Host {
        let mut command = command(place, Some(TOKEN));
        command.args(["host", "--backend", "flex", "--listen", &format!("10.99.{number}.2:3000")]);
        Host::launch(place, &format!("host{number}"), self.inside(number, &command))
    }

    fn experiment(&self, place: &Place, urls: &[&str], more: &[&str]) -> Experiment {
        let arguments = [&["experiment"], &remote(urls)[..], more].concat();
        let command = writing(place, Some(TOKEN), &arguments);
        Experiment::launch(place, self.inside(0, &command))
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for number in 0..=self.hosts {
            ip(&["netns", "delete", &self.namespace(number)]);
        }
    }
}

/// Returns whether `ip` succeeded.
fn ip(words: &[&str]) -> bool {
    let done = Command::new("ip").args(words).stdin(Stdio::null()).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success())
}

#[test]
fn a_host_whose_link_is_restored_computes_runs_again() {
    let place = Place::new();
    let Some(net) = Net::new(2) else { return };
    let hosts = [net.host(&place, 1), net.host(&place, 2)];
    let [first, second] = [hosts[0].url.as_str(), &hosts[1].url];
    let (code, said) = net.experiment(&place, &[second], &[]).end();
    assert_eq!(code, Some(0), "{said}");
    let whole = results(&place);

    let mut experiment = net.experiment(&place, &[first, second], &[]);
    experiment.wait_for(&format!("{first}  step"));
    net.link(1, "down");
    let done = experiment.said().matches(&format!("{second}  finished")).count();
    experiment.wait_for_more(&format!("{second}  finished"), done);
    // The remaining runs wait until the first host is back.
    hosts[1].signal("-STOP");
    experiment.wait_for(&format!("{first}: "));
    net.link(1, "up");
    let (begun, taken) = (format!("{first}  connected"), format!("{first}  finished"));
    experiment.wait_for_more(&begun, 1);
    let before = experiment.said().matches(&taken).count();
    experiment.wait_for_more(&taken, before);
    hosts[1].signal("-CONT");
    let (code, said) = experiment.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(results(&place) == whole, "{said}");
    assert_eq!(said.matches("  finished ").count(), RUNS, "each run once: {said}");
}

#[test]
fn without_links_an_experiment_ends_and_can_be_resumed() {
    let place = Place::new();
    let Some(net) = Net::new(2) else { return };
    let hosts = [net.host(&place, 1), net.host(&place, 2)];
    let urls = [hosts[0].url.as_str(), &hosts[1].url];
    let (code, said) = net.experiment(&place, &urls[1..], &[]).end();
    assert_eq!(code, Some(0), "{said}");
    let whole = results(&place);

    let mut experiment = net.experiment(&place, &urls, &[]);
    experiment.wait_for("  finished ");
    net.link(1, "down");
    net.link(2, "down");
    let (code, said) = experiment.end();
    assert_eq!(code, Some(6), "{said}");
    assert!(said.contains("--resume continues from there"), "{said}");
    let before = said.matches("  finished ").count();
    net.link(1, "up");
    net.link(2, "up");
    let (code, said) = net.experiment(&place, &urls, &["--resume"]).end();
    assert_eq!(code, Some(0), "{said}");
    assert!(results(&place) == whole, "{said}");
    assert_eq!(said.matches("  finished ").count(), RUNS - before, "each run once: {said}");
}
