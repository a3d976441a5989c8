//! Counting through the indices of a loop nest without dividing.
//!
//! A row-major number is a number of mixed radix whose digits are the indices. Dividing it at every
//! point costs more than most programs do there, so an invocation divides once, for its first
//! point, and then counts on by addition with carry.

use std::fmt::Write;

/// One index of a loop nest: a variable and the expression of its extent.
pub(super) struct Digit {
    pub name: String,
    pub extent: String,
}

impl Digit {
    pub fn new(name: String, extent: String) -> Digit {
        Digit { name, extent }
    }

    /// The index along an axis of the kernel.
    pub fn axis(d: usize) -> Digit {
        Digit::new(format!("i{d}"), format!("n{d}"))
    }
}

/// Statements that declare the digits of a number, each as `declare` (`let` or `var`) with a
/// prefix to its name. The first digit is the outermost and takes what is left.
pub(super) fn split(number: &str, declare: &str, prefix: &str, digits: &[Digit], pad: &str) -> String {
    let mut text = String::new();
    let mut rest = number.to_string();
    for (place, Digit { name, extent }) in digits.iter().enumerate().rev() {
        if place == 0 {
            let _ = writeln!(text, "{pad}{declare} {prefix}{name} = {rest};");
        } else {
            let above = format!("above_{prefix}{name}");
            let _ = writeln!(
                text,
                "{pad}{declare} {prefix}{name} = {rest} % {extent};\n{pad}let {above} = {rest} / {extent};"
            );
            rest = above;
        }
    }
    text
}

/// How far digits are counted on.
#[derive(Clone, Copy)]
pub(super) enum By {
    /// By that number, of which the innermost extent is a multiple.
    Number(usize),
    /// By the digits of a step that was split with the prefix `by_`.
    Digits,
}

/// Statements that count the digits on.
pub(super) fn advance(digits: &[Digit], by: By, pad: &str) -> String {
    let mut text = String::new();
    for (place, Digit { name, extent }) in digits.iter().enumerate().rev() {
        let innermost = place + 1 == digits.len();
        match by {
            By::Digits => {
                let _ = writeln!(text, "{pad}{name} = {name} + by_{name};");
            }
            By::Number(number) if innermost => {
                let _ = writeln!(text, "{pad}{name} = {name} + {number}u;");
            }
            By::Number(_) => {}
        }
        if place > 0 {
            let outer = &digits[place - 1].name;
            let _ = writeln!(
                text,
                "{pad}if ({name} >= {extent}) {{ {name} = {name} - {extent}; {outer} = {outer} + 1u; }}"
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_digit_needs_no_division() {
        let digits = [Digit::axis(3)];
        assert_eq!(split("k", "let", "", &digits, ""), "let i3 = k;\n");
        assert_eq!(advance(&digits, By::Number(1), ""), "i3 = i3 + 1u;\n");
    }

    #[test]
    fn carries_go_outwards() {
        let digits = [Digit::axis(0), Digit::axis(1)];
        assert_eq!(
            split("first", "var", "", &digits, ""),
            "var i1 = first % n1;\nlet above_i1 = first / n1;\nvar i0 = above_i1;\n"
        );
        assert_eq!(
            advance(&digits, By::Digits, ""),
            "i1 = i1 + by_i1;\nif (i1 >= n1) { i1 = i1 - n1; i0 = i0 + 1u; }\ni0 = i0 + by_i0;\n"
        );
    }
}
