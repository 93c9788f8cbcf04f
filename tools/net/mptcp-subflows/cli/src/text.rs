// SPDX-License-Identifier: GPL-2.0

//! Numbers and addresses for people.

use std::net::SocketAddr;
use std::time::Duration;

pub fn plural(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// With the IPv4 address of an IPv6 socket that carries IPv4.
pub fn address(address: SocketAddr) -> String {
    let ip = address.ip().to_canonical();
    match ip == address.ip() {
        true => address.to_string(),
        false => SocketAddr::new(ip, address.port()).to_string(),
    }
}

/// Milliseconds, with three digits.
pub fn milliseconds(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    let digits = match ms {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{ms:.digits$} ms")
}

/// Seconds: tenths while they are few.
pub fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let digits = if seconds < 9.95 { 1 } else { 0 };
    format!("{seconds:.digits$} s")
}

/// An amount of data, in decimal units.
pub fn bytes(count: u64) -> String {
    scaled(count as f64, "B")
}

/// Bits per second, without their unit, from bytes per second.
pub fn bit_rate(rate: f64) -> String {
    scaled((rate * 8.0).round(), "").trim_end().into()
}

/// Three digits and a decimal prefix.
fn scaled(mut value: f64, unit: &str) -> String {
    if value < 1000.0 {
        return format!("{value} {unit}");
    }
    let mut prefix = "";
    for next in ["k", "M", "G", "T"] {
        // What would be rounded up to four digits takes the next prefix.
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        prefix = next;
    }
    let digits = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {prefix}{unit}")
}

pub fn percent(part: f64) -> String {
    let percent = part * 100.0;
    let digits = if percent > 0.0 && percent < 9.95 {
        1
    } else {
        0
    };
    format!("{percent:.digits$} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_prefix() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (9_994, "9.99 kB"),
            (9_996, "10.0 kB"),
            (99_960, "100 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (12_345_678, "12.3 MB"),
            (7_000_000_000_000, "7.00 TB"),
            (7_000_000_000_000_000, "7000 TB"),
        ] {
            assert_eq!(bytes(count), text);
        }
        assert_eq!(bit_rate(11_787_500.0), "94.3 M");
        assert_eq!(bit_rate(0.04), "0");
    }

    #[test]
    fn times_and_parts() {
        let micros = Duration::from_micros;
        assert_eq!(milliseconds(micros(40)), "0.04 ms");
        assert_eq!(milliseconds(micros(25_340)), "25.3 ms");
        assert_eq!(milliseconds(micros(304_000)), "304 ms");
        assert_eq!(seconds(micros(3_240_000)), "3.2 s");
        assert_eq!(seconds(micros(75_000_000)), "75 s");
        assert_eq!(percent(0.031), "3.1 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(0.998), "100 %");
    }

    #[test]
    fn v4_mapped_addresses_are_ipv4() {
        let text = |text: &str| address(text.parse().unwrap());
        assert_eq!(text("[::ffff:10.0.0.2]:80"), "10.0.0.2:80");
        assert_eq!(text("[2001:db8::1]:80"), "[2001:db8::1]:80");
    }
}
