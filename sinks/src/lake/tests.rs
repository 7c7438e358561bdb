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
