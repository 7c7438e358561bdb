import sys

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

bootstrap = {"bootstrap.servers": sys.argv[1]}
admin = AdminClient(bootstrap)
for future in admin.create_topics([NewTopic("from-confluent", 1, 1, config={"retention.ms": "100000"})]).values():
    future.result(30)
resource = ConfigResource(ConfigResource.Type.TOPIC, "from-confluent")
described = admin.describe_configs([resource])[resource].result(30)
assert described["retention.ms"].value == "100000"

acknowledged = []
producer = Producer({**bootstrap, "enable.idempotence": True, "compression.type": "zstd"})
for i in range(1000):
    producer.produce("from-confluent", b"value-%d" % i, partition=0, on_delivery=lambda e, m: acknowledged.append((e, m.offset())))
assert producer.flush(30) == 0
assert acknowledged == [(None, i) for i in range(1000)], acknowledged[:3]


def read(count):
    consumer = Consumer({**bootstrap, "group.id": "g", "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe(["from-confluent"])
    messages = consumer.consume(count, 30)
    assert len(messages) == count and all(m.error() is None for m in messages)
    consumer.commit(message=messages[-1], asynchronous=False)
    consumer.close()
    return [m.offset() for m in messages]


assert read(600) == list(range(600))
assert read(400) == list(range(600, 1000))
groups = [g.group_id for g in admin.list_consumer_groups().result(30).valid]
assert groups == ["g"], groups
assert admin.describe_consumer_groups(["g"])["g"].result(30).state is not None
committed = Consumer({**bootstrap, "group.id": "g"}).committed([TopicPartition("from-confluent", 0)], 30)
assert committed[0].offset == 1000
