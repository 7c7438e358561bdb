//! Phones and gateways that PUBLISH or NOTIFY their calls' quality (RFC 6035, `application/vq-rtcpxr`), over UDP and TCP.
//!
//! The way of a request: bytes → [`message`] → [`answer`] (may it pass?) → [`report`] with its [`dialect`] → events
//! ([`event`]) → the broker → 200. A request that comes again gets the answer it got ([`transaction`]). What needs no socket of
//! it is [`read`].

mod answer;
mod dialect;
mod door;
mod event;
mod message;
mod report;
mod request;
mod tcp;
mod transaction;
mod udp;

pub use door::SipServer;
pub use request::{Received, read};

#[cfg(test)]
mod tests;
