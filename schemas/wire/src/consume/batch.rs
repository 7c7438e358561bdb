//! Taking records in batches: the one place with unsafe code, because the safe client hands over one message a call and
//! costs twice as much.
//!
//! The records of all partitions are diverted to one queue of our own. librdkafka's other events (rebalances, errors)
//! stay in the consumer's queue, where the safe client polls them.
//!
//! What makes it sound: every pointer that librdkafka hands over is used before the message it belongs to is destroyed,
//! each message is destroyed exactly once, and the queue holds the consumer, so that it cannot outlive it.
#![allow(unsafe_code, reason = "rd_kafka_consume_batch_queue has no safe binding")]

use std::{
    ffi::{CStr, CString, c_char, c_void},
    ptr, slice,
    sync::Arc,
    time::Duration,
};

use rdkafka::{
    bindings as sys,
    consumer::{BaseConsumer, Consumer},
    types::{RDKafkaErrorCode, RDKafkaRespErr},
};

use super::context::Context;

/// Records taken with one call.
const BATCH: usize = 4096;

/// One thing found in the queue.
#[derive(Debug)]
pub(super) enum Taken<'a> {
    Message {
        topic: &'a str,
        partition: i32,
        offset: i64,
        key: &'a [u8],
        value: Option<&'a [u8]>,
        headers: Headers<'a>,
    },
    End {
        topic: &'a str,
        partition: i32,
        offset: i64,
    },
    Error {
        topic: Option<&'a str>,
        partition: i32,
        offset: i64,
        code: RDKafkaErrorCode,
        text: String,
    },
}

/// The headers of a message, read only when asked for.
#[derive(Debug)]
pub(super) struct Headers<'a> {
    message: &'a sys::rd_kafka_message_t,
}

impl<'a> Headers<'a> {
    /// The last header of this name.
    pub(super) fn get(&self, name: &CStr) -> Option<&'a [u8]> {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is alive as long as `self`; the headers belong to it and are only read.
        let error = unsafe { sys::rd_kafka_message_headers(self.message, &raw mut headers) };
        if error != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR || headers.is_null() {
            return None;
        }
        let (mut value, mut size): (*const c_void, usize) = (ptr::null(), 0);
        // SAFETY: `headers` came from the call above; value and size are written on success and belong to the message.
        let error = unsafe { sys::rd_kafka_header_get_last(headers, name.as_ptr(), &raw mut value, &raw mut size) };
        if error != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        // SAFETY: as above; the bytes live as long as the message.
        Some(unsafe { bytes(value, size) }.unwrap_or_default())
    }
}

/// The bytes at a pointer that may be null.
///
/// # Safety
/// If not null, `len` bytes are readable there as long as `'a`.
unsafe fn bytes<'a>(at: *const c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: promised by the caller.
    (!at.is_null()).then(|| unsafe { slice::from_raw_parts(at.cast::<u8>(), len) })
}

/// The queue to which the partitions of one consumer are diverted.
pub(super) struct Queue {
    raw: *mut sys::rd_kafka_queue_t,
    slots: Vec<*mut sys::rd_kafka_message_t>,
    consumer: Arc<BaseConsumer<Context>>,
}

// SAFETY: librdkafka's queues may be used from any thread; `slots` is empty between calls, and `&mut self` keeps two
// threads from taking at once.
unsafe impl Send for Queue {}

impl Queue {
    pub(super) fn new(consumer: Arc<BaseConsumer<Context>>) -> Self {
        // SAFETY: the client is alive, `consumer` keeps it so.
        let raw = unsafe { sys::rd_kafka_queue_new(consumer.client().native_ptr()) };
        Self {
            raw,
            slots: vec![ptr::null_mut(); BATCH],
            consumer,
        }
    }

    /// From now on, until its fetching is stopped, the records of this partition come here.
    pub(super) fn divert(&self, topic: &str, partition: i32) -> bool {
        let Ok(name) = CString::new(topic) else { return false };
        let client = self.consumer.client().native_ptr();
        // SAFETY: client and both queues are alive; the reference to the partition's queue is given back at once, the
        // diversion holds a reference of its own to ours.
        unsafe {
            let queue = sys::rd_kafka_queue_get_partition(client, name.as_ptr(), partition);
            if queue.is_null() {
                return false;
            }
            sys::rd_kafka_queue_forward(queue, self.raw);
            sys::rd_kafka_queue_destroy(queue);
        }
        true
    }

    /// Waits for records at most so long, and shows each to `each`. Answers how many things there were.
    pub(super) fn take(&mut self, wait: Duration, mut each: impl FnMut(Taken<'_>)) -> usize {
        let wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive and there is room for `slots.len()` pointers.
        let taken =
            unsafe { sys::rd_kafka_consume_batch_queue(self.raw, wait_ms, self.slots.as_mut_ptr(), self.slots.len()) };
        let taken = usize::try_from(taken).unwrap_or(0);
        for slot in &mut self.slots[..taken] {
            let guard = Message(std::mem::replace(slot, ptr::null_mut()));
            each(guard.read());
        }
        taken
    }

    /// The lowest and the next offset of a partition, as the last fetch told; none before the first.
    pub(super) fn watermarks(&self, topic: &str, partition: i32) -> Option<(i64, i64)> {
        let name = CString::new(topic).ok()?;
        let (mut low, mut high) = (-1, -1);
        let client = self.consumer.client().native_ptr();
        // SAFETY: the client is alive, the pointers are to locals.
        let error = unsafe {
            sys::rd_kafka_get_watermark_offsets(client, name.as_ptr(), partition, &raw mut low, &raw mut high)
        };
        (error == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some((low, high))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: created in `new`, destroyed once.
        unsafe { sys::rd_kafka_queue_destroy(self.raw) }
    }
}

/// A message that is destroyed exactly once, whatever its reader does.
struct Message(*mut sys::rd_kafka_message_t);

impl Message {
    fn read(&self) -> Taken<'_> {
        // SAFETY: librdkafka filled the slot with a message that is ours until it is destroyed in `drop`.
        let message = unsafe { &*self.0 };
        // SAFETY: the topic's name lives as long as the topic, which the message holds.
        let topic = (!message.rkt.is_null()).then(|| unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(message.rkt)) });
        let topic = topic.and_then(|name| name.to_str().ok());
        let (partition, offset) = (message.partition, message.offset);
        match (message.err, topic) {
            (RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR, Some(topic)) => Taken::Message {
                topic,
                partition,
                offset,
                // SAFETY: key and value belong to the message.
                key: unsafe { bytes(message.key, message.key_len) }.unwrap_or_default(),
                // SAFETY: as above.
                value: unsafe { bytes(message.payload, message.len) },
                headers: Headers { message },
            },
            (RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF, Some(topic)) => Taken::End {
                topic,
                partition,
                offset,
            },
            (error, topic) => {
                // SAFETY: the text belongs to the message, or is static.
                let text: *const c_char = unsafe { sys::rd_kafka_message_errstr(message) };
                let text = if text.is_null() {
                    String::new()
                } else {
                    // SAFETY: a C string, as above.
                    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
                };
                Taken::Error {
                    topic,
                    partition,
                    offset,
                    code: error.into(),
                    text,
                }
            }
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: ours, and destroyed only here.
        unsafe { sys::rd_kafka_message_destroy(self.0) }
    }
}
