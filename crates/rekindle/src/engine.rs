//! The devices that the options name: one of this machine, or those of others.

use burn::tensor::Device;
use rekindle_experiment::{Host, Unavailable};

use crate::backend::Backend;
use crate::cli::{EngineArgs, HostsArgs};
use crate::exit::Failure;
use crate::host_url::HostUrl;
use crate::remote::{self, Offer};
use crate::token::Token;

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

    /// The devices that an experiment is spread over, and the one of this machine that reads the weights.
    ///
    /// # Errors
    /// When a device of this machine cannot be had, or a host refuses. One that is away may still come.
    pub fn devices(&self, warn: impl Fn(&str)) -> Result<(Device, Vec<Host>), Failure> {
        self.check()?;
        if self.backend != Backend::Remote {
            return Ok((self.backend.device()?, Vec::new()));
        }
        let token = self.hosts.token()?;
        let offers = self.hosts.offers(token.as_ref());
        let mut hosts = Vec::new();
        for (url, offers) in self.hosts.host.iter().zip(offers) {
            let found = match offers {
                Ok(offers) => offers.into_iter().map(|offer| Some(offer.device)).collect(),
                Err(Unavailable::Refused(reason)) => return Err(Failure::device(format!("{url}: {reason}"))),
                Err(Unavailable::Away(reason)) => {
                    warn(&format!("{url}: {reason}; should it come, it takes its share"));
                    vec![None]
                }
            };
            let found = found.into_iter().enumerate();
            hosts.extend(found.map(|(index, device)| host(url, index, device, token.clone())));
        }
        Ok((Backend::local().device()?, hosts))
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
fn host(url: &HostUrl, index: usize, mut device: Option<Device>, token: Option<Token>) -> Host {
    let (url, name) = (url.clone(), remote::name(url, index));
    let anew = move || remote::connect(&url, token.as_ref(), index).map(|offer| offer.device);
    Host { name, connect: Box::new(move || device.take().map_or_else(&anew, Ok)) }
}
