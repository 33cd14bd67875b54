//! The thread of one host: it connects, takes pieces of work from the board, and begins again when its host is lost.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use rekindle_train::TrainError;

use super::{Connect, Devices, Message, News, Shared, Unavailable, Work};
use crate::error::ExperimentError;

/// How often a piece may lose the host that it is on before it is what is wrong.
const LOSSES: usize = 5;
/// How long a host may be away while no other is there.
const ABSENCE: Duration = Duration::from_secs(60);
/// How long until a host is asked again.
const AGAIN: Duration = Duration::from_secs(1);

pub(super) struct Worker<W: Work> {
    pub(super) shared: Arc<Shared<W>>,
    pub(super) id: usize,
    pub(super) name: Arc<str>,
    pub(super) messages: Sender<(Arc<str>, Message<W>)>,
    /// Seconds a unit of cost, of its last piece.
    pub(super) pace: Option<f64>,
}

/// Why a host makes nothing more for now.
enum End {
    Lost(String),
    Failed(ExperimentError),
}

/// Thrown through a piece that another host has finished.
struct Abandoned;

impl<W: Work> Worker<W> {
    pub(super) fn run(mut self, connect: Connect) {
        let result = self.pieces(connect);
        self.send(Message::Ended(result));
    }

    fn pieces(&mut self, mut connect: Connect) -> Result<(), ExperimentError> {
        let name = self.name.to_string();
        let refused = |reason| ExperimentError::Host { host: name.clone(), reason };
        let (mut away_since, mut found) = (Instant::now(), None);
        loop {
            if let Some(devices) = found.take() {
                self.shared.board().present += 1;
                let end = self.serve(&devices);
                self.shared.board().present -= 1;
                away_since = Instant::now();
                match end {
                    Ok(()) => return self.shared.work.check_stop(),
                    Err(End::Failed(error)) => return Err(error),
                    Err(End::Lost(reason)) => self.say(News::Lost(reason)),
                }
            }
            if self.shared.board().is_over() {
                return Ok(());
            }
            self.shared.work.check_stop()?;
            match connect() {
                Ok(devices) => found = Some(devices),
                Err(Unavailable::Refused(reason)) => return Err(refused(reason)),
                Err(Unavailable::Away(reason)) => {
                    if self.shared.board().present > 0 {
                        away_since = Instant::now();
                    } else if away_since.elapsed() > ABSENCE {
                        return Err(refused(reason));
                    }
                    std::thread::sleep(AGAIN);
                }
            }
        }
    }

    /// Makes pieces until none is left or the host is lost.
    fn serve(&mut self, devices: &Devices) -> Result<(), End> {
        let shared = Arc::clone(&self.shared);
        let bench = || shared.work.bench(devices).map_err(end);
        let mut bench = catch_unwind(AssertUnwindSafe(bench)).unwrap_or_else(|panic| Err(End::Lost(words(&*panic))))?;
        self.say(News::Ready);
        while let Some(number) = shared.take(self.id, self.pace) {
            self.say(News::Begins(number));
            let began = Instant::now();
            let made = catch_unwind(AssertUnwindSafe(|| self.make(&mut bench, number).map_err(end)));
            let made = match made {
                Err(panic) if panic.is::<Abandoned>() => Ok(()),
                Err(panic) => Err(End::Lost(words(&*panic))),
                Ok(made) => made,
            };
            let mut board = shared.board();
            board.leave(self.id, number);
            match made {
                Ok(()) => self.pace = Some(began.elapsed().as_secs_f64() / board.costs[number].max(1.0)),
                Err(End::Lost(reason)) => {
                    board.losses[number] += 1;
                    // Elsewhere it would end so too.
                    return Err(match board.losses[number] {
                        LOSSES => End::Failed(shared.work.hopeless(number, reason)),
                        _ => End::Lost(reason),
                    });
                }
                Err(failed) => return Err(failed),
            }
        }
        Ok(())
    }

    fn make(&self, bench: &mut W::Bench<'_>, number: usize) -> Result<(), ExperimentError> {
        let mut tell = |step| {
            let board = self.shared.board();
            if board.closed || board.settled[number] {
                drop(board);
                resume_unwind(Box::new(Abandoned));
            }
            if let Some(step) = step {
                self.say(News::Step(step));
            }
        };
        let made = self.shared.work.make(bench, number, &mut tell)?;
        if self.shared.settle(number, &made)? {
            self.say(News::Done(number, made));
        }
        Ok(())
    }

    fn say(&self, news: News<W>) {
        self.send(Message::News(news));
    }

    fn send(&self, message: Message<W>) {
        // Whoever listened may have heard enough.
        let _ = self.messages.send((Arc::clone(&self.name), message));
    }
}

/// What an error means for the host that it happened on.
fn end(error: ExperimentError) -> End {
    match error {
        ExperimentError::Train { source: TrainError::Device(reason), .. } => End::Lost(reason),
        error => End::Failed(error),
    }
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().copied();
    words.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("the engine gave up").into()
}
