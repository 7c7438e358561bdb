//! The evidence: one row for each leaf.

/// `attribute = value`, both as codes: the attribute's position, and its value's code (0 is "unknown" and never a value).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Condition {
    /// Position of the attribute.
    pub attribute: usize,
    /// Code of the value.
    pub code: u32,
}

/// The sums of one leaf.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Row {
    /// Call-ends at risk.
    pub n: f64,
    /// Call-ends poor.
    pub k: f64,
    /// Poor call-ends expected.
    pub e: f64,
    /// How much the leaf weighs when scopes are compared for covering the same calls (its calls over a longer time).
    pub weight: f64,
}

/// The attributes of rows, as codes.
#[derive(Clone, Debug, Default)]
pub struct Codes {
    attributes: usize,
    codes: Vec<u32>,
    cardinality: Vec<u32>,
    rows: usize,
}

impl Codes {
    /// Of so many attributes.
    pub fn new(attributes: usize) -> Self {
        Self {
            attributes,
            cardinality: vec![0; attributes],
            ..Self::default()
        }
    }

    /// Adds a row; missing codes count as unknown.
    pub fn push(&mut self, codes: &[u32]) {
        for attribute in 0..self.attributes {
            let code = codes.get(attribute).copied().unwrap_or(0);
            self.codes.push(code);
            self.cardinality[attribute] = self.cardinality[attribute].max(code);
        }
        self.rows += 1;
    }

    /// Number of attributes.
    pub const fn attributes(&self) -> usize {
        self.attributes
    }

    /// Number of rows.
    pub const fn len(&self) -> usize {
        self.rows
    }

    /// Is there no row?
    pub const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The codes of one row.
    pub fn of(&self, row: usize) -> &[u32] {
        &self.codes[row * self.attributes..(row + 1) * self.attributes]
    }

    /// Highest code of an attribute: how many values it has.
    pub fn cardinality(&self, attribute: usize) -> u32 {
        self.cardinality[attribute]
    }

    /// Does a row fulfil every condition?
    pub fn covers(&self, conditions: &[Condition], row: usize) -> bool {
        let codes = self.of(row);
        conditions.iter().all(|c| codes[c.attribute] == c.code)
    }
}

/// Leaves with their codes.
#[derive(Clone, Debug, Default)]
pub struct Table {
    codes: Codes,
    rows: Vec<Row>,
}

impl Table {
    /// A table of so many attributes.
    pub fn new(attributes: usize) -> Self {
        Self {
            codes: Codes::new(attributes),
            rows: Vec::new(),
        }
    }

    /// Adds a row; missing codes count as unknown.
    pub fn push(&mut self, codes: &[u32], row: Row) {
        self.codes.push(codes);
        self.rows.push(row);
    }

    /// Number of attributes.
    pub const fn attributes(&self) -> usize {
        self.codes.attributes()
    }

    /// The codes of all rows.
    pub const fn all_codes(&self) -> &Codes {
        &self.codes
    }

    /// The rows.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows, to be changed.
    pub fn rows_mut(&mut self) -> &mut [Row] {
        &mut self.rows
    }

    /// The codes of one row.
    pub fn codes(&self, row: usize) -> &[u32] {
        self.codes.of(row)
    }

    /// Does a row fulfil every condition?
    pub fn covers(&self, conditions: &[Condition], row: usize) -> bool {
        self.codes.covers(conditions, row)
    }

    /// The rows that fulfil every condition.
    pub fn covered<'a>(&'a self, conditions: &'a [Condition]) -> impl Iterator<Item = usize> + 'a {
        (0..self.rows.len()).filter(|row| self.covers(conditions, *row))
    }

    /// Share of the calls covered by either scope that both cover, by weight.
    pub fn jaccard(&self, a: &[Condition], b: &[Condition]) -> f64 {
        self.shared(&self.mask(a), b)
    }

    /// Which rows fulfil every condition?
    pub(crate) fn mask(&self, conditions: &[Condition]) -> Vec<bool> {
        (0..self.rows.len()).map(|row| self.covers(conditions, row)).collect()
    }

    /// As [`Table::jaccard`], with the rows of the one scope known.
    pub(crate) fn shared(&self, is_in_a: &[bool], b: &[Condition]) -> f64 {
        let (mut both, mut either) = (0.0, 0.0);
        for (i, (row, in_a)) in self.rows.iter().zip(is_in_a).enumerate() {
            let in_b = self.covers(b, i);
            both += if *in_a && in_b { row.weight } else { 0.0 };
            either += if *in_a || in_b { row.weight } else { 0.0 };
        }
        if either > 0.0 { both / either } else { 0.0 }
    }
}
