//! Computing all items of a queue.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::queue::{Observer, WorkQueue};
use super::scheduler::Scheduler;
use super::shared::Shared;
use super::thread::{Ended, Message, Thread};
use super::worker::{Event, Worker};

/// How long workers may finish what they do once all items are recorded, or the work was asked to stop.
const GRACE: Duration = Duration::from_secs(10);

/// The items of a queue, by their numbers.
#[derive(Clone, Debug, Default)]
pub struct Items {
    /// The cost of each item, in any unit. Expensive items start first.
    pub costs: Vec<f64>,
    /// Whether each item is recorded already.
    pub recorded: Vec<bool>,
}

/// Why not all items are recorded.
#[derive(Debug)]
pub enum WorkError<E> {
    /// An error of the queue.
    Queue(E),
    /// No worker is left.
    NoWorkers {
        /// The last one.
        worker: String,
        /// Why it was given up.
        reason: String,
    },
}

/// Computes all items that are not recorded. `observer` receives the name of a worker and what it does.
///
/// # Errors
/// Returns an error if an item or the observer fails, if the work is asked to stop, or if no worker is left.
pub fn run<Q: WorkQueue>(
    queue: Arc<Q>,
    items: Items,
    workers: Vec<Worker<Q::Connection>>,
    observer: &mut Observer<'_, Q>,
) -> Result<(), WorkError<Q::Error>> {
    let scheduler = Scheduler::new(items.costs, items.recorded);
    let (active, finished) = (workers.len(), scheduler.costs.len() - scheduler.open());
    if scheduler.is_over() {
        return Ok(());
    }
    let shared = Arc::new(Shared::new(queue, scheduler));
    let (sender, messages) = channel();
    for (id, Worker { name, connect }) in workers.into_iter().enumerate() {
        let thread =
            Thread { shared: Arc::clone(&shared), id, name: name.into(), messages: sender.clone(), pace: None };
        // Not joined: a broken connection may block the thread for minutes after all items are recorded.
        std::thread::spawn(move || thread.run(connect));
    }
    drop(sender);
    let mut watch = Watch { shared: &shared, messages: &messages, active, finished };
    let result = watch.until_done(observer);
    if result.as_ref().is_err_and(|error| matches!(error, WorkError::Queue(error) if Q::is_stop(error))) {
        // Each worker writes a checkpoint.
        watch.drain();
    }
    shared.close();
    watch.drain();
    result
}

/// Receives the messages of the threads.
struct Watch<'a, Q: WorkQueue> {
    shared: &'a Shared<Q>,
    messages: &'a Receiver<(Arc<str>, Message<Q>)>,
    /// Threads that have not ended.
    active: usize,
    /// Items that were recorded before, or whose end was reported.
    finished: usize,
}

impl<Q: WorkQueue> Watch<'_, Q> {
    fn until_done(&mut self, observer: &mut Observer<'_, Q>) -> Result<(), WorkError<Q::Error>> {
        let mut last = WorkError::NoWorkers { worker: String::new(), reason: "there is no worker".into() };
        while let Ok((name, message)) = self.messages.recv() {
            match message {
                Message::Event(event) => {
                    self.finished += usize::from(matches!(event, Event::Finished(_)));
                    observer(&name, event).map_err(WorkError::Queue)?;
                }
                Message::Ended(ended) => {
                    self.active -= 1;
                    match ended {
                        Ended::Done => {}
                        Ended::Failed(error) => return Err(WorkError::Queue(error)),
                        Ended::GivenUp(reason) => {
                            observer(&name, Event::GivenUp(reason.clone())).map_err(WorkError::Queue)?;
                            last = WorkError::NoWorkers { worker: name.to_string(), reason };
                        }
                    }
                }
            }
            // An item is reported after those that follow from it are scheduled.
            if self.finished == self.shared.scheduler().costs.len() {
                return Ok(());
            }
            if self.active == 0 {
                break;
            }
        }
        Err(last)
    }

    /// Waits for threads that still compute.
    fn drain(&mut self) {
        let until = Instant::now() + GRACE;
        while self.active > 0 {
            match self.messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok((_, Message::Ended(_))) => self.active -= 1,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}
