//! What a client may ask of the server.

use std::time::Duration;

/// Limits on requests, connections and batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of tokens per text, longer texts are truncated; by default as each model was trained.
    pub max_length: Option<usize>,
    /// Maximum number of tokens per batch. A longer text is a batch of its own.
    pub max_batch_tokens: usize,
    /// Maximum number of texts that wait; a request beyond it is answered with 429.
    pub max_queue: usize,
    /// Maximum number of texts per request.
    pub max_texts: usize,
    /// Maximum number of characters per text, or per pair of texts.
    pub max_chars: usize,
    /// Maximum number of bytes of a request's body.
    pub max_body: usize,
    /// Maximum number of connections; others wait until one is closed.
    pub max_connections: usize,
    /// How long a client may take to send the head or the body of a request, or to read a piece of a response. A connection
    /// without a request is closed after the same time.
    pub timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_length: None,
            max_batch_tokens: 4096,
            max_queue: 1024,
            max_texts: 128,
            max_chars: 100_000,
            max_body: 2_000_000,
            max_connections: 512,
            timeout: Duration::from_secs(30),
        }
    }
}
