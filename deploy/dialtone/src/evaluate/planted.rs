//! What was planted where causes are hard to find: where few calls are, beside a rival, in no dimension at all.

use super::fate::CauseFate;

/// Causes of one sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sort {
    /// How many there are.
    pub(super) planted: usize,
    /// How many of them were named.
    pub(super) named: usize,
}

/// The sorts; a cause may be of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Planted {
    /// In a scope of less than 300 call-ends a day.
    pub(super) small: Sort,
    /// With a rival.
    pub(super) rivalled: Sort,
    /// In no dimension.
    pub(super) unlogged: Sort,
}

impl Planted {
    /// Of these causes.
    pub(super) fn of(causes: &[&CauseFate]) -> Self {
        let sort = |is_one: fn(&CauseFate) -> bool| {
            let of_sort = || causes.iter().filter(move |cause| is_one(cause));
            Sort {
                planted: of_sort().count(),
                named: of_sort().filter(|cause| cause.named).count(),
            }
        };
        Self {
            small: sort(|cause| cause.is_small()),
            rivalled: sort(|cause| cause.rival_jaccard.is_some()),
            unlogged: sort(|cause| !cause.has_place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fate::tests::cause, *};

    /// 299 a day and named, 299 beside a rival and missed, 300 beside a rival and named, one device, one in no dimension.
    #[test]
    fn sorts_can_be_counted_by_hand() {
        let of = |calls_a_day, rival_jaccard, delay_min| CauseFate {
            calls_a_day,
            rival_jaccard,
            ..cause(delay_min, None, 1.0)
        };
        let unlogged = CauseFate {
            has_place: false,
            ..of(None, None, None)
        };
        let causes = [
            of(Some(299.0), None, Some(10.0)),
            of(Some(299.0), Some(0.8), None),
            of(Some(300.0), Some(0.5), Some(10.0)),
            of(None, None, Some(10.0)),
            unlogged,
        ];
        let sort = |planted, named| Sort { planted, named };
        let expected = Planted {
            small: sort(2, 1),
            rivalled: sort(2, 1),
            unlogged: sort(1, 0),
        };
        assert_eq!(Planted::of(&causes.iter().collect::<Vec<_>>()), expected);
        assert_eq!(Planted::of(&[]), Planted::default());
    }
}
