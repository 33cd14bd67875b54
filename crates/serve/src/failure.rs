//! Responses to requests that fail: one shape for all, that of text-embeddings-inference.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::queue::Refusal;

/// Why a request fails.
#[derive(Debug)]
pub(crate) struct Failure {
    pub status: StatusCode,
    message: String,
}

impl Failure {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// A field of the body has a value that the server cannot use.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// A request asks for more than the server permits.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    /// The model could not compute the request.
    pub fn backend(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// The client is too slow.
    pub fn timeout(what: &str) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, format!("the client took too long to send the {what} of its request"))
    }

    /// The same failure, with where it is in front of its message.
    pub fn within(self, place: &str) -> Self {
        Self { message: format!("{place}.{}", self.message), ..self }
    }

    /// The class of the error, for programs.
    fn error_type(&self) -> &'static str {
        match self.status {
            StatusCode::UNAUTHORIZED => "unauthorized",
            StatusCode::NOT_FOUND => "not_found",
            StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
            StatusCode::REQUEST_TIMEOUT => "timeout",
            StatusCode::TOO_MANY_REQUESTS => "overloaded",
            StatusCode::SERVICE_UNAVAILABLE => "unavailable",
            status if status.is_client_error() => "validation",
            _ => "backend",
        }
    }

    /// Returns the body of the response.
    pub fn body(&self) -> String {
        json!({ "error": self.message, "error_type": self.error_type() }).to_string()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Full => Self::new(StatusCode::TOO_MANY_REQUESTS, "too many texts wait; try again later"),
            Refusal::Closed => Self::backend("the inference thread has ended"),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, [(CONTENT_TYPE, "application/json")], self.body()).into_response();
        let extra = match self.status {
            StatusCode::TOO_MANY_REQUESTS => Some((RETRY_AFTER, "1")),
            StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, "Bearer")),
            _ => None,
        };
        response.headers_mut().extend(extra.map(|(name, value)| (name, HeaderValue::from_static(value))));
        response
    }
}
