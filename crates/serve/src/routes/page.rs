//! The web page at `/`: three files, which request nothing from other servers.

use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};

/// No scripts, styles or requests but the server's own, and no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) async fn html() -> Response {
    file("text/html; charset=utf-8", include_str!("../page/index.html"))
}

pub(super) async fn css() -> Response {
    file("text/css; charset=utf-8", include_str!("../page/page.css"))
}

pub(super) async fn js() -> Response {
    file("text/javascript; charset=utf-8", include_str!("../page/page.js"))
}

fn file(kind: &'static str, content: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (headers, content).into_response()
}
