use std::sync::Arc;

use dialtone_schemas::{EventTime, Tick, avro};

use super::*;

const PLACE: Place = (Topic::Summaries, 0);

/// Markers with these numbers, each at the offset it is named with.
fn markers(numbers: &[(i64, i64)]) -> Vec<LogRecord> {
    let record = |(offset, number): &(i64, i64)| {
        let tick = Tick::floor(EventTime::from_micros(1_772_442_000_000_000));
        let frame = avro::built_in_frame_from(&Summary::marker(*number, tick)).expect("a frame");
        LogRecord {
            place: PLACE,
            offset: *offset,
            key: bytes::Bytes::new(),
            payload: Payload::Value(frame.into()),
        }
    };
    numbers.iter().map(record).collect()
}

async fn open(dir: &tempfile::TempDir) -> Lake {
    let mut lake = Lake::open(dir.path()).await.expect("a lake");
    lake.position(PLACE).await.expect("a position");
    lake
}

fn of(records: u64, rows: u64, repeats: u64) -> Appended {
    Appended {
        records,
        rows,
        repeats,
        ..Appended::default()
    }
}

/// S-1: both stand at offset 0; the second finds offset 2 and writes nothing until it has looked again.
#[tokio::test]
async fn of_two_writers_the_slower_is_told_and_no_row_is_written_twice() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut first, mut second) = (open(&dir).await, open(&dir).await);
    let records = markers(&[(0, 0), (1, 1), (2, 2)]);
    assert_eq!(first.append(PLACE, &records[..2], 2).await.expect("rows"), of(2, 2, 0));
    match second.append(PLACE, &records, 3).await {
        Err(LakeError::Stale {
            expected: 0, found: 2, ..
        }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(second.position(PLACE).await.expect("a position"), Some(2));
    assert_eq!(second.append(PLACE, &records, 3).await.expect("rows"), of(1, 1, 0));
    assert!(matches!(
        first.append(PLACE, &records[2..], 3).await,
        Err(LakeError::Stale { .. })
    ));
}

/// What is there is known again from the files themselves.
#[tokio::test]
async fn a_repeat_is_told_after_a_restart_as_well() {
    let dir = tempfile::tempdir().expect("a folder");
    open(&dir)
        .await
        .append(PLACE, &markers(&[(0, 0), (1, 1)]), 2)
        .await
        .expect("rows");
    let mut again = open(&dir).await;
    let appended = again.append(PLACE, &markers(&[(2, 1), (3, 2)]), 4).await.expect("rows");
    assert_eq!(appended, of(2, 1, 1), "number 1 came twice");
}

/// C-1: a table that an earlier version has made has two columns less; they are added, and what is written has them.
#[tokio::test]
async fn a_table_of_an_earlier_version_gets_the_columns_it_has_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let place = (Topic::Control, 0);
    let now = rows::columns_of_topic(Topic::Control);
    let is_new = |name: &str| matches!(name, "to" | "reason");
    let before = now.fields().iter().filter(|field| !is_new(field.name())).cloned();
    let before = arrow_schema::Schema::new(before.collect::<Vec<_>>());
    Table::open(dir.path(), "control", Arc::new(before))
        .await
        .expect("a table");

    let mut lake = Lake::open(dir.path()).await.expect("a lake");
    lake.position(place).await.expect("a position");
    let reassign: Control = serde_json::from_str(
        r#"{"control_id": "c", "kind": "reassign", "at": "2026-03-02T09:00:00Z", "incident_id": "i-1", "to": "wan",
            "reason": "the provider's line"}"#,
    )
    .expect("control");
    let record = LogRecord {
        place,
        offset: 0,
        key: bytes::Bytes::new(),
        payload: Payload::Value(avro::built_in_frame_from(&reassign).expect("a frame").into()),
    };
    assert_eq!(lake.append(place, &[record], 1).await.expect("rows"), of(1, 1, 0));
    let again = Lake::open(dir.path()).await.expect("the same lake");
    drop(again);
}
