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
    /// The values of the cells, one cell after the other.
    cells: Vec<u32>,
    /// The rows, and the cell of each.
    rows: Vec<(u32, u32)>,
}

impl Group {
    pub(crate) fn cell(&self, cell: u32) -> &[u32] {
        let values = self.attributes.len();
        &self.cells[cell as usize * values..][..values]
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// A cell by its values, with what its poor rows hold.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) cell: Vec<u32>,
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
    numbers: FxHashMap<usize, u32>,
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
            numbers: FxHashMap::default(),
        }
    }

    /// All of them, in one cell of no attributes.
    pub(crate) fn all(&self) -> Group {
        Group {
            attributes: Vec::new(),
            cells: Vec::new(),
            rows: (0..narrow(self.rows.len())).map(|row| (row, 0)).collect(),
        }
    }

    /// The cells of a group by one more attribute that hold so many poor calls, and how many cells there are.
    pub(crate) fn cells(&mut self, group: &Group, attribute: usize, fewest: u64) -> (Vec<Found>, usize) {
        self.sum(group, attribute);
        let (mut found, mut count) = (Vec::new(), 0);
        for ((row, cell), place) in group.rows.iter().zip(&self.places) {
            let share = std::mem::take(&mut self.sums[*place as usize]);
            let value = self.values[attribute][*row as usize];
            if share == Share::default() || value == 0 {
                continue;
            }
            count += 1;
            if share.poor() >= fewest {
                let cell = group.cell(*cell).iter().copied().chain([value]).collect();
                found.push(Found { cell, share });
            }
        }
        (found, count)
    }

    /// A group by one more attribute, without the cells that hold fewer poor calls.
    pub(crate) fn narrowed(&mut self, group: &Group, attribute: usize, fewest: u64) -> Group {
        self.sum(group, attribute);
        let mut narrowed = Group {
            attributes: group.attributes.iter().copied().chain([attribute]).collect(),
            cells: Vec::new(),
            rows: Vec::with_capacity(group.rows.len()),
        };
        let mut cells = 0;
        self.numbers.clear();
        for ((row, cell), place) in group.rows.iter().zip(&self.places) {
            let value = self.values[attribute][*row as usize];
            if value == 0 || self.sums[*place as usize].poor() < fewest {
                continue;
            }
            let number = *self.numbers.entry(*place as usize).or_insert_with(|| {
                narrowed.cells.extend_from_slice(group.cell(*cell));
                narrowed.cells.push(value);
                cells += 1;
                cells - 1
            });
            narrowed.rows.push((*row, number));
        }
        for place in &self.places {
            self.sums[*place as usize] = Share::default();
        }
        narrowed
    }

    /// Sums the rows of a group by one more attribute.
    fn sum(&mut self, group: &Group, attribute: usize) {
        let (values, size) = (&self.values[attribute], self.sizes[attribute]);
        let place = |(row, cell): &(u32, u32)| *cell as usize * size + values[*row as usize] as usize;
        let cells = group.cells.len() / group.attributes.len().max(1);
        self.places.clear();
        let places = if cells.max(1).saturating_mul(size) <= MOST_PLACES {
            self.places.extend(group.rows.iter().map(|at| narrow(place(at))));
            cells.max(1) * size
        } else {
            self.numbers.clear();
            for at in &group.rows {
                let next = narrow(self.numbers.len());
                self.places.push(*self.numbers.entry(place(at)).or_insert(next));
            }
            self.numbers.len()
        };
        if self.sums.len() < places {
            self.sums.resize(places, Share::default());
        }
        for ((row, _), place) in group.rows.iter().zip(&self.places) {
            self.sums[*place as usize].add(self.shares[*row as usize]);
        }
    }
}
