//! The thread of a worker: it connects, computes items, and starts again after a failure.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::queue::{Failure, QueueEvent, WorkQueue};
use super::shared::Shared;
use super::worker::{Connect, Event, Unavailable};

/// How many workers may fail on an item before the item counts as the cause.
const MOST_LOSSES: usize = 5;
/// How long a worker may be away while no other is connected.
const ABSENCE: Duration = Duration::from_secs(60);
/// The time between two attempts to connect.
const RETRY: Duration = Duration::from_secs(1);

/// What the threads send.
pub(crate) enum Message<Q: WorkQueue> {
    Event(QueueEvent<Q>),
    /// The thread ends.
    Ended(Ended<Q::Error>),
}

/// Why a thread ends.
pub(crate) enum Ended<E> {
    /// There is nothing left to compute.
    Done,
    /// The worker cannot be connected, for this reason.
    GivenUp(String),
    /// An error that ends all work.
    Failed(E),
}

pub(crate) struct Thread<Q: WorkQueue> {
    pub(crate) shared: Arc<Shared<Q>>,
    pub(crate) id: usize,
    pub(crate) name: Arc<str>,
    pub(crate) messages: Sender<(Arc<str>, Message<Q>)>,
    /// Seconds per unit of cost, of the last item.
    pub(crate) pace: Option<f64>,
}

impl<Q: WorkQueue> Thread<Q> {
    pub(crate) fn run(mut self, connect: Connect<Q::Connection>) {
        let ended = self.work(connect).unwrap_or_else(Ended::Failed);
        self.send(Message::Ended(ended));
    }

    fn work(&mut self, mut connect: Connect<Q::Connection>) -> Result<Ended<Q::Error>, Q::Error> {
        let (mut away_since, mut found) = (Instant::now(), None);
        loop {
            if let Some(connection) = found.take() {
                self.shared.scheduler().connected += 1;
                let served = self.serve(&connection);
                self.shared.scheduler().connected -= 1;
                away_since = Instant::now();
                match served {
                    Ok(()) | Err(Failure::Cancelled) => return self.shared.queue.check_stop().map(|()| Ended::Done),
                    Err(Failure::Fatal(error)) => return Err(error),
                    Err(Failure::Lost(reason)) => self.report(Event::Lost(reason)),
                }
            }
            if self.shared.scheduler().is_over() {
                return Ok(Ended::Done);
            }
            self.shared.queue.check_stop()?;
            match connect() {
                Ok(connection) => found = Some(connection),
                Err(refused @ (Unavailable::Refused(_) | Unavailable::Unauthorized)) => {
                    return Ok(Ended::GivenUp(refused.to_string()));
                }
                Err(Unavailable::Away(reason)) => {
                    if self.shared.scheduler().connected > 0 {
                        away_since = Instant::now();
                    } else if away_since.elapsed() > ABSENCE {
                        return Ok(Ended::GivenUp(reason));
                    }
                    std::thread::sleep(RETRY);
                }
            }
        }
    }

    /// Computes items until none is left or the connection fails.
    fn serve(&mut self, connection: &Q::Connection) -> Result<(), Failure<Q::Error>> {
        let shared = Arc::clone(&self.shared);
        let mut context = caught(|| shared.queue.prepare(connection))?;
        self.report(Event::Ready(Q::describe(connection)));
        while let Some(item) = shared.lease(self.id, self.pace) {
            self.report(Event::Started(item));
            let began = Instant::now();
            let computed = caught(|| self.compute(&mut context, item));
            let mut scheduler = shared.scheduler();
            scheduler.release(self.id, item);
            match computed {
                Ok(()) | Err(Failure::Cancelled) => {
                    self.pace = Some(began.elapsed().as_secs_f64() / scheduler.costs[item].max(1.0));
                }
                Err(Failure::Lost(reason)) => {
                    scheduler.losses[item] += 1;
                    // The next worker would fail too.
                    return Err(match scheduler.losses[item] {
                        MOST_LOSSES => Failure::Fatal(shared.queue.poisoned(item, reason)),
                        _ => Failure::Lost(reason),
                    });
                }
                Err(fatal) => return Err(fatal),
            }
        }
        Ok(())
    }

    fn compute(&self, context: &mut Q::Context<'_>, item: usize) -> Result<(), Failure<Q::Error>> {
        let mut progress = |progress| {
            if self.shared.is_needless(item) {
                return std::ops::ControlFlow::Break(());
            }
            if let Some(progress) = progress {
                self.report(Event::Progress(progress));
            }
            std::ops::ControlFlow::Continue(())
        };
        let output = self.shared.queue.compute(context, item, &mut progress)?;
        if self.shared.record(item, &output).map_err(Failure::Fatal)? {
            self.report(Event::Finished((item, output)));
        }
        Ok(())
    }

    fn report(&self, event: QueueEvent<Q>) {
        self.send(Message::Event(event));
    }

    fn send(&self, message: Message<Q>) {
        // The receiver is gone once all work has ended.
        let _ = self.messages.send((Arc::clone(&self.name), message));
    }
}

/// Turns a panic into a failed connection: engines of remote devices panic when a connection breaks.
fn caught<T, E>(work: impl FnOnce() -> Result<T, Failure<E>>) -> Result<T, Failure<E>> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(Failure::Lost(message(&*panic))))
}

/// Returns the message of a panic.
fn message(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().copied();
    message.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("the engine gave up").into()
}
