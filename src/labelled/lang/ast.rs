//! The tree of an expression.

/// A place in the source text, in bytes; `end` is past the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Past the last byte.
    pub end: usize,
}

impl Span {
    /// From the start of this to the end of `other`.
    pub fn to(self, other: Span) -> Span {
        Span {
            start: self.start,
            end: other.end,
        }
    }
}

/// `name = expression`, or only an expression.
#[derive(Clone, PartialEq, Debug)]
pub struct Statement {
    /// The name given, if any.
    pub name: Option<String>,
    /// The expression.
    pub value: Expr,
}

/// An expression and its place.
#[derive(Clone, PartialEq, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// A numeric literal.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Number {
    /// Without point or exponent.
    Int(i128),
    /// With one.
    Float(f64),
    /// With `j` behind it: times the imaginary unit.
    Imaginary(f64),
}

/// The kinds of expressions.
#[derive(Clone, PartialEq, Debug)]
pub enum ExprKind {
    /// `3`, `2.5e-3`.
    Number(Number),
    /// `"time"`.
    Text(String),
    /// `True` or `False`.
    Bool(bool),
    /// `None`; an added axis inside of an index.
    None,
    /// `...` among arguments: all dimensions not named.
    Ellipsis,
    /// A variable.
    Name(String),
    /// `file:variable`.
    Qualified {
        /// The file's name, whole or without its ending.
        file: String,
        /// The variable.
        name: String,
    },
    /// `[a, b]` or `(a, b)`.
    List(Vec<Expr>),
    /// `-x`.
    Unary(UnaryOp, Box<Expr>),
    /// `a + b`.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `f(a, key=b)` where the callee is a name or an attribute (a method).
    Call {
        /// What is called.
        callee: Box<Expr>,
        /// Its arguments in order.
        arguments: Vec<Argument>,
    },
    /// `x.name`.
    Attribute {
        /// The object.
        object: Box<Expr>,
        /// The name after the point.
        name: String,
        /// Where the name stands.
        name_span: Span,
    },
    /// `x[0, 1:5, ...]`.
    Index {
        /// The object.
        object: Box<Expr>,
        /// What stands in the brackets.
        items: Vec<Item>,
    },
}

/// An argument of a call.
#[derive(Clone, PartialEq, Debug)]
pub struct Argument {
    /// Its keyword, if any.
    pub keyword: Option<String>,
    /// Its value.
    pub value: Expr,
}

/// One entry of an index.
#[derive(Clone, PartialEq, Debug)]
pub enum Item {
    /// An index, a label, `None`, or a list.
    At(Expr),
    /// `start:stop:step`.
    Slice {
        /// Where it starts.
        start: Option<Expr>,
        /// Where it stops.
        stop: Option<Expr>,
        /// Its step.
        step: Option<Expr>,
        /// Where it stands.
        span: Span,
    },
    /// `...`.
    Ellipsis(Span),
}

/// Prefix operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnaryOp {
    /// `-`
    Negative,
    /// `+`
    Positive,
    /// `~`
    Invert,
    /// `not`
    Not,
}

/// Infix operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BinaryOp {
    /// As written.
    pub symbol: &'static str,
    /// The op of the table that it means.
    pub op: &'static str,
    /// How tightly it binds; higher is tighter.
    pub(super) binding: u8,
}

impl UnaryOp {
    /// The op of the table that it means.
    pub fn op(self) -> &'static str {
        match self {
            UnaryOp::Negative => "negative",
            UnaryOp::Positive => "positive",
            UnaryOp::Invert => "bitwise_invert",
            UnaryOp::Not => "logical_not",
        }
    }
}

impl BinaryOp {
    /// Every infix operator with Python's precedence. `**` binds to the right and tighter than
    /// a sign on its left.
    pub(super) const ALL: [BinaryOp; 20] = [
        op("or", "logical_or", 1),
        op("and", "logical_and", 2),
        op("==", "equal", COMPARISON),
        op("!=", "not_equal", COMPARISON),
        op("<=", "less_equal", COMPARISON),
        op("<", "less", COMPARISON),
        op(">=", "greater_equal", COMPARISON),
        op(">", "greater", COMPARISON),
        op("|", "bitwise_or", 5),
        op("^", "bitwise_xor", 6),
        op("&", "bitwise_and", 7),
        op("<<", "bitwise_left_shift", 8),
        op(">>", "bitwise_right_shift", 8),
        op("+", "add", 9),
        op("-", "subtract", 9),
        op("*", "multiply", 10),
        op("//", "floor_divide", 10),
        op("/", "divide", 10),
        op("%", "remainder", 10),
        op("**", "pow", POWER),
    ];
}

/// Binding of `not`, between `and` and the comparisons.
pub(super) const NOT: u8 = 3;
/// Binding of the comparisons.
pub(super) const COMPARISON: u8 = 4;
/// Binding of `-x`, `+x` and `~x`.
pub(super) const SIGN: u8 = 11;
/// Binding of `**`.
pub(super) const POWER: u8 = 12;

const fn op(symbol: &'static str, op: &'static str, binding: u8) -> BinaryOp {
    BinaryOp { symbol, op, binding }
}
