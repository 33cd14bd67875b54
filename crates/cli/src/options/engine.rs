//! The options that select a backend and the devices it computes on, local or on hosts.

use std::num::NonZero;
use std::path::PathBuf;

use burn::tensor::Device;
use clap::Args;
use rekindle::experiment::{Devices, Host, Unavailable};

use crate::exit::Failure;
use crate::options::backend::Backend;
use crate::options::host_url::HostUrl;
use crate::options::token::Token;
use crate::remote::{self, Offer};

/// The engine that computes, and where.
#[derive(Args, Debug)]
pub struct EngineArgs {
    /// The engine that computes; `remote` is that of other machines.
    #[arg(long, default_value_t = Backend::default(), value_name = "NAME", help_heading = "Engine")]
    pub backend: Backend,
    #[command(flatten)]
    pub hosts: HostsArgs,
}

/// Other machines.
#[derive(Args, Debug)]
pub struct HostsArgs {
    /// A machine that runs `rekindle host`, once for each: ws://NAME:PORT, or iroh://ID@NAME:PORT.
    #[arg(long, value_name = "URL", help_heading = "Engine")]
    pub host: Vec<HostUrl>,
    /// A file with the token that hosts ask for [default: what REKINDLE_TOKEN holds in the environment].
    #[arg(long, value_name = "FILE", help_heading = "Engine")]
    pub token_file: Option<PathBuf>,
}

impl EngineArgs {
    /// The one device to compute on.
    ///
    /// # Errors
    /// When it cannot be had, or none or several are named.
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

    /// The hosts that an experiment is spread over, each of so many devices, and the device of this machine that reads the
    /// weights.
    ///
    /// # Errors
    /// When a device of this machine cannot be had, or a host refuses. One that is away may still come.
    pub fn hosts(&self, per_run: NonZero<usize>, warn: impl Fn(&str)) -> Result<(Device, Vec<Host>), Failure> {
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
                    warn(&format!("{url}: {reason}; should it come, it takes its share"));
                    vec![None]
                }
            };
            let place = |(index, device)| Place { url: url.clone(), index, device };
            devices.extend(found.into_iter().enumerate().map(place));
        }
        let hosts = devices.chunks(per_run.get()).map(|places| host(places.to_vec(), token.clone()));
        Ok((Backend::local().device()?, hosts.collect()))
    }

    /// Whether hosts can share a run.
    fn check_sharing(&self) -> Result<(), Failure> {
        if self.backend != Backend::Remote {
            return Err(Failure::usage(
                "--devices-per-run: devices of this machine share no run; give --backend remote",
            ));
        }
        let iroh = self.hosts.host.iter().filter(|url| matches!(url, HostUrl::Iroh { .. })).count();
        match iroh == 0 || iroh == self.hosts.host.len() {
            true => Ok(()),
            false => Err(Failure::usage("--devices-per-run: hosts at ws:// and at iroh:// cannot send to each other")),
        }
    }

    fn check(&self) -> Result<(), Failure> {
        let hosts = &self.hosts.host;
        if self.backend != Backend::Remote {
            let refusal = format!("--host: backend {} is of this machine; give --backend remote", self.backend);
            return if hosts.is_empty() { Ok(()) } else { Err(Failure::usage(refusal)) };
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
    /// The token that hosts ask for.
    pub fn token(&self) -> Result<Option<Token>, Failure> {
        Token::find(self.token_file.as_deref())
    }

    /// The devices of each host. All are asked at once: one that is away takes its time.
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

/// A device of a host, which may be connected already.
#[derive(Clone)]
struct Place {
    url: HostUrl,
    index: usize,
    device: Option<Device>,
}

/// A host of one device, or of several that work as one.
fn host(mut places: Vec<Place>, token: Option<Token>) -> Host {
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
        // Some of several are enough.
        let mut there = there.into_iter();
        let first = there.next().ok_or_else(|| Unavailable::Away(reasons.join("; ")))?;
        Ok(Devices { first, further: there.collect() })
    });
    Host { name, connect }
}
