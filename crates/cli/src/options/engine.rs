//! The options that select a backend and the devices it computes on, local or on hosts.

use std::num::NonZero;
use std::path::PathBuf;

use burn::tensor::Device;
use clap::Args;
use rekindle::remote::{self, Connection, Devices, HostUrl, Token, Unavailable, Worker};

use crate::exit::Failure;
use crate::options::backend::Backend;
use crate::options::token;

/// The backend, and its devices.
#[derive(Args, Clone, Debug)]
pub struct EngineArgs {
    /// Backend that computes; `remote` uses the devices of other machines.
    #[arg(long, default_value_t = Backend::default(), value_name = "NAME", help_heading = "Engine")]
    pub backend: Backend,
    #[command(flatten)]
    pub hosts: HostsArgs,
}

/// The hosts whose devices are used.
#[derive(Args, Clone, Debug)]
pub struct HostsArgs {
    /// Machine that runs `rekindle host`: ws://NAME:PORT or iroh://ID@NAME:PORT. May be given several times.
    #[arg(long, value_name = "URL", help_heading = "Engine")]
    pub host: Vec<HostUrl>,
    /// File with the token of the hosts [default: the environment variable REKINDLE_TOKEN].
    #[arg(long, value_name = "FILE", help_heading = "Engine")]
    pub token_file: Option<PathBuf>,
}

impl EngineArgs {
    /// The device of a command that computes on one device, with its connection if it is remote.
    ///
    /// # Errors
    /// Returns an error if the device is not available, or several hosts are given.
    pub fn device(&self) -> Result<Devices, Failure> {
        self.check()?;
        match (self.backend, &self.hosts.host[..]) {
            (Backend::Remote, [url]) => {
                let connection = remote::connect(url, self.hosts.token()?.as_ref(), 0);
                connection.map(Devices::from).map_err(|error| refused(url, &error))
            }
            (Backend::Remote, _) => Err(Failure::usage("--host: this command computes on one host")),
            (backend, _) => backend.device().map(Devices::from),
        }
    }

    /// The local device that reads the weights, and the hosts that share the work, in groups of `per_run` devices.
    ///
    /// # Errors
    /// Returns an error if the local device is not available, or a host refuses. A host that cannot be reached gets a
    /// warning, and is tried again later.
    pub fn workers(&self, per_run: NonZero<usize>, warn: impl Fn(&str)) -> Result<(Device, Vec<Worker>), Failure> {
        self.check()?;
        if per_run.get() > 1 {
            self.check_sharing()?;
        }
        if self.backend != Backend::Remote {
            return Ok((self.backend.device()?, Vec::new()));
        }
        let token = self.hosts.token()?;
        let mut hosts = Vec::new();
        for (url, connected) in self.hosts.host.iter().zip(self.hosts.connect(token.as_ref())) {
            let connections = match connected {
                Ok(connections) => connections,
                Err(Unavailable::Away(reason)) => {
                    warn(&format!("{url}: {reason}; it is used as soon as it can be reached"));
                    Vec::new()
                }
                Err(error) => return Err(refused(url, &error)),
            };
            hosts.push((url.clone(), connections));
        }
        Ok((Backend::local().device()?, remote::workers(hosts, token.as_ref(), per_run)))
    }

    /// Checks that the hosts can share a run.
    fn check_sharing(&self) -> Result<(), Failure> {
        if self.backend != Backend::Remote {
            return Err(Failure::usage(
                "--devices-per-run: devices of this machine cannot share a run; give --backend remote",
            ));
        }
        let iroh = self.hosts.host.iter().filter(|url| matches!(url, HostUrl::Iroh { .. })).count();
        match iroh == 0 || iroh == self.hosts.host.len() {
            true => Ok(()),
            false => Err(Failure::usage("--devices-per-run: hosts at ws:// and at iroh:// cannot exchange data")),
        }
    }

    fn check(&self) -> Result<(), Failure> {
        let hosts = &self.hosts.host;
        if self.backend != Backend::Remote {
            let option = match (hosts.is_empty(), &self.hosts.token_file) {
                (false, _) => "--host",
                (true, Some(_)) => "--token-file",
                (true, None) => return Ok(()),
            };
            let refusal = format!("{option}: backend {} computes on this machine; give --backend remote", self.backend);
            return Err(Failure::usage(refusal));
        }
        if !self.backend.is_compiled() {
            self.backend.device()?;
        }
        if hosts.is_empty() {
            let refusal = "--backend remote: name the machines, each with --host URL; `rekindle host` prints its own";
            return Err(Failure::usage(refusal));
        }
        match hosts.iter().enumerate().find(|(index, url)| hosts[..*index].contains(url)) {
            Some((_, url)) => Err(Failure::usage(format!("--host: {url} is given twice"))),
            None => Ok(()),
        }
    }
}

impl HostsArgs {
    /// The token of the hosts, if there is one.
    pub fn token(&self) -> Result<Option<Token>, Failure> {
        token::find(self.token_file.as_deref())
    }

    /// Connects to all devices of each host.
    pub fn connect(&self, token: Option<&Token>) -> Vec<Result<Vec<Connection>, Unavailable>> {
        remote::connect_hosts(&self.host, token)
    }
}

/// The failure of a command whose host cannot be used.
fn refused(url: &HostUrl, error: &Unavailable) -> Failure {
    Failure::device(format!("{url}: {}", reason(error)))
}

/// Why a host cannot be used, and what to do.
pub fn reason(error: &Unavailable) -> String {
    match error {
        Unavailable::Unauthorized => format!("{error}; pass the host's token with --token-file or {}", token::VARIABLE),
        _ => error.to_string(),
    }
}
