//! How many connections there may be, of one address and in all.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// Counts connections. What is beyond the bounds is closed at once.
#[derive(Clone, Debug)]
pub(super) struct Quota {
    all: usize,
    each: usize,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_address: BTreeMap<IpAddr, usize>,
}

/// Room for one connection; given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    quota: Quota,
    address: IpAddr,
}

impl Quota {
    pub(super) fn new(all: usize, each: usize) -> Self {
        Self {
            all,
            each,
            open: Arc::default(),
        }
    }

    /// Room for one more of this address, if there is any.
    pub(super) fn seat(&self, address: IpAddr) -> Option<Seat> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = open.by_address.get(&address).copied().unwrap_or(0);
        if open.all >= self.all || of_address >= self.each {
            return None;
        }
        open.all += 1;
        open.by_address.insert(address, of_address + 1);
        Some(Seat {
            quota: self.clone(),
            address,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.quota.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all -= 1;
        match open.by_address.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.by_address.remove(&self.address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_bounded_per_address_and_in_all_and_given_back() {
        let quota = Quota::new(3, 2);
        let ip = |n: u8| IpAddr::from([10, 0, 0, n]);
        let first = quota.seat(ip(1)).expect("room");
        let second = quota.seat(ip(1)).expect("room");
        assert!(quota.seat(ip(1)).is_none(), "two of one address");
        let _third = quota.seat(ip(2)).expect("room");
        assert!(quota.seat(ip(3)).is_none(), "three in all");
        drop(first);
        assert!(quota.seat(ip(1)).is_some());
        drop(second);
        assert!(
            quota.open.lock().expect("lock").by_address.len() <= 1,
            "an address without connections is forgotten"
        );
    }
}
