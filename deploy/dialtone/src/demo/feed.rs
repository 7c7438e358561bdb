//! The feeder: a simulated enterprise in front of the real doors.

use std::{collections::BTreeMap, io::Write, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};
use dialtone_ingest::Sites;
use dialtone_schemas::{Event, EventTime, time};
use dialtone_simulator::{
    Deliveries, Door, Simulation, door_of, json_line,
    render::{graph, sip},
};
use tokio::{net::UdpSocket, task::JoinSet};

use crate::{config::Config, judge::Calls, say, stage::Ingest};

/// The history is posted in bulk, in steps of this.
const BULK_STEP: i64 = 10 * time::MINUTE;
/// The judged part advances by less than the smallest bound.
const STEP: i64 = 30 * time::SECOND;
/// Bytes of one body before packing; the door takes 8 MiB.
const BODY: usize = 6 * 1024 * 1024;
/// Call records of one page: what the door unpacks at most is a few megabytes.
const PAGE: usize = 100;
/// Phones that send at the same time.
const PHONES: usize = 32;
/// SIP's T1: a request without an answer is sent again after this, doubled each time.
const T1: Duration = Duration::from_millis(500);
/// How often.
const TRIES: u32 = 6;

/// What was fed.
#[derive(Debug, Default)]
pub struct Fed {
    /// Events by door.
    pub events: BTreeMap<&'static str, u64>,
    /// Changes.
    pub changes: u64,
    /// Complaints.
    pub complaints: u64,
    /// Calls by leaf, in the judged part.
    pub calls: Calls,
}

/// In front of the doors.
#[derive(Debug)]
pub struct Feed {
    http: reqwest::Client,
    base: String,
    token: String,
    sip: Option<SocketAddr>,
    phones: Vec<UdpSocket>,
    /// Halves of provider calls, until both are there.
    halves: graph::Halves,
}

impl Feed {
    /// Finds the doors.
    pub async fn open(ingest: &Ingest, token: &str) -> Result<Self> {
        let mut phones = Vec::new();
        for _ in 0..PHONES {
            phones.push(UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?);
        }
        Ok(Self {
            http: reqwest::Client::builder().no_proxy().build()?,
            base: format!("http://{}", ingest.http()),
            token: token.to_owned(),
            sip: ingest.sip().first().copied(),
            phones,
            halves: graph::Halves::default(),
        })
    }

    /// Feeds the whole simulation: the history in bulk, the judged part step by step through all doors.
    pub async fn everything(
        &mut self,
        simulation: &mut Simulation,
        judged_from: EventTime,
        config: &Config,
    ) -> Result<Fed> {
        let mut fed = Fed::default();
        let sites = config.sites()?;
        let mut now = simulation.start();
        while now < simulation.end() {
            let history = now < judged_from;
            now = if history {
                now.plus(BULK_STEP).min(judged_from)
            } else {
                now.plus(STEP)
            };
            let deliveries = simulation.advance(now);
            if !history {
                deliveries
                    .events
                    .iter()
                    .for_each(|event| count(&mut fed.calls, event, &sites));
            }
            self.deliver(deliveries, history, &mut fed).await?;
            let events: u64 = fed.events.values().sum();
            let part = if history { "history" } else { "judged part" };
            say::progress(format!("{now}  {part}: {events} events through the doors"));
        }
        say::progress_done();
        Ok(fed)
    }

    async fn deliver(&mut self, deliveries: Deliveries, history: bool, fed: &mut Fed) -> Result<()> {
        let mut by_door: BTreeMap<Door, Vec<Event>> = BTreeMap::new();
        for event in deliveries.events {
            // The history's desk phones report in bulk; a provider's records come late and must come as such.
            let door = match door_of(&event) {
                Door::Sip if history || self.sip.is_none() => Door::Http,
                door => door,
            };
            by_door.entry(door).or_default().push(event);
        }
        fed.changes += u64::try_from(deliveries.changes.len())?;
        fed.complaints += u64::try_from(deliveries.complaints.len())?;
        self.post("changes", &deliveries.changes).await?;
        for (door, events) in by_door {
            let name = match door {
                Door::Http => "http",
                Door::Sip => "sip",
                Door::Graph => "graph",
            };
            *fed.events.entry(name).or_default() += u64::try_from(events.len())?;
            match door {
                Door::Http => self.post("events", &events).await?,
                Door::Sip => self.publish(&events).await?,
                Door::Graph => self.call_records(events).await?,
            }
        }
        self.post("complaints", &deliveries.complaints).await
    }

