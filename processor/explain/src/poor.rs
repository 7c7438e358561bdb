//! The rows with a poor call, by their cells. They are few, and no cell without one is a scope: what they say of a cell
//! bounds what it can be worth.

use rustc_hash::FxHashMap;

use crate::{
    columns::{Columns, narrow},
    limits::{Limits, Share},
    table::Row,
};

/// Cells that are places in an array, at most; of more, only those that occur are.
const MOST_PLACES: usize = 1 << 18;

/// The poor rows that lie in cells with enough of them, by some attributes.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) attributes: Vec<usize>,
    /// How many cells all rows fall into.
    pub(crate) occupied: usize,
    /// How many of them are left here.
    cells: usize,
    /// The rows, by their places among the poor ones, and the cell of each.
    rows: Vec<(u32, u32)>,
}

impl Group {
    pub(crate) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// A cell by one of its rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// The first of its rows that is poor.
    pub(crate) row: usize,
    /// What its poor rows hold.
    pub(crate) poor: Share,
    /// What is known of it, of poor rows and others.
    pub(crate) share: Share,
}

/// The poor rows of a table.
#[derive(Debug)]
pub(crate) struct Poor {
    rows: Vec<u32>,
    shares: Vec<Share>,
    /// The value of each row, by attribute.
    values: Vec<Vec<u32>>,
    /// The values there are, by attribute, and "unknown".
    sizes: Vec<usize>,
    /// The place of each row of a group.
    places: Vec<u32>,
    /// All empty, but while a cuboid is looked at.
    sums: Vec<Share>,
    /// The numbers of the cells at these places. All 0, but while a group is narrowed.
    numbers: Vec<u32>,
    /// The places, where there are too many for an array.
    sparse: FxHashMap<usize, usize>,
}

impl Poor {
    pub(crate) fn new(columns: &Columns, attributes: usize, rows: &[Row], limits: &Limits) -> Self {
        let poor = (0_u32..).zip(rows).filter(|(_, row)| row.k > 0.0);
        let (rows, shares): (Vec<u32>, Vec<Share>) = poor.map(|(i, row)| (i, limits.share(row))).unzip();
        let of = |a| {
            let of_rows = columns.of(a).of_rows();
            rows.iter().map(|row| of_rows[*row as usize]).collect()
        };
        Self {
            values: (0..attributes).map(of).collect(),
            sizes: (0..attributes).map(|a| columns.of(a).len() + 1).collect(),
            rows,
            shares,
            places: Vec::new(),
            sums: Vec::new(),
            numbers: Vec::new(),
            sparse: FxHashMap::default(),
        }
    }

    /// All of them, in one cell of no attributes.
    pub(crate) fn all(&self) -> Group {
        Group {
            attributes: Vec::new(),
            occupied: 1,
            cells: 1,
            rows: (0..narrow(self.rows.len())).map(|row| (row, 0)).collect(),
        }
    }

    /// The cells of a group by one more attribute that hold so many poor calls, and how many cells there are.
    pub(crate) fn cells(&mut self, group: &Group, attribute: usize, fewest: u64) -> (Vec<Found>, usize) {
        let places = self.sum(group, attribute);
        let (mut found, mut count) = (Vec::new(), 0);
        // Those that hold enough are often few: it is sooner said that there is none.
        if places < group.rows.len() && self.sums[..places].iter().all(|sum| sum.poor() < fewest) {
            self.sums[..places].fill(Share::default());
            return (found, count);
        }
        for ((row, _), place) in group.rows.iter().zip(&self.places) {
            let share = std::mem::take(&mut self.sums[*place as usize]);
            if share == Share::default() || self.values[attribute][*row as usize] == 0 {
                continue;
            }
            count += 1;
            if share.poor() >= fewest {
                let row = self.rows[*row as usize] as usize;
                found.push(Found {
                    row,
                    poor: share,
                    share,
                });
            }
        }
        (found, count)
    }

    /// A group by one more attribute, without the cells that hold fewer poor calls.
    pub(crate) fn narrowed(&mut self, group: &Group, attribute: usize, fewest: u64, occupied: usize) -> Group {
        self.sum(group, attribute);
        let mut narrowed = Group {
            attributes: group.attributes.iter().copied().chain([attribute]).collect(),
            occupied,
            cells: 0,
            rows: Vec::with_capacity(group.rows.len()),
        };
        for ((row, _), place) in group.rows.iter().zip(&self.places) {
            let (place, is_known) = (*place as usize, self.values[attribute][*row as usize] != 0);
            if is_known && self.sums[place].poor() >= fewest {
                if self.numbers[place] == 0 {
                    narrowed.cells += 1;
                    self.numbers[place] = narrow(narrowed.cells);
                }
                narrowed.rows.push((*row, self.numbers[place] - 1));
            }
        }
        for place in &self.places {
            self.sums[*place as usize] = Share::default();
            self.numbers[*place as usize] = 0;
        }
        narrowed
    }

    /// Sums the rows of a group by one more attribute. Says how many places are used at most.
    fn sum(&mut self, group: &Group, attribute: usize) -> usize {
        let size = self.sizes[attribute];
        let places = group.cells.saturating_mul(size);
        let is_array = places <= MOST_PLACES;
        let places = if is_array { places } else { group.rows.len() };
        if self.sums.len() < places {
            self.sums.resize(places, Share::default());
            self.numbers.resize(places, 0);
        }
        self.places.resize(group.rows.len(), 0);
        self.sparse.clear();
        let values = &self.values[attribute];
        for ((row, cell), to) in group.rows.iter().zip(&mut self.places) {
            let mut place = *cell as usize * size + values[*row as usize] as usize;
            if !is_array {
                let next = self.sparse.len();
                place = *self.sparse.entry(place).or_insert(next);
            }
            self.sums[place].add(self.shares[*row as usize]);
            *to = narrow(place);
        }
        places
    }
}
