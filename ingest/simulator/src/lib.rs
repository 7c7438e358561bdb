//! A seeded enterprise: people who call each other from sites, what their calls suffer on the way, what breaks, who
//! complains, and the truth about it. The same scenario and seed give the same bytes; there is no clock in here.
//!
//! The story of a minute: [`Simulation::advance`] draws the calls that start in it (`call`), lets each pass through the
//! access lines and paths with their noise and faults (`path`, `noise`, `fault`), and queues what the ends report of it
//! (`report`), so far as it gets out (`reporting`), and what the users say (`complaint`) until it is due.

mod calendar;
mod call;
mod catalogue;
mod change;
mod complaint;
mod drawn;
mod estate;
mod fault;
mod holiday;
mod innocent;
mod line;
mod load;
mod moving;
mod noise;
mod owner;
mod path;
mod pick;
mod population;
mod random;
mod ranges;
pub mod render;
mod report;
mod reporting;
mod rollout;
mod run;
pub mod scenario;
mod span;
mod surroundings;
mod truth;
mod work;
mod world;
mod write;
mod zone;

pub use drawn::Drawn;
pub use fault::FaultKind;
pub use innocent::{Improvement, Maintenance};
pub use line::json_line;
pub use moving::OfficeMove;
pub use noise::Noise;
pub use render::{Door, door_of};
pub use reporting::{ClockOff, Gap, Reporting};
pub use run::{Aggrieved, Deliveries, Simulation};
pub use scenario::{Scenario, ScenarioError};
pub use surroundings::Rival;
pub use truth::{Cause, Truth};
pub use work::Work;
pub use write::{RunFiles, write_run};