    /// NDJSON over HTTP, packed with zstd.
    async fn post(&self, path: &str, records: &[impl serde::Serialize]) -> Result<()> {
        let mut body = Vec::new();
        for record in records {
            let line = json_line(record)?;
            if body.len() + line.len() > BODY {
                self.send(path, &std::mem::take(&mut body)).await?;
            }
            writeln!(body, "{line}")?;
        }
        if body.is_empty() {
            Ok(())
        } else {
            self.send(path, &body).await
        }
    }

    async fn send(&self, path: &str, body: &[u8]) -> Result<()> {
        let packed = zstd::encode_all(body, 1)?;
        let answer = self
            .http
            .post(format!("{}/v1/{path}", self.base))
            .bearer_auth(&self.token)
            .header("content-type", "application/x-ndjson")
            .header("content-encoding", "zstd")
            .body(packed)
            .send()
            .await
            .with_context(|| format!("POST /v1/{path}"))?;
        let status = answer.status();
        if status.as_u16() != 200 {
            let text: String = answer.text().await?.chars().take(600).collect();
            bail!("POST /v1/{path}: {status}: {text}");
        }
        Ok(())
    }

    /// Provider calls as call records, when both ends have reported, in pages as a query is answered.
    async fn call_records(&mut self, events: Vec<Event>) -> Result<()> {
        let mut page = Vec::new();
        for event in events {
            let Some((caller, callee)) = self.halves.pair(event) else {
                continue;
            };
            page.extend(graph::call_record(&caller, &callee));
            if page.len() == PAGE {
                self.send_page(&std::mem::take(&mut page)).await?;
            }
        }
        if page.is_empty() {
            return Ok(());
        }
        self.send_page(&page).await
    }

    async fn send_page(&self, records: &[serde_json::Value]) -> Result<()> {
        let url = format!("{}/v1/graph", self.base);
        let page = serde_json::json!({ "value": records });
        let answer = self.http.post(url).bearer_auth(&self.token).json(&page).send().await?;
        let status = answer.status();
        if status.as_u16() != 200 {
            let text: String = answer.text().await?.chars().take(600).collect();
            bail!("POST /v1/graph: {status}: {text}");
        }
        Ok(())
    }

    /// Desk phones' publications over UDP, many at a time; each is repeated until it is answered.
    async fn publish(&mut self, events: &[Event]) -> Result<()> {
        let Some(collector) = self.sip else { return Ok(()) };
        let mut shares: Vec<Vec<String>> = (0..self.phones.len()).map(|_| Vec::new()).collect();
        for (i, event) in events.iter().enumerate() {
            let message =
                sip::publish(event, &collector.to_string(), sip::Transport::Udp).context("no desk phone's report")?;
            let phone = i % shares.len();
            shares[phone].push(message);
        }
        let mut sending = JoinSet::new();
        for (phone, share) in std::mem::take(&mut self.phones).into_iter().zip(shares) {
            sending.spawn(async move {
                for message in &share {
                    request(&phone, collector, message).await?;
                }
                Ok::<_, anyhow::Error>(phone)
            });
        }
        while let Some(phone) = sending.join_next().await {
            self.phones.push(phone??);
        }
        Ok(())
    }
}

/// One request and its answer.
async fn request(phone: &UdpSocket, collector: SocketAddr, message: &str) -> Result<()> {
    let mut answer = vec![0; 4096];
    let mut wait = T1;
    for _ in 0..TRIES {
        phone.send_to(message.as_bytes(), collector).await?;
        match tokio::time::timeout(wait, phone.recv_from(&mut answer)).await {
            Ok(received) => {
                let (length, _) = received?;
                let head = String::from_utf8_lossy(&answer[..length]);
                let status = head.lines().next().unwrap_or_default().to_owned();
                if status.starts_with("SIP/2.0 200") {
                    return Ok(());
                }
                bail!("a publication was answered {status:?}");
            }
            Err(_) => wait *= 2,
        }
    }
    bail!("a publication was not answered")
}

/// Counts the calls of the judged part by placed leaf: what scopes are compared by.
fn count(calls: &mut Calls, event: &Event, sites: &Sites) {
    let mut event = event.clone();
    sites.settle(&mut event.near, &mut event.near_endpoint);
    calls.add(&event.near);
}
