//! The server: its thread of connections, its inference thread, and how both are stopped.

use std::collections::BTreeSet;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::app::App;
use crate::connection;
use crate::error::ServeError;
use crate::event::Event;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::models::{Model, Slot};
use crate::queue::Queue;
use crate::routes::router;
use crate::worker::Worker;

/// How long the server waits after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// How long an idle thread for long texts or reloads is kept.
const KEEP: Duration = Duration::from_secs(600);

/// What a server needs.
pub struct ServerOptions {
    /// The address to listen on. With port 0, the system chooses a free port.
    pub listen: SocketAddr,
    /// The models; the first is the default.
    pub models: Vec<Model>,
    /// The limits.
    pub limits: Limits,
    /// The token that requests must have, if any.
    pub token: Option<String>,
    /// Called for each event, from several threads.
    pub on_event: Box<dyn Fn(Event) + Send + Sync>,
}

/// Does not show the token.
impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("listen", &self.listen)
            .field("models", &self.models)
            .finish_non_exhaustive()
    }
}

/// A server that listens.
pub struct Server {
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
    worker: JoinHandle<()>,
    handle: Handle,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Controls a server from other threads.
#[derive(Clone, Debug)]
pub struct Handle {
    draining: Arc<watch::Sender<bool>>,
    reload: Arc<Notify>,
}

impl Handle {
    /// Stops the server: it accepts no more connections, and [`Server::run`] returns when all requests are answered.
    pub fn stop(&self) {
        self.draining.send_replace(true);
    }

    /// Returns whether the server was asked to stop.
    pub fn is_stopping(&self) -> bool {
        *self.draining.borrow()
    }

    /// Loads all models again while requests continue. A model that cannot be loaded stays as it is.
    pub fn reload(&self) {
        self.reload.notify_one();
    }
}

impl Server {
    /// Listens, and starts the inference thread. Each model classifies a text first.
    ///
    /// # Errors
    /// Returns an error if the address cannot be listened on, there is no model, two have the same name, or one does not
    /// predict.
    pub fn bind(options: ServerOptions) -> Result<Self, ServeError> {
        let ServerOptions { listen, models, limits, token, on_event } = options;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(2)
            .thread_keep_alive(KEEP)
            .build()
            .map_err(ServeError::Start)?;
        let failed = |source| ServeError::Listen { address: listen, source };
        let listener = runtime.block_on(TcpListener::bind(listen)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let models = slots(models, limits.max_length)?;
        let (queue, jobs) = Queue::new(limits.max_queue);
        let (metrics, on_event) = (Arc::new(Metrics::new()), Arc::from(on_event));
        let worker = Worker {
            jobs,
            max_tokens: limits.max_batch_tokens,
            metrics: Arc::clone(&metrics),
            on_event: Arc::clone(&on_event),
        };
        let worker =
            thread::Builder::new().name("inference".into()).spawn(|| worker.run()).map_err(ServeError::Start)?;
        let (sender, draining) = watch::channel(false);
        let connections = AtomicUsize::new(0);
        let app = Arc::new(App { models, queue, limits, token, metrics, on_event, connections, draining });
        let handle = Handle { draining: Arc::new(sender), reload: Arc::new(Notify::new()) };
        Ok(Self { runtime, listener, address, app, worker, handle })
    }

    /// Returns the address with the port that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns what stops the server and reloads its models.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until [`Handle::stop`], and returns when all requests are answered.
    pub fn run(self) {
        let Self { runtime, listener, app, worker, handle, .. } = self;
        runtime.block_on(async {
            tokio::spawn(reload(Arc::clone(&app), Arc::clone(&handle.reload)));
            listen(listener, &app).await;
        });
        // Ends the tasks, which hold the queue; a reload that is under way is abandoned.
        runtime.shutdown_background();
        drop(app);
        // Without the queue, the thread ends; it does not panic.
        let _ = worker.join();
    }
}

/// Prepares the models.
fn slots(models: Vec<Model>, max_length: Option<usize>) -> Result<Vec<Slot>, ServeError> {
    let mut names = BTreeSet::new();
    if let Some(model) = models.iter().find(|model| !names.insert(model.name.as_str())) {
        return Err(ServeError::SameName(model.name.clone()));
    }
    if models.is_empty() {
        return Err(ServeError::NoModel);
    }
    let slot = |model: Model| {
        let name = model.name.clone();
        Slot::new(model, max_length).map_err(|source| ServeError::Model { name, source })
    };
    models.into_iter().map(slot).collect()
}

/// Loads all models again, each time that it is asked for.
async fn reload(app: Arc<App>, asked: Arc<Notify>) {
    loop {
        asked.notified().await;
        let app = Arc::clone(&app);
        let work = tokio::task::spawn_blocking(move || {
            for slot in &app.models {
                let Some(reloaded) = slot.reload(app.limits.max_length) else { continue };
                let model = slot.name.clone();
                app.metrics.reload(&model, reloaded.is_ok());
                (app.on_event)(match reloaded {
                    Ok(()) => Event::Reloaded { model },
                    Err(reason) => Event::ReloadFailed { model, reason },
                });
            }
        });
        // A panic was a bug of loading; the earlier models are still served.
        let _ = work.await;
    }
}

/// Accepts connections until the server is asked to stop, and waits until all are closed.
async fn listen(listener: TcpListener, app: &Arc<App>) {
    let router = router(Arc::clone(app));
    let places = Arc::new(Semaphore::new(app.limits.max_connections));
    // All connections have a sender; when the last is closed, the receiver says so.
    let (open, mut closed) = mpsc::channel::<()>(1);
    let start = |stream: TcpStream, place: Option<OwnedSemaphorePermit>| {
        let (served, open) = (connection::serve(stream, Arc::clone(app), router.clone()), open.clone());
        tokio::spawn(async move {
            served.await;
            drop((place, open));
        });
    };
    let mut draining = app.draining.clone();
    let mut stop = pin!(draining.wait_for(|draining| *draining));
    loop {
        let accept = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place.ok())
        };
        let mut accept = pin!(accept);
        let accepted = poll_fn(|cx| match stop.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => accept.as_mut().poll(cx).map(Some),
        });
        match accepted.await {
            None => break,
            Some((Ok((stream, _)), place)) => start(stream, place),
            Some((Err(error), _)) => {
                (app.on_event)(Event::AcceptFailed(error));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    // Clients whose connection the system has accepted already have sent requests, or are about to.
    for stream in backlog(listener).unwrap_or_default() {
        start(stream, None);
    }
    (app.on_event)(Event::Draining { connections: app.connections() });
    drop(open);
    let _ = closed.recv().await;
}

/// Closes a listener, and returns the connections that nobody has accepted yet.
fn backlog(listener: TcpListener) -> io::Result<Vec<TcpStream>> {
    let listener = listener.into_std()?;
    let mut streams = Vec::new();
    while let Ok((stream, _)) = listener.accept() {
        stream.set_nonblocking(true)?;
        streams.push(TcpStream::from_std(stream)?);
    }
    Ok(streams)
}
