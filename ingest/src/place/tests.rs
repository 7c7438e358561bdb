use super::*;

const TWO: &str = "10.1.0.0,berlin-wifi-2,22,berlin-b1,Leased,Office,Office,Berlin,10115,DE,,emea,1,0,0\n\
                   10.200.0.0,vpn-emea,16,,,,,,,,,,0,0,1\n";

fn problems(file: &str) -> Vec<String> {
    let error = Sites::read(file.as_bytes()).expect_err("problems");
    error.listed.iter().map(|p| format!("{}: {}", p.line, p.text)).collect()
}

fn settled(sites: &Sites, address: &str) -> (Leaf, Endpoint) {
    let (mut leaf, mut endpoint) = (
        Leaf::default(),
        Endpoint {
            address: Text::new(address).ok(),
            ..Endpoint::default()
        },
    );
    sites.settle(&mut leaf, &mut endpoint);
    (leaf, endpoint)
}

#[test]
fn an_address_is_placed_by_the_file() {
    let sites = Sites::read(TWO.as_bytes()).expect("a file");
    let (leaf, endpoint) = settled(&sites, "10.1.3.255");
    assert_eq!(leaf.site.as_ref().map(Text::as_str), Some("Berlin"));
    assert_eq!(leaf.building.as_ref().map(Text::as_str), Some("berlin-b1"));
    assert_eq!(leaf.segment.as_ref().map(Text::as_str), Some("berlin-wifi-2"));
    assert_eq!((leaf.connection, endpoint.inside_corp), (None, Some(true)));
    assert_eq!(
        settled(&sites, "10.1.4.0").0,
        Leaf::default(),
        "the first address after the /22"
    );
    assert_eq!(
        settled(&sites, "::ffff:10.1.3.255").0,
        leaf_of(&sites),
        "IPv4 written as IPv6"
    );
}

#[test]
fn the_sites_of_a_file_are_named_once_and_a_network_without_one_names_none() {
    let more = "10.2.0.0,lyon,24,lyon-b1,Leased,Office,Office,Lyon,69001,FR,,emea,1,0,0\n\
                10.3.0.0,berlin-lan,24,berlin-b2,Leased,Office,Office,Berlin,10115,DE,,emea,1,0,0\n";
    let sites = Sites::read(format!("{TWO}{more}").as_bytes()).expect("a file");
    let names: Vec<&str> = sites.names().into_iter().map(Text::as_str).collect();
    assert_eq!(names, ["Berlin", "Lyon"]);
}

fn leaf_of(sites: &Sites) -> Leaf {
    settled(sites, "10.1.0.1").0
}

#[test]
fn a_vpn_network_says_the_connection_but_never_contradicts_the_report() {
    let sites = Sites::read(TWO.as_bytes()).expect("a file");
    let (leaf, endpoint) = settled(&sites, "10.200.9.9");
    assert_eq!(leaf.connection.as_ref().map(Text::as_str), Some("vpn"));
    assert_eq!((leaf.site, endpoint.inside_corp), (None, Some(false)));
    let mut said = Leaf {
        connection: Text::new("mobile").ok(),
        site: Text::new("home").ok(),
        ..Leaf::default()
    };
    let mut endpoint = Endpoint {
        address: Text::new("10.1.0.9").ok(),
        ..Endpoint::default()
    };
    sites.settle(&mut said, &mut endpoint);
    assert_eq!(said.site.as_ref().map(Text::as_str), Some("home"));
    assert_eq!(said.connection.as_ref().map(Text::as_str), Some("mobile"));
    assert_eq!(
        said.segment.as_ref().map(Text::as_str),
        Some("berlin-wifi-2"),
        "what it did not say is filled in"
    );
}

#[test]
fn tabs_fourteen_columns_a_mark_and_ipv6_are_read() {
    let file = "\u{feff}2001:db8:1::\tlab\t48\tlab-1\t\t\t\t\t\t\t\t\t1\t0\r\n";
    let sites = Sites::read(file.as_bytes()).expect("a file");
    let (leaf, _) = settled(&sites, "2001:db8:1:2::3");
    assert_eq!(
        leaf.site.as_ref().map(Text::as_str),
        Some("lab-1"),
        "without a city, the building is the site"
    );
    assert_eq!(sites.networks(), 1);
}

#[test]
fn a_network_without_a_name_is_named_by_its_prefix() {
    let sites = Sites::read(b"10.9.0.0,,24,hut,,,,,,,,,1,0,0").expect("a file");
    assert_eq!(
        settled(&sites, "10.9.0.7").0.segment.as_ref().map(Text::as_str),
        Some("10.9.0.0/24")
    );
}

#[test]
fn overlaps_are_refused_with_both_lines() {
    let file = "10.1.2.0,a,24,x,,,,,,,,,1,0,0\n10.9.0.0,b,24,x,,,,,,,,,1,0,0\n10.1.0.0,c,16,x,,,,,,,,,1,0,0\n10.9.0.0,d,24,x,,,,,,,,,1,0,0\n";
    assert_eq!(
        problems(file),
        [
            "3: 10.1.0.0/16 overlaps 10.1.2.0/24 of line 1",
            "4: 10.9.0.0/24 overlaps 10.9.0.0/24 of line 2"
        ]
    );
}

#[test]
fn all_problems_are_named_at_once() {
    let file =
        "10.0.0.0,a,7,x,,,,,,,,,1,0,0\n10.0.0,b,24,x,,,,,,,,,maybe,0,0\none,two\n10.3.0.1,c,24,x,,,,,,,,,1,0,0\n";
    assert_eq!(
        problems(file),
        [
            "1: NetworkRange \"7\": expected a prefix length of 8 to 32",
            "2: InsideCorp: expected 0 or 1",
            "2: NetworkIP \"10.0.0\" is no address",
            "3: has 2 columns: expected 14, or 15 with VPN",
            "4: NetworkIP 10.3.0.1 is not the first address of its network, 10.3.0.0/24",
        ]
    );
}

/// Nested networks cannot come from a file, but the lookup is by longest prefix all the same.
#[test]
fn of_nested_networks_the_smallest_counts() {
    let place = |segment: &str| Place {
        site: None,
        building: None,
        segment: Text::new(segment).expect("text"),
        inside_corp: true,
        vpn: false,
    };
    let mut sites = Sites::default();
    sites.insert("10.0.0.0/8".parse().expect("net"), place("all"));
    sites.insert("10.1.0.0/16".parse().expect("net"), place("some"));
    let segment = |ip: &str| {
        sites
            .place(ip.parse().expect("ip"))
            .map(|p| p.segment.as_str().to_owned())
    };
    assert_eq!(segment("10.1.2.3").as_deref(), Some("some"));
    assert_eq!(segment("10.2.2.3").as_deref(), Some("all"));
    assert_eq!(segment("11.2.2.3"), None);
}

#[test]
fn the_row_of_microsofts_own_page_is_read() {
    let row = "192.168.1.0,USA/Seattle/SEATTLE-SEA-1,26,SEATTLE-SEA-1,Contoso,IT Termination,Engineering,Seattle,98001,US,WA,MSUS,1,0,0";
    let sites = Sites::read(row.as_bytes()).expect("a file");
    assert_eq!(
        settled(&sites, "192.168.1.63").0.site.as_ref().map(Text::as_str),
        Some("Seattle")
    );
}
