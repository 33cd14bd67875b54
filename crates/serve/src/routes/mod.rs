//! The paths of the server.

mod explain;
mod info;
mod inputs;
mod page;
mod predict;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::app::App;
use crate::failure::Failure;

/// The OpenAPI description of all paths.
const OPENAPI: &str = include_str!("openapi.json");

/// The paths, as metrics name them; other paths are `other`.
const PATHS: [&str; 9] =
    ["/", "/page.css", "/page.js", "/predict", "/explain", "/health", "/info", "/metrics", "/openapi.json"];

/// Paths that need no token: what a proxy asks, and what contains nothing of the models.
const OPEN: [&str; 4] = ["/", "/page.css", "/page.js", "/health"];

/// Returns the name of a path in metrics.
pub(crate) fn label(path: &str) -> &'static str {
    PATHS.into_iter().find(|known| *known == path).unwrap_or("other")
}

/// Whether a path needs no token.
pub(crate) fn is_open(path: &str) -> bool {
    OPEN.contains(&path)
}

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(page::html))
        .route("/page.css", get(page::css))
        .route("/page.js", get(page::js))
        .route("/predict", post(predict::predict))
        .route("/explain", post(explain::explain))
        .route("/health", get(health))
        .route("/info", get(info::info))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(openapi))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(app)
}

/// Returns a JSON response.
fn json(value: &impl serde::Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => Failure::backend(error.to_string()).into_response(),
    }
}

async fn health(State(app): State<Arc<App>>) -> Response {
    match app.is_draining() {
        false => json(&serde_json::json!({ "status": "ok" })),
        true => Failure::new(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping").into_response(),
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let text = app.metrics.render(app.queue.waiting(), app.connections());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

async fn not_found(request: Request<Body>) -> Failure {
    let message = format!("no path `{}`; /openapi.json describes the paths", request.uri().path());
    Failure::new(StatusCode::NOT_FOUND, message)
}

async fn method_not_allowed(method: Method, request: Request<Body>) -> Failure {
    let message = format!("{method} is not possible for `{}`", request.uri().path());
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, message)
}
