//! Localisation: which scope explains that more calls are poor than expected. Pure arithmetic on a table, no I/O, no
//! clock; equal tables give equal answers.
//!
//! A [`Table`] has a row for each leaf: codes of its attributes, call-ends at risk `n`, poor ones `k`, poor ones expected
//! `e`. [`scan`] ranks scopes (conjunctions of a few conditions); [`causes`] accepts them one after the other, each
//! given all the others; [`onset`] says since when. [`ranked`] orders scopes for a person; [`against_history`] and
//! [`Volumes`] do the same for plain tables without a baseline. `processor/DESIGN.md` has the formulas with worked numbers.

mod added;
mod causes;
mod columns;
mod crossover;
mod everything;
mod far;
mod history;
mod indifference;
mod lattice;
mod levels;
mod limits;
mod onset;
mod places;
mod poor;
mod rank;
mod rival;
mod scan;
mod score;
mod sets;
mod table;
mod volume;
mod witness;

pub use causes::{Cause, Explained, causes};
pub use crossover::{Calls, Crossing, Crossover, crossover};
pub use everything::{Everything, everything};
pub use far::{Pair, far_ends};
pub use history::{Observation, against_history};
pub use indifference::Indifference;
pub use levels::Levels;
pub use onset::{Onset, Step, onset, onset_at_once};
pub use rank::ranked;
pub use rival::{Held, Part, Quadrants};
pub use scan::{Candidate, Settings, scan};
pub use score::{TWO_SIDED, beyond, binomial, inside_outside, poisson, price};
pub use sets::{Sets, odds};
pub use table::{Codes, Condition, Row, Table};
pub use volume::{VolumeCause, Volumes};
pub use witness::{Kept, kept_by_the_same};
