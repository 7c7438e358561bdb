//! What the sender is told.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use dialtone_schemas::Span;
use serde::Serialize;

use crate::service::Fate;

/// Why a request was not even read.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) detail: String,
}

impl Refused {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
        }
    }
}

/// What became of one line.
#[derive(Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Outcome {
    Accepted {
        id: String,
        #[serde(skip_serializing_if = "is_false")]
        late: bool,
        #[serde(skip_serializing_if = "is_false")]
        ahead: bool,
    },
    Rejected {
        reason: &'static str,
        detail: String,
    },
    Unacknowledged {
        detail: String,
    },
}

#[derive(Serialize)]
struct LineOutcome {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<i64>,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize, Default)]
struct Answer {
    accepted: u64,
    rejected: u64,
    unacknowledged: u64,
    /// Of the accepted: their window had closed.
    late: u64,
    /// Of the accepted: they end more than five minutes after their receipt.
    ahead: u64,
    results: Vec<LineOutcome>,
}

#[derive(Serialize)]
struct Error<'a> {
    error: &'a str,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// 200 when all were accepted, 207 when some, 400 when none; 503 as soon as one was not acknowledged: sent again, what was
/// accepted is the same event.
pub(super) fn fates(positions: &[Option<i64>], fates: Vec<Fate>, retry_after: Span) -> Response {
    let mut answer = Answer::default();
    for (line, fate) in positions.iter().zip(fates) {
        let outcome = match fate {
            Fate::Accepted { id, late, ahead } => {
                answer.accepted += 1;
                answer.late += u64::from(late);
                answer.ahead += u64::from(ahead);
                Outcome::Accepted { id, late, ahead }
            }
            Fate::Rejected(refusal) => {
                answer.rejected += 1;
                Outcome::Rejected {
                    reason: refusal.reason.name(),
                    detail: refusal.detail,
                }
            }
            Fate::Unacknowledged(detail) => {
                answer.unacknowledged += 1;
                Outcome::Unacknowledged { detail }
            }
        };
        answer.results.push(LineOutcome { line: *line, outcome });
    }
    let status = match (answer.accepted, answer.rejected, answer.unacknowledged) {
        (_, _, 1..) => StatusCode::SERVICE_UNAVAILABLE,
        (_, 0, _) => StatusCode::OK,
        (0, _, _) => StatusCode::BAD_REQUEST,
        _ => StatusCode::MULTI_STATUS,
    };
    response(status, &answer, retry_after)
}

pub(super) fn refused(refused: &Refused, retry_after: Span) -> Response {
    response(refused.status, &Error { error: &refused.detail }, retry_after)
}

fn response(status: StatusCode, body: &impl Serialize, retry_after: Span) -> Response {
    let mut response = Response::new(Body::from(serde_json::to_vec(body).unwrap_or_default()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    match status {
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from(retry_after.duration().as_secs().max(1)),
            );
        }
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // What is left of a body that was not read must not be taken for the next request.
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    response
}
