//! One connection: its requests, its time limits, and its end when the server stops.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::response::{IntoResponse, Response};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::app::App;
use crate::event::Event;
use crate::failure::Failure;
use crate::metrics::CLIENT_GONE;
use crate::stream::Stream;
use crate::{auth, routes};

/// How long an idle connection stays open after the server is asked to stop. A client that has just sent a request, which the
/// server has not read yet, gets its answer.
const GRACE: Duration = Duration::from_secs(1);

/// Answers the requests of a connection until it is closed.
pub(crate) async fn serve(stream: TcpStream, app: Arc<App>, router: Router) {
    app.connections.fetch_add(1, Ordering::Relaxed);
    let _open = OnDrop(|| {
        app.connections.fetch_sub(1, Ordering::Relaxed);
    });
    // Responses are written at once; there is nothing to wait for.
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Stream::new(stream, app.limits.timeout));
    let service = service_fn(|request| Box::pin(respond(&app, router.clone(), request)));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(app.limits.timeout)
        .serve_connection(io, service);
    let mut draining = app.draining.clone();
    let mut asked_to_close = pin!(async {
        let _ = draining.wait_for(|draining| *draining).await;
        tokio::time::sleep(GRACE).await;
    });
    let mut is_closing = false;
    let served = poll_fn(|cx| {
        if !is_closing && asked_to_close.as_mut().poll(cx).is_ready() {
            is_closing = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        connection.poll_without_shutdown(cx)
    })
    .await;
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    if served.is_err_and(|error| error.is_timeout()) && !parts.read_buf.is_empty() {
        app.metrics.request("other", 408, app.limits.timeout);
        let _ = stream.write_all(&slow_head()).await;
    }
    let _ = stream.shutdown().await;
}

/// The response to a client that sends the head of its request too slowly. hyper has none.
fn slow_head() -> Vec<u8> {
    let body = Failure::timeout("head").body();
    let head = "HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\nconnection: close\r\n";
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Answers a request, and counts it.
async fn respond(app: &App, mut router: Router, request: Request<Incoming>) -> Result<Response, Infallible> {
    let began = Instant::now();
    let path = request.uri().path();
    let label = routes::label(path);
    let (name, method) = (path.to_owned(), request.method().to_string());
    let report = |status: u16| {
        let duration = began.elapsed();
        app.metrics.request(label, status, duration);
        (app.on_event)(Event::Request { method: method.clone(), path: name.clone(), status, duration });
    };
    // If the client closes the connection, hyper drops this future.
    let gone = OnDrop(|| report(CLIENT_GONE));
    let refused = match &app.token {
        Some(token) if !routes::is_open(path) => auth::check(request.headers(), token).err(),
        _ => None,
    };
    let mut response = match refused {
        Some(failure) => failure.into_response(),
        None => match router.call(request.map(Body::new)).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
    };
    std::mem::forget(gone);
    report(response.status().as_u16());
    if app.is_draining() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// Calls a function when it is dropped.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
