//! A seeded enterprise: people who call each other from sites, what their calls suffer on the way, what breaks, who
//! complains, and the truth about it. The same scenario and seed give the same bytes; there is no clock in here.
//!
//! The story of a minute: [`Simulation::advance`] draws the calls that start in it (`call`), lets each pass through the
//! access lines and paths with their noise and faults (`path`, `noise`, `fault`), and queues what the ends report of it
//! (`report`) and what the users say (`complaint`) until it is due.

mod call;
mod catalogue;
mod change;
mod complaint;
mod estate;
mod fault;
mod line;
mod load;
mod noise;
mod owner;
mod path;
mod pick;
mod population;
mod random;
pub mod render;
mod report;
mod run;
pub mod scenario;
mod span;
mod truth;
mod world;
mod write;

pub use fault::FaultKind;
pub use line::json_line;
pub use noise::Noise;
pub use render::{Door, door_of};
pub use run::{Deliveries, Simulation};
pub use scenario::{Scenario, ScenarioError};
pub use truth::{Cause, Truth};
pub use write::{RunFiles, write_run};
