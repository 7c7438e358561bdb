//! Which complaints are about an incident: by the call that they name, by what they say of the place, or because most of what is poor there is the
//! incident's; about a silence, because most of the usual calls there are silent.

use std::collections::{BTreeMap, BTreeSet};

use dialtone_explain::Condition;
use dialtone_schemas::{Complaint, Dimension, EventTime, Scope, Text, Window, time};

use super::{Tenant, live::Held, silent::is_telemetry};
use crate::watch::{
    baseline::real,
    book::{Basis, Case},
    dictionary::{Codes, covers},
};

/// A complaint that says nothing of the scope is about an incident that has this share of what is poor where it comes from, or about a silence that has
/// it of the usual calls there.
const MOST: f64 = 0.5;
/// Who does not say when the call was complains of one of so long before.
const LATELY: i64 = 2 * time::HOUR;
/// Who complains so long after a silence of everything is over complains of that still: it takes a while to write it down. Nothing else tells whose that
/// complaint is, and somebody complains of something in any hour.
const WRITTEN_DOWN: i64 = 5 * time::MINUTE;

/// The leaves of the poor calls that complaints name, as far as they are among those remembered by name.
pub(super) type Said = BTreeMap<Text, BTreeSet<u32>>;

impl Tenant {
    /// Where the calls were that complaints of late name.
    pub(super) fn said(&self) -> Said {
        let from = |complaint: &Complaint| complaint.about.unwrap_or_else(|| complaint.complained_at.plus(-LATELY));
        let named = self.complaints.values().filter(|complaint| complaint.call_id.is_some());
        let Some(first) = named.clone().map(from).min() else {
            return Said::new();
        };
        let wanted: BTreeSet<&Text> = named.filter_map(|complaint| complaint.call_id.as_ref()).collect();
        let mut said = Said::new();
        for (_, slice) in self.ring.since(Window::of_end(first.plus(1))) {
            for (leaf, calls) in &slice.exemplars {
                for call in calls.iter().filter(|call| wanted.contains(call)) {
                    said.entry(call.clone()).or_default().insert(*leaf);
                }
            }
        }
        said
    }

    /// Matches the complaints until an instant; from time to time it is known what they `said` of calls, and what is poor or silent is weighed.
    pub(super) fn match_complaints(&self, case: &mut Case, until: EventTime, held: &Held, said: Option<&Said>) {
        let from = case.incident.onset.from;
        let in_time = |complaint: &&Complaint| (from..=until).contains(&complaint.complained_at);
        let weighed = said.map(|said| (said, self.weighed(case)));
        let is_about = |complaint: &&Complaint| {
            let is_known = case.complaints.contains_key(&complaint.complaint_id);
            is_known || self.is_about(complaint, case, held, weighed.as_ref())
        };
        let matched = self.complaints.values().filter(in_time).filter(is_about);
        let matched: Vec<(Text, EventTime)> = matched
            .map(|complaint| (complaint.complaint_id.clone(), complaint.complained_at))
            .collect();
        case.complaints.extend(matched);
        case.complaints.retain(|_, at| (from..=until).contains(at));
        self.withdraw_bystanders(case);
        let mut times: Vec<EventTime> = case.complaints.values().copied().collect();
        times.sort_unstable();
        case.incident.complaints = i64::try_from(times.len()).unwrap_or(i64::MAX);
        case.incident.first_complaint = times.first().copied();
        case.incident.third_complaint = times.get(2).copied();
    }

    /// Where only reports turn out to be lost nobody was cut off: who complained since they are and did not name the scope was a bystander.
    fn withdraw_bystanders(&self, case: &mut Case) {
        if !is_telemetry(case) || !case.has_scope() {
            return;
        }
        let Some((since, _)) = case.silent else { return };
        let scope = &case.incident.scope;
        case.complaints.retain(|id, at| {
            let complaint = self.complaints.get(id);
            *at < since || complaint.is_none_or(|complaint| agrees(complaint, scope) == Some(true))
        });
    }

    /// Who found the incidents first.
    pub(super) fn note_found(&mut self) {
        for case in &self.cases {
            self.firsts.note(&case.incident, &case.complaints);
        }
    }

    /// A complaint is about an incident whose scope has an end of the call that it names. Where that is not known, nothing it says may
    /// contradict the scope, and something of it agrees or most of what is poor where it comes from is the incident's.
    fn is_about(
        &self,
        complaint: &Complaint,
        case: &Case,
        held: &Held,
        weighed: Option<&(&Said, BTreeMap<u32, f64>)>,
    ) -> bool {
        let Basis::Rate(channel) = case.basis else {
            return self.is_about_silence(complaint, case, weighed.map(|(_, usual)| usual));
        };
        let call = complaint.call_id.as_ref();
        if call.is_some_and(|call| case.incident.exemplar_calls.contains(call)) {
            return true;
        }
        let is_its = |codes: &Codes| held.leave(case, channel, codes);
        let ends = call.and_then(|call| weighed?.0.get(call));
        if let Some(ends) = ends {
            return ends.iter().any(|leaf| is_its(self.dictionary.codes(*leaf)));
        }
        match agrees(complaint, &case.incident.scope) {
            Some(agrees) => agrees || weighed.is_some_and(|(_, poor)| self.is_most_of(complaint, poor, is_its)),
            None => false,
        }
    }

