use super::*;

const SESSION_MS: i64 = 1_000;
const REBALANCE_MS: i64 = 3_000;

fn group() -> Group {
    Group::new(GroupLimits {
        members: 4,
        session_timeout_ms: (100, 60_000),
        initial_delay_ms: 0,
    })
}

/// A client that joins under a name that is also the id it would be given.
fn join(name: &str) -> Join {
    Join {
        fresh_member_id: name.to_owned(),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: REBALANCE_MS,
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), Bytes::from(name.to_owned()))],
        ..Join::default()
    }
}

fn rejoin(name: &str) -> Join {
    Join {
        member_id: name.to_owned(),
        ..join(name)
    }
}

fn caller(name: &str, generation: i32) -> Caller {
    Caller {
        member_id: name.to_owned(),
        instance_id: None,
        generation,
    }
}

fn joined(answers: &[Answer], ticket: Ticket) -> Joined {
    let of = |answer: &Answer| match answer {
        Answer::Join(t, Ok(joined)) if *t == ticket => Some(joined.clone()),
        _ => None,
    };
    answers
        .iter()
        .find_map(of)
        .unwrap_or_else(|| panic!("no join for ticket {ticket} in {answers:?}"))
}

fn synced(answers: &[Answer], ticket: Ticket) -> Bytes {
    let of = |answer: &Answer| match answer {
        Answer::Sync(t, Ok(synced)) if *t == ticket => Some(synced.assignment.clone()),
        _ => None,
    };
    answers
        .iter()
        .find_map(of)
        .unwrap_or_else(|| panic!("no sync for ticket {ticket} in {answers:?}"))
}

