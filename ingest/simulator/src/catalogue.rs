//! The names of the enterprise: places, providers, models. All invented, so that no maker is blamed by a demo.

/// A place, as the catalogue has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) site: &'static str,
    pub(crate) country: &'static str,
    pub(crate) region: usize,
    /// Whose time its clocks show: a name of the IANA database.
    pub(crate) zone: &'static str,
    /// Share of the users, relative to the other places.
    pub(crate) weight: f64,
    pub(crate) buildings: u8,
    /// Main line and second line: some are shared with other places.
    pub(crate) isps: [&'static str; 2],
    /// Usual relay and the other one.
    pub(crate) relays: [&'static str; 2],
    /// Usual carrier and the other one.
    pub(crate) carriers: [&'static str; 2],
}

pub(crate) const REGIONS: [&str; 3] = ["emea", "apac", "amer"];

const EMEA: [&str; 2] = ["emea-central", "emea-west"];
const WEST: [&str; 2] = ["emea-west", "emea-central"];
const APAC: [&str; 2] = ["apac", "emea-west"];
const AMER: [&str; 2] = ["amer", "emea-west"];

#[rustfmt::skip]
pub(crate) const PLACES: [Place; 12] = [
    Place { site: "berlin",    country: "DE", region: 0, zone: "Europe/Berlin",  weight: 16.0, buildings: 3, isps: ["norlink", "glasnet"],       relays: EMEA, carriers: ["telnova", "brightline"] },
    Place { site: "london",    country: "GB", region: 0, zone: "Europe/London",  weight: 12.0, buildings: 2, isps: ["crown-fibre", "altair"],    relays: WEST, carriers: ["brightline", "telnova"] },
    Place { site: "chicago",   country: "US", region: 2, zone: "America/Chicago",weight: 9.0,  buildings: 2, isps: ["prairie-net", "longhaul"],  relays: AMER, carriers: ["atlantic-voice", "brightline"] },
    Place { site: "bangalore", country: "IN", region: 1, zone: "Asia/Kolkata",   weight: 10.0, buildings: 2, isps: ["deccan-tel", "monsoon"],    relays: APAC, carriers: ["pacific-voice", "brightline"] },
    Place { site: "paris",     country: "FR", region: 0, zone: "Europe/Paris",   weight: 11.0, buildings: 2, isps: ["sequana", "altair"],        relays: WEST, carriers: ["telnova", "brightline"] },
    Place { site: "munich",    country: "DE", region: 0, zone: "Europe/Berlin",  weight: 9.0,  buildings: 2, isps: ["norlink", "altair"],        relays: EMEA, carriers: ["telnova", "brightline"] },
    Place { site: "warsaw",    country: "PL", region: 0, zone: "Europe/Warsaw",  weight: 8.0,  buildings: 2, isps: ["vistula-net", "norlink"],   relays: EMEA, carriers: ["telnova", "brightline"] },
    Place { site: "madrid",    country: "ES", region: 0, zone: "Europe/Madrid",  weight: 7.0,  buildings: 1, isps: ["iberlan", "altair"],        relays: WEST, carriers: ["telnova", "atlantic-voice"] },
    Place { site: "singapore", country: "SG", region: 1, zone: "Asia/Singapore", weight: 6.0,  buildings: 1, isps: ["straits-one", "monsoon"],   relays: APAC, carriers: ["pacific-voice", "atlantic-voice"] },
    Place { site: "austin",    country: "US", region: 2, zone: "America/Chicago",weight: 6.0,  buildings: 1, isps: ["longhaul", "prairie-net"],  relays: AMER, carriers: ["atlantic-voice", "pacific-voice"] },
    Place { site: "hamburg",   country: "DE", region: 0, zone: "Europe/Berlin",  weight: 5.0,  buildings: 1, isps: ["glasnet", "norlink"],       relays: EMEA, carriers: ["telnova", "brightline"] },
    Place { site: "dublin",    country: "IE", region: 0, zone: "Europe/Dublin",  weight: 5.0,  buildings: 1, isps: ["crown-fibre", "emerald"],   relays: WEST, carriers: ["brightline", "atlantic-voice"] },
];

/// Home lines of each region.
pub(crate) const HOME_ISPS: [[&str; 2]; 3] = [
    ["homelink", "citycable"],
    ["monsoon-home", "straits-home"],
    ["suburban-cable", "homelink-us"],
];

/// A headset and the drivers it is found with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Headset {
    pub(crate) model: &'static str,
    pub(crate) drivers: [(&'static str, f64); 2],
}

pub(crate) const HEADSETS: [Headset; 6] = [
    Headset {
        model: "Corvus H20",
        drivers: [("usb-audio 3.1", 0.6), ("usb-audio 3.4", 0.4)],
    },
    Headset {
        model: "Corvus H45",
        drivers: [("usb-audio 3.4", 0.55), ("usb-audio 3.1", 0.45)],
    },
    Headset {
        model: "Lyra 300",
        drivers: [("lyra-hid 7.2", 0.5), ("usb-audio 3.4", 0.5)],
    },
    Headset {
        model: "Lyra 310",
        drivers: [("lyra-hid 8.0", 0.6), ("lyra-hid 7.2", 0.4)],
    },
    Headset {
        model: "Maple One",
        drivers: [("maple 1.9", 0.6), ("usb-audio 3.1", 0.4)],
    },
    Headset {
        model: "Birch Duo",
        drivers: [("maple 2.0", 0.5), ("maple 1.9", 0.5)],
    },
];

/// A desk phone, a room system: model, maker's firmware versions in use, and the one a rollout would bring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hardware {
    pub(crate) model: &'static str,
    pub(crate) firmware: [(&'static str, f64); 2],
    pub(crate) next_firmware: &'static str,
}

pub(crate) const PHONES: [Hardware; 4] = [
    Hardware {
        model: "Teller D3",
        firmware: [("5.1.2", 0.7), ("5.1.0", 0.3)],
        next_firmware: "5.3.0",
    },
    Hardware {
        model: "Ridge 450",
        firmware: [("12.4.6", 0.8), ("12.4.1", 0.2)],
        next_firmware: "12.6.0",
    },
    Hardware {
        model: "Teller D5",
        firmware: [("5.2.0", 0.6), ("5.1.2", 0.4)],
        next_firmware: "5.3.1",
    },
    Hardware {
        model: "Ridge 650",
        firmware: [("12.4.6", 0.5), ("12.5.2", 0.5)],
        next_firmware: "12.6.2",
    },
];

pub(crate) const ROOMS: [Hardware; 2] = [
    Hardware {
        model: "Podium R1",
        firmware: [("3.2.1", 0.7), ("3.2.0", 0.3)],
        next_firmware: "3.5.0",
    },
    Hardware {
        model: "Podium R2",
        firmware: [("3.4.0", 0.9), ("3.2.1", 0.1)],
        next_firmware: "3.5.1",
    },
];

pub(crate) const LAPTOPS: [&str; 4] = ["Slate 14", "Orion T5", "Slate 16", "Orion T7"];

pub(crate) const CLIENTS: [(&str, f64); 3] = [("parley 4.12.0", 0.55), ("parley 4.12.3", 0.3), ("parley 4.11.2", 0.15)];

pub(crate) const ROOM_CLIENT: &str = "parley-rooms 2.8";

/// Policies with their share of the users.
pub(crate) const POLICIES: [(&str, f64); 3] = [("standard", 0.6), ("voice-priority", 0.25), ("low-bandwidth", 0.15)];
