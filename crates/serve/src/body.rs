//! Reading the JSON body of a request within its limits.

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::limits::Limits;

/// How many times the limit of a body is read and dropped before a response, so that a client that sends slightly too much reads
/// the response instead of a closed connection.
const DRAINED: usize = 8;

/// Reads a body that is a JSON object.
pub(crate) async fn read_object(request: Request<Body>, limits: &Limits) -> Result<Map<String, Value>, Failure> {
    check_type(request.headers())?;
    let bytes = read(request, limits).await?;
    if bytes.is_empty() {
        return Err(Failure::new(StatusCode::BAD_REQUEST, "the body is empty; expected {\"inputs\": …}"));
    }
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(other) => Err(Failure::invalid(format!("the body is {}; expected an object with `inputs`", kind(&other)))),
        Err(error) => Err(Failure::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}"))),
    }
}

/// Returns what kind of value this is.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Forms of web pages cannot send this type, so that no other page makes a browser send a request here.
fn check_type(headers: &HeaderMap) -> Result<(), Failure> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let found = if essence.is_empty() { String::new() } else { format!(", not `{essence}`") };
    let message = format!("expected the header `Content-Type: application/json`{found}");
    Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
}

async fn read(request: Request<Body>, limits: &Limits) -> Result<Bytes, Failure> {
    let too_large = || Failure::too_large(format!("the body has more than {} bytes", limits.max_body));
    let headers = request.headers();
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let is_too_large = announced.is_some_and(|length| length > limits.max_body);
    if is_too_large && (headers.contains_key(EXPECT) || announced > limits.max_body.checked_mul(DRAINED)) {
        return Err(too_large());
    }
    let collect = async {
        let (mut body, mut bytes, mut length) = (request.into_body(), Vec::new(), 0);
        while let Some(frame) = body.frame().await {
            let frame = frame
                .map_err(|error| Failure::new(StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}")))?;
            let data = frame.into_data().unwrap_or_default();
            length += data.len();
            if length <= limits.max_body {
                bytes.extend_from_slice(&data);
            } else if length > limits.max_body.saturating_mul(DRAINED) {
                break;
            }
        }
        if length > limits.max_body { Err(too_large()) } else { Ok(bytes.into()) }
    };
    tokio::time::timeout(limits.timeout, collect).await.unwrap_or_else(|_| Err(Failure::timeout("body")))
}
