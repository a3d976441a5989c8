//! How lengths are cut: into radices of the stages of one workgroup, and into passes of several.
//!
//! Only lengths and the adapter's workgroups decide, so that a transform gives the same bits whatever
//! stands beside it.

/// The prime radices that there are butterflies for.
const PRIMES: [usize; 6] = [2, 3, 5, 7, 11, 13];

/// Primes of padded lengths: the larger ones save no padding and take longer.
const PADDED_PRIMES: [usize; 4] = [2, 3, 5, 7];

/// The longest transform that one invocation holds in its registers, where stages can be chosen.
const LONE: usize = 10;

/// Whether a length is a product of radices.
pub(super) fn is_smooth(len: usize) -> bool {
    let divided = |mut n: usize, prime: &usize| {
        while n.is_multiple_of(*prime) {
            n /= prime;
        }
        n
    };
    len > 0 && PRIMES.iter().fold(len, divided) == 1
}

/// The lengths from `least` to the next power of two that are products of small radices, in rising order.
pub(super) fn padded_lengths(least: usize) -> Vec<usize> {
    let most = least.next_power_of_two();
    let mut found = vec![1];
    for prime in PADDED_PRIMES {
        let mut at = 0;
        while at < found.len() {
            let next = found[at] * prime;
            if next <= most {
                found.push(next);
            }
            at += 1;
        }
    }
    found.retain(|&n| n >= least);
    found.sort_unstable();
    found
}

/// The radices of the stages of a smooth length, none above `most` unless it is prime: as few as can
/// be, then the smallest, the largest first.
pub(super) fn radices(len: usize, most: usize) -> Vec<usize> {
    if len <= LONE.min(most) || PRIMES.contains(&len) {
        return vec![len];
    }
    // Of two stages none should have nearly all of the length: invocations would be few.
    let root = (2..).find(|&r| r * r >= len).unwrap_or(len);
    let wide = most.min(root + root / 2);
    let mut best = Vec::new();
    cut(len, wide, &mut Vec::new(), &mut best);
    best
}

/// Tries every falling list of radices up to `most`, behind those in `chosen`.
fn cut(len: usize, most: usize, chosen: &mut Vec<usize>, best: &mut Vec<usize>) {
    if len == 1 {
        let key = |list: &[usize]| (list.len(), list.iter().sum::<usize>(), list.first().copied());
        if best.is_empty() || key(chosen) < key(best) {
            best.clone_from(chosen);
        }
        return;
    }
    if !best.is_empty() && chosen.len() >= best.len() {
        return;
    }
    let last = chosen.last().copied().unwrap_or(usize::MAX);
    let prime = |r: usize| PRIMES.contains(&r);
    for radix in (2..=most.max(13)).rev() {
        let allowed = radix <= most || prime(radix);
        if allowed && radix <= last && len.is_multiple_of(radix) {
            chosen.push(radix);
            cut(len / radix, most, chosen, best);
            chosen.pop();
        }
    }
}

/// A smooth length as a product of lengths up to `most`, as few and as equal as can be.
pub(super) fn pieces(len: usize, most: usize) -> Vec<usize> {
    if len <= most {
        return vec![len];
    }
    let found = (2..=usize::BITS as usize).find_map(|count| split(len, most, count));
    found.unwrap_or_else(|| vec![len])
}

fn split(len: usize, most: usize, count: usize) -> Option<Vec<usize>> {
    if count == 1 {
        return (len <= most).then(|| vec![len]);
    }
    let even = (len as f64).powf(1.0 / count as f64);
    let mut divisors: Vec<usize> = (2..=most).filter(|&d| len.is_multiple_of(d)).collect();
    let far = |d: usize| (d as f64 / even).ln().abs();
    divisors.sort_by(|&a, &b| far(a).total_cmp(&far(b)));
    divisors.into_iter().find_map(|d| {
        let mut list = split(len / d, most, count - 1)?;
        list.insert(0, d);
        Some(list)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_few_and_even() {
        for (len, want) in [
            (1, &[1][..]),
            (8, &[8]),
            (13, &[13]),
            (16, &[4, 4]),
            (22, &[11, 2]),
            (64, &[8, 8]),
            (256, &[16, 16]),
            (1000, &[10, 10, 10]),
            (1024, &[16, 8, 8]),
            (2187, &[9, 9, 9, 3]),
            (4096, &[16, 16, 16]),
            (5040, &[10, 9, 8, 7]),
            (8192, &[16, 8, 8, 8]),
        ] {
            assert_eq!(radices(len, 16), want, "{len}");
        }
        for len in (1..5000).filter(|&n| is_smooth(n)) {
            let list = radices(len, 8);
            assert_eq!(list.iter().product::<usize>(), len, "{list:?}");
            assert!(list.iter().all(|&r| r <= 8 || r == 11 || r == 13), "{list:?}");
        }
    }

    #[test]
    fn long_lengths_are_cut_evenly() {
        assert_eq!(pieces(4096, 4096), [4096]);
        assert_eq!(pieces(1 << 20, 2048), [1024, 1024]);
        assert_eq!(pieces(13usize.pow(4), 4096), [169, 169]);
        assert_eq!(pieces(1 << 24, 2048).len(), 3);
        assert_eq!(pieces(20160, 2048).iter().product::<usize>(), 20160);
    }

    #[test]
    fn padded_lengths_are_smooth() {
        let found = padded_lengths(2 * 10007 - 1);
        assert_eq!((found[0], found[found.len() - 1]), (20160, 32768));
        assert!(found.iter().all(|&n| is_smooth(n)));
        assert!(!is_smooth(34) && !is_smooth(0) && is_smooth(1));
        assert_eq!(padded_lengths(1), [1]);
    }
}
