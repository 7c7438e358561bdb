//! The HTTP door: events, changes, complaints, call records and control of known senders.
//!
//! An answer is given only after the broker's acknowledgement, line by line.

mod accept;
mod answer;
mod auth;
mod body;
mod pace;

pub use accept::HttpServer;

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
    routing::post,
};
use dialtone_schemas::{Change, Complaint, Control, Event, Source, Text};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use crate::{
    config::{HttpConfig, Sendable},
    count::Door,
    receive::{
        graph, json,
        lines::{self, Lines},
    },
    refusal::Reason,
    service::{Content, IngestService, Report},
};
use answer::Refused;
pub use auth::TokenError;
use auth::Tokens;

/// What a request handler needs.
struct HttpDoor {
    service: Arc<IngestService>,
    config: HttpConfig,
    tokens: Tokens,
    /// Bodies in memory.
    bodies: Arc<Semaphore>,
}

/// The routes of the door, to be served by [`HttpServer`].
pub fn router(service: Arc<IngestService>, config: HttpConfig) -> Result<Router, TokenError> {
    let tokens = Tokens::new(&config)?;
    let bodies = Arc::new(Semaphore::new(config.max_bodies));
    let door = Arc::new(HttpDoor {
        service,
        config,
        tokens,
        bodies,
    });
    Ok(Router::new()
        .route("/v1/events", post(events))
        .route("/v1/changes", post(changes))
        .route("/v1/complaints", post(complaints))
        .route("/v1/graph", post(call_records))
        .route("/v1/control", post(control))
        .with_state(door))
}

async fn events(State(door): State<Arc<HttpDoor>>, request: Request) -> Response {
    door.take(request, Sendable::Events, Door::Http, |body, lines, most| {
        reports(body, lines, most, |line| {
            json::read::<Event>(line).map(|event| Content::Events(vec![event], Source::Http))
        })
    })
    .await
}

async fn changes(State(door): State<Arc<HttpDoor>>, request: Request) -> Response {
    door.take(request, Sendable::Changes, Door::Http, |body, lines, most| {
        reports(body, lines, most, |line| {
            json::read::<Change>(line).map(|change| Content::Change(Box::new(change)))
        })
    })
    .await
}

async fn complaints(State(door): State<Arc<HttpDoor>>, request: Request) -> Response {
    door.take(request, Sendable::Complaints, Door::Http, |body, lines, most| {
        reports(body, lines, most, |line| {
            json::read::<Complaint>(line).map(|complaint| Content::Complaint(Box::new(complaint)))
        })
    })
    .await
}

async fn control(State(door): State<Arc<HttpDoor>>, request: Request) -> Response {
    door.take(request, Sendable::Control, Door::Http, |body, lines, most| {
        reports(body, lines, most, |line| {
            json::read::<Control>(line).map(|control| Content::Control(Box::new(control)))
        })
    })
    .await
}

async fn call_records(State(door): State<Arc<HttpDoor>>, request: Request) -> Response {
    door.take(request, Sendable::Graph, Door::Graph, |body, _, most| {
        graph::reports(body, most)
    })
    .await
}

/// One report for each line. None if there are too many.
fn reports(
    body: &Bytes,
    lines: Lines,
    most: usize,
    read: impl Fn(&[u8]) -> Result<Content, crate::Refusal>,
) -> Option<Vec<Report>> {
    let report = |(position, line): (i64, &[u8])| Report {
        content: read(line),
        original: body.slice_ref(line),
        position: Some(position),
    };
    let lines = lines::split(body, lines, most)?;
    Some(lines.into_iter().map(report).collect())
}

impl HttpDoor {
    /// A request's way: who sends, what is it, read it, take it, answer.
    async fn take(
        self: &Arc<Self>,
        request: Request,
        what: Sendable,
        door: Door,
        read: impl FnOnce(&Bytes, Lines, usize) -> Option<Vec<Report>> + Send + 'static,
    ) -> Response {
        let (head, body) = request.into_parts();
        let reading = async {
            let tenant = self.tokens.tenant(&head.headers, what)?.clone();
            let lines = lines_of(&head.headers)?;
            let coding = body::coding(&head.headers)?;
            let deadline = Instant::now() + self.config.body_timeout.duration();
            let Ok(Ok(permit)) = timeout_at(deadline, Arc::clone(&self.bodies).acquire_owned()).await else {
                return Err(Refused::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "too many requests at work",
                ));
            };
            let sent = body::read(body, self.config.max_body_bytes, deadline).await?;
            Ok((tenant, lines, coding, sent, permit))
        };
        let (tenant, lines, coding, sent, permit) = match reading.await {
            Ok(read) => read,
            Err(refused) => return self.refuse(door, refused),
        };
        let door_itself = Arc::clone(self);
        // A sender that hangs up must not leave its reports half taken; and its room is not free before they are.
        let taken = tokio::spawn(async move {
            let _room = permit;
            let body = match body::decode(sent, coding, &door_itself.config) {
                Ok(body) => body,
                Err(refused) => return door_itself.refuse(door, refused),
            };
            let most = door_itself.config.max_reports;
            match read(&body, lines, most) {
                None => door_itself.refuse(door, body::too_many(most)),
                Some(reports) if reports.is_empty() => {
                    door_itself.refuse(door, Refused::new(StatusCode::BAD_REQUEST, "the body holds nothing"))
                }
                Some(reports) => door_itself.settle(door, &tenant, reports).await,
            }
        });
        match taken.await {
            Ok(response) => response,
            Err(_) => answer::refused(
                &Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "failed"),
                self.config.retry_after,
            ),
        }
    }

    async fn settle(&self, door: Door, tenant: &Text, reports: Vec<Report>) -> Response {
        let positions: Vec<Option<i64>> = reports.iter().map(|report| report.position).collect();
        let fates = self.service.take(door, tenant, reports).await;
        answer::fates(&positions, fates, self.config.retry_after)
    }

    fn refuse(&self, door: Door, refused: Refused) -> Response {
        if refused.status == StatusCode::PAYLOAD_TOO_LARGE {
            self.service.refuse_unread(door, Reason::TooLarge);
        }
        answer::refused(&refused, self.config.retry_after)
    }
}

/// How the body is divided, by its content type.
fn lines_of(headers: &HeaderMap) -> Result<Lines, Refused> {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("application/json");
    let kind = value.split(';').next().unwrap_or(value).trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" | "text/json" => Ok(Lines::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
            Ok(Lines::Newline)
        }
        _ => Err(Refused::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "expected Content-Type application/json or application/x-ndjson",
        )),
    }
}

#[cfg(test)]
mod tests;
