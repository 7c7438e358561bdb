//! How fast a broker on this machine takes and gives records: `throughput [RECORDS]`.
//! Client and broker share the processors, so this is a floor, not a ceiling.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::error::Error;
use std::time::{Duration, Instant};

use dialtone_broker::{Broker, BrokerConfig};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const PAYLOAD_BYTES: usize = 200;
const PARTITIONS: i32 = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let records: usize = std::env::args().nth(1).map_or(Ok(2_000_000), |count| count.parse())?;
    let runtime = tokio::runtime::Runtime::new()?;
    let dir = tempfile::tempdir()?;
    let mut config = BrokerConfig::new(dir.path());
    config.default_partitions = PARTITIONS;
    let broker = runtime.block_on(Broker::start(config))?;
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", broker.bootstrap())
        .set("compression.type", "lz4")
        .set("linger.ms", "20");

    let began = Instant::now();
    produce(&client, records)?;
    report("produce", records, began.elapsed());
    let began = Instant::now();
    consume(&client, records)?;
    report("consume", records, began.elapsed());
    runtime.block_on(broker.shutdown());
    Ok(())
}

fn produce(client: &ClientConfig, records: usize) -> Result<(), Box<dyn Error>> {
    let mut client = client.clone();
    client
        .set("queue.buffering.max.messages", "1000000")
        .set("enable.idempotence", "true");
    let producer: BaseProducer = client.create()?;
    // Every record differs, yet it compresses well, like measurements.
    let mut payload: Vec<u8> = (0..PAYLOAD_BYTES)
        .map(|at| u8::try_from(at % 256).unwrap_or(0))
        .collect();
    for at in 0..records {
        for (byte, new) in payload
            .iter_mut()
            .zip(at.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes().repeat(12))
        {
            *byte = new;
        }
        let mut record: BaseRecord<'_, (), [u8]> = BaseRecord::to("load").payload(&payload);
        while let Err((_full, back)) = producer.send(record) {
            producer.poll(Duration::from_millis(10));
            record = back;
        }
    }
    producer.flush(Duration::from_secs(120))?;
    Ok(())
}

fn consume(client: &ClientConfig, records: usize) -> Result<(), Box<dyn Error>> {
    let mut client = client.clone();
    client.set("group.id", "load").set("fetch.queue.backoff.ms", "10");
    let consumer: BaseConsumer = client.create()?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assignment.add_partition_offset("load", partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let mut seen = 0;
    while seen < records {
        if let Some(message) = consumer.poll(Duration::from_secs(10)) {
            message?;
            seen += 1;
        }
    }
    Ok(())
}

fn report(what: &str, records: usize, took: Duration) {
    let per_second = u128::try_from(records).unwrap_or(0) * 1000 / took.as_millis().max(1);
    println!(
        "{what}: {records} records of {PAYLOAD_BYTES} bytes in {} ms, {per_second} a second",
        took.as_millis()
    );
}
