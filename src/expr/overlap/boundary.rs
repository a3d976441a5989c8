//! What lies beyond the ends of an axis.

use tilewise_kernels::Literal;

/// What lies beyond the ends of an axis that holds `a b c d`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Boundary {
    /// Nothing.
    None,
    /// `b a | a b c d | d c`: SciPy's and Dask's `reflect`, NumPy's `symmetric`.
    Reflect,
    /// `c b | a b c d | c b`: SciPy's `mirror`, NumPy's `reflect`.
    Mirror,
    /// `a a | a b c d | d d`: SciPy's and Dask's `nearest`, NumPy's `edge`.
    Nearest,
    /// `c d | a b c d | a b`: Dask's `periodic`, SciPy's and NumPy's `wrap`.
    Periodic,
    /// This number.
    Constant(Literal),
}

impl Boundary {
    /// The name of a boundary without a number, as SciPy and Dask write it.
    pub fn parse(name: &str) -> Option<Boundary> {
        Some(match name {
            "none" => Boundary::None,
            "reflect" => Boundary::Reflect,
            "mirror" => Boundary::Mirror,
            "nearest" => Boundary::Nearest,
            "periodic" | "wrap" => Boundary::Periodic,
            _ => return None,
        })
    }

    /// The boundary that a mode of `numpy.pad` continues an array by; `constant` by 0.
    pub fn parse_pad(mode: &str) -> Option<Boundary> {
        Some(match mode {
            "constant" => Boundary::Constant(Literal::Int(0)),
            "edge" => Boundary::Nearest,
            "reflect" => Boundary::Mirror,
            "symmetric" => Boundary::Reflect,
            "wrap" => Boundary::Periodic,
            _ => return None,
        })
    }

    /// What lies beyond the ends of the real or the imaginary parts.
    pub(super) fn part(self, imaginary: bool) -> Boundary {
        match (self, imaginary) {
            (Boundary::Constant(Literal::Complex(re, _)), false) => Boundary::Constant(Literal::Float(re)),
            (Boundary::Constant(Literal::Complex(_, im)), true) => Boundary::Constant(Literal::Float(im)),
            (Boundary::Constant(_), true) => Boundary::Constant(Literal::Int(0)),
            (other, _) => other,
        }
    }

    /// The element of an axis of extent `n` (not 0) that stands at `index`; `None` where there is
    /// none.
    pub(super) fn source(self, index: isize, n: usize) -> Option<usize> {
        let len = n as isize;
        if (0..len).contains(&index) {
            return Some(index as usize);
        }
        let at = match self {
            Boundary::None | Boundary::Constant(_) => return None,
            Boundary::Nearest => index.clamp(0, len - 1),
            Boundary::Periodic => index.rem_euclid(len),
            Boundary::Reflect => {
                let at = index.rem_euclid(2 * len);
                at.min(2 * len - 1 - at)
            }
            Boundary::Mirror if n == 1 => 0,
            Boundary::Mirror => {
                let at = index.rem_euclid(2 * len - 2);
                at.min(2 * len - 2 - at)
            }
        };
        Some(at as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_repeat_as_their_documentation_says() {
        let spell = |boundary: Boundary, n: usize, from: isize, to: isize| -> String {
            let letter = |i| boundary.source(i, n).map_or('-', |at| (b'a' + at as u8) as char);
            (from..to).map(letter).collect()
        };
        assert_eq!(spell(Boundary::Reflect, 4, -2, 6), "baabcddc");
        assert_eq!(spell(Boundary::Mirror, 4, -2, 6), "cbabcdcb");
        assert_eq!(spell(Boundary::Nearest, 4, -2, 6), "aaabcddd");
        assert_eq!(spell(Boundary::Periodic, 4, -2, 6), "cdabcdab");
        assert_eq!(spell(Boundary::None, 4, -2, 6), "--abcd--");
        assert_eq!(spell(Boundary::Reflect, 2, -5, 6), "aabbaabbaab");
        assert_eq!(spell(Boundary::Mirror, 1, -2, 2), "aaaa");
        assert_eq!(spell(Boundary::Mirror, 3, -5, 8), "babcbabcbabcb");
    }
}
