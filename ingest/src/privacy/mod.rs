//! No personal data leaves ingest (P-1): users, devices, addresses and numbers are sealed here.
//!
//! What must stay joinable (a user, a device, a call) becomes a keyed HMAC; what must stay readable (an address's network, a
//! model's name) keeps only its impersonal part; a reject's original bytes are encrypted.

mod address;
mod key;
mod original;
mod person;
mod scrub;

pub use key::{KeyError, PrivacyKey};
pub use original::{Sealed, SealedError};
pub(crate) use scrub::is_hex12;

use std::fmt;

use dialtone_schemas::{Change, Complaint, Control, Endpoint, Event, Leaf, Text, event::Failure};
use serde::{Deserialize, Serialize};

/// What becomes of addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Addresses {
    /// The /24 or /48 around it.
    #[default]
    Network,
    /// As sent.
    Keep,
}

/// What becomes of device ids that are asset names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AssetNames {
    /// As sent.
    #[default]
    Keep,
    /// A keyed hash, like a MAC address.
    Hash,
}

/// What becomes of a reject's original bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Originals {
    /// Encrypted with the privacy key.
    #[default]
    Encrypted,
    /// As received.
    Plain,
}

/// What a person may set of privacy; the key is an argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrivacyRules {
    /// `network` or `keep`.
    pub addresses: Addresses,
    /// `keep` or `hash`.
    pub asset_names: AssetNames,
    /// `encrypted` or `plain`.
    pub originals: Originals,
}

/// Seals what is personal, with one key and one set of rules.
#[derive(Clone)]
pub struct Privacy {
    key: PrivacyKey,
    rules: PrivacyRules,
}