    /// A complaint that nothing contradicts is about a silence if something of it agrees, if everything was silent then, or if most of the usual calls of
    /// where it comes from are. Where only reports are lost nobody is cut off; but of everything nobody else is left to tell that.
    fn is_about_silence(&self, complaint: &Complaint, case: &Case, usual: Option<&BTreeMap<u32, f64>>) -> bool {
        match agrees(complaint, &case.incident.scope) {
            None => false,
            Some(true) => true,
            Some(false) if case.is_outside() => was_silent(case, complaint.complained_at),
            Some(false) if is_telemetry(case) => false,
            Some(false) => {
                usual.is_some_and(|usual| self.is_most_of(complaint, usual, |codes: &Codes| case.covers(codes)))
            }
        }
    }

    /// What complaints are weighed by, by leaf: poor call-ends since the onset; of a silence, in which nothing is poor, the usual calls.
    fn weighed(&self, case: &Case) -> BTreeMap<u32, f64> {
        let Basis::Rate(channel) = case.basis else {
            return self.usual_calls();
        };
        let mut poor = BTreeMap::new();
        for (_, slice) in self.ring.since(Window::of_end(case.incident.onset.from.plus(1))) {
            for (leaf, counts) in slice.leaves.iter().filter(|(_, counts)| counts.k[channel] > 0) {
                *poor.entry(*leaf).or_default() += real(counts.k[channel]);
            }
        }
        poor
    }

    /// The usual calls by leaf, as long as anybody complains.
    fn usual_calls(&self) -> BTreeMap<u32, f64> {
        if self.complaints.is_empty() {
            return BTreeMap::new();
        }
        let leaves = (0..).zip(self.dictionary.leaves());
        leaves.map(|(leaf, _)| (leaf, self.baseline.weight(leaf))).collect()
    }

    /// Has the incident most of what is poor, or usual, where a complaint comes from? One that says nothing of that comes from anywhere.
    fn is_most_of(&self, complaint: &Complaint, weights: &BTreeMap<u32, f64>, is_its: impl Fn(&Codes) -> bool) -> bool {
        let codes = self.dictionary.known(&complaint.near);
        let said = Dimension::ALL
            .into_iter()
            .filter(|dimension| complaint.near.get(*dimension).is_some());
        let from: Vec<Condition> = said
            .map(|dimension| Condition {
                attribute: dimension.index(),
                code: codes[dimension.index()],
            })
            .collect();
        // Of a place that nobody calls from nothing is poor, or usual.
        let comes_from_there = |codes: &Codes| from.iter().all(|c| c.code != 0) && covers(&from, codes);
        let (mut all, mut inside) = (0.0, 0.0);
        for (leaf, weight) in weights {
            let codes = self.dictionary.codes(*leaf);
            if comes_from_there(codes) {
                all += weight;
                inside += if is_its(codes) { *weight } else { 0.0 };
            }
        }
        all > 0.0 && inside >= MOST * all
    }
}

/// Was a silence going on, or over for a few minutes only? One that began again was over in between.
fn was_silent(case: &Case, at: EventTime) -> bool {
    let over = case.recovering_since.or(case.incident.closed);
    let is_of_either = |(from, to): &(EventTime, EventTime)| at <= from.plus(WRITTEN_DOWN) || *to <= at;
    over.is_none_or(|over| at <= over.plus(WRITTEN_DOWN)) && case.was_well.iter().all(is_of_either)
}

