//! Ports on loopback that stay free between asking for one and listening on it.

use std::{
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Below what systems give to outgoing connections (from 32 768 on Linux, 49 152 elsewhere): the
/// next client of anybody would take one of those.
const PORTS: Range<u16> = 10_000..32_000;
/// Ports between where two processes with neighbouring ids begin.
const PORTS_A_PROCESS: usize = 97;

/// An address that nobody listens on, given out once in this process.
///
/// # Panics
/// When every port is taken.
pub fn free_address() -> SocketAddrV4 {
    static GIVEN: AtomicUsize = AtomicUsize::new(0);
    let begin = std::process::id() as usize * PORTS_A_PROCESS;
    (0..PORTS.len())
        .find_map(|_| {
            let at = begin + GIVEN.fetch_add(1, Ordering::Relaxed);
            let port = PORTS.start + u16::try_from(at % PORTS.len()).ok()?;
            let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
            TcpListener::bind(address).is_ok().then_some(address)
        })
        .unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_given_once_and_none_that_is_taken() {
        let first = free_address();
        let taken = SocketAddrV4::new(Ipv4Addr::LOCALHOST, first.port() + 2);
        let held = TcpListener::bind(taken);
        let others = [free_address(), free_address(), free_address()];
        assert!(!others.contains(&first));
        if held.is_ok() {
            assert!(!others.contains(&taken));
        }
    }
}
