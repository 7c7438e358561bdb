//! The simulator from outside: what it promises (`claims`), what people change meanwhile (`changes`), where they work and when
//! they call (`habits`), what becomes of its reports on their way (`reporting`), who owns what (`owners`), what it looks like at
//! each door (`doors`), what is said of work that makes calls worse (`works`).

mod audit;
mod before;
mod changes;
mod claims;
mod doors;
mod habits;
mod owners;
mod reporting;
mod works;