/// Does something of what a complaint says agree with a scope? None where something contradicts it.
fn agrees(complaint: &Complaint, scope: &Scope) -> Option<bool> {
    let mut agrees = false;
    for (dimension, value) in scope.conditions() {
        match complaint.near.get(dimension) {
            Some(said) if said != value => return None,
            Some(_) => agrees = true,
            None => {}
        }
    }
    Some(agrees)
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{Incident, Leaf, incident::Onset};

    use super::*;
    use crate::watch::tenant::drive::{Calls, Drive, day, leaf, text};

    fn complaint(id: &str, at: EventTime, near: Leaf, call: Option<&str>) -> Complaint {
        let complaint = serde_json::json!({"complaint_id": id, "complained_at": at.micros()});
        let mut complaint: Complaint = serde_json::from_value(complaint).expect("a complaint");
        (complaint.near, complaint.call_id) = (near, call.map(text));
        complaint
    }

    /// Calls of which 2 % are poor until nine on Tuesday, and then for half an hour eight times as many where the share of them says so.
    fn broken(calls: impl Fn(f64) -> Vec<Calls>) -> Drive {
        let mut drive = Drive::new();
        drive.until(day(1, 9), |_| calls(0.02));
        drive.until(day(1, 9).plus(30 * time::MINUTE), |_| calls(0.16));
        drive
    }

    fn at_site(site: &str) -> Leaf {
        Leaf {
            site: Some(text(site)),
            ..Leaf::default()
        }
    }

    /// The Aural 20 has been eight times as poor since nine, at both sites. In Berlin it has 96 poor call-ends of 108 in ten minutes, in Lyon, where few
    /// have one, 4.8 of 64.8. Who complains says where it was, and no headset.
    #[test]
    fn a_complaint_is_about_what_is_most_of_what_is_poor_where_it_comes_from() {
        let calls = |share: f64| -> Vec<Calls> {
            vec![
                (leaf("berlin", "Aural 20"), 60, share),
                (leaf("berlin", "Podium R1"), 60, 0.02),
                (leaf("lyon", "Aural 20"), 3, share),
                (leaf("lyon", "Podium R1"), 300, 0.02),
            ]
        };
        let mut drive = broken(calls);
        let now = drive.now();
        for (id, near) in [("1", at_site("berlin")), ("2", at_site("lyon")), ("3", at_site("oslo"))] {
            drive.tenant.complaint(complaint(id, now, near, None));
        }
        let named = leaf("berlin", "Podium R1");
        drive.tenant.complaint(complaint(
            "4",
            now,
            Leaf {
                headset: named.headset,
                ..at_site("berlin")
            },
            None,
        ));
        drive.until(day(1, 9).plus(40 * time::MINUTE), |_| calls(0.16));
        let case = drive.tenant.cases.first().expect("told of");
        assert_eq!(
            case.incident.scope,
            Scope::new([(Dimension::Headset, text("Aural 20"))])
        );
        let matched: Vec<&str> = case.complaints.keys().map(Text::as_str).collect();
        assert_eq!(
            matched,
            ["1"],
            "most of Lyon's is not its doing, nobody calls from Oslo, and of 4 another headset is said"
        );
    }

    /// Of 60 call-ends a minute in Berlin 40 go over Nordtel, of 40 in Lyon 10; those over Nordtel come until Tuesday nine o'clock.
    fn over_two_carriers(now: EventTime) -> Vec<Calls> {
        let over = |site: &str, carrier: &str, n: i64| {
            let leaf = Leaf {
                carrier: Some(text(carrier)),
                ..leaf(site, "Aural 20")
            };
            (leaf, n, 0.02)
        };
        let mut calls = vec![over("berlin", "Sudtel", 20), over("lyon", "Sudtel", 30)];
        if now < day(1, 9) {
            calls.extend([over("berlin", "Nordtel", 40), over("lyon", "Nordtel", 10)]);
        }
        calls
    }

    /// The complaints of the incident about a scope.
    fn of_scope(drive: &Drive, scope: &Scope) -> Vec<String> {
        let case = drive.tenant.cases.iter().find(|case| case.incident.scope == *scope);
        let matched = case.expect("told of").complaints.keys();
        matched.map(|id| id.as_str().to_owned()).collect()
    }

    /// Two thirds of Berlin's usual calls are silent, and a quarter of Lyon's. When it turns out that only reports are lost, it is nobody's but those who
    /// named the carrier.
    #[test]
    fn a_complaint_is_about_the_silence_of_most_of_the_usual_calls_where_it_comes_from() {
        let mut drive = Drive::new();
        let nine = |minute: i64| day(1, 9).plus(minute * time::MINUTE);
        drive.until(nine(10), over_two_carriers);
        let on = |carrier: &str, site: &str| Leaf {
            carrier: Some(text(carrier)),
            ..at_site(site)
        };
        for (id, near) in [
            ("berlin", at_site("berlin")),
            ("lyon", at_site("lyon")),
            ("named", on("Nordtel", "lyon")),
            ("oslo", at_site("oslo")),
            ("other", on("Sudtel", "berlin")),
        ] {
            drive.tenant.complaint(complaint(id, nine(10), near, None));
        }
        drive.until(nine(20), over_two_carriers);
        let nordtel = Scope::new([(Dimension::Carrier, text("Nordtel"))]);
        assert_eq!(of_scope(&drive, &nordtel), ["berlin", "named"]);
        for case in &mut drive.tenant.cases {
            case.incident.metric = text("telemetry");
        }
        drive.until(nine(25), over_two_carriers);
        assert_eq!(of_scope(&drive, &nordtel), ["named"]);
    }

    /// From Tuesday nine o'clock on nobody reports anything: who complains since then, of whatever place, complains of that.
    #[test]
    fn complaints_while_everything_is_silent_are_about_that() {
        let mut drive = Drive::new();
        let nine = |minute: i64| day(1, 9).plus(minute * time::MINUTE);
        drive.until(nine(0), over_two_carriers);
        drive.until(nine(20), |_| Vec::new());
        for (id, minute, near) in [
            ("before", -60, at_site("berlin")),
            ("berlin", 20, at_site("berlin")),
            ("oslo", 20, at_site("oslo")),
            ("somewhere", 20, Leaf::default()),
        ] {
            drive.tenant.complaint(complaint(id, nine(minute), near, None));
        }
        drive.until(nine(21), |_| Vec::new());
        assert_eq!(of_scope(&drive, &Scope::default()), ["berlin", "oslo", "somewhere"]);
    }

    /// Nobody reports anything from Tuesday nine o'clock until half past; when there have been reports for five minutes it is over. One complains a quarter of
    /// an hour before that, one five minutes after it and one an hour after it.
    #[test]
    fn who_complains_long_after_everything_was_silent_does_not_complain_of_that() {
        let mut drive = Drive::new();
        let usual = |_: EventTime| over_two_carriers(day(1, 8));
        drive.until(day(1, 9), usual);
        drive.until(day(1, 9).plus(30 * time::MINUTE), |_| Vec::new());
        drive.until(day(1, 10), usual);
        let case = drive.tenant.cases.iter().find(|case| case.is_outside());
        let over = case.and_then(|case| case.recovering_since).expect("told of, and over");
        for (id, minute) in [("during", -15), ("soon", 5), ("later", 60)] {
            let at = over.plus(minute * time::MINUTE);
            drive.tenant.complaint(complaint(id, at, at_site("berlin"), None));
        }
        drive.until(over.plus(65 * time::MINUTE), usual);
        assert_eq!(of_scope(&drive, &Scope::default()), ["during", "soon"]);
    }

    /// Silent from nine until ten past, and again from forty until fifty past.
    #[test]
    fn who_complains_between_two_silences_complains_of_neither() {
        let nine = |minute: i64| day(1, 9).plus(minute * time::MINUTE);
        let onset = Onset {
            from: nine(0),
            to: nine(0),
        };
        let everything = Scope::default();
        let incident = Incident::opened(text("i-1"), text("acme"), everything, text("noc"), onset, nine(3));
        let mut case = Case::new(incident, Basis::Volume, Vec::new());
        assert!(was_silent(&case, nine(39)), "it goes on");
        case.was_well = vec![(nine(10), nine(40))];
        case.recovering_since = Some(nine(50));
        let was = [5, 15, 16, 39, 40, 55, 56].map(|minute| was_silent(&case, nine(minute)));
        assert_eq!(was, [true, true, false, false, true, true, false]);
    }

    /// The call that a complaint names is known by its leaf, whatever the complaint says of the place.
    #[test]
    fn a_complaint_that_names_a_poor_call_is_about_what_that_lies_in() {
        let calls = |share: f64| -> Vec<Calls> {
            vec![
                (leaf("berlin", "Aural 20"), 60, share),
                (leaf("lyon", "Aural 20"), 60, 0.02),
            ]
        };
        let mut drive = broken(calls);
        let case = drive.tenant.cases.first().expect("told of").clone();
        let (berlin, lyon) = (0, 1);
        let now = drive.now();
        let slice = drive.tenant.ring.slice(Window::of_end(now));
        slice.exemplars.insert(berlin, vec![text("call-1")]);
        slice.exemplars.insert(lyon, vec![text("call-2")]);
        slice.exemplars.entry(lyon).or_default().push(text("call-4"));
        slice.exemplars.entry(berlin).or_default().push(text("call-4"));
        let said_of = |call: &str, near: &str| complaint("1", now, at_site(near), Some(call));
        for (id, call) in [("a", "call-1"), ("b", "call-2"), ("d", "call-4")] {
            let complaint = complaint(id, now, at_site("oslo"), Some(call));
            drive.tenant.complaint(complaint);
        }
        let (said, held) = (drive.tenant.said(), Held::by(&drive.tenant.cases));
        let weighed = (&said, BTreeMap::new());
        let is_about = |call: &str, near: &str| {
            drive
                .tenant
                .is_about(&said_of(call, near), &case, &held, Some(&weighed))
        };
        assert!(is_about("call-1", "lyon"), "a wrong site was written down");
        assert!(!is_about("call-2", "berlin"));
        assert!(is_about("call-4", "lyon"), "one of its ends lies there");
        assert!(
            is_about("call-3", "berlin"),
            "of a call that is not known the place says enough"
        );
    }
}
