//! Pieces of work, spread over devices that may come late, go, and come again.
//!
//! Each host has a thread that takes pieces from a board, the longest first, and settles each once. So what comes of them
//! does not depend on who made one, or when.

mod board;
mod worker;

use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use rekindle_train::TrainError;
use thiserror::Error;

use self::board::Board;
use self::worker::Worker;
use crate::error::ExperimentError;

/// A device that work is given to, or several that work as one.
pub struct Host {
    /// Its name, for whoever watches.
    pub name: String,
    /// Connects it: at the start, and anew after it was lost.
    pub connect: Connect,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Connects a host.
pub type Connect = Box<dyn FnMut() -> Result<Devices, Unavailable> + Send>;

/// The devices of a host: where there are several, they split each batch of a training.
#[derive(Clone, Debug)]
pub struct Devices {
    /// The one that steps and evaluates.
    pub first: Device,
    /// The others.
    pub further: Vec<Device>,
}

impl From<Device> for Devices {
    fn from(first: Device) -> Self {
        Self { first, further: Vec::new() }
    }
}

/// Why a device cannot be had.
#[derive(Debug, Error)]
pub enum Unavailable {
    /// It may come.
    #[error("{0}")]
    Away(String),
    /// It will not.
    #[error("{0}")]
    Refused(String),
}

/// Work in pieces, numbered from 0.
pub(crate) trait Work: Send + Sync + 'static {
    /// What a host needs before its first piece.
    type Bench<'a>;
    /// What is told while a piece is made.
    type Step: Send;
    /// What comes of a piece.
    type Made: Send;

    fn bench<'a>(&'a self, devices: &'a Devices) -> Result<Self::Bench<'a>, ExperimentError>;

    /// Makes a piece. `tell` is called often: it ends what is done elsewhere already.
    fn make(
        &self,
        bench: &mut Self::Bench<'_>,
        number: usize,
        tell: &mut dyn FnMut(Option<Self::Step>),
    ) -> Result<Self::Made, ExperimentError>;

    /// Keeps what came of a piece; called once for each.
    fn settle(&self, number: usize, made: &Self::Made) -> Result<(), ExperimentError>;

    /// The error of a piece that loses every host that it is on.
    fn hopeless(&self, number: usize, reason: String) -> ExperimentError;

    /// Ends the work where that is asked for.
    fn check_stop(&self) -> Result<(), ExperimentError>;
}

/// What a host does.
pub(crate) enum News<W: Work> {
    Ready,
    Begins(usize),
    Step(W::Step),
    Done(usize, W::Made),
    Lost(String),
    GivenUp(String),
}

/// Is told a host's name and what it does.
pub(crate) type Observer<'a, W> = &'a mut dyn FnMut(&str, News<W>) -> Result<(), ExperimentError>;

/// How long hosts have, once all is done or one asked for an end, to leave what they are on.
const GRACE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(100);

/// Makes, on `hosts`, all pieces that are not settled.
pub(crate) fn spread<W: Work>(
    work: Arc<W>,
    costs: Vec<f64>,
    settled: Vec<bool>,
    hosts: Vec<Host>,
    observer: Observer<'_, W>,
) -> Result<(), ExperimentError> {
    let board = Board::new(costs, settled);
    if board.is_settled() {
        return Ok(());
    }
    let (left, open) = (hosts.len(), board.settled.iter().filter(|&&settled| !settled).count());
    let shared = Arc::new(Shared { work, board: Mutex::new(board), bell: Condvar::new() });
    let (sender, messages) = channel();
    for (id, host) in hosts.into_iter().enumerate() {
        let (shared, messages) = (Arc::clone(&shared), sender.clone());
        let worker = Worker { shared, id, name: host.name.into(), messages, pace: None };
        // Not joined: a host whose link is cut may keep its thread waiting for minutes after all is done elsewhere.
        std::thread::spawn(move || worker.run(host.connect));
    }
    drop(sender);
    let mut watch = Watch { messages: &messages, left, open };
    let result = watch.until_done(observer);
    if result.as_ref().is_err_and(is_interruption) {
        // Each host writes a checkpoint.
        watch.leave();
    }
    shared.board().closed = true;
    shared.bell.notify_all();
    watch.leave();
    result
}

/// What the threads of all hosts share.
struct Shared<W: Work> {
    work: Arc<W>,
    board: Mutex<Board>,
    /// Rings when the board changes.
    bell: Condvar,
}

impl<W: Work> Shared<W> {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece for a host; `None` when there will be none.
    fn take(&self, host: usize, pace: Option<f64>) -> Option<usize> {
        let mut board = self.board();
        loop {
            if board.is_over() || self.work.check_stop().is_err() {
                return None;
            }
            if let Some(number) = board.take(host, pace) {
                return Some(number);
            }
            board = self.bell.wait_timeout(board, GLANCE).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Keeps what came of a piece, once; whether this host was the first.
    fn settle(&self, number: usize, made: &W::Made) -> Result<bool, ExperimentError> {
        {
            let mut board = self.board();
            if board.closed || board.settled[number] {
                return Ok(false);
            }
            // Written below, while others take and settle pieces: where it fails, all ends.
            board.settled[number] = true;
        }
        self.work.settle(number, made)?;
        self.bell.notify_all();
        Ok(true)
    }
}

/// What a host's thread says.
enum Message<W: Work> {
    News(News<W>),
    /// The thread ends: there is nothing left, or an error.
    Ended(Result<(), ExperimentError>),
}

/// Hears what the hosts say.
struct Watch<'a, W: Work> {
    messages: &'a Receiver<(Arc<str>, Message<W>)>,
    /// Hosts whose threads have not ended.
    left: usize,
    /// Pieces that are not done.
    open: usize,
}

impl<W: Work> Watch<'_, W> {
    fn until_done(&mut self, observer: Observer<'_, W>) -> Result<(), ExperimentError> {
        let mut last = None;
        while let Ok((name, message)) = self.messages.recv() {
            match message {
                Message::News(news) => {
                    self.open -= usize::from(matches!(news, News::Done(..)));
                    observer(&name, news)?;
                }
                Message::Ended(result) => {
                    self.left -= 1;
                    match result {
                        Err(ExperimentError::Host { host, reason }) => {
                            observer(&name, News::GivenUp(reason.clone()))?;
                            last = Some(ExperimentError::Host { host, reason });
                        }
                        result => result?,
                    }
                }
            }
            if self.open == 0 {
                return Ok(());
            }
            if self.left == 0 {
                break;
            }
        }
        Err(last.unwrap_or(ExperimentError::Interrupted))
    }

    /// Gives hosts that are still on a piece the time to leave it.
    fn leave(&mut self) {
        let until = Instant::now() + GRACE;
        while self.left > 0 {
            match self.messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok((_, Message::Ended(_))) => self.left -= 1,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

fn is_interruption(error: &ExperimentError) -> bool {
    matches!(
        error,
        ExperimentError::Interrupted | ExperimentError::Train { source: TrainError::Interrupted { .. }, .. }
    )
}
