//! Networks, and which addresses are not on the public internet (IANA special-purpose registries).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network: an address and how many of its bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Network {
    Network { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
}

const fn v6(first: [u16; 3], bits: u8) -> Network {
    let [a, b, c] = first;
    Network { address: IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), bits }
}

/// IPv4 networks that are not public.
pub const NOT_PUBLIC_V4: [Network; 18] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 31, 196, 0, 24),
    v4(192, 52, 193, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(192, 175, 48, 0, 24),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
];

/// The IPv6 network outside which nothing is public: mapped, compatible, local, link-local,
/// site-local and multicast addresses all fall by this one rule.
pub const PUBLIC_V6: Network = v6([0x2000, 0, 0], 3);

/// IPv6 networks inside [`PUBLIC_V6`] that are not public.
pub const NOT_PUBLIC_V6: [Network; 5] = [
    v6([0x2001, 0, 0], 23),
    v6([0x2001, 0xdb8, 0], 32),
    v6([0x2002, 0, 0], 16),
    v6([0x2620, 0x4f, 0x8000], 48),
    v6([0x3fff, 0, 0], 20),
];

/// IPv4 addresses as IPv6 hosts behind NAT64 see them (RFC 6052): judged by the address inside.
const NAT64: Network = v6([0x64, 0xff9b, 0], 96);

/// Addresses at which clouds hand out credentials: let in one by one only, never by a network.
pub const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8` or a single address. Bits beyond the length must be zero.
    pub fn parse(text: &str) -> Option<Network> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) if bits.len() <= 3 && bits.bytes().all(|b| b.is_ascii_digit()) => {
                bits.parse().ok().filter(|bits| *bits <= most)?
            }
            Some(_) => return None,
            None => most,
        };
        let network = Network { address, bits };
        let (value, width) = value(address);
        let is_first = network.shifted(value, width) << (width - u32::from(bits)).min(127) == value
            || bits == 0 && value == 0;
        is_first.then_some(network)
    }

    /// Whether it is one address alone.
    pub fn is_single(&self) -> bool {
        u32::from(self.bits) == value(self.address).1
    }

    /// Whether an address is in it. An IPv4 address is never in an IPv6 network.
    pub fn has(&self, address: IpAddr) -> bool {
        if self.address.is_ipv4() != address.is_ipv4() {
            return false;
        }
        let ((own, width), (other, _)) = (value(self.address), value(address));
        self.shifted(own, width) == self.shifted(other, width)
    }

    fn shifted(&self, value: u128, width: u32) -> u128 {
        value.checked_shr(width - u32::from(self.bits)).unwrap_or(0)
    }
}

/// An address as a number, and its width in bits.
fn value(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    }
}

/// The address that a connection really goes to: what stands behind NAT64 is judged by itself.
pub fn meant(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if NAT64.has(address) => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}

/// Whether an address is on the public internet.
pub fn is_public(address: IpAddr) -> bool {
    let address = meant(address);
    match address {
        IpAddr::V4(_) => !NOT_PUBLIC_V4.iter().any(|network| network.has(address)),
        IpAddr::V6(_) => {
            PUBLIC_V6.has(address) && !NOT_PUBLIC_V6.iter().any(|network| network.has(address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(address: IpAddr, by: i128) -> Option<IpAddr> {
        let (number, _) = value(address);
        match address {
            IpAddr::V4(_) => {
                let number = u32::try_from(number.checked_add_signed(by)?).ok()?;
                Some(IpAddr::V4(number.into()))
            }
            IpAddr::V6(_) => Some(IpAddr::V6(number.checked_add_signed(by)?.into())),
        }
    }

    fn last(network: Network) -> IpAddr {
        let (first, width) = value(network.address);
        let left = width - u32::from(network.bits);
        let number = first | (1_u128.checked_shl(left).unwrap_or(0)).wrapping_sub(1);
        match network.address {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(number).unwrap().into()),
            IpAddr::V6(_) => IpAddr::V6(number.into()),
        }
    }

    /// First and last address of each range are refused; those beside it are judged by whatever
    /// range they are in, which is looked for in the other way round: by comparing numbers.
    #[test]
    fn first_last_and_neighbours_of_each_range_are_judged() {
        let in_any = |address: IpAddr, ranges: &[Network]| {
            ranges.iter().any(|range| {
                let at = value(address).0;
                address.is_ipv4() == range.address.is_ipv4()
                    && value(range.address).0 <= at
                    && at <= value(last(*range)).0
            })
        };
        for range in NOT_PUBLIC_V4.iter().chain(&NOT_PUBLIC_V6) {
            for address in [range.address, last(*range)] {
                assert!(range.has(address) && !is_public(address), "{address}");
            }
            let beside = [next(range.address, -1), next(last(*range), 1)];
            for address in beside.into_iter().flatten() {
                assert!(!range.has(address), "{address} is not in {range:?}");
                let refused = match address {
                    IpAddr::V4(_) => in_any(address, &NOT_PUBLIC_V4),
                    IpAddr::V6(_) => {
                        !in_any(address, &[PUBLIC_V6]) || in_any(address, &NOT_PUBLIC_V6)
                    }
                };
                assert_eq!(is_public(address), !refused, "{address}");
            }
        }
    }

    #[test]
    fn what_a_range_leaves_open_is_open_and_what_is_inside_is_not() {
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2606:4700::1111",
            "2a00::1",
            "3ffe::1",
            "64:ff9b::1.1.1.1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for inside in [
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::8.8.8.8",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "5f00::1",
            "2001::1",
            "2002:7f00:1::",
            "100::1",
            "::ffff:0:10.0.0.1",
            "1fff:ffff::",
            "4000::",
            "0.0.0.0",
            "255.255.255.255",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
    }

    #[test]
    fn networks_are_read_strictly() {
        for good in [
            "10.0.0.0/8",
            "0.0.0.0/0",
            "::/0",
            "fd00::/8",
            "192.0.2.7",
            "2001:db8::1",
            "192.0.2.7/32",
            "2001:db8::1/128",
            "128.0.0.0/1",
        ] {
            assert!(Network::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "fd00::1/8",
            "10.0.0.0/",
            "10.0.0/8",
            "host/8",
            "::/129",
            "10.0.0.0/8/8",
        ] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
        let single = |text: &str| Network::parse(text).unwrap().is_single();
        assert!(single("192.0.2.7") && single("::1/128") && !single("192.0.2.0/31"));
        let all = Network::parse("0.0.0.0/0").unwrap();
        assert!(all.has("8.8.8.8".parse().unwrap()) && !all.has("::1".parse().unwrap()));
    }
}