impl fmt::Debug for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Privacy")
            .field("key_id", &self.key.id())
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl Privacy {
    /// Seals with this key by these rules.
    pub fn new(key: PrivacyKey, rules: PrivacyRules) -> Self {
        Self { key, rules }
    }

    /// The key, for ids that must not reveal what they are made of.
    pub(crate) fn key(&self) -> &PrivacyKey {
        &self.key
    }

    /// An id of bytes that says nothing of them to whoever lacks the key.
    pub(crate) fn id_of_bytes(&self, domain: &str, parts: &[&str], bytes: &[u8]) -> u128 {
        self.key.token_of_bytes(domain, parts, bytes)
    }

    /// Everything personal of an event.
    pub fn seal_event(&self, tenant: &str, event: &mut Event) {
        self.call(tenant, &mut event.call_id);
        if let Some(leg) = &mut event.leg_id {
            self.leg(tenant, leg);
        }
        let mut warnings = std::mem::take(&mut event.warnings);
        self.endpoint(tenant, &mut event.near_endpoint, &mut warnings);
        if let Some(far) = &mut event.far_endpoint {
            self.endpoint(tenant, far, &mut warnings);
        }
        leaf(&mut event.near);
        event.far.iter_mut().for_each(leaf);
        let Failure { stage, reason, .. } = &mut event.failure;
        let provider = &mut event.provider;
        for text in [
            stage,
            reason,
            &mut provider.method,
            &mut provider.grade,
            &mut provider.user_rating,
        ] {
            free(text);
        }
        warnings.truncate(MAX_WARNINGS);
        event.warnings = warnings.iter().filter_map(scrub::free_text).collect();
    }

    /// The user, the call, and what may stand in the words of a complaint.
    pub fn seal_complaint(&self, tenant: &str, complaint: &mut Complaint) {
        complaint.user = complaint.user.take().map(|user| self.user(tenant, user.as_str()));
        if let Some(call) = &mut complaint.call_id {
            self.call(tenant, call);
        }
        leaf(&mut complaint.near);
        free(&mut complaint.category);
        free(&mut complaint.system);
    }

    /// What may stand in the words of a change.
    pub fn seal_change(&self, change: &mut Change) {
        for text in [&mut change.summary, &mut change.team, &mut change.system] {
            free(text);
        }
        // As the same names are cleaned in events, so that they go on to mean the same calls.
        for values in change.scope.0.values_mut() {
            *values = values.iter().filter_map(scrub::name).collect();
        }
        for text in [&mut change.from_version, &mut change.to_version, &mut change.url] {
            *text = text.as_ref().and_then(scrub::name);
        }
    }

    /// Teams and reasons are free text: without what names a person.
    pub fn seal_control(&self, control: &mut Control) {
        for text in [&mut control.team, &mut control.to, &mut control.reason] {
            free(text);
        }
    }

    fn endpoint(&self, tenant: &str, end: &mut Endpoint, warnings: &mut Vec<Text>) {
        end.user = end.user.take().map(|user| self.user(tenant, user.as_str()));
        end.device_id = end.device_id.take().map(|id| self.device(tenant, id));
        if let (Some(address), Addresses::Network) = (&end.address, self.rules.addresses) {
            let network = address::network(address.as_str());
            if network.is_none() {
                warnings.extend(Text::new("address: not an IP address, left out"));
            }
            end.address = network;
        }
        for text in [&mut end.group, &mut end.os, &mut end.user_agent, &mut end.wifi_band] {
            free(text);
        }
    }

    /// The same person has the same name whatever the door: `sip:anna@example.org` is `Anna <anna@example.org>`.
    pub fn user(&self, tenant: &str, identity: &str) -> Text {
        self.named("u:", "user", &[tenant, &person::canonical(identity)])
    }

    fn device(&self, tenant: &str, id: Text) -> Text {
        if let Some(name) = id.as_str().strip_prefix(MACHINE_PREFIX) {
            return self.machine(tenant, name);
        }
        match scrub::mac(id.as_str()) {
            Some(mac) => self.named("d:", "device", &[tenant, &mac]),
            None if self.rules.asset_names == AssetNames::Hash || scrub::is_personal(id.as_str()) => {
                self.machine(tenant, id.as_str())
            }
            None => id,
        }
    }

    /// A personal computer's name, often its owner's.
    fn machine(&self, tenant: &str, name: &str) -> Text {
        self.named("d:", "machine", &[tenant, &name.to_lowercase()])
    }

    /// A call id often ends in the caller's host, and is sometimes a number.
    fn call(&self, tenant: &str, id: &mut Text) {
        if scrub::is_personal_id(id.as_str()) {
            *id = self.named("c:", "call", &[tenant, id.as_str()]);
        }
    }

    fn leg(&self, tenant: &str, id: &mut Text) {
        if scrub::is_personal_id(id.as_str()) {
            *id = self.named("l:", "leg", &[tenant, id.as_str()]);
        }
    }

    fn named(&self, prefix: &str, domain: &str, parts: &[&str]) -> Text {
        let name = format!("{prefix}{:032x}", self.key.token(domain, parts));
        #[allow(clippy::expect_used, reason = "a prefix and 32 hex digits are a text")]
        Text::new(name).expect("short and printable")
    }

    /// A reject's original bytes as they may travel.
    pub fn seal_original(&self, bytes: &[u8]) -> Sealed {
        match self.rules.originals {
            Originals::Plain => Sealed::plain(bytes),
            Originals::Encrypted => Sealed::encrypted(&self.key, bytes),
        }
    }
}

/// What a door puts in front of a device id that is a personal computer's name: it is always hashed.
pub(crate) const MACHINE_PREFIX: &str = "machine:";

/// The network around an address, for addresses of servers: which one of many serves is no cause, where it stands may be.
pub(crate) fn network_of(address: &str) -> Option<Text> {
    address::network(address)
}

/// Warnings beyond this say nothing new.
const MAX_WARNINGS: usize = 32;

fn leaf(leaf: &mut Leaf) {
    for dimension in dialtone_schemas::Dimension::ALL {
        let clean = leaf.get(dimension).and_then(scrub::name);
        leaf.set(dimension, clean);
    }
}

fn free(text: &mut Option<Text>) {
    *text = text.take().and_then(|text| scrub::free_text(&text));
}

#[cfg(test)]
mod tests;
