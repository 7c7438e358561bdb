import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

bootstrap = sys.argv[1]
admin = KafkaAdminClient(bootstrap_servers=bootstrap)
admin.create_topics([NewTopic("from-python", 1, 1)])
assert "from-python" in admin.list_topics()

producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", compression_type="gzip")
sent = [producer.send("from-python", key=b"%d" % i, value=b"value-%d" % i, partition=0) for i in range(1000)]
producer.flush()
assert [future.get(timeout=30).offset for future in sent] == list(range(1000))


def consumer():
    return KafkaConsumer(
        "from-python",
        bootstrap_servers=bootstrap,
        group_id="g",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        consumer_timeout_ms=30000,
    )


first = consumer()
for message, expected in zip(first, range(600)):
    assert message.offset == expected and message.value == b"value-%d" % expected
    if expected == 599:
        break
from kafka.structs import OffsetAndMetadata

try:
    position = OffsetAndMetadata(600, "done", -1)
except TypeError:
    position = OffsetAndMetadata(600, "done")
first.commit({TopicPartition("from-python", 0): position})
first.close()

second = consumer()
assert next(second).offset == 600
tp = TopicPartition("from-python", 0)
assert second.end_offsets([tp])[tp] == 1000
assert second.beginning_offsets([tp])[tp] == 0
second.close()
