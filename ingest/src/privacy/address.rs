//! Addresses: the network says where somebody is, the rest who it is.

use std::net::IpAddr;

use dialtone_schemas::Text;
use ipnet::IpNet;

/// The /24 or /48 around an address or a network; `None` if it is neither. What is wider stays as it is.
pub(super) fn network(address: &str) -> Option<Text> {
    let network = match address.parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => IpNet::from(address.parse::<IpAddr>().ok()?.to_canonical()),
    };
    let widest = if network.addr().is_ipv4() { 24 } else { 48 };
    let sealed = IpNet::new(network.addr(), network.prefix_len().min(widest)).ok()?;
    Text::new(sealed.trunc().to_string()).ok()
}
