//! The options that select a backend and the devices it computes on, local or on hosts.

use std::num::NonZero;
use std::path::PathBuf;

use burn::tensor::Device;
use clap::Args;
use rekindle::experiment::{Devices, Worker};
use rekindle::workers::Unavailable;

use crate::exit::Failure;
use crate::options::backend::Backend;
use crate::options::host_url::HostUrl;
use crate::options::token::Token;
use crate::remote::{self, Offer};

/// The backend, and its devices.
#[derive(Args, Debug)]
pub struct EngineArgs {
    /// Backend that computes; `remote` uses the devices of other machines.
    #[arg(long, default_value_t = Backend::default(), value_name = "NAME", help_heading = "Engine")]
    pub backend: Backend,
    #[command(flatten)]
    pub hosts: HostsArgs,
}

/// The hosts whose devices are used.
#[derive(Args, Debug)]
pub struct HostsArgs {
    /// Machine that runs `rekindle host`: ws://NAME:PORT or iroh://ID@NAME:PORT. May be given several times.
    #[arg(long, value_name = "URL", help_heading = "Engine")]
    pub host: Vec<HostUrl>,
    /// File with the token of the hosts [default: the environment variable REKINDLE_TOKEN].
    #[arg(long, value_name = "FILE", help_heading = "Engine")]
    pub token_file: Option<PathBuf>,
}

impl EngineArgs {
    /// The device of a command that computes on one device.
    ///
    /// # Errors
    /// Returns an error if the device is not available, or several hosts are given.
    pub fn device(&self) -> Result<Device, Failure> {
        self.check()?;
        match (self.backend, &self.hosts.host[..]) {
            (Backend::Remote, [url]) => {
                let token = self.hosts.token()?;
                let offer = remote::connect(url, token.as_ref(), 0);
                offer.map(|offer| offer.device).map_err(|reason| Failure::device(format!("{url}: {reason}")))
            }
            (Backend::Remote, _) => Err(Failure::usage("--host: this command computes on one host")),
            (backend, _) => backend.device(),
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
        let offers = self.hosts.offers(token.as_ref());
        let mut devices = Vec::new();
        for (url, offers) in self.hosts.host.iter().zip(offers) {
            let found: Vec<Option<Device>> = match offers {
                Ok(offers) => offers.into_iter().map(|offer| Some(offer.device)).collect(),
                Err(Unavailable::Refused(reason)) => return Err(Failure::device(format!("{url}: {reason}"))),
                Err(Unavailable::Away(reason)) => {
                    warn(&format!("{url}: {reason}; it is used as soon as it can be reached"));
                    vec![None]
                }
            };
            let place = |(index, device)| Place { url: url.clone(), index, device };
            devices.extend(found.into_iter().enumerate().map(place));
        }
        let workers = devices.chunks(per_run.get()).map(|places| worker(places.to_vec(), token.clone()));
        Ok((Backend::local().device()?, workers.collect()))
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
        Token::find(self.token_file.as_deref())
    }

    /// The devices of each host. All hosts are asked at the same time, because one that cannot be reached takes long.
    pub fn offers(&self, token: Option<&Token>) -> Vec<Result<Vec<Offer>, Unavailable>> {
        std::thread::scope(|scope| {
            let ask = |url| scope.spawn(move || remote::offers(url, token));
            let asked: Vec<_> = self.host.iter().map(ask).collect();
            let answer = |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join();
            asked
                .into_iter()
                .map(|thread| answer(thread).unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    }
}

/// A device of a host, and its connection, if there is one already.
#[derive(Clone)]
struct Place {
    url: HostUrl,
    index: usize,
    device: Option<Device>,
}

/// One device of a host, or several that share each run, as a worker of an experiment.
fn worker(mut places: Vec<Place>, token: Option<Token>) -> Worker {
    let name = places.iter().map(|place| remote::name(&place.url, place.index)).collect::<Vec<_>>().join(remote::AND);
    let connect = Box::new(move || {
        let (mut there, mut reasons) = (Vec::new(), Vec::new());
        for Place { url, index, device } in &mut places {
            let anew = || remote::connect(url, token.as_ref(), *index).map(|offer| offer.device);
            match device.take().map_or_else(anew, Ok) {
                Ok(device) => there.push(device),
                Err(Unavailable::Away(reason)) => reasons.push(reason),
                Err(refused) => return Err(refused),
            }
        }
        // The run continues with the devices that can be reached.
        let mut there = there.into_iter();
        let first = there.next().ok_or_else(|| Unavailable::Away(reasons.join("; ")))?;
        Ok(Devices { first, further: there.collect() })
    });
    Worker { name, connect }
}
