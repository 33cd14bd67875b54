//! Requests that wait for the inference thread, bounded by their number of texts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use rekindle_infer::EncodedTexts;
use tokio::sync::oneshot;

use crate::models::Loaded;

/// The logits of a request's texts, row-major; or why there are none.
pub(crate) type Answer = Result<Vec<f32>, Arc<str>>;

/// The texts of a request, and what is computed of them.
pub(crate) struct Job {
    pub model: Arc<Loaded>,
    /// The texts; those that are computed are empty.
    pub texts: Vec<EncodedTexts>,
    /// The logits of the first texts.
    pub logits: Vec<f32>,
    /// The number of texts that are computed.
    pub done: usize,
    pub queued: Instant,
    answer: oneshot::Sender<Answer>,
    /// Counts the texts as waiting until the answer is sent, or the job is dropped.
    place: Place,
}

impl Job {
    /// Whether the client is gone.
    pub fn is_cancelled(&self) -> bool {
        self.answer.is_closed()
    }

    /// Returns whether all texts are computed.
    pub fn is_complete(&self) -> bool {
        self.done == self.texts.len()
    }

    /// Sends the logits to the request, or why there are none.
    pub fn complete(self, outcome: Result<(), Arc<str>>) {
        // A client with an answer finds its places free.
        drop(self.place);
        // Without a receiver, the client is gone.
        let _ = self.answer.send(outcome.map(|()| self.logits));
    }
}

/// A number of places in the queue.
struct Place {
    texts: usize,
    waiting: Arc<AtomicUsize>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.texts, Ordering::Relaxed);
    }
}

/// Why a request is not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too many texts wait.
    Full,
    /// The inference thread has ended.
    Closed,
}

/// The sending side of the queue.
pub(crate) struct Queue {
    sender: Sender<Job>,
    waiting: Arc<AtomicUsize>,
    most: usize,
}

impl Queue {
    /// Creates a queue for at most `most` texts.
    pub fn new(most: usize) -> (Self, Receiver<Job>) {
        let (sender, receiver) = channel();
        (Self { sender, waiting: Arc::default(), most }, receiver)
    }

    /// Returns the number of texts that wait or are computed.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Adds the texts of a request. A request with more texts than the queue has places is accepted if nothing waits.
    pub fn push(&self, model: Arc<Loaded>, texts: Vec<EncodedTexts>) -> Result<oneshot::Receiver<Answer>, Refusal> {
        let (count, most) = (texts.len(), self.most);
        let room = |waiting: usize| (waiting == 0 || waiting + count <= most).then_some(waiting + count);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).map_err(|_| Refusal::Full)?;
        let place = Place { texts: count, waiting: Arc::clone(&self.waiting) };
        let (answer, receiver) = oneshot::channel();
        let job = Job { model, texts, logits: Vec::new(), done: 0, queued: Instant::now(), answer, place };
        self.sender.send(job).map_err(|_| Refusal::Closed)?;
        Ok(receiver)
    }
}