fn assign(pairs: &[(&str, &'static str)]) -> Vec<(String, Bytes)> {
    pairs
        .iter()
        .map(|&(id, what)| (id.to_owned(), Bytes::from_static(what.as_bytes())))
        .collect()
}

/// Generation 1 with `a` alone, stable.
fn stable_with_a() -> Group {
    let mut group = group();
    assert_eq!(joined(&group.join(join("a"), 1, 0), 1).generation, 1);
    assert_eq!(
        &synced(&group.sync(&caller("a", 1), None, assign(&[("a", "all")]), 2, 0), 2)[..],
        b"all"
    );
    group
}

/// Generation 2 with `a` (leader) and `b`, stable.
fn stable_with_two() -> Group {
    let mut group = stable_with_a();
    assert!(group.join(join("b"), 3, 10).is_empty());
    let answers = group.join(rejoin("a"), 4, 20);
    assert_eq!(
        (joined(&answers, 3).members.len(), joined(&answers, 4).members.len()),
        (0, 2)
    );
    assert!(group.sync(&caller("b", 2), None, vec![], 5, 20).is_empty());
    let answers = group.sync(&caller("a", 2), None, assign(&[("a", "left"), ("b", "right")]), 6, 20);
    assert_eq!(
        (&synced(&answers, 5)[..], &synced(&answers, 6)[..]),
        (&b"right"[..], &b"left"[..])
    );
    group
}

#[test]
fn a_second_member_makes_the_first_rejoin_and_both_get_their_share() {
    let mut group = stable_with_a();
    group.join(join("b"), 3, 10);
    assert_eq!(
        group.heartbeat(&caller("a", 1), 10),
        Err(ResponseError::RebalanceInProgress)
    );
    let group = stable_with_two();
    assert_eq!(group.state(), State::Stable);
}

#[test]
fn a_client_that_joins_twice_is_given_an_id_first() {
    let mut group = group();
    let answers = group.join(
        Join {
            joins_twice: true,
            ..join("a")
        },
        1,
        0,
    );
    let expected = JoinRefused {
        code: ResponseError::MemberIdRequired,
        member_id: "a".into(),
    };
    assert_eq!(answers, [Answer::Join(1, Err(expected))]);
    assert_eq!(
        joined(
            &group.join(
                Join {
                    joins_twice: true,
                    ..rejoin("a")
                },
                2,
                0
            ),
            2
        )
        .leader,
        "a"
    );
}

#[test]
fn a_silent_member_is_removed_and_the_other_takes_over() {
    let mut group = stable_with_two();
    group.heartbeat(&caller("b", 2), 600).unwrap();
    assert!(group.pass_time(1_019).is_empty());
    group.pass_time(1_020);
    assert_eq!(
        group.heartbeat(&caller("a", 2), 1_021),
        Err(ResponseError::UnknownMemberId)
    );
    let joined = joined(&group.join(rejoin("b"), 7, 1_030), 7);
    assert_eq!(
        (joined.generation, joined.leader.as_str(), joined.members.len()),
        (3, "b", 1)
    );
}

#[test]
fn whoever_does_not_rejoin_in_time_is_left_behind() {
    let mut group = stable_with_two();
    assert!(group.join(join("c"), 7, 100).is_empty());
    assert!(group.join(rejoin("a"), 8, 150).is_empty());
    // b keeps its session alive but never rejoins.
    for at in [900, 1_800, 2_700] {
        assert_eq!(
            group.heartbeat(&caller("b", 2), at),
            Err(ResponseError::RebalanceInProgress)
        );
    }
    assert!(group.pass_time(3_099).is_empty());
    let answers = group.pass_time(3_100);
    assert_eq!(
        joined(&answers, 8)
            .members
            .iter()
            .map(|m| m.0.as_str())
            .collect::<Vec<_>>(),
        ["a", "c"]
    );
    assert_eq!(
        group.heartbeat(&caller("b", 2), 3_101),
        Err(ResponseError::UnknownMemberId)
    );
}

#[test]
fn a_waiting_member_does_not_count_as_silent() {
    let mut group = stable_with_a();
    group.join(join("b"), 3, 10);
    group.heartbeat(&caller("a", 1), 900).unwrap_err();
    group.pass_time(1_500);
    assert!(group.members().contains_key("b"));
}

#[test]
fn leaving_starts_a_rebalance_and_the_last_to_leave_empties_the_group() {
    let mut group = stable_with_two();
    assert_eq!(group.leave("b", None, 30).0, Ok(()));
    assert_eq!(
        group.heartbeat(&caller("a", 2), 30),
        Err(ResponseError::RebalanceInProgress)
    );
    assert_eq!(group.leave("a", None, 40).0, Ok(()));
    assert_eq!(group.state(), State::Empty);
    assert_eq!(group.leave("a", None, 50).0, Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_leader_that_dies_before_assigning_frees_the_followers() {
    let mut group = stable_with_a();
    group.join(join("b"), 3, 10);
    group.join(rejoin("a"), 4, 20);
    assert!(group.sync(&caller("b", 2), None, vec![], 5, 30).is_empty());
    let answers = group.pass_time(1_020);
    assert_eq!(answers, [Answer::Sync(5, Err(ResponseError::RebalanceInProgress))]);
    assert_eq!(joined(&group.join(rejoin("b"), 6, 1_100), 6).leader, "b");
}

#[test]
fn a_static_member_comes_back_to_its_assignment_without_a_rebalance() {
    let mut group = group();
    let known = |id: &str| Join {
        instance_id: Some("desk-1".into()),
        protocols: join("x").protocols,
        ..join(id)
    };
    joined(&group.join(known("a1"), 1, 0), 1);
    group.sync(&caller("a1", 1), None, assign(&[("a1", "mine")]), 2, 0);
    let back = joined(&group.join(known("a2"), 3, 100), 3);
    assert_eq!(
        (back.generation, back.member_id.as_str(), back.leader.as_str()),
        (1, "a2", "a1")
    );
    let again = Caller {
        instance_id: Some("desk-1".into()),
        ..caller("a2", 1)
    };
    assert_eq!(&synced(&group.sync(&again, None, vec![], 4, 100), 4)[..], b"mine");
    let old = Caller {
        instance_id: Some("desk-1".into()),
        ..caller("a1", 1)
    };
    assert_eq!(group.heartbeat(&old, 100), Err(ResponseError::FencedInstanceId));
}

#[test]
fn commits_are_taken_from_the_current_generation_only() {
    let mut group = stable_with_two();
    assert_eq!(group.may_commit(&caller("a", 2), 30), Ok(()));
    assert_eq!(
        group.may_commit(&caller("a", 1), 30),
        Err(ResponseError::IllegalGeneration)
    );
    assert_eq!(
        group.may_commit(&caller("stranger", 2), 30),
        Err(ResponseError::UnknownMemberId)
    );
    assert_eq!(
        group.may_commit(&caller("", -1), 30),
        Err(ResponseError::UnknownMemberId)
    );
    assert_eq!(self::group().may_commit(&caller("", -1), 30), Ok(()));
}

#[test]
fn members_must_share_a_protocol() {
    let mut group = stable_with_a();
    let stranger = Join {
        protocols: vec![("sticky".into(), Bytes::new())],
        ..join("b")
    };
    let refused = JoinRefused {
        code: ResponseError::InconsistentGroupProtocol,
        member_id: String::new(),
    };
    assert_eq!(group.join(stranger, 3, 10), [Answer::Join(3, Err(refused))]);
}

#[test]
fn the_protocol_most_members_prefer_wins() {
    let mut group = group();
    let prefers = |id: &str, names: [&str; 2]| Join {
        protocols: names.iter().map(|name| ((*name).to_owned(), Bytes::new())).collect(),
        ..rejoin(id)
    };
    for (ticket, id) in [(1, "a"), (2, "b"), (3, "c")] {
        let member = Join {
            member_id: String::new(),
            ..prefers(id, ["range", "sticky"])
        };
        group.join(member, ticket, 0);
    }
    group.join(prefers("a", ["sticky", "range"]), 4, 10);
    group.join(prefers("b", ["sticky", "range"]), 5, 10);
    group.join(prefers("c", ["range", "sticky"]), 6, 10);
    // The first rejoin ended the round that b and c had begun; this one ends theirs.
    let answers = group.join(prefers("a", ["sticky", "range"]), 7, 10);
    assert_eq!(joined(&answers, 7).protocol, "sticky");
}

#[test]
fn members_beyond_the_limit_are_refused() {
    let mut group = group();
    for (ticket, id) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
        group.join(join(id), ticket, 0);
    }
    let refused = JoinRefused {
        code: ResponseError::GroupMaxSizeReached,
        member_id: String::new(),
    };
    assert_eq!(group.join(join("e"), 5, 0).last(), Some(&Answer::Join(5, Err(refused))));
}

#[test]
fn a_new_group_gathers_members_for_its_initial_delay() {
    let limits = GroupLimits {
        members: 4,
        session_timeout_ms: (100, 60_000),
        initial_delay_ms: 500,
    };
    let mut group = Group::new(limits);
    assert!(group.join(join("a"), 1, 0).is_empty());
    assert!(group.join(join("b"), 2, 400).is_empty());
    let answers = group.pass_time(500);
    assert_eq!(joined(&answers, 1).members.len(), 2);
    assert_eq!(joined(&answers, 2).generation, 1);
}
