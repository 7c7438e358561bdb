//! The simulator from outside: what it promises (`claims`), what it looks like at each door (`doors`).

mod audit;
mod claims;
mod doors;
