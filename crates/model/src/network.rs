//! Networks of client addresses: `192.0.2.0/24`, `2001:db8::/32`, or one address.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::Why;

/// Leading bits of an IPv6 address that are one client: what a single connection is given.
const IPV6_CLIENT_BITS: u32 = 64;
/// What a network is expected to look like.
const EXPECTED: &str = "a network like 192.0.2.0/24 or 2001:db8::/32, or one address";
/// What is wrong with one that has more bits than its prefix says.
const NO_HOST_BITS: &str = "a network whose address ends in zeros beyond its prefix";

/// A range of addresses with a common beginning (CIDR).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    /// The first address; never an IPv4 address written as IPv6.
    first: IpAddr,
    /// Leading bits that all addresses share.
    prefix: u8,
}

impl Network {
    /// Reads a network or a single address.
    ///
    /// # Errors
    /// `Malformed`, also when the address has bits beyond the prefix: that is a slip.
    pub fn parse(text: &str) -> Result<Network, Why> {
        let malformed = || Why::Malformed { expected: EXPECTED };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| malformed())?;
        // `::ffff:192.0.2.1/128` would never match: clients are compared as what they are.
        if first.to_canonical() != first {
            return Err(malformed());
        }
        let whole = bits_of(first);
        let prefix = match prefix {
            None => whole,
            Some(digits) => {
                let is_plain = digits.bytes().all(|b| b.is_ascii_digit());
                let prefix = digits.parse::<u8>().ok().filter(|p| is_plain && *p <= whole);
                prefix.ok_or_else(malformed)?
            }
        };
        let network = Network { first, prefix };
        if value_of(first) & !network.mask() == 0 {
            Ok(network)
        } else {
            Err(Why::Malformed { expected: NO_HOST_BITS })
        }
    }

    /// Whether an address is in it. An IPv4 address may also come as an IPv6 one.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4()
            && value_of(address) & self.mask() == value_of(self.first)
    }

    /// The bits that count, among the lowest as many as the address has.
    fn mask(&self) -> u128 {
        let whole = bits_of(self.first);
        let all = if whole == 128 { u128::MAX } else { (1 << whole) - 1 };
        let free = u32::from(whole - self.prefix);
        all & u128::MAX.checked_shl(free).unwrap_or(0)
    }
}

/// What stands for one client: an IPv4 address, or the network of an IPv6 address.
pub fn of_client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(four) => IpAddr::V4(four),
        IpAddr::V6(six) => {
            let mask = u128::MAX << (128 - IPV6_CLIENT_BITS);
            IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & mask))
        }
    }
}

const fn bits_of(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn value_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => u128::from(four.to_bits()),
        IpAddr::V6(six) => six.to_bits(),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Network, D::Error> {
        let text = String::deserialize(deserializer)?;
        Network::parse(&text).map_err(|why| D::Error::custom(why.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap()
    }

    fn has(text: &str, address: &str) -> bool {
        network(text).contains(address.parse().unwrap())
    }

    #[test]
    fn holds_what_shares_its_prefix() {
        for (text, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.128/25", "192.0.2.128", "192.0.2.127"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
        ] {
            assert!(has(text, inside) && !has(text, outside), "{text}");
        }
        assert!(has("0.0.0.0/0", "255.255.255.255") && !has("0.0.0.0/0", "::1"));
        assert!(has("::/0", "ffff::1") && !has("::/0", "192.0.2.1"));
        assert!(has("192.0.2.0/24", "::ffff:192.0.2.9"), "IPv4 in IPv6's clothes");
        assert!(!has("::/0", "::ffff:192.0.2.9"), "and it stays IPv4");
    }

    #[test]
    fn refuses_what_is_none() {
        for bad in [
            "",
            "192.0.2.0/33",
            "192.0.2.1/24",
            "192.0.2.0/",
            "192.0.2.0/+24",
            "192.0.2.0/-1",
            "192.0.2.0/24/8",
            "192.0.2",
            "192.0.2.0 /24",
            "2001:db8::1/64",
            "2001:db8::/129",
            "::ffff:192.0.2.0/120",
            "example.com",
        ] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn is_written_as_it_is_read() {
        for text in ["192.0.2.0/24", "0.0.0.0/0", "2001:db8::/32"] {
            assert_eq!(network(text).to_string(), text);
            let json = serde_json::to_string(&network(text)).unwrap();
            assert_eq!(serde_json::from_str::<Network>(&json).unwrap(), network(text));
        }
        assert_eq!(network("192.0.2.7").to_string(), "192.0.2.7/32");
    }
}
